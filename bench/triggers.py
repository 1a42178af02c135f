"""Measure what the triggers add to the application's inserts, of one row and of many.

Two copies of each table have the same rows, indexes and foreign keys; one of them also has
the triggers. Inserts into the two alternate. If the server has pg_ivm, a third copy of the
bookings table has its triggers, which update the counts per location and day in the insert.
"""

import statistics
import sys
from functools import partial

from bench.measure import fresh_database, load, print_table, run, timed
from flows.database import Connection, rows

SINGLE_ROWS = 3000
BULK_ROWS = 100_000
BULKS = 5

# a new row like existing ones; the copy gets the same row
ROWS = {
    "commerce.orders": """
        select
            gen_random_uuid() as id, tenant_id, customer_id, status, ordered_at,
            delivered_at, total_amount, currency, created_at, updated_at
        from commerce.orders
        where customer_id is not null
    """,
    "booking.bookings": """
        select
            organization_id, gen_random_uuid()::text as booking_id, square_customer_id,
            location_id, team_member_id, service_id, status, start_at, customer_note,
            seller_note, created_at, updated_at
        from booking.bookings
        where square_customer_id is not null
    """,
}

# the part of the mart booking_location_days that pg_ivm supports: no distinct customers, no
# filtered counts and no bookings without a known location
COUNTED = """
    select
        bookings.organization_id,
        bookings.location_id,
        (bookings.start_at at time zone locations.time_zone)::date as date,
        sum(case when bookings.status = 'ACCEPTED' then 1 else 0 end) as accepted,
        sum(case when bookings.status = 'NO_SHOW' then 1 else 0 end) as no_show,
        count(*) as total
    from {twin} as bookings
    join booking.locations as locations
        on
            bookings.organization_id = locations.organization_id
            and bookings.location_id = locations.id
    group by
        bookings.organization_id,
        bookings.location_id,
        (bookings.start_at at time zone locations.time_zone)::date
"""


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Make the data with triggers on it, measure and print."""
    with fresh_database() as (connection, _):
        load({"customers": customers or 10_000, "tenants": tenants, "years": years})
        run("flows", "capture", "install")
        connection.execute("vacuum analyze")
        measure(connection)


def measure(connection: Connection) -> None:
    """Insert with and without the triggers, and compare."""
    # compare the work of the statements, not the disk that a commit waits for
    connection.execute("set synchronous_commit = off")
    lines = []
    for table, new_rows in ROWS.items():
        without = make_twin(connection, table, "without")
        lines += measured(
            connection, [without, make_twin(connection, table, "with")], table, new_rows
        )
    lines += counted_by_pg_ivm(connection)
    print_table(
        "What the triggers add to an insert, ms per row",
        ("", "without triggers", "added"),
        lines,
    )


def measured(
    connection: Connection, tables: list[str], what: str, new_rows: str
) -> list[tuple[str, str, str]]:
    """Return two lines of the table: for inserts of one row, and of many rows."""
    lines = []
    for size, measure in (("one row", single), (f"{BULK_ROWS} rows", bulk)):
        without, added = measure(connection, tables, new_rows)
        lines.append(
            (f"{what}, {size} per statement", f"{without * 1000:.4f}", f"{added * 1000:.4f}")
        )
    return lines


def counted_by_pg_ivm(connection: Connection) -> list[tuple[str, str, str]]:
    """Measure the same for bookings that pg_ivm counts; exit if its counts are wrong."""
    name = "pg_ivm"
    if not rows(connection, f"select from pg_available_extensions where name = '{name}'"):
        print(
            "pg_ivm is skipped: this server has none. docs/performance.md says how to install"
            " it."
        )
        return []
    table = "booking.bookings"
    without, counted = (make_twin(connection, table, it) for it in ("alone", "counted"))
    connection.execute(f"create extension {name}".encode())
    statement = COUNTED.format(twin=counted)
    connection.execute("select pgivm.create_immv('booking.counted_days', %s)", [statement])
    lines = measured(
        connection, [without, counted], f"{table}, counted by pg_ivm", ROWS[table]
    )
    shown = "organization_id, location_id, date, accepted, no_show, total"
    [found] = rows(
        connection,
        f"select count(*) as wrong from (({statement} except select {shown}"
        f" from booking.counted_days) union all (select {shown} from booking.counted_days"
        f" except {statement})) as differing",
    )
    if found["wrong"]:
        sys.exit(f"pg_ivm: {found['wrong']} rows are wrong")
    return lines


def make_twin(connection: Connection, table: str, kind: str) -> str:
    """Copy a table with rows, indexes and foreign keys; the copy "with" has the triggers."""
    twin = f"{table}_{kind}"
    connection.execute(
        f"create table {twin} (like {table} including all);"
        f" insert into {twin} select * from {table}".encode()
    )
    for foreign_key in rows(
        connection,
        "select pg_get_constraintdef(oid) as definition from pg_constraint"
        f" where conrelid = '{table}'::regclass and contype = 'f'",
    ):
        connection.execute(f"alter table {twin} add {foreign_key['definition']}".encode())
    for trigger in rows(
        connection,
        "select pg_get_triggerdef(oid) as definition from pg_trigger"
        f" where tgrelid = '{table}'::regclass and not tgisinternal",
    ):
        if kind == "with":
            connection.execute(
                trigger["definition"].replace(f" ON {table} ", f" ON {twin} ").encode()
            )
    connection.execute(f"vacuum analyze {twin}".encode())
    return twin


def single(connection: Connection, tables: list[str], new_rows: str) -> tuple[float, float]:
    """Return the seconds of an insert of one row, and the seconds that the triggers add."""
    prepare(connection, new_rows, SINGLE_ROWS)
    columns = names(connection)
    queries = [
        f"{columns} from new_rows where number = {number + 1}" for number in range(SINGLE_ROWS)
    ]
    taken = [in_turns(connection, tables, query, n % 2) for n, query in enumerate(queries)]
    return medians(taken)


def bulk(connection: Connection, tables: list[str], new_rows: str) -> tuple[float, float]:
    """Return the same per row for an insert of many rows."""
    taken = []
    for number in range(BULKS):
        count = prepare(connection, new_rows, BULK_ROWS)
        query = f"{names(connection)} from new_rows"
        seconds = in_turns(connection, tables, query, number % 2)
        taken.append([of_all / count for of_all in seconds])
    return medians(taken)


def prepare(connection: Connection, new_rows: str, most: int) -> int:
    """Make a table of rows to insert, for random customers; return how many there are."""
    connection.execute("drop table if exists new_rows")
    made = connection.execute(
        "create temp table new_rows as select row_number() over () as number, * from"
        f" ({new_rows} order by random() limit {most}) as new_rows".encode()
    ).rowcount
    connection.execute("alter table new_rows add primary key (number); analyze new_rows")
    return made


def in_turns(connection: Connection, tables: list[str], query: str, first: int) -> list[float]:
    """Return the seconds of an insert into each of two tables, beginning with `first`."""
    seconds = [0.0, 0.0]
    for place in (first, 1 - first):
        statement = f"insert into {tables[place]} select {query}".encode()
        seconds[place] = timed(partial(connection.execute, statement))
    return seconds


def names(connection: Connection) -> str:
    """Return the columns of a row to insert."""
    columns = connection.execute("select * from new_rows limit 0").description or []
    return ", ".join(column.name for column in columns[1:])


def medians(taken: list[list[float]]) -> tuple[float, float]:
    """Return the median without the triggers, and the median of the time that they add."""
    return (
        statistics.median(without for without, _ in taken),
        statistics.median(with_them - without for without, with_them in taken),
    )
