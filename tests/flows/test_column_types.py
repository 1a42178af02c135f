"""The write-back and the hook on columns of the types that applications use."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import ONE, TENANT, TWO, UNTIL, Database

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
STATUSES = "models/orders/inputs/input_orders__customer_statuses.sql"

# as Prisma creates them
PRISMA = {
    "account_type": "commerce.\"AccountType\" not null default 'PROSPECT'",
    "risk_status": "commerce.\"RiskStatus\" not null default 'HEALTHY'",
    "last_order_date": "timestamp(3)",
    "next_expected_order_date": "timestamp(3)",
    "average_order_interval_days": "smallint",
    "dormancy_since": "timestamp(3)",
    "reactivated_date": "timestamp(3)",
}
TYPES = """
create type commerce."AccountType" as enum ('PROSPECT', 'ACTIVE', 'TARGET', 'HOLD');
create type commerce."RiskStatus" as enum
('HEALTHY', 'AT_RISK_CADENCE', 'AT_RISK_REVENUE', 'DORMANT');
create type commerce."NoDormant" as enum ('HEALTHY', 'AT_RISK_CADENCE', 'AT_RISK_REVENUE');
create domain commerce.kind as commerce."AccountType";
create domain commerce.some_kind as commerce.kind not null default 'TARGET';
create domain commerce.day as date;
"""


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def map_columns(
    database: Database,
    project: Path,
    types: dict[str, str],
    selected: dict[str, str] | None = None,
) -> None:
    """Give the seven columns Prisma's types and names, and map them.

    selected: expressions of the view for columns that it does not select as they are.
    """
    view = project / STATUSES
    text = view.read_text()
    database.execute(TYPES)
    for name, kind in types.items():
        column = f'"{camel(name)}"'
        database.execute(
            f"alter table commerce.customers drop column {name}, add column {column} {kind}"
        )
        taken = (selected or {}).get(name, column)
        assert text.count(f"\n    {name}") == 1
        text = text.replace(f"\n    {name}", f"\n    {taken} as {name}")
    database.execute('alter table commerce.customers rename to "Customer"')
    view.write_text(text)
    settings = project / "dbt_project.yml"
    settings.write_text(
        settings.read_text().replace(
            "orders_customers_table: customers", "orders_customers_table: Customer"
        )
    )


def customer(database: Database, customer: str) -> tuple[str | None, ...]:
    """Return the seven values of a customer, as PostgreSQL writes them."""
    columns = ", ".join(f'"{camel(name)}"::text' for name in PRISMA)
    [row] = database.rows(f'select {columns} from commerce."Customer" where id = %s', customer)
    return tuple(row.values())


def set_column(database: Database, customer: str, name: str, value: str | None) -> None:
    database.execute(
        f'update commerce."Customer" set "{camel(name)}" = %s where id = %s', value, customer
    )


def pending(database: Database) -> object:
    return database.value("select count(*) from operations.pending_customer_updates")


def order(database: Database, customer: str) -> None:
    database.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
        " delivered_at) values (gen_random_uuid(), %s, %s, 'DELIVERED', now(), now())",
        TENANT,
        customer,
    )


def hook_errors(database: Database) -> list[object]:
    return [row["error"] for row in database.rows("select error from operations.hook_errors")]


@pytest.mark.slow
def test_columns_as_prisma_makes_them_are_written(small: Database, project: Path) -> None:
    def run(*arguments: str) -> str:
        done = small.run(*arguments, project=project)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    map_columns(small, project, PRISMA)
    said = "risk_status: left as it is if the rules give no value, because it must not be NULL"
    assert said in run(*NIGHTLY, "--no-write-back")
    printed = run("flows", "write-back", "--dry-run")
    assert said in printed
    assert "first statuses for 1 customer\n" in printed
    assert "dry run: 1 customer would be changed" in printed
    printed = run("flows", "write-back")
    assert "1 customer written back" in printed
    assert "` undoes it" in printed
    one = (
        *("ACTIVE", "AT_RISK_CADENCE", "2026-05-30 00:00:00", "2026-06-09 00:00:00"),
        *("10", None, None),
    )
    assert customer(small, ONE) == one
    # the risk status must not be NULL, and the rules give none
    assert customer(small, TWO) == ("PROSPECT", "HEALTHY", *[None] * 5)
    assert "0 customers written back" in run("flows", "write-back")
    assert pending(small) == 0

    # the time of day is not ours; another day is, and is restored with its time
    set_column(small, ONE, "last_order_date", "2026-05-30 14:20:00.123")
    assert pending(small) == 0
    set_column(small, ONE, "last_order_date", "2026-05-01 14:20:00.123")
    set_column(small, TWO, "account_type", "TARGET")
    assert "2 customers written back" in run("flows", "write-back")
    assert customer(small, ONE) == one
    batch = str(small.value("select max(batch_id) from operations.write_back_batches"))
    assert "2 values restored" in run("flows", "rollback", batch)
    assert customer(small, ONE)[2] == "2026-05-01 14:20:00.123"
    assert customer(small, TWO)[0] == "TARGET"
    assert "2 customers written back" in run("flows", "write-back")

    # the hook, and roles with rights on these columns only
    set_column(small, TWO, "dormancy_since", "2026-01-01 10:00:00")
    printed = run("flows", "hook", "install")
    assert printed.splitlines()[1:] == ['hook installed on "commerce"."orders"']
    order(small, TWO)
    order(small, ONE)
    assert hook_errors(small) == []
    assert customer(small, TWO)[0] == "ACTIVE"
    assert customer(small, TWO)[5] is None
    assert customer(small, ONE)[2] == f"{datetime.now(UTC).date()} 00:00:00"
    assert said in run("flows", "roles", "install")
    small.execute("delete from operations.changed_keys")
    assert "2 customers written back" in run("flows", "write-back", "--force")
    assert customer(small, ONE) == one
    order(small, TWO)
    assert hook_errors(small) == []
    assert customer(small, TWO)[0] == "ACTIVE"
    printed = run("flows", "rollback", str(int(batch) + 2))
    assert "\n1 value restored" in printed
    assert "2 values, changed by somebody since" in printed


# as other applications create them
OTHERS = {
    "account_type": "commerce.some_kind",
    "risk_status": "char(20)",
    "last_order_date": "timestamptz",
    "next_expected_order_date": "text",
    "average_order_interval_days": "numeric(8, 2)",
    "dormancy_since": "commerce.day",
    "reactivated_date": "varchar(10)",
}


@pytest.mark.slow
def test_columns_of_other_types_are_written(small: Database, project: Path) -> None:
    def run(*arguments: str) -> str:
        done = small.run(*arguments, project=project)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    map_columns(small, project, OTHERS)
    small.execute(
        f"alter database {small.environment['PGDATABASE']} set timezone = 'Pacific/Auckland'"
    )
    # words that are not dates
    set_column(small, ONE, "next_expected_order_date", "soon")
    set_column(small, ONE, "reactivated_date", "2026-02-30")
    set_column(small, ONE, "average_order_interval_days", "NaN")
    printed = run(*NIGHTLY)
    assert "2 customers written back" in printed
    batch = small.value("select max(batch_id) from operations.write_back_batches")
    assert f"batch {batch}: `customer-health rollback {batch}` undoes it" in printed
    one = (
        *("ACTIVE", "AT_RISK_CADENCE", "2026-05-30 12:00:00+12", "2026-06-09"),
        *("10.00", None, None),
    )
    assert customer(small, ONE) == one
    assert customer(small, TWO) == ("PROSPECT", *[None] * 6)
    assert "0 customers written back" in run("flows", "write-back")
    batch = str(small.value("select min(batch_id) from operations.write_back_batches"))
    run("flows", "rollback", batch)
    assert customer(small, ONE) == ("TARGET", *[None] * 2, "soon", "NaN", None, "2026-02-30")
    # somebody changes one of them first
    with small.connect() as connection:
        [planned] = connection.execute(
            "select operations.plan_write_back('by hand', null, 200, false) as batch"
        ).fetchall()
        set_column(small, ONE, "last_order_date", "2026-05-30 23:00+12")
        outcomes = connection.execute(
            "select * from operations.write_batch(%s, %s)", (planned["batch"], [ONE, TWO])
        ).fetchall()
    assert {row["outcome"]: row["customers_count"] for row in outcomes} == {
        "conflict": 1,
        "written": 1,
    }
    assert "1 customer written back" in run("flows", "write-back")
    assert customer(small, ONE)[2] == "2026-05-30 23:00:00+12"
    assert run("flows", "hook", "install").endswith(
        '\nhook installed on "commerce"."orders"\n'
    )
    order(small, TWO)
    assert hook_errors(small) == []
    assert customer(small, TWO)[0] == "ACTIVE"
    today = f"{datetime.now(UTC).date()} 00:00"
    assert small.value(
        "select \"lastOrderDate\" = %s::timestamp at time zone 'UTC'"
        ' from commerce."Customer" where id = %s',
        today,
        TWO,
    )


# not writable: a cast, a constant, a generated value, a type that is too short
HOPELESS = {
    "account_type": "varchar(6)",
    "risk_status": 'commerce."NoDormant"',
    "last_order_date": "date",
    "next_expected_order_date": "boolean",
    "average_order_interval_days": "integer generated always as (7) stored",
    "dormancy_since": "date not null default '2020-01-01'",
    "reactivated_date": "date",
}


@pytest.mark.slow
def test_what_cannot_be_written_is_said_and_the_rest_is_written(
    small: Database, project: Path
) -> None:
    def run(*arguments: str) -> str:
        done = small.run(*arguments, project=project)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    map_columns(
        small,
        project,
        HOPELESS,
        {"last_order_date": '"lastOrderDate"::timestamp', "reactivated_date": "null::date"},
    )
    # One is dormant by now, Three still orders
    three = "00000000-0000-0000-0000-000000000003"
    small.execute(
        "insert into commerce.\"Customer\" (id, tenant_id, name) values (%s, %s, 'Three')",
        three,
        TENANT,
    )
    small.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
        " delivered_at, total_amount) select gen_random_uuid(), tenant_id, %s, status,"
        " ordered_at, delivered_at, total_amount from commerce.orders",
        three,
    )
    small.execute(
        "update commerce.orders set ordered_at = ordered_at - interval '100 days',"
        " delivered_at = delivered_at - interval '100 days' where customer_id = %s",
        ONE,
    )
    for name, value in (("risk_status", "HEALTHY"), ("account_type", "HOLD")):
        set_column(small, ONE, name, value)
    keep = "cannot hold: such customers keep their old value"
    computed = (
        "input_orders__customer_statuses does not take it unchanged from a column of the table"
    )
    left = "left as it is if the rules give no value, because it must not be NULL"
    said = {
        f"account_type: never set to PROSPECT, which its type character varying(6) {keep}",
        "average_order_interval_days: not written, because the database generates its values",
        f"dormancy_since: {left}",
        f"last_order_date, reactivated_date: not written, because {computed}",
        "next_expected_order_date: not written, because its type boolean cannot hold a date",
        f'risk_status: never set to DORMANT, which its type commerce."NoDormant" {keep}',
    }
    printed = run(*NIGHTLY)
    assert said <= set(printed.splitlines())
    assert "2 customers written back" in printed
    assert customer(small, ONE) == ("HOLD", "HEALTHY", None, None, "7", "2026-04-15", None)
    assert customer(small, TWO) == (*[None] * 4, "7", "2020-01-01", None)
    assert customer(small, three) == (
        *("ACTIVE", "AT_RISK_CADENCE", None, None, "7", "2020-01-01", None),
    )
    printed = run("flows", "write-back", "--dry-run")
    assert said <= set(printed.splitlines())
    assert "dry run: 0 customers would be changed" in printed
    assert "0 customers written back" in run("flows", "write-back")
    printed = run("flows", "roles", "install")
    assert said <= set(printed.splitlines())
    assert "warning" not in printed
    set_column(small, three, "risk_status", "HEALTHY")
    assert "1 customer written back" in run("flows", "write-back")
    assert customer(small, three)[1] == "AT_RISK_CADENCE"
    printed = run("flows", "hook", "install")
    assert "warning: the hook does not write last_order_date: not written, because" in printed
    assert "warning: the hook does not write dormancy_since: left as it is" in printed
    assert printed.count("warning") == 2
    order(small, TWO)
    assert hook_errors(small) == []
    assert customer(small, TWO) == ("ACTIVE", *[None] * 3, "7", "2020-01-01", None)
    # a label that is added later is used at once
    small.execute("alter type commerce.\"NoDormant\" add value 'DORMANT'")
    assert pending(small) == 1
    batch = str(small.value("select max(batch_id) from operations.write_back_batches"))
    assert "1 value restored" in run("flows", "rollback", batch)

    # without the cast the type changes: the views are created again, with the rights on them
    view = project / STATUSES
    view.write_text(view.read_text().replace('"lastOrderDate"::timestamp', '"lastOrderDate"'))
    assert "last_order_date" not in run(*NIGHTLY, "--no-write-back")
    run("flows", "roles", "install")
    run("flows", "write-back")
    assert customer(small, three)[2] == "2026-05-30"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["varchar(200)", "char(40)"])
def test_text_of_whatever_kind_is_published(kind: str, small: Database) -> None:
    small.execute(
        f"""
        do $$
        declare altered text;
        begin
            for altered in
                select format(
                    'alter table %s alter %I type {kind}', attrelid::regclass, attname
                )
                from pg_attribute
                inner join pg_class on attrelid = pg_class.oid and relkind = 'r'
                inner join pg_namespace on relnamespace = pg_namespace.oid
                where
                    nspname in ('commerce', 'booking', 'platform', 'success')
                    and atttypid = 'text'::regtype
                    and attnum > 0
                    -- a blank at the end of char would be one of the time zone, too
                    and (attname ~ 'status' or '{kind}' like 'varchar%')
            loop
                execute altered;
            end loop;
        end $$;
        insert into booking.organizations (id, slug, name)
        values ('00000000-0000-0000-0000-000000000000', 'acme', 'Acme');
        insert into booking.bookings (
            organization_id, booking_id, square_customer_id, location_id, status, start_at
        )
        select id, '1', '1', 'A', 'ACCEPTED', '2026-06-01' from booking.organizations
        """
    )
    done = small.run(*NIGHTLY, "--no-write-back")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert small.value("select booking_statuses from analytics.customer_recent_bookings") == [
        "ACCEPTED"
    ]
