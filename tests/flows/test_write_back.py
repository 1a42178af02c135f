"""The write-back: only differences, only values that nobody has changed, and all logged."""

import threading
import time
from collections import Counter

import psycopg
import pytest
from conftest import UNTIL, Database
from psycopg.rows import DictRow

COLUMNS = (
    "account_type",
    "risk_status",
    "last_order_date",
    "next_expected_order_date",
    "average_order_interval_days",
    "dormancy_since",
    "reactivated_date",
)


def statuses(database: Database) -> dict[str, tuple[object, ...]]:
    rows = database.rows(f"select id, {', '.join(COLUMNS)} from commerce.customers")
    return {str(row.pop("id")): tuple(row.values()) for row in rows}


def spoil(database: Database, customers: int) -> list[str]:
    """Give some customers a risk status that differs from the rules; return their ids."""
    return [
        str(row["id"])
        for row in database.rows(
            "update commerce.customers set risk_status = 'WRONG' where id in ("
            " select customer_id from analytics.customer_risk_status order by customer_id"
            " limit %s) returning id",
            customers,
        )
    ]


def outcomes(database: Database) -> dict[str, int]:
    return {
        row["state"]: row["customers"]
        for row in database.rows(
            "select changes.state, count(distinct customer_id)::int as customers"
            " from operations.write_back_changes as changes"
            " where batch_id in (select batch_id from operations.write_back_batches where"
            " logid = (select logid from operations.application_logs"
            " order by log_id desc limit 1)) group by changes.state"
        )
    }


def test_the_operational_table_says_what_the_marts_say(refreshed: Database) -> None:
    assert refreshed.value("select count(*) from operations.pending_customer_updates") == 0
    differing = refreshed.rows(
        """
        select customers.id
        from commerce.customers
        left join analytics.customer_account_types as account_types
            on customers.tenant_id = account_types.tenant_id
            and customers.id = account_types.customer_id
        left join analytics.customer_risk_status as risk_status
            on customers.tenant_id = risk_status.tenant_id
            and customers.id = risk_status.customer_id
        where
            not customers.is_closed
            and (
                customers.risk_status is distinct from risk_status.risk_status
                or customers.last_order_date is distinct from risk_status.last_order_date
                or customers.next_expected_order_date
                is distinct from risk_status.next_expected_order_date
                or customers.average_order_interval_days
                is distinct from risk_status.average_order_interval_days
                or customers.dormancy_since is distinct from risk_status.dormancy_since
                or customers.reactivated_date is distinct from risk_status.reactivated_date
                or (
                    customers.account_type is distinct from account_types.account_type
                    and customers.account_type is distinct from 'HOLD'
                )
            )
        """
    )
    assert differing == []
    assert refreshed.value(
        "select count(*) from commerce.customers where account_type = 'HOLD'"
    )
    assert refreshed.value(
        "select count(*) from commerce.customers where is_closed"
    ) == refreshed.value(
        "select count(*) from commerce.customers where is_closed and risk_status is null"
    )


def test_only_what_differs_is_written_and_a_second_time_nothing(
    refreshed: Database,
) -> None:
    right = statuses(refreshed)
    spoilt = spoil(refreshed, 250)
    done = refreshed.run("flows", "write-back", "--force")
    assert done.returncode == 0, done.stderr
    assert "250 customers written back" in done.stdout
    assert statuses(refreshed) == right
    assert outcomes(refreshed) == {"written": 250}
    changes = refreshed.rows(
        "select * from operations.write_back_changes where old_value = 'WRONG'"
    )
    assert sorted(change["customer_id"] for change in changes) == sorted(spoilt)
    for change in changes:
        assert change["column_name"] == "risk_status"
        assert change["new_value"] == right[change["customer_id"]][1]
        assert change["reason"]
    done = refreshed.run("flows", "write-back")
    assert "0 customers written back" in done.stdout
    assert outcomes(refreshed) == {}


