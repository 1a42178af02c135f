"""The hourly refresh: what feeds it, what it recomputes, and when it recomputes everything."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, UNTIL, USUAL, Database

HOURLY = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
CHANGE_OF_A_VISIT = (
    "update booking.bookings set status = 'NO_SHOW' where (organization_id, booking_id) ="
    " (select organization_id, booking_id from booking.bookings"
    " where status = 'ACCEPTED' and square_customer_id is not null"
    " order by booking_id limit 1)"
)
CUSTOMER = "(select min(customer_id::text)::uuid from analytics.customer_risk_status)"


def refresh(
    database: Database, *arguments: str, project: Path = PROJECT
) -> tuple[dict[str, Any], str]:
    """Run a refresh that succeeds; return its log entry and its output."""
    done = database.run(*arguments, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    payload = database.value(
        "select payload::text from operations.application_logs order by log_id desc limit 1"
    )
    return json.loads(str(payload)), done.stdout


def moved(payload: dict[str, Any]) -> dict[str, int]:
    """Return the marts with changed rows, and the number of rows."""
    return {
        mart["mart"]: mart["rows_written"] + mart["rows_removed"]
        for mart in payload["marts"]
        if mart["rows_written"] + mart["rows_removed"]
    }


@pytest.fixture(scope="module")
def captured_template(refreshed_template: Database) -> Iterator[Database]:
    """Demo data with triggers, after a refresh that has seen them; a template."""
    database = refreshed_template.copy(USUAL)
    assert database.run("flows", "capture", "install").returncode == 0
    # nothing has changed since the last refresh, so one of everything would find nothing new
    assert {key[1] for key in queue(database)} == {"everything"}
    database.execute("delete from operations.changed_keys")
    refresh(database, *HOURLY)
    database = database.as_template()
    yield database
    database.drop()


@pytest.fixture
def captured(captured_template: Database) -> Iterator[Database]:
    database = captured_template.copy(USUAL)
    yield database
    database.drop()


def queue(database: Database) -> list[tuple[object, ...]]:
    return [
        tuple(row.values())
        for row in database.rows(
            "select distinct system, kind, key from operations.changed_keys order by 1, 2, 3"
        )
    ]


def test_an_hourly_refresh_recomputes_what_has_changed(captured: Database) -> None:
    assert queue(captured) == []
    [order] = captured.rows(
        f"select id, customer_id from commerce.orders where customer_id = {CUSTOMER}"
        " and status = 'DELIVERED' order by delivered_at desc limit 1"
    )
    captured.execute("delete from commerce.orders where id = %s", order["id"])
    captured.execute(CHANGE_OF_A_VISIT)
    assert [key[:2] for key in queue(captured)] == [
        ("bookings", "customer"),
        ("bookings", "location_day"),
        ("orders", "customer"),
    ]
    # a booking whose date is too far in the future to compute with is left out here, too
    captured.execute(
        "insert into booking.bookings (organization_id, booking_id, location_id, status,"
        " start_at) select id, 'far', 'L1', 'ACCEPTED', '294276-12-31 12:00+00'"
        " from booking.organizations limit 1"
    )
    payload, _ = refresh(captured, *HOURLY)
    assert "full_because" not in payload
    assert queue(captured) == []
    assert captured.value("select count(*) from analytics_internal.int_customers") == 1
    assert moved(payload).keys() >= {
        "customer_analytics",
        "booking_location_days",
        "customer_risk_status",
    }
    payload, _ = refresh(captured, *NIGHTLY)
    # only a nightly refresh lists a row that has no date and no customer
    assert moved(payload) == {"bookings_quarantined_rows": 1}
    assert payload["drift"] == 0


@pytest.mark.slow
def test_an_hourly_refresh_says_what_it_leaves_out_of_what_it_recomputes(
    captured: Database,
) -> None:
    # unknown words in a row of each table; a booking without a customer has only its date
    captured.execute(
        "update commerce.orders set status = 'SHIPPED_HALF' where id = (select min(id::text)"
        f"::uuid from commerce.orders where customer_id = {CUSTOMER})"
    )
    captured.execute(
        "update booking.bookings set status = 'MAYBE' where booking_id in ("
        "(select min(booking_id) from booking.bookings where square_customer_id is not null),"
        " (select min(booking_id) from booking.bookings where square_customer_id is null))"
    )
    captured.execute(
        "update booking.payments set status = 'PROMISED' where payment_id ="
        " (select min(payment_id) from booking.payments where square_customer_id is not null)"
    )
    said = {
        ("orders", "orders", "order_status_unknown"): 1,
        ("bookings", "bookings", "booking_status_unknown"): 2,
        ("bookings", "payments", "payment_status_unknown"): 1,
    }
    whole = captured.rows("select * from operations.quarantined_rows")

    def left_out(payload: dict[str, Any]) -> dict[tuple[str, str, str], int]:
        return {
            (row["system"], row["table"], row["reason"]): row["rows_count"]
            for row in payload["quarantined_rows"]
        }

    payload, printed = refresh(captured, *HOURLY)
    assert payload["work"].keys() == {"orders", "bookings"}
    assert left_out(payload).items() >= said.items()
    # not the keys of customers who are not in scope
    assert sum(left_out(payload).values()) < len(whole)
    assert "left out: 1 row of orders.orders, order_status_unknown" in printed
    listed = captured.rows("select * from operations.quarantined_rows")
    assert len(listed) == len(whole) + sum(said.values())
    # an hour in which other customers changed does not list them
    captured.execute("update commerce.orders set total_amount = total_amount + 1 where id ="
                     " (select max(id::text)::uuid from commerce.orders)")  # fmt: skip
    payload, printed = refresh(captured, *HOURLY)
    assert payload["work"].keys() == {"orders"}
    assert ("orders", "orders", "order_status_unknown") not in left_out(payload)
    assert captured.rows("select * from operations.quarantined_rows") == listed
    # a repaired row leaves the list with the nightly refresh
    captured.execute(
        "update commerce.orders set status = 'DELIVERED' where status = 'SHIPPED_HALF'"
    )
    payload, printed = refresh(captured, *NIGHTLY)
    del said["orders", "orders", "order_status_unknown"]
    assert left_out(payload).items() >= said.items()
    assert captured.value("select count(*) from operations.quarantined_rows") == (
        len(listed) - 1
    )


CHANGES = (
    # no trigger reports it
    ("update commerce.sales_reps set name = name || '!'", "orders", "sales reps have changed"),
    (
        "update booking.payments set amount_cents = amount_cents + 1",
        "bookings",
        "customer keys",
    ),
)


def test_where_nothing_has_changed_dbt_is_not_started_and_a_system_without_work_left_alone(
    captured: Database,
) -> None:
    nightly = captured.value("select max(log_id) from operations.application_logs")
    later = "2026-06-15T13:00:00+00:00"
    for runs in (1, 2, 3):
        payload, printed = refresh(captured, *HOURLY[:-1], later)
        assert (payload["is_idle"], payload["runs_count"]) == (True, runs)
        assert "nothing has changed since the last refresh" in printed
        assert "dbt_run_seconds" not in payload
    # they share one row of the log, that of the last
    logs = "select count(*) from operations.application_logs where log_id > %s"
    assert captured.value(logs, nightly) == 1
    [job] = captured.rows("select * from operations.job_status where job = 'refresh_hourly'")
    assert job["last_status"] == "success"
    for clock in ("tenants", "booking_organizations"):
        assert captured.rows(f"select distinct as_of::text from analytics.{clock}") == [
            {"as_of": "2026-06-15 13:00:00+00"}
        ]
    for change, system, reason in CHANGES:
        captured.execute(f"{change} where ctid = '(0,1)'")
        payload, _ = refresh(captured, *HOURLY[:-1], later)
        assert payload["work"] == {system: [reason]}
        assert payload["systems"] == [system]
        published = {
            name
            for name in ("orders", "bookings")
            if captured.rows(
                f"select from operations.{name}_publications where run_id = (select logid"
                " from operations.application_logs order by log_id desc limit 1)"
            )
        }
        assert published == {system}
        payload, _ = refresh(captured, *HOURLY[:-1], later)
        assert payload["is_idle"]
    # a login or a counter that the application keeps in these rows is no work
    for small in ("commerce.tenants", "commerce.sales_reps", "booking.organizations"):
        captured.execute(f"update {small} set updated_at = now()")
    captured.execute("update booking.locations set updated_at = now()")
    payload, _ = refresh(captured, *HOURLY[:-1], later)
    assert payload["is_idle"]
    # the marts equal those of a full refresh, and may be written back
    payload, _ = refresh(captured, *NIGHTLY[:-1], later)
    daily = {"platform", "success", "tenant"}
    assert {mart for mart in moved(payload) if mart.partition("_")[0] not in daily} == set()
    assert payload["drift"] == 0
    refresh(captured, *HOURLY[:-1], later)
    captured.execute("update commerce.customers set risk_status = null")
    captured.execute("delete from operations.changed_keys")
    # also if the write-back of a run without work has failed
    captured.execute(
        "update operations.application_logs set status = 'failed' where log_id ="
        " (select max(log_id) from operations.application_logs)"
    )
    done = captured.run("flows", "write-back", "--force")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_what_an_earlier_run_has_left_is_written_though_nothing_has_changed(
    captured: Database,
) -> None:
    captured.execute(
        "update commerce.customers set account_type = null where id ="
        " (select customer_id from analytics.customer_account_types limit 1)"
    )
    refresh(captured, *HOURLY, "--no-write-back")
    payload, said = refresh(captured, *HOURLY)
    assert (payload["is_idle"], payload["rows_written"]) == (True, 1)
    [batch] = payload["batches"]
    assert f"batch {batch}: `customer-health rollback {batch}` undoes it" in said
    # such a run has its own row
    assert "runs_count" not in payload


@pytest.mark.slow
def test_a_key_that_no_id_can_have_recomputes_its_tenant_or_everything(
    captured: Database,
) -> None:
    """A trigger records what its expression gives, such as an empty text for a number."""
    notice = (
        "insert into operations.changed_keys (system, kind, tenant, key)"
        " values (%s, 'customer', %s, %s)"
    )
    tenant = captured.value(
        "select id::text from commerce.tenants where slug = 'kiwi-produce'"
    )
    captured.execute(notice, "orders", tenant, "")
    payload, _ = refresh(captured, *HOURLY)
    assert payload["work"] == {"orders": ["tenant keys"]}
    assert captured.rows(
        "select distinct tenant_id::text from analytics_internal.int_customers"
    ) == [{"tenant_id": tenant}]
    captured.execute(notice, "bookings", "nobody", "x")
    payload, _ = refresh(captured, *HOURLY)
    assert "full_because" in payload
    assert queue(captured) == []


@pytest.mark.slow
def test_rows_are_compared_again_only_where_a_change_could_go_unnoticed(
    captured: Database,
) -> None:
    change = (
        "update commerce.customers set risk_status = null where id ="
        " (select customer_id from analytics.customer_risk_status limit 1)"
    )

    def scans() -> object:
        return captured.value(
            "select seq_scan from pg_stat_user_tables"
            " where relid = 'commerce.customers'::regclass"
        )

    # with triggers, and after a run that has written all that differed
    captured.execute(change)
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["work"].keys(), payload["rows_written"]) == ({"orders"}, 1)
    assert payload["agrees"]
    before = scans()
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["is_idle"], payload["agrees"], scans()) == (True, True, before)
    # no trigger shows what a column takes now, such as another label of an enum
    captured.execute("alter table commerce.customers alter risk_status set default 'HEALTHY'")
    for is_compared in (True, False):
        before = scans()
        payload, _ = refresh(captured, *HOURLY)
        assert (payload["is_idle"], payload["agrees"]) == (True, True)
        assert (scans() != before) == is_compared
    # a run that could not write a row leaves a difference, so the next one compares again
    captured.execute(
        "alter table commerce.customers add constraint refused check (risk_status is null)"
        " not valid"
    )
    captured.execute(change)
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["write_back"], payload["agrees"]) == ({"error": 1}, False)
    # it is tried again and again, and of that only the last time is kept
    for _ in range(3):
        payload, _ = refresh(captured, *HOURLY)
        assert (payload["is_idle"], payload["write_back"]) == (True, {"error": 1})
    failed = "select count(*) from operations.write_back_batches where state = 'failed'"
    assert captured.value(failed) == 2
    captured.execute("alter table commerce.customers drop constraint refused")
    before = scans()
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["is_idle"], payload["rows_written"], payload["agrees"]) == (True, 1, True)
    assert scans() != before
    # another system without triggers does not matter
    captured.execute(
        "update operations.captured_tables set watched_by = 'updated_at'"
        " where relation like '%payments%'"
    )
    before = scans()
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["is_idle"], payload["agrees"], scans()) == (True, True, before)
    # without triggers, only a comparison shows this change
    assert captured.run("flows", "capture", "remove").returncode == 0
    refresh(captured, *HOURLY)
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["is_idle"], payload["agrees"]) == (True, True)
    captured.execute(change)
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["is_idle"], payload["rows_written"]) == (True, 1)


def test_a_run_after_one_that_agreed_looks_only_at_customers_that_it_has_recomputed(
    captured: Database,
) -> None:
    first, noticed, unnoticed, gone, by_hand = (
        row["customer_id"]
        for row in captured.rows(
            "select customer_id from analytics.customer_risk_status"
            " where risk_status = 'HEALTHY' order by customer_id limit 5"
        )
    )
    forget = "update commerce.customers set risk_status = null where id = %s"

    def told() -> list[str]:
        """Return the customers of whom somebody is told that they are dormant."""
        return [
            row["subject"]
            for row in captured.rows(
                "select subject from operations.alert_outbox"
                " where kind like '%%CUSTOMER_DORMANT' and edge = 'raised' order by created_at"
            )
        ]

    captured.execute(forget, first)
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["rows_written"], payload["agrees"]) == (1, True)
    before = told()

    captured.execute(forget, noticed)
    trigger = "alter table commerce.customers {} trigger customer_health_update"
    captured.execute(trigger.format("disable"))
    captured.execute(forget, unnoticed)
    captured.execute(trigger.format("enable always"))
    captured.execute(
        "update commerce.orders set delivered_at = delivered_at - interval '3 years'"
        " where customer_id = %s",
        gone,
    )
    captured.execute(
        "update analytics.customer_risk_status set risk_status = 'DORMANT'"
        " where customer_id = %s",
        by_hand,
    )
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["rows_written"], payload["agrees"]) == (2, True)
    assert told() == [*before, str(gone)]

    # a feed that arrives again concerns all customers of its tenant
    captured.execute(
        "insert into operations.alert_episodes"
        " (kind, subject_kind, tenant_id, subject, is_told)"
        " select 'FEED_SILENT', 'tenant', tenant_id::text, '', false from analytics.tenants"
        " limit 1"
    )
    captured.execute(forget, first)
    refresh(captured, *HOURLY)
    assert told() == [*before, str(gone), str(by_hand)]

    # marts that dbt alone has moved may have changed anywhere
    captured.execute("update analytics.tenants set as_of = as_of - interval '1 minute'")
    captured.execute(forget, first)
    payload, _ = refresh(captured, *HOURLY)
    assert (payload["rows_written"], payload["moved_by_others"]) == (3, True)
    assert captured.value("select count(*) from operations.pending_customer_updates") == 0


@pytest.mark.slow
def test_time_alone_is_work_when_a_day_begins_or_a_status_ends(captured: Database) -> None:
    payload, _ = refresh(captured, *HOURLY[:-1], "2026-06-16T12:00:00+00:00")
    assert {"a day begins", "risk statuses change with time"} <= set(payload["work"]["orders"])
    assert {"a day begins", "figures of customers change with time"} <= set(
        payload["work"]["bookings"]
    )
    payload, _ = refresh(captured, *NIGHTLY[:-1], "2026-06-16T12:00:00+00:00")
    assert payload["drift"] == 0


@pytest.mark.slow
def test_another_time_zone_moves_customers_and_days_though_no_trigger_tells(
    captured: Database,
) -> None:
    for moved_ones in ("commerce.tenants", "booking.organizations", "booking.locations"):
        captured.execute(
            f"update {moved_ones} set time_zone = 'Pacific/Kiritimati'"
            f" where ctid = (select min(ctid) from {moved_ones})"
        )
    assert queue(captured) == []
    payload, _ = refresh(captured, *HOURLY, "--no-write-back")
    assert payload["work"] == {
        "orders": ["tenants have changed"],
        "bookings": ["organizations have changed", "locations have changed"],
    }
    assert moved(payload).keys() >= {"customer_risk_status", "booking_location_days"}
    payload, _ = refresh(captured, *NIGHTLY, "--no-write-back")
    daily = {"platform", "success", "tenant"}
    assert {mart for mart in moved(payload) if mart.partition("_")[0] not in daily} == set()
    assert payload["drift"] == 0


@pytest.mark.slow
def test_after_a_refresh_that_has_not_ended_well_nothing_is_left_out(
    captured: Database,
) -> None:
    captured.execute(
        "update operations.application_logs set status = 'failed' where log_id ="
        " (select max(log_id) from operations.application_logs where log_type = 'refresh')"
    )
    payload, _ = refresh(captured, *HOURLY)
    assert payload["work"] == {
        system: ["the last refresh ended with status failed"]
        for system in ("orders", "bookings")
    }


def test_writing_back_does_not_feed_the_queue(captured: Database) -> None:
    captured.execute("update commerce.customers set risk_status = null")
    captured.execute("delete from operations.changed_keys")
    done = captured.run("flows", "write-back", "--force")
    assert done.returncode == 0, done.stderr
    assert captured.value("select count(risk_status) from commerce.customers") != 0
    assert queue(captured) == []


def test_an_application_without_rights_is_captured_and_never_fails(captured: Database) -> None:
    captured.execute(
        """
        do $$ begin
            if to_regrole('an_application') is null then create role an_application; end if;
        end $$;
        grant usage on schema commerce to an_application;
        grant all on all tables in schema commerce to an_application;
        """
    )
    touch = (
        "set role an_application;"
        f" update commerce.orders set currency = currency where customer_id = {CUSTOMER};"
        " reset role"
    ).replace(CUSTOMER, f"'{captured.value(f'select {CUSTOMER}')}'")
    captured.execute(touch)
    assert [key[:2] for key in queue(captured)] == [("orders", "customer")]

    # the queue is broken: the application does not notice, and everything is recomputed
    captured.execute("delete from operations.changed_keys")
    captured.execute("alter table operations.changed_keys add check (kind = 'everything')")
    captured.execute(touch)
    assert queue(captured) == [("orders", "everything", None)]
    [error] = captured.rows("select hook, relation, error from operations.hook_errors")
    assert error.pop("error") in captured.run("flows", "capture", "status").stdout
    assert tuple(error.values()) == ("capture", "commerce.orders")

    captured.execute("alter table operations.changed_keys rename to elsewhere")
    captured.execute(touch)
    captured.execute("alter table operations.elsewhere rename to changed_keys")


def test_triggers_that_cannot_note_are_not_trusted(captured: Database) -> None:
    function = captured.value(
        "select tgfoid::regprocedure::text from pg_trigger"
        " where tgrelid = 'commerce.orders'::regclass and tgname = 'customer_health_update'"
    )
    lost = "select array_agg(source_name) from operations.capture_status where not is_captured"
    assert captured.value(lost) is None
    captured.execute(
        "do $$ begin if to_regrole('a_keeper') is null then create role a_keeper; end if;"
        " end $$; grant create on schema operations to a_keeper"
    )
    trigger, refresher = "alter table commerce.orders", "customer_health_refresher"
    again = ";".join(
        f"{trigger} enable always trigger customer_health_{event}"
        for event in ("insert", "update", "delete", "truncate")
    )
    for change, undo, said in (
        # as `pg_restore --disable-triggers` does: what came meanwhile is lost
        (
            *(f"{trigger} disable trigger all; {trigger} enable trigger all", again),
            "triggers are missing or were switched off",
        ),
        (
            f"alter function {function} owner to a_keeper",
            f"grant {refresher} to a_keeper",
            "by no trigger: a_keeper, which owns them, may not write to the queue",
        ),
        (
            f"revoke {refresher} from a_keeper; grant usage on schema operations to a_keeper",
            "grant insert on operations.changed_keys to a_keeper",
            "by no trigger: a_keeper, which owns them, may not write to the queue",
        ),
    ):
        captured.execute(change)
        assert captured.value(lost) == ["orders.orders"], change
        assert said in captured.run("flows", "capture", "status").stdout
        captured.execute(undo)
        assert captured.value(lost) is None, undo


def test_the_owner_of_a_table_gains_no_rights_by_its_triggers(captured: Database) -> None:
    captured.execute(
        """
        create type public.trap as (it text);
        create table public.loot (as_whom text);
        create function public.spring(public.trap) returns text language plpgsql as $$
        begin
            insert into public.loot values (current_user);
            return 'sprung';
        end $$;
        create cast (public.trap as text) with function public.spring(public.trap);
        alter table commerce.orders rename column customer_id to real_customer_id;
        alter table commerce.orders add column customer_id public.trap;
        update commerce.orders set customer_id = row('x')::public.trap;
        """
    )
    assert captured.value("select count(*) from public.loot") == 0


@pytest.mark.slow
def test_drift_is_corrected_and_counted(
    refreshed: Database,
) -> None:
    # without triggers updated_at shows changes, but not deletions
    customers = refreshed.rows(
        "select customer_id from analytics.customer_risk_status order by customer_id limit 2"
    )
    told, untold = (row["customer_id"] for row in customers)
    refreshed.execute(
        "update commerce.orders set delivered_at = delivered_at - interval '3 days',"
        " updated_at = now() where customer_id = %s",
        told,
    )
    refreshed.execute("delete from commerce.orders where customer_id = %s", untold)
    before = str(refreshed.value("select count(*) from analytics.customer_risk_status"))
    payload, _ = refresh(refreshed, *HOURLY)
    assert "full_because" not in payload
    assert refreshed.value("select count(*) from analytics.customer_risk_status") == int(
        before
    )
    assert moved(payload)["customer_risk_status"] >= 1
    payload, _ = refresh(refreshed, *NIGHTLY)
    assert payload["drift"] >= 1
    assert (
        refreshed.value("select count(*) from analytics.customer_risk_status")
        == int(before) - 1
    )
    drift = "select drift from operations.job_status where job = 'refresh_nightly'"
    assert refreshed.value(drift) == payload["drift"]
    assert f"{payload['drift']}\n" in refreshed.run("flows", "status").stdout


@pytest.mark.slow
def test_a_long_change_queue_is_not_read_once_a_customer(captured: Database) -> None:
    # more keys than fit into memory, as after an import: a hashed subquery would not fit,
    # and the table would be read for each row
    keys, name = 300_000, captured.environment["PGDATABASE"]
    captured.execute(f"alter database {name} set hash_mem_multiplier = 1")
    captured.execute(
        """
        insert into operations.changed_keys (system, kind, tenant, key)
        select systems.system, 'customer', gen_random_uuid(), gen_random_uuid()
        from generate_series(1, %s), (values ('orders'), ('bookings')) as systems (system)
        """,
        keys // 2,
    )
    captured.execute("analyze operations.changed_keys")
    read = (
        "select seq_tup_read from pg_stat_user_tables"
        " where relid = 'operations.changed_keys'::regclass"
    )
    before = int(str(captured.value(read)))
    refresh(captured, *NIGHTLY)
    assert queue(captured) == []
    times = (int(str(captured.value(read))) - before) / keys
    assert 1 <= times < int(str(captured.value("select count(*) from commerce.customers")))


def test_a_key_stays_in_the_queue_until_the_marts_have_taken_it(captured: Database) -> None:
    captured.execute(
        f"update commerce.orders set currency = 'XXX' where customer_id = {CUSTOMER}"
    )
    captured.execute("alter table analytics.customer_risk_status rename column reason to why")
    assert captured.run(*HOURLY).returncode == 2
    assert [key[:2] for key in queue(captured)] == [("orders", "customer")]
    captured.execute("alter table analytics.customer_risk_status rename column why to reason")
    refresh(captured, *HOURLY)
    assert queue(captured) == []
    assert captured.value(
        f"select currency from analytics.customer_risk_status where customer_id = {CUSTOMER}"
    ) in ("XXX", None)


@pytest.mark.slow
def test_a_failed_test_stops_the_marts_of_its_system_and_all_that_is_written(
    captured: Database, project: Path
) -> None:
    """docs/sanity_checks.md promises this for an hourly refresh."""

    def published() -> list[str]:
        return [
            system
            for system in ("orders", "bookings")
            if captured.value(
                f"select count(*) from operations.{system}_publications where run_id ="
                " (select logid from operations.application_logs"
                " where log_type = 'refresh' order by log_id desc limit 1)"
            )
        ]

    def change() -> None:
        captured.execute(
            f"update commerce.orders set currency = currency where customer_id = {CUSTOMER};"
            "update booking.bookings set seller_note = 'again' where booking_id ="
            " (select min(booking_id) from booking.bookings where square_customer_id in"
            " (select square_customer_id from analytics.customer_analytics))"
        )

    # a test on rules: the system stays as it is, its keys wait, and nothing is written back
    wrong = project / "tests" / "data" / "orders" / "orders_are_wrong.sql"
    wrong.write_text("select customer_id from {{ ref('int_customers__risk_status') }}\n")
    change()
    done = captured.run(*HOURLY, project=project)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "orders_are_wrong" in done.stderr
    assert published() == ["bookings"]
    assert {key[0] for key in queue(captured)} == {"orders"}
    assert captured.value(
        "select status || coalesce(payload ->> 'write_back', ' without')"
        " from operations.application_logs order by log_id desc limit 1"
    ) == ("tests_failed without")
    assert captured.run("flows", "write-back", "--force").returncode == 1
    # it fails again until it passes
    assert captured.run(*HOURLY, project=project).returncode == 1
    refresh(captured, *HOURLY)
    assert published() == ["orders", "bookings"]
    assert queue(captured) == []
    assert captured.run("flows", "write-back").returncode == 0

    # a test on marts: they have changed, so every refresh is a full one until it passes
    captured.execute(
        "create function public.spoil() returns trigger language plpgsql as"
        " 'begin new.reason = ''spoilt''; return new; end';"
        "create trigger spoil before insert or update on analytics.customer_risk_status"
        " for each row execute function public.spoil()"
    )
    captured.execute(
        f"update commerce.orders set currency = 'XXX' where customer_id = {CUSTOMER}"
    )
    done = captured.run(*HOURLY)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (
        "orders_marts_are_what_was_computed: 1 row, such as mart customer_risk" in done.stderr
    )
    # nothing had changed in bookings
    assert published() == ["orders"]
    assert queue(captured) == []
    done = captured.run(*HOURLY)
    assert done.returncode == 1
    assert "recomputes everything: a test failed in the last refresh" in done.stdout
    assert captured.run("flows", "write-back").returncode == 1
    spoilt = "select count(*) from analytics.customer_risk_status where reason = 'spoilt'"
    assert captured.value(spoilt) == 1
    captured.execute("drop function public.spoil cascade")
    refresh(captured, *HOURLY)
    assert captured.value(spoilt) == 0
    assert "recomputes everything" not in refresh(captured, *HOURLY)[1]

    # both in one run: the keys of orders wait, and those of bookings are gone
    captured.execute(
        "create function public.spoil() returns trigger language plpgsql as"
        " 'begin new.acquisition_source = ''spoilt''; return new; end';"
        "create trigger spoil before insert or update on analytics.customer_analytics"
        " for each row execute function public.spoil()"
    )
    change()
    captured.execute(CHANGE_OF_A_VISIT)
    assert captured.run(*HOURLY, project=project).returncode == 1
    assert published() == ["bookings"]
    assert {key[0] for key in queue(captured)} == {"orders"}
    spoilt = (
        "select count(*) from analytics.customer_analytics where acquisition_source = 'spoilt'"
    )
    assert captured.value(spoilt) == 1
    captured.execute("drop function public.spoil cascade")
    payload, _ = refresh(captured, *HOURLY)
    assert "a test failed in the last refresh" in payload["full_because"]
    assert captured.value(spoilt) == 0


@pytest.mark.slow
def test_after_a_test_on_marts_that_could_not_run_everything_is_computed_again(
    captured: Database, project: Path
) -> None:
    (project / "tests" / "data" / "orders" / "orders_break.sql").write_text(
        "select mart from {{ ref('orders_publications') }}"
        " where 1 / (rows_written - rows_written) = 1"
    )
    captured.execute(
        f"update commerce.orders set currency = currency where customer_id = {CUSTOMER}"
    )
    done = captured.run(*HOURLY, project=project)
    assert done.returncode == 4
    assert "division by zero" in done.stderr
    assert "or did not run, so its rows may be wrong" in refresh(captured, *HOURLY)[1]
    assert "full_because" not in refresh(captured, *HOURLY)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "arguments", "because"),
    [
        (
            "select",
            ("--as-of", "2026-06-01T00:00:00+00:00"),
            "the marts have a later as_of, 2026-06-15",
        ),
        ("truncate booking.referral_profiles", (), "a table was truncated"),
        (
            *("alter table commerce.orders disable trigger customer_health_update", ()),
            "triggers of a captured table are missing, were switched off or may not write",
        ),
        (
            "update operations.application_logs set payload = payload - 'tests_passed'",
            (),
            "the last refresh ended before its marts were tested",
        ),
    ],
)
def test_an_hourly_refresh_recomputes_all_where_it_must(
    change: str, arguments: tuple[str, ...], because: str, captured: Database
) -> None:
    captured.execute(change)
    payload, printed = refresh(captured, *HOURLY, *arguments, "--no-write-back")
    assert because in payload["full_because"]
    assert because in printed
    assert "drift" not in payload


def test_deletes_reach_the_marts_and_unlisted_tables_use_updated_at(
    captured: Database,
) -> None:
    # as after a lookup that found nothing: only the tenant is known
    gone = captured.rows(
        "select tenant_id as tenant, customer_id::text as customer"
        " from analytics.customer_risk_status order by customer_id limit 1"
    ) + captured.rows(
        "select organization_id as tenant, square_customer_id as customer"
        " from analytics.customer_analytics order by square_customer_id limit 1"
    )
    captured.execute(
        f"""
        set customer_health.is_writing_back = on;
        delete from commerce.orders where customer_id::text = '{gone[0]["customer"]}';
        delete from commerce.customers where id::text = '{gone[0]["customer"]}';
        delete from booking.bookings where square_customer_id = '{gone[1]["customer"]}'
        and organization_id = '{gone[1]["tenant"]}';
        delete from booking.payments where square_customer_id = '{gone[1]["customer"]}'
        and organization_id = '{gone[1]["tenant"]}';
        delete from booking.referral_profiles
        where square_customer_id = '{gone[1]["customer"]}'
        and organization_id = '{gone[1]["tenant"]}';
        delete from booking.customers where square_customer_id = '{gone[1]["customer"]}'
        and organization_id = '{gone[1]["tenant"]}';
        insert into operations.changed_keys (system, kind, tenant, relation, rows_count)
        values
        ('orders', 'tenant', '{gone[0]["tenant"]}', '"commerce"."parcels"', 3),
        ('bookings', 'tenant', '{gone[1]["tenant"]}', '"booking"."guests"', 4),
        ('orders', 'customer', '{gone[0]["tenant"]}', null, null);
        update operations.changed_keys set key = gen_random_uuid() where kind = 'customer';
        """
    )
    # an input that now reads another table, and a row whose change only updated_at shows
    definition = captured.value(
        "select pg_get_viewdef('analytics_internal.input_orders__orders'::regclass)"
    )
    captured.execute(
        "create table commerce.extra (id integer);"
        " grant select on commerce.extra to customer_health_refresher"
    )
    captured.execute(
        "create or replace view analytics_internal.input_orders__orders as"
        f" select given.* from ({str(definition).rstrip(';')}) as given"
        " where not exists (select from commerce.extra)"
    )
    captured.execute(
        "set customer_health.is_writing_back = on; update commerce.orders set updated_at ="
        " clock_timestamp() where customer_id = (select customer_id from"
        f" analytics.customer_risk_status where tenant_id != '{gone[0]['tenant']}' limit 1)",
    )
    status = captured.run("flows", "capture", "status").stdout
    assert "commerce.extra, read by input_orders__orders, is watched by nothing: its" in status
    payload, printed = refresh(captured, *HOURLY, "--no-write-back")
    assert "full_because" not in payload
    assert (
        "no key was found for 3 changed rows of commerce.parcels: orders recomputes all of"
        f" tenant {gone[0]['tenant']}"
    ) in printed
    assert (
        "an input reads commerce.extra, but `customer-health capture install` has not seen it"
        in printed
    )
    assert payload["unlisted_tables"] == ["commerce.extra"]
    assert payload["unknown_keys"] == {"orders": 1}
    told = "select count(distinct tenant_id) from analytics_internal.int_customers__scope"
    assert captured.value(told) == 2
    for mart, key, one in (
        ("customer_risk_status", "customer_id", gone[0]),
        ("customer_account_types", "customer_id", gone[0]),
        ("customer_analytics", "square_customer_id", gone[1]),
    ):
        count = f"select count(*) from analytics.{mart} where {key}::text = %s"
        assert captured.value(count, one["customer"]) == 0, mart


@pytest.mark.slow
def test_other_rules_recompute_all(captured: Database, project: Path) -> None:
    with (project / "seeds" / "risk_thresholds.csv").open("a") as thresholds:
        thresholds.write("harbor-foods,30,,,,,,,,,,,,\n")
    payload, _ = refresh(captured, *HOURLY, "--no-write-back", project=project)
    assert "the rules have changed" in payload["full_because"]
    with (project / "dbt_project.yml").open("a") as settings:
        settings.write("# names of tables are what they were\n")
    payload, _ = refresh(captured, *HOURLY, "--no-write-back", project=project)
    assert "the rules have changed" in payload["full_because"]
    payload, _ = refresh(captured, *HOURLY, "--no-write-back", project=project)
    assert "full_because" not in payload
    yml = project / "models" / "orders" / "inputs" / "_orders__sources.yml"
    yml.write_text(yml.read_text().replace("customer: id}", "customer: upper(id::text)}"))
    for because in ("the rules have changed", "since the last complete `capture install`"):
        payload, _ = refresh(captured, *HOURLY, "--no-write-back", project=project)
        assert because in payload["full_because"]


@pytest.mark.slow
def test_an_install_that_did_not_end_asks_for_full_refreshes(refreshed: Database) -> None:
    with refreshed.connect() as busy, busy.transaction():
        # it can be read, but cannot have triggers
        busy.execute("lock table commerce.orders in exclusive mode")
        done = refreshed.run("flows", "capture", "install")
    assert done.returncode == 4
    assert refreshed.value("select count(*) from operations.changed_keys") == 0
    assert "since the last complete `capture install`" in refresh(refreshed, *HOURLY)[1]
    assert refreshed.run("flows", "capture", "install").returncode == 0
    assert "the triggers are new" in refresh(refreshed, *HOURLY)[1]
    assert "recomputes everything" not in refresh(refreshed, *HOURLY)[1]


@pytest.mark.slow
def test_capture_comes_and_goes_with_one_command(refreshed: Database) -> None:
    triggers = "select count(*) from pg_trigger where tgname like 'customer_health_%%'"
    for _ in range(2):
        assert refreshed.run("flows", "capture", "install").returncode == 0
        assert refreshed.value(triggers) == 24
    done = refreshed.run("flows", "capture", "status")
    assert done.returncode == 0
    assert "by triggers" in done.stdout
    assert refreshed.run("flows", "capture", "remove").returncode == 0
    assert refreshed.value(triggers) == 0
    functions = "select count(*) from pg_proc where proname like 'capture\\_%%'"
    assert refreshed.value(functions) == 0
    assert refreshed.run("flows", "capture", "remove").returncode == 0
    assert refreshed.run("flows", "capture", "drop").returncode == 2
