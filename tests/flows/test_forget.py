"""Old rows of the schema operations: what the nightly refresh deletes, and what it leaves."""

import json
import re
from typing import Any

import psycopg
import pytest
from conftest import PROJECT, UNTIL, Database
from psycopg import Connection
from psycopg.rows import DictRow

OLD = "now() - interval '400 days' - interval '1 microsecond'"
# the last instant that is kept
KEPT = "now() - interval '400 days'"
AGES = {"old": OLD, "kept": KEPT, "new": "now()"}
# as old as a successful hourly run may not be
PAST = "now() - interval '35 days' - interval '1 microsecond'"


@pytest.fixture
def bare(refreshed: Database) -> Database:
    """A refreshed database without rows in what is not needed to refresh again."""
    refreshed.execute(
        "truncate operations.alert_outbox, operations.alert_episodes,"
        " operations.alert_tenants, operations.message_outbox, operations.hook_errors,"
        " operations.write_back_batches,"
        " operations.write_back_changes;"
        "delete from operations.message_news where news != 'begun'"
    )
    return refreshed


def forget(connection: Connection[DictRow]) -> dict[str, int]:
    """Delete as the nightly refresh does; in the transaction of the rows, so now() is one."""
    return {
        row["relation"]: row["rows_count"]
        for row in connection.execute(
            "select * from operations.forget_old_rows() where rows_count > 0"
        ).fetchall()
    }


def test_what_is_done_with_is_deleted_when_it_is_old(bare: Database) -> None:
    # somebody publishes all tables: a delete then needs a key, or else whole rows
    bare.execute("create publication everything for all tables")
    with bare.connect() as connection, connection.transaction():
        for name, created_at in AGES.items():
            connection.execute(
                "insert into operations.hook_errors (hook, relation, error, created_at)"
                f" values ('capture', '{name}', '', {created_at});"
                "insert into operations.message_outbox (message_id, kind, reach, tenant_id,"
                " tenant_slug, channel, address, body, state, created_at, finished_at)"
                " select gen_random_uuid(), 'alerts', 'team', '', '', 'mail',"
                f" '{name} ' || state, '[]', state, {OLD},"
                # without an end its beginning counts
                f" case when state = 'failed' then null else {created_at} end"
                " from unnest(array['sent', 'failed', 'unknown', 'withdrawn', 'pending',"
                " 'sending']) as states (state);"
                "insert into operations.write_back_batches (logid, tenant_id, tenant_slug,"
                " state, customers_count, created_at)"
                f" values ('', 't', '{name}', 'written', 1, {created_at})"
            )
        connection.execute(
            "insert into operations.write_back_changes (batch_id, tenant_id, customer_id,"
            " column_name, state) select batch_id, tenant_id, 'c', tenant_slug, 'written'"
            " from operations.write_back_batches"
        )
        deleted = forget(connection)
        left = {
            row["name"]
            for row in connection.execute(
                "select relation as name from operations.hook_errors"
                " union all select address from operations.message_outbox"
                " union all select tenant_slug || ' batch' from operations.write_back_batches"
                " union all select column_name || ' change' from operations.write_back_changes"
            )
        }
    assert deleted == {
        "hook_errors": 1,
        # old: sent, unknown, withdrawn; and what was refused, whose end nobody knows
        "message_outbox": 3 + 3,
        "write_back_batches": 1,
        "write_back_changes": 1,
    }
    assert left == {
        *("kept", "new", "kept batch", "new batch", "kept change", "new change"),
        *(f"{name} {state}" for name in AGES for state in ("pending", "sending")),
        *(f"{n} {s}" for n in ("kept", "new") for s in ("sent", "unknown", "withdrawn")),
    }