def test_a_dry_run_prints_and_writes_nothing(refreshed: Database) -> None:
    spoil(refreshed, 30)
    before = statuses(refreshed)
    done = refreshed.run("flows", "write-back", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert statuses(refreshed) == before
    assert "WRONG" in done.stdout
    assert "dry run: 30 customers would be changed, nothing was written" in done.stdout
    assert "The first 10 customers" in done.stdout
    assert "usually 60.0 to 75.0 %" in done.stdout
    assert refreshed.value("select count(*) from operations.application_logs") == 1


def test_rows_in_use_are_left_for_the_next_run(refreshed: Database) -> None:
    spoilt = spoil(refreshed, 20)
    with refreshed.connect() as application, application.transaction():
        application.execute(
            "select from commerce.customers where id = any(%s) for update",
            (spoilt[:5],),
        )
        done = refreshed.run("flows", "write-back")
    assert done.returncode == 0, done.stderr
    assert outcomes(refreshed) == {"written": 15, "locked": 5}
    assert "not written: 5 customers, locked by another transaction" in done.stdout
    refreshed.run("flows", "write-back")
    assert outcomes(refreshed) == {"written": 5}


def test_a_value_that_somebody_changed_meanwhile_is_kept(refreshed: Database) -> None:
    """A trigger of the test delays the write between comparison and update."""
    spoil(refreshed, 300)
    refreshed.execute(
        """
        create function public.hold_up() returns trigger language plpgsql as $$
        begin
            perform pg_advisory_xact_lock(1);
            return null;
        end
        $$;
        create trigger hold_up before update on commerce.customers
        for each statement execute function public.hold_up();
        """
    )
    # the tenants are written in this order, so the last one waits
    [override] = refreshed.rows(
        "select customers.id from commerce.customers inner join commerce.tenants"
        " on tenant_id = tenants.id where slug = 'north-dairy' and risk_status = 'WRONG'"
        " limit 1"
    )
    with refreshed.connect() as human:
        human.execute("set session_replication_role = replica")
        human.execute("select pg_advisory_lock(1)")
        command = threading.Thread(
            target=refreshed.run, args=("flows", "write-back", "--force")
        )
        command.start()
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while not refreshed.value(waiting):
            command.join(0.1)
            assert command.is_alive()
        human.execute(
            "update commerce.customers set risk_status = 'MINE' where id = %s",
            (override["id"],),
        )
        human.execute("select pg_advisory_unlock(1)")
        command.join()
    assert outcomes(refreshed) == {"written": 299, "conflict": 1}
    assert statuses(refreshed)[str(override["id"])][1] == "MINE"


def test_a_row_that_cannot_be_written_does_not_stop_the_others(
    refreshed: Database,
) -> None:
    spoilt = spoil(refreshed, 200)
    refreshed.execute(
        f"""
        create function public.refuse() returns trigger language plpgsql as $$
        begin
            if new.id = '{spoilt[77]}' then
                -- a class of its own, as applications have
                raise exception 'this customer is frozen' using errcode = '45000';
            end if;
            return new;
        end
        $$;
        create trigger refuse before update on commerce.customers
        for each row execute function public.refuse();
        """
    )
    done = refreshed.run("flows", "write-back", "--force")
    assert done.returncode == 0, done.stderr
    assert outcomes(refreshed) == {"written": 199, "error": 1}
    [change] = refreshed.rows(
        "select * from operations.write_back_changes where state = 'error'"
    )
    assert change["customer_id"] == spoilt[77]
    assert change["error"] == "this customer is frozen"
    assert "not written: 1 customer, with an error" in done.stdout


def test_a_write_back_that_failed_says_what_is_lacking_and_holds_nothing(
    refreshed: Database,
) -> None:
    [spoilt] = spoil(refreshed, 1)
    refreshed.execute(
        "revoke update (risk_status) on commerce.customers from customer_health_write_back"
    )
    lacking = (
        "customer_health_write_back may not update risk_status of commerce.customers: its"
        " owner can `grant update (risk_status) on commerce.customers to"
        " customer_health_write_back`"
    )
    done = refreshed.run("flows", "write-back", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"warning: the write-back would fail: {lacking}" in done.stdout
    # the next write-back continues after a refresh that has computed everything
    later = "2026-06-15T12:30:00+00:00"
    done = refreshed.run("flows", "refresh", "--mode", "hourly", "--as-of", later)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert (
        f"permission denied for table customers; {lacking}; all other tenants" in done.stderr
    )
    refreshed.execute(
        "grant update (risk_status) on commerce.customers to customer_health_write_back;"
        " alter table commerce.customers add constraint is_short"
        " check (length(risk_status) < 6) not valid"
    )
    done = refreshed.run("flows", "write-back")
    assert done.returncode == 0, done.stderr
    assert "some customers could not be written: new row for relation" in done.stdout
    assert f"(table commerce.customers, column risk_status, customer {spoilt})" in done.stdout
    # nor does PostgreSQL name the column of a value that is too long
    refreshed.execute(
        "alter table commerce.customers drop constraint is_short;"
        " create function commerce.too_long() returns trigger language plpgsql"
        " as $$ begin raise string_data_right_truncation; end $$;"
        " create trigger too_long before update on commerce.customers"
        " for each row execute function commerce.too_long()"
    )
    done = refreshed.run("flows", "write-back")
    assert f"(column risk_status, customer {spoilt})" in done.stdout
    refreshed.execute("drop trigger too_long on commerce.customers")
    done = refreshed.run("flows", "write-back")
    assert (done.returncode, outcomes(refreshed)) == (0, {"written": 1}), done.stderr


def test_row_security_needs_a_policy_and_hides_no_customer_without_a_word(
    refreshed: Database,
) -> None:
    refreshed.execute(
        "alter table commerce.customers enable row level security;"
        " alter role customer_health_refresher bypassrls"
    )
    hidden, *_ = ids = [
        str(row["id"])
        for row in refreshed.rows(
            "update commerce.customers set risk_status = 'WRONG' where id in (select id"
            " from commerce.customers where risk_status = 'HEALTHY' and tenant_id ="
            " (select id from commerce.tenants where slug = 'harbor-foods') limit 3)"
            " returning id"
        )
    ]
    policy = (
        "create policy customer_health on commerce.customers to customer_health_write_back"
        " using (true)"
    )
    lacking = (
        "customer_health_write_back has no policy for select and update in the row security of"
        f" commerce.customers: its owner can `{policy}`"
    )
    try:
        done = refreshed.run("flows", "write-back", "--dry-run")
        assert done.returncode == 0, done.stderr
        assert f"warning: the write-back would fail: {lacking}" in done.stdout
        # to see a row is not to write it
        for before in ("", policy.replace("to ", "for select to ", 1)):
            refreshed.execute(before or "select")
            done = refreshed.run("flows", "write-back")
            assert done.returncode == 4
            assert lacking in done.stderr
        refreshed.execute(
            "drop policy customer_health on commerce.customers;"
            + policy.replace("true", f"id != '{hidden}'")
        )
        done = refreshed.run("flows", "write-back")
        assert done.returncode == 0, done.stderr
        assert outcomes(refreshed) == {"written": 2, "error": 1}
        assert "harbor-foods: some customers could not be written: a row sec" in done.stdout
        batch = str(refreshed.value("select max(batch_id) from operations.write_back_batches"))
        refreshed.execute("drop policy customer_health on commerce.customers")
        done = refreshed.run("flows", "rollback", batch)
        assert done.returncode == 4
        assert lacking in done.stderr
        refreshed.execute(policy)
        done = refreshed.run("flows", "rollback", batch)
        assert done.returncode == 0, done.stderr
        assert "\n2 values restored" in done.stdout
        assert refreshed.run("flows", "write-back").returncode == 0
        assert outcomes(refreshed) == {"written": len(ids)}
    finally:
        refreshed.execute("alter role customer_health_refresher nobypassrls")


def test_a_customer_that_is_gone_is_not_written(refreshed: Database) -> None:
    with refreshed.connect() as connection:
        spoilt = spoil(refreshed, 3)
        batches = connection.execute(
            "select operations.plan_write_back('by hand', null, 200, false) as batch_id"
        ).fetchall()
        connection.execute("delete from commerce.orders where customer_id = %s", spoilt[:1])
        connection.execute("delete from commerce.customers where id = %s", spoilt[:1])
        connection.execute(
            "update commerce.customers set is_closed = true where id = %s", spoilt[1:2]
        )
        found: Counter[str] = Counter()
        for batch in batches:
            for row in connection.execute(
                "select * from operations.write_batch(%s, %s)",
                (batch["batch_id"], spoilt),
            ):
                found[row["outcome"]] += row["customers_count"]
    assert found == {"gone": 2, "written": 1}


def test_nothing_is_written_when_the_source_is_stale(refreshed: Database) -> None:
    refreshed.execute("update commerce.customers set risk_status = 'WRONG'")
    later = (
        "flows",
        "refresh",
        "--mode",
        "hourly",
        "--as-of",
        "2026-06-17T12:00:01+00:00",
    )
    refreshed.execute(
        "update commerce.orders set updated_at = %s where updated_at > %s", UNTIL, UNTIL
    )
    done = refreshed.run(*later)
    assert done.returncode == 3
    assert done.stderr.startswith("error: write-back held: source orders is stale")
    assert (
        refreshed.value("select count(*) from commerce.customers where risk_status != 'WRONG'")
        == 0
    )
    assert refreshed.run("flows", "write-back").returncode == 3
    done = refreshed.run("flows", "write-back", "--dry-run")
    ended = "the write-back would end with: write-back held: source orders is stale"
    assert ended in done.stdout
    assert "dry run: 0 customers would be changed, " in done.stdout
    done = refreshed.run("flows", "write-back", "--force")
    assert done.returncode == 0, done.stderr
    assert refreshed.value("select count(*) from operations.pending_customer_updates") == 0
    assert refreshed.rows(
        "select payload -> 'is_forced' as is_forced from operations.application_logs"
        " order by log_id desc limit 1"
    ) == [{"is_forced": True}]


def test_nothing_is_written_when_a_crash_has_emptied_what_is_known_of_the_source(
    refreshed: Database,
) -> None:
    refreshed.execute("truncate analytics_internal.int_source_freshness__orders")
    assert refreshed.run("flows", "write-back").returncode == 0
    refreshed.execute("update commerce.customers set risk_status = 'WRONG'")
    done = refreshed.run("flows", "write-back")
    assert done.returncode == 3
    assert "run a refresh" in done.stderr


def test_a_tenant_that_would_change_too_much_is_left_alone(refreshed: Database) -> None:
    victim = "(select id from commerce.tenants where slug = 'harbor-foods')"
    refreshed.execute(
        "update commerce.customers set risk_status = 'HEALTHY', dormancy_since = null"
        f" where risk_status = 'DORMANT' and tenant_id = {victim}"
    )
    [other] = refreshed.rows(
        "update commerce.customers set risk_status = 'WRONG' where id = (select customer_id"
        f" from analytics.customer_risk_status where tenant_id != {victim} limit 1)"
        " returning id::text"
    )
    done = refreshed.run("flows", "write-back", "--dry-run")
    assert "harbor-foods: held" in done.stdout
    held = refreshed.value(
        "select pending_count from operations.write_back_guards where is_tripped"
    )
    said = f"dry run: 1 customer would be changed, {held} are held, nothing was written"
    assert said in done.stdout
    done = refreshed.run("flows", "write-back", "--dry-run", "--force")
    assert f"dry run: {int(str(held)) + 1} customers would be changed, nothing" in done.stdout
    done = refreshed.run("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
    assert done.returncode == 3
    assert "harbor-foods" in done.stderr
    assert "all other tenants are done" in done.stderr
    pending = "select distinct tenant_slug from operations.pending_customer_updates"
    assert refreshed.rows(pending) == [{"tenant_slug": "harbor-foods"}]
    assert statuses(refreshed)[other["id"]][1] != "WRONG"
    assert refreshed.run("flows", "write-back").returncode == 3
    done = refreshed.run("flows", "write-back", "--force")
    assert done.returncode == 0, done.stderr
    assert refreshed.rows(pending) == []


def test_the_first_write_back_needs_no_force_and_says_what_it_does(
    refreshed: Database,
) -> None:
    refreshed.execute(
        f"update commerce.customers set {', '.join(f'{name} = null' for name in COLUMNS)}"
    )
    done = refreshed.run("flows", "write-back")
    assert done.returncode == 0, done.stderr
    assert "first statuses for " in done.stdout
    assert refreshed.value("select count(*) from operations.pending_customer_updates") == 0


def test_while_a_feed_is_silent_nothing_gets_worse(refreshed: Database) -> None:
    before = statuses(refreshed)
    # orders of other tenants continue
    refreshed.execute(
        "update commerce.orders set updated_at = '2026-07-14 12:00:00+00' where tenant_id !="
        " (select id from commerce.tenants where slug = 'harbor-foods')"
    )
    done = refreshed.run(
        *("flows", "refresh", "--mode", "hourly", "--tenant", "harbor-foods"),
        *("--as-of", "2026-07-15T12:00:00+00:00"),
    )
    assert done.returncode == 0, done.stderr
    assert "nothing has been delivered since" in done.stdout
    pending = (
        "select customer_id, held_because from operations.pending_customer_updates"
        " where tenant_slug = 'harbor-foods'"
    )
    held = refreshed.rows(pending)
    assert {row["held_because"] for row in held} == {"FEED_SILENT"}
    after = statuses(refreshed)
    assert all(
        before[str(row["customer_id"])] == after[str(row["customer_id"])] for row in held
    )
    done = refreshed.run("flows", "write-back", "--dry-run", "--tenant", "harbor-foods")
    said = f"dry run: 0 customers would be changed, {len(held)} are held, nothing was written"
    assert said in done.stdout
    assert refreshed.run("flows", "write-back", "--force").returncode == 0
    assert refreshed.rows(pending) == []


STILL_PLANNED = """
    select count(*) from operations.write_back_batches
    inner join operations.write_back_changes using (batch_id)
    where 'planned' in (write_back_batches.state, write_back_changes.state)
"""


def batches_of(database: Database, slug: str) -> list[DictRow]:
    """Return the batches of a tenant that the last run has planned."""
    return database.rows(
        "select * from operations.write_back_batches where tenant_slug = %s and logid ="
        " (select logid from operations.application_logs order by log_id desc limit 1)"
        " order by batch_id",
        slug,
    )


def test_a_tenant_that_fails_leaves_the_others_done(refreshed: Database) -> None:
    spoil(refreshed, 400)
    tenant = refreshed.value("select id from commerce.tenants where slug = 'kiwi-produce'")
    refreshed.execute(
        f"""
        create function commerce.refuse() returns trigger language plpgsql as $$
        begin
            if new.tenant_id = '{tenant}' then
                raise exception 'not this one' using errcode = 'XX001';
            end if;
            return new;
        end $$;
        create trigger refuse before update on commerce.customers
        for each row execute function commerce.refuse();
        """
    )
    done = refreshed.run("flows", "write-back", "--force")
    assert done.returncode == 4
    assert "write-back failed: kiwi-produce: not this one" in done.stderr
    assert refreshed.rows(
        "select distinct tenant_slug as slug from operations.pending_customer_updates"
    ) == [{"slug": "kiwi-produce"}]
    first, *others = batches_of(refreshed, "kiwi-produce")
    assert (first["state"], first["error"]) == ("failed", "not this one")
    assert first["finished_at"] is not None
    assert {(batch["state"], batch["error"]) for batch in others} <= {
        ("abandoned", "an earlier batch failed: not this one")
    }
    assert not refreshed.value(STILL_PLANNED)

    # an error in every row does not stop the run, but nothing was written
    refreshed.execute(
        "create or replace function commerce.refuse() returns trigger language plpgsql as"
        " $$ begin raise exception 'frozen'; end $$"
    )
    done = refreshed.run("flows", "write-back", "--force")
    assert done.returncode == 0, done.stderr
    assert "kiwi-produce: some customers could not be written: frozen" in done.stdout
    assert {(b["state"], b["error"]) for b in batches_of(refreshed, "kiwi-produce")} == {
        ("failed", "frozen")
    }
    assert (
        refreshed.value(
            "select payload -> 'write_back_errors' ->> 'kiwi-produce'"
            " from operations.application_logs order by log_id desc limit 1"
        )
        == "frozen"
    )
    refreshed.execute("drop trigger refuse on commerce.customers")

    # a login without the right to write
    refreshed.execute(
        "create role reader_only login; grant customer_health_refresher to reader_only"
    )
    try:
        done = refreshed.as_user("reader_only").run("flows", "write-back", "--force")
        assert done.returncode == 4
        denied = 'permission denied to set role "customer_health_write_back"'
        assert denied in done.stderr
        [batch, *_] = batches_of(refreshed, "kiwi-produce")
        assert batch["state"] == "failed"
        assert denied in batch["error"]
        assert not refreshed.value(STILL_PLANNED)
    finally:
        refreshed.execute("drop role reader_only")
    assert refreshed.run("flows", "write-back", "--force").returncode == 0
    assert refreshed.value("select count(*) from operations.pending_customer_updates") == 0


def test_a_locked_table_stops_the_batches_of_a_tenant_at_once(refreshed: Database) -> None:
    spoil(refreshed, 30)
    with refreshed.connect() as other, other.transaction():
        other.execute("lock table commerce.customers in share mode")
        began = time.monotonic()
        done = refreshed.run("flows", "write-back", "--force")
    assert done.returncode == 4
    assert "write-back failed: " in done.stderr
    assert "canceling statement due to lock timeout" in done.stderr
    assert set(outcomes(refreshed)) == {"error"}
    # 2 s a tenant, and not for each half of a batch again
    assert time.monotonic() - began < 20
    assert refreshed.run("flows", "write-back", "--force").returncode == 0
    assert refreshed.value("select count(*) from operations.pending_customer_updates") == 0


def test_what_a_stopped_batch_has_written_is_in_the_run_log(refreshed: Database) -> None:
    spoil(refreshed, 30)
    # the first batch is halved for a bad row; then its second half meets a lock
    refreshed.execute(
        """
        create sequence commerce.attempts;
        create function commerce.refuse() returns trigger
        language plpgsql security definer as $$
        declare attempt constant bigint := nextval('commerce.attempts');
        begin
            if attempt = 1 then raise exception 'frozen'; end if;
            if attempt = 3 then raise lock_not_available; end if;
            return null;
        end $$;
        create trigger refuse before update on commerce.customers
        for each statement execute function commerce.refuse();
        """
    )
    assert refreshed.run("flows", "write-back", "--force").returncode == 4
    [logged] = refreshed.rows(
        "select payload -> 'write_back' as outcomes, payload -> 'batches' as batches"
        " from operations.application_logs order by log_id desc limit 1"
    )
    assert logged["outcomes"] == outcomes(refreshed)
    assert logged["outcomes"].keys() == {"written", "error"}
    assert sum(logged["outcomes"].values()) == 30
    written = refreshed.rows(
        "select distinct batch_id from operations.write_back_changes where state = 'written'"
        " and old_value = 'WRONG' order by batch_id"
    )
    assert logged["batches"] == [row["batch_id"] for row in written]


def test_a_batch_is_put_back_where_the_values_are_still_ours(refreshed: Database) -> None:
    refreshed.execute("update commerce.customers set account_type = 'TARGET'")
    ids = spoil(refreshed, 5)
    before = statuses(refreshed)
    assert refreshed.run("flows", "write-back", "--force").returncode == 0
    [batch] = refreshed.rows(
        "select min(batch_id) as id from operations.write_back_changes where customer_id = %s"
        " and state = 'written' and batch_id = (select max(batch_id) from"
        " operations.write_back_changes where customer_id = %s)",
        ids[0],
        ids[0],
    )
    touched = {
        row["customer_id"]
        for row in refreshed.rows(
            "select customer_id from operations.write_back_changes where batch_id = %s",
            batch["id"],
        )
    }
    # somebody changes one value of one customer, and deletes another customer
    refreshed.execute(
        "update commerce.customers set risk_status = 'MINE' where id = %s", ids[0]
    )
    gone, locked, stuck = sorted(touched - {ids[0]})[:3]
    refreshed.execute("delete from commerce.orders where customer_id = %s", gone)
    refreshed.execute("delete from commerce.customers where id = %s", gone)
    written = statuses(refreshed)
    # a trigger keeps another one as it is, without an error
    refreshed.execute(
        "create function commerce.keep() returns trigger language plpgsql"
        " as $$ begin return null; end $$;"
        " create trigger keep before update on commerce.customers"
        f" for each row when (old.id = '{stuck}') execute function commerce.keep()"
    )
    kept = refreshed.value(
        "select 1 + count(*) from operations.write_back_changes"
        " where batch_id = %s and customer_id = %s",
        batch["id"],
        stuck,
    )
    with refreshed.connect() as other, other.transaction():
        other.execute("select from commerce.customers where id = %s for update", [locked])
        done = refreshed.run("flows", "rollback", str(batch["id"]))
        assert done.returncode == 0, done.stderr
        assert f"not restored: {kept} values, changed by somebody since" in done.stdout
        assert "row security policy; run it again" in done.stdout
        assert ", of customers that were deleted" in done.stdout
    for left in (locked, stuck):
        assert statuses(refreshed)[left] == written[left]
    refreshed.execute("drop trigger keep on commerce.customers")
    done = refreshed.run("flows", "rollback", str(batch["id"]))
    assert done.returncode == 0, done.stderr
    after = statuses(refreshed)
    for customer in touched - {gone, ids[0]}:
        assert after[customer] == before[customer]
    assert after[ids[0]] == (before[ids[0]][0], "MINE", *written[ids[0]][2:])
    for customer in written.keys() - touched:
        assert after[customer] == written[customer]
    # only values that nobody has changed remain
    done = refreshed.run("flows", "rollback", str(batch["id"]))
    assert "\n0 values restored" in done.stdout
    for wrong in ("999999", "0"):
        done = refreshed.run("flows", "rollback", wrong)
        assert done.returncode == 2
        assert f"batch {wrong} has written nothing" in done.stderr
    assert refreshed.run("flows", "rollback", "latest").returncode == 2


def test_nothing_is_written_before_or_after_a_refresh_that_failed(
    refreshed: Database, empty: Database
) -> None:
    assert empty.run("flows", "write-back").returncode == 3
    refreshed.execute(
        "insert into operations.application_logs (logid, log_type, status, payload)"
        """ values ('x', 'refresh', 'tests_failed', '{"error": "numbers do not add up"}')"""
    )
    done = refreshed.run("flows", "write-back", "--force")
    assert done.returncode == 1
    assert "numbers do not add up" in done.stderr
    done = refreshed.run("flows", "write-back", "--dry-run")
    assert (
        "the write-back would end with: write-back held: the last refresh failed: numbers do"
        " not add up" in done.stdout
    )


def test_a_second_run_ends_with_5_at_once(refreshed: Database) -> None:
    with refreshed.connect() as other:
        other.execute("select pg_advisory_lock(hashtext('customer_health refresh'))")
        for command in (("refresh", "--mode", "hourly"), ("write-back",)):
            done = refreshed.run("flows", *command)
            assert done.returncode == 5
            [line] = done.stderr.splitlines()
            assert "is running" in line


def test_the_staging_view_that_is_written_through_can_be_updated(
    refreshed: Database,
) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        refreshed.execute(
            "update analytics_internal.stg_orders__customer_statuses set tenant_id = null"
        )


def test_a_value_that_a_trigger_keeps_is_not_written(refreshed: Database) -> None:
    ids = spoil(refreshed, 3)
    refreshed.execute(
        "update commerce.customers set account_type ="
        " case account_type when 'ACTIVE' then 'TARGET' else 'ACTIVE' end where id = %s",
        ids[0],
    )
    refreshed.execute(
        "create function commerce.keep() returns trigger language plpgsql as $$ begin"
        " new.risk_status := old.risk_status; return new; end $$;"
        " create trigger keep before update on commerce.customers"
        f" for each row when (old.id = '{ids[0]}') execute function commerce.keep()"
    )
    assert refreshed.run("flows", "write-back").returncode == 0
    assert outcomes(refreshed) == {"written": 3, "conflict": 1}
    states = refreshed.rows(
        "select column_name, state from operations.write_back_changes where customer_id = %s"
        " order by batch_id desc, column_name limit 2",
        ids[0],
    )
    assert {row["column_name"]: row["state"] for row in states} == {
        "account_type": "written",
        "risk_status": "conflict",
    }
    [batch] = refreshed.rows(
        "select max(batch_id) as id from operations.write_back_changes where customer_id = %s",
        ids[1],
    )
    assert refreshed.run("flows", "write-back").returncode == 0
    assert outcomes(refreshed) == {"conflict": 1}

    # nor is it restored
    refreshed.execute(
        "create or replace function commerce.keep() returns trigger language plpgsql"
        " as $$ begin return old; end $$; drop trigger keep on commerce.customers;"
        " create trigger keep before update on commerce.customers"
        f" for each row when (old.id = '{ids[1]}') execute function commerce.keep()"
    )
    written = statuses(refreshed)[ids[1]]
    done = refreshed.run("flows", "rollback", str(batch["id"]))
    assert done.returncode == 0, done.stderr
    assert "not restored: 1 value, changed by somebody since" in done.stdout
    assert statuses(refreshed)[ids[1]] == written
