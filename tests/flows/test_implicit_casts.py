"""Databases in which every type casts to text implicitly, as in some old applications."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from conftest import UNTIL, USUAL, Database, load_demo, new_database
from psycopg.rows import DictRow, dict_row

from dashboards.queries import PAGES, text_of
from flows.dbt import command

NIGHTLY = ("refresh", "--mode", "nightly", "--as-of", UNTIL)
HOURLY = ("refresh", "--mode", "hourly", "--as-of", UNTIL)

TYPES = (
    *("smallint", "integer", "bigint", "numeric", "real", "double precision", "oid"),
    *("date", "time", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb"),
    *("regclass", "regprocedure", "regtype"),
)


def add_casts(database: Database) -> None:
    """Let all these types cast to text implicitly."""
    for name in TYPES:
        database.execute(f"create cast ({name} as text) with inout as implicit")
    # PostgreSQL has one, for assignments only, which yields true instead of t
    database.execute(
        "delete from pg_cast"
        " where castsource = 'boolean'::regtype and casttarget = 'text'::regtype"
    )
    database.execute("create cast (boolean as text) with inout as implicit")


@pytest.fixture(scope="module")
def cast_template(server: Database) -> Iterator[Database]:
    """The demo data of `refreshed` in such a database, after the same commands."""
    database = new_database(server, USUAL)
    add_casts(database)
    load_demo(database)
    # first, so that only this refresh has to recompute everything
    run(database, "capture", "install")
    run(database, *NIGHTLY)
    run(database, "roles", "install")
    database = database.as_template()
    yield database
    database.drop()


@pytest.fixture
def cast(cast_template: Database) -> Iterator[Database]:
    database = cast_template.copy(USUAL)
    yield database
    database.drop()


def run(database: Database, *arguments: str) -> str:
    done = database.run("flows", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def contents(database: Database) -> dict[str, object]:
    """Return a digest of every mart, the views beside them, and the values written back."""
    relations = database.rows(
        "select format('%%I.%%I', nspname, relname) as name from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind in ('r', 'v') and nspname in ('analytics', 'commerce')"
        " or nspname = 'operations' and relname in ("
        "'quarantined_rows', 'order_statistics', 'booking_statistics',"
        " 'write_back_changes', 'write_back_guards', 'status_distribution',"
        " 'pending_transitions', 'pending_customer_updates', 'account_type_findings',"
        " 'customer_revenues', 'alert_states')"
        " order by 1"
    )
    assert len(relations) > 50
    return {
        row["name"]: database.rows(
            "select count(*) as rows_count,"
            " md5(string_agg(md5(format('%%s', it)), '' order by md5(format('%%s', it))))"
            f" from {row['name']} as it"
        )
        for row in relations
    }


@pytest.mark.slow
def test_marts_and_write_back_are_what_they_are_without_the_casts(
    cast_template: Database, refreshed_template: Database
) -> None:
    assert contents(cast_template) == contents(refreshed_template)


def ask(database: Database, query: str, parameters: dict[str, Any]) -> list[DictRow]:
    """Run a query as the pages do."""
    with psycopg.connect(
        host=database.environment["PGHOST"],
        port=database.environment["PGPORT"],
        user=database.environment["PGUSER"],
        dbname=database.environment["PGDATABASE"],
        row_factory=dict_row,
        cursor_factory=psycopg.ClientCursor,
    ) as connection:
        return connection.execute(text_of(query), parameters).fetchall()


@pytest.mark.slow
def test_pages_show_what_they_show_without_the_casts(
    cast_template: Database, refreshed_template: Database
) -> None:
    def one(column: str, relation: str) -> object:
        return refreshed_template.value(
            # as the pages have it
            f"select {column}::text from analytics.{relation} order by 1 limit 1"
        )

    chosen = {
        "tenant": one("tenant_id", "due_to_order"),
        "customer": one("customer_id", "due_to_order"),
        "sales_rep": one("sales_rep_id", "due_to_order"),
        "visitor": one("square_customer_id", "customer_recent_bookings"),
        "location": one("location_id", "booking_locations"),
        "account": one("account_id", "account_profiles"),
        "search": "a",
    }
    organizations = [
        refreshed_template.value(f"select organization_id::text from analytics.{mart} limit 1")
        for mart in ("booking_locations", "platform_organizations", "account_profiles")
    ]
    usual = {
        "buckets": ["DUE_SOON", "OVERDUE", "URGENT", "CRITICAL"],
        "days": 90,
        "first_day": date(2026, 1, 1),
        "from_day": date(2026, 6, 1),
        "to_day": date(2026, 6, 14),
        "has_notes": False,
        "is_unowned": False,
        "is_snoozed_shown": False,
        "limit": 50,
        "offset": 0,
    }
    nothing = dict.fromkeys([*chosen, "organization"])
    cases = [nothing, *({**chosen, "organization": each} for each in organizations)]
    of_operators = {*PAGES["operations"], *PAGES["rows, of operations"]}
    found = 0
    for query in sorted({query for queries in PAGES.values() for query in queries}):
        # without a filter, unless it is one of those above
        unfiltered = dict.fromkeys(re.findall(r"%\((\w+)\)s", text_of(query)))
        if query in of_operators:
            # figures of runs at other times: it is enough that the query works
            ask(cast_template, query, unfiltered | usual)
            continue
        for case in cases:
            asked = unfiltered | usual | case
            rows = ask(cast_template, query, asked)
            assert rows == ask(refreshed_template, query, asked), (query, case)
            found += len(rows)
    assert found > 1000


@pytest.mark.slow
def test_triggers_hourly_refreshes_and_alerts_work_there(cast: Database) -> None:
    run(cast, "hook", "install")
    # more customers become dormant at once than are reported one by one
    cast.execute(
        "delete from commerce.orders using analytics.customer_risk_status as statuses"
        " where orders.customer_id = statuses.customer_id"
        " and statuses.risk_status = 'HEALTHY'"
        " and orders.ordered_at > timestamptz '2026-04-01'"
    )
    cast.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
        " delivered_at, total_amount) select gen_random_uuid(), tenant_id, customer_id,"
        " 'DELIVERED', %s, %s, 10 from analytics.customer_risk_status"
        " where risk_status = 'DORMANT'",
        UNTIL,
        UNTIL,
    )
    cast.execute(
        """
        update booking.bookings
        set start_at = start_at - interval '1 day' where booking_id like '%7';
        update booking.payments set amount_cents = 1 where payment_id like '%8';
        delete from booking.bookings where booking_id like '%9';
        update booking.locations set time_zone = 'UTC' where id = 'L1';
        """
    )
    assert cast.rows("select * from operations.hook_errors") == []
    kinds = {row["kind"] for row in cast.rows("select kind from operations.changed_keys")}
    assert kinds == {"customer", "location_day", "location"}
    # written by the hook
    assert cast.value("select count(*) from operations.changed_keys where is_written") != 0

    printed = run(cast, *HOURLY, "--no-write-back")
    assert "recomputes everything" not in printed
    after = contents(cast)
    run(cast, *NIGHTLY, "--no-write-back")
    marts = {name: rows for name, rows in contents(cast).items() if "analytics." in name}
    assert marts == {name: after[name] for name in marts}

    digest = cast.rows(
        "select message from operations.alert_outbox where events_count > 1 limit 1"
    )
    assert re.match(r"\d+ alerts of this kind: [a-z-]+ \d+", digest[0]["message"])

    run(cast, "write-back", "--dry-run")
    run(cast, "write-back", "--force")
    batch = cast.value(
        "select max(batch_id) from operations.write_back_changes where state = 'written'"
    )
    for arguments in (
        ("rollback", str(batch)),
        ("alerts",),
        ("weekly",),
        ("status",),
        ("roles", "status"),
        ("capture", "status"),
        ("hook", "status"),
    ):
        run(cast, *arguments)


@pytest.mark.slow
def test_every_other_command_works_there(cast: Database) -> None:
    for arguments in (
        ("write-back", "--dry-run", "--tenant", "north-dairy"),
        ("refresh", "--organization", "elm-logistics"),
        ("alerts", "--dry-run"),
        ("hook", "install"),
        ("hook", "remove"),
        ("capture", "remove"),
        ("roles", "remove"),
    ):
        run(cast, *arguments)


@pytest.mark.slow
def test_analyses_and_unit_tests_work_there(cast: Database) -> None:
    for arguments in (
        ("test", "--select", "test_type:unit"),
        ("build", "--exclude", "tag:after_write_back"),
        ("docs", "generate"),
    ):
        done = command(cast.environment, *arguments)
        assert done.returncode == 0, done.stdout
    done = command(
        cast.environment, "show", "--select", "first_booking_mismatches", "--limit", "5"
    )
    assert done.returncode == 0, done.stdout