def test_a_log_that_somebody_reads_holds_up_nothing(bare: Database) -> None:
    """A dump reads it; whoever waited for the lock of a change would stop all readers."""
    log = "operations.orders_publications"
    identity = f"select relreplident::text from pg_class where oid = '{log}'::regclass"
    bare.execute(
        f"alter table {log} replica identity default;"
        "insert into operations.hook_errors (hook, relation, error, created_at)"
        f" values ('capture', 'old', '', {OLD})"
    )
    with bare.connect() as dump, dump.transaction():
        dump.execute(f"select from {log}".encode())
        with bare.connect() as connection:
            connection.execute("set statement_timeout = '20s'")
            assert forget(connection) == {"hook_errors": 1}
    assert bare.value(identity) == "d"
    with bare.connect() as connection:
        forget(connection)
    assert bare.value(identity) == "f"


def test_what_is_not_yet_written_back_is_left(bare: Database) -> None:
    with bare.connect() as connection, connection.transaction():
        connection.execute(
            "insert into operations.write_back_batches (logid, tenant_id, tenant_slug, state,"
            f" customers_count, created_at) values ('', 't', 't', 'planned', 1, {OLD});"
            "insert into operations.write_back_changes (batch_id, tenant_id, customer_id,"
            " column_name, state) select batch_id, tenant_id, 'c', 'account_type', 'planned'"
            " from operations.write_back_batches"
        )
        assert forget(connection) == {}


# an episode, its end if any, and the messages of it: the edge, when it was done with, and
# its state; then what is left of it after another run
EPISODES: dict[str, tuple[str | None, list[tuple[str, str, str]], set[str]]] = {
    "over": (OLD, [("raised", OLD, "sent"), ("recovered", OLD, "passed_on")], set()),
    "over, with nobody to tell": (OLD, [("raised", OLD, "digested")], set()),
    "over, of late": (
        KEPT,
        [("raised", OLD, "sent"), ("recovered", KEPT, "sent")],
        {"episode", "recovered", "told raised", "told recovered"},
    ),
    # its end is to be told as its beginning was
    "open": (None, [("raised", OLD, "sent")], {"episode", "raised", "told raised"}),
    "over, its end waits": (
        OLD,
        [("raised", OLD, "sent"), ("recovered", OLD, "pending")],
        {"episode", "recovered", "told raised"},
    ),
    "over, being sent": (
        OLD,
        [("raised", OLD, "sending")],
        {"episode", "raised", "told raised"},
    ),
}


def test_an_episode_is_remembered_until_its_end_has_been_told(bare: Database) -> None:
    with bare.connect() as connection, connection.transaction():
        for subject, (closed_at, messages, expected) in EPISODES.items():
            [row] = connection.execute(
                "insert into operations.alert_episodes (kind, subject_kind, tenant_id,"
                " subject, is_told, opened_at, closed_at) values ('X', 'tenant', 't', %s,"
                f" true, {OLD}, {closed_at or 'null'}) returning episode_id",
                (subject,),
            )
            for edge, finished_at, state in messages:
                waits = state in ("pending", "sending")
                connection.execute(
                    "insert into operations.alert_outbox (episode_id, edge, kind, tenant_slug,"
                    " subject, message, details, state, created_at, finished_at) values (%s,"
                    f" %s, 'X', 't', %s, '', '{{}}', %s, {OLD},"
                    f" {'null' if waits else finished_at})",
                    (row["episode_id"], edge, subject, state),
                )
            for edge in ("raised", *(["recovered"] if "told recovered" in expected else [])):
                connection.execute(
                    "insert into operations.message_news (channel, address, news, told_at)"
                    f" values ('mail', %s, %s, {OLD})",
                    (subject, f"{edge} {row['episode_id']}"),
                )
        for age, told_at in AGES.items():
            connection.execute(
                "insert into operations.message_news (channel, address, news, told_at)"
                f" values ('mail', '{age}', 'week 2025-01-06 t owner r', {told_at})"
            )
        connection.execute(
            f"update operations.message_news set told_at = {OLD} where news = 'begun'"
        )
        forget(connection)
        left: dict[str, set[str]] = {subject: set() for subject in EPISODES}
        for row in connection.execute(
            "select subject, 'episode' as what from operations.alert_episodes"
            " union all select subject, edge from operations.alert_outbox"
            " union all select address, 'told ' || split_part(news, ' ', 1)"
            " from operations.message_news where news != 'begun'"
        ):
            left.setdefault(row["subject"], set()).add(row["what"])
        # the message of the week is not told again within its week
        weeks = {left.pop(age, set()) != set() and age for age in AGES}
        begun = connection.execute(
            "select count(*) as rows from operations.message_news where news = 'begun'"
        ).fetchall()
    assert left == {subject: expected for subject, (_, _, expected) in EPISODES.items()}
    assert weeks == {False, "kept", "new"}
    assert begun == [{"rows": 1}]


def add_run(connection: Connection[DictRow], logid: str, status: str, **payload: Any) -> None:
    connection.execute(
        "insert into operations.application_logs"
        " (logid, log_type, status, payload, created_at)"
        f" values (%s, 'refresh', %s, %s, {AGES[re.split('[ ,]', logid)[0]]})",
        (logid, status, json.dumps(payload)),
    )


def logids(connection: Connection[DictRow]) -> set[str]:
    return {
        row["logid"]
        for row in connection.execute("select logid from operations.application_logs")
    }


def test_a_run_is_kept_until_a_later_one_says_as_much(bare: Database) -> None:
    job = {"cron_name": "refresh_nightly"}
    with bare.connect() as connection, connection.transaction():
        add_run(connection, "old, with drift", "success", **job, drift=3, rules="a")
        add_run(connection, "old, without", "success", **job, rules="a")
        add_run(connection, "old, failed", "failed", **job, error="x")
        add_run(connection, "old, of another job", "success", cron_name="rollback", rules="a")
        add_run(connection, "old, running", "running", **job)
        add_run(connection, "kept, long ago", "success", **job, rules="b")
        add_run(connection, "new one", "success", **job, rules="b")
        add_run(connection, "new, running", "running", **job)
        before = logids(connection)
        assert forget(connection) == {"application_logs": 1}
        assert before - logids(connection) == {"old, without"}
        # the last that says so
        add_run(connection, "new, with drift", "success", **job, drift=0, rules="b")
        add_run(connection, "new, failed", "failed", **job, error="y")
        assert forget(connection) == {"application_logs": 2}
        assert logids(connection).isdisjoint({"old, with drift", "old, failed"})
        [drift] = connection.execute(
            "select drift from operations.job_status where job = 'refresh_nightly'"
        ).fetchall()
        assert drift["drift"] == 0


def test_a_successful_hourly_run_goes_earlier_and_takes_its_publications_along(
    bare: Database,
) -> None:
    with bare.connect() as connection, connection.transaction():
        for job, status in (
            *(("refresh_hourly", "success"), ("refresh_hourly", "failed")),
            ("refresh_nightly", "success"),
        ):
            for logid in (f"new {job} {status} past", f"new {job} {status}"):
                add_run(connection, logid, status, cron_name=job)
                connection.execute(
                    "insert into operations.bookings_publications (run_id, as_of, held_as_of,"
                    " refresh_scope, mart, rows_written, rows_removed, rows_corrected)"
                    " values (%s, now(), null, 'changed', 'm', 0, 0, 0)",
                    (logid,),
                )
        before = logids(connection)
        connection.execute(
            f"update operations.application_logs set created_at = {PAST}"
            " where logid like '%past'"
        )
        assert forget(connection) == {"application_logs": 1, "bookings_publications": 1}
        assert before - logids(connection) == {"new refresh_hourly success past"}


def test_the_run_behind_the_marts_is_kept_however_old(refreshed: Database) -> None:
    with refreshed.connect() as connection, connection.transaction():
        connection.execute(
            f"update operations.application_logs set created_at = {OLD};"
            f"update operations.orders_publications set as_of = {OLD};"
            # no run of ours
            "insert into operations.orders_publications (run_id, as_of, held_as_of,"
            " refresh_scope, mart, rows_written, rows_removed, rows_corrected)"
            f" select 'dbt', {OLD}, null, 'all', mart, 0, 0, 0"
            " from operations.orders_publications"
        )
        [run] = logids(connection)
        marts = "select mart from operations.orders_publications where run_id = %s"
        published = connection.execute(marts, (run,)).fetchall()
        # a later run that published nothing, and says as much
        connection.execute(
            "insert into operations.application_logs (logid, log_type, status, payload)"
            " select 'new', log_type, status, payload from operations.application_logs"
        )
        assert forget(connection) == {"orders_publications": len(published)}
        assert logids(connection) == {run, "new"}
        assert connection.execute(marts, (run,)).fetchall() == published
        # when another one has published all systems, its run and its rows go
        for system in ("orders", "bookings", "usage", "accounts"):
            connection.execute(
                f"insert into operations.{system}_publications (run_id, as_of, held_as_of,"
                " refresh_scope, mart, rows_written, rows_removed, rows_corrected) select"
                " 'new', now(), null, refresh_scope, mart, 0, 0, 0"
                f" from operations.{system}_publications".encode()
            )
        assert forget(connection)["orders_publications"] == len(published)
        assert logids(connection) == {"new"}


def test_readers_of_a_long_run_log_do_not_read_it_whole(bare: Database) -> None:
    bare.execute(
        "insert into operations.application_logs"
        " (logid, log_type, status, payload, created_at)"
        " select 'run ' || number, log_type, status,"
        " (payload - 'drift' - 'relations') || '{\"cron_name\": \"refresh_hourly\"}',"
        " created_at - number * interval '1 minute'"
        " from operations.application_logs, generate_series(1, 3000) as numbers (number);"
        " analyze operations.application_logs"
    )
    page = (PROJECT / "dashboards" / "sql" / "rows_runs.sql").read_text()
    given = dict.fromkeys(("run", "job", "run_status")) | {"limit": 25, "offset": 0}

    def read(query: str) -> list[dict[str, Any]]:
        """Return the steps of a query's plan after it has run."""
        with bare.connect() as connection:
            [plan] = psycopg.ClientCursor(connection).execute(
                f"explain (analyze, buffers, format json) {query}".encode(), given
            )
        steps = [plan["QUERY PLAN"][0]["Plan"]]
        for step in steps:
            steps += step.get("Plans", [])
        return steps

    assert bare.value("select count(*) from operations.job_status") == 2
    [jobs, *_] = read("select * from operations.job_status")
    assert jobs["Shared Hit Blocks"] + jobs["Shared Read Blocks"] < 100
    assert [
        step["Actual Loops"]
        for step in read(page)
        if step.get("Function Name") == "jsonb_array_elements"
    ] == [25]


@pytest.mark.slow
def test_the_nightly_refresh_deletes_and_says_so(refreshed: Database) -> None:
    refreshed.execute(
        "insert into operations.hook_errors (hook, relation, error, created_at)"
        f" select 'capture', 'x', '', {OLD} from generate_series(1, 3)"
    )
    hourly = ("flows", "refresh", "--mode", "hourly", "--no-write-back", "--as-of", UNTIL)
    assert refreshed.run(*hourly).returncode == 0
    assert refreshed.value("select count(*) from operations.hook_errors") == 3
    # a customer's contacts are never deleted
    refreshed.execute(
        "insert into operations.customer_contacts (tenant_id, customer_id, channel, outcome,"
        f" contacted_at) select tenant_id, customer_id, 'PHONE', 'REACHED', {OLD}"
        " from analytics.customer_risk_status limit 1"
    )
    nightly = ("flows", "refresh", "--mode", "nightly", "--no-write-back", "--as-of", UNTIL)
    done = refreshed.run(*nightly)
    assert done.returncode == 0, done.stderr
    assert (
        "deleted from operations, old and done with: 3 of hook_errors"
        in done.stdout + done.stderr
    )
    assert refreshed.value("select count(*) from operations.hook_errors") == 0
    assert refreshed.value("select count(*) from operations.customer_contacts") == 1
