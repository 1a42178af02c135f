"""`customer-health check`: its findings, and that it leaves no trace, at any time."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import ONE, PROJECT, TENANT, UNTIL, Database

from flows import check_inputs
from flows.check import check
from flows.check_customers import load_seed
from flows.check_tables import says_no
from flows.progress import Progress

CHECK = ("flows", "check", "--json", "--as-of", UNTIL)

# everything that a session could leave behind, except statistics
CATALOG = """
    select 'class' as kind, oid::bigint, concat(relname, relkind, relacl) as thing
    from pg_class
    union all select 'schema', oid, concat(nspname, nspacl) from pg_namespace
    union all select 'routine', oid, proname from pg_proc
    union all select 'type', oid, typname from pg_type
    union all select 'role', oid, rolname from pg_roles
    union all select 'trigger', oid, tgname from pg_trigger
    order by 1, 2
"""


def report_of(
    database: Database,
    *arguments: str,
    project: Path = PROJECT,
    environment: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Run the command, and return its JSON object."""
    done = database.run(*CHECK, *arguments, project=project, environment=environment)
    assert "error: " not in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == found["exit_code"]
    return found


def lines(report: dict[str, Any], level: str) -> list[str]:
    return [one["line"] for one in report["findings"] if one["level"] == level]


def input_of(report: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [one for one in report["inputs"] if one["input"] == name]
    return dict(found)


@pytest.mark.slow
def test_a_check_leaves_nothing_and_says_the_same_before_and_after_a_refresh(
    small: Database,
) -> None:
    small.execute("drop role if exists reader")
    small.execute("create role reader login")
    small.execute("grant usage on schema commerce to reader")
    small.execute("grant select on all tables in schema commerce to reader")
    before = small.rows(CATALOG)
    first = report_of(small, "--system", "orders")
    assert report_of(small.as_user("reader"), "--system", "orders") == first
    assert small.rows(CATALOG) == before

    assert first["exit_code"] == 0
    assert first["findings"] == []
    orders = input_of(first, "input_orders__orders")
    assert orders["rows"] == 10
    assert orders["words"] == {"order_status": {"DELIVERED": 10}}
    assert orders["changes_noticed_by"] == {"commerce.orders": "updated_at"}
    [one] = first["customers"]
    assert one["customer"] == ONE
    assert one["status"] == "AT_RISK_CADENCE"
    assert one["figures"]["dates"][0] == "2026-03-01"
    assert one["lines"][2] == (
        "expected 2026-05-30 + 10 = 2026-06-09; today is 2026-06-15 in UTC, 6 past it"
    )

    done = small.run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    assert done.returncode == 0, done.stderr
    done = small.run("flows", "capture", "install")
    assert done.returncode == 0, done.stderr
    before = small.rows(CATALOG)
    again = report_of(small, "--system", "orders")
    assert small.rows(CATALOG) == before
    assert again["customers"] == first["customers"]
    watched = input_of(again, "input_orders__orders")["changes_noticed_by"]
    assert list(watched) == ["commerce.orders"]
    assert "triggers" in watched["commerce.orders"]
    # a login that may not read operations is not told about triggers, and it is not a fault
    as_reader = report_of(small.as_user("reader"), "--system", "orders")
    assert as_reader["findings"] == []
    assert as_reader["customers"] == first["customers"]

    # the other systems have no tables, which is reported once for each
    done = small.run("flows", "check")
    assert done.returncode == 2, done.stdout
    assert "set `bookings_enabled: false` in the vars" in done.stdout
    assert done.stdout.splitlines()[-1] == "3 wrong, 0 to look at"

    small.execute("revoke temporary on database usual from public")
    done = small.as_user("reader").run("flows", "check")
    assert done.returncode == 4
    assert done.stderr == (
        "error: database: reader may not create temporary tables in usual, which the check"
        " needs; the database's owner can grant temporary on it\n"
    )
    small.execute("drop owned by reader")
    small.execute("drop role reader")


@pytest.mark.slow
def test_customers_are_worked_through_as_the_marts_have_them(
    refreshed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a sample of the large tables chooses other customers, and reads all their rows
    for largest, is_sample in ((3_000_000, False), (1_000, True)):
        for name, value in refreshed.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(check_inputs, "LARGEST", largest)
        monkeypatch.setattr(check_inputs, "SAMPLE", 500)
        _, seen = check(None, datetime.fromisoformat(UNTIL), Progress())
        report = json.loads(json.dumps(seen, default=str))
        assert input_of(report, "input_orders__orders")["is_sample"] == is_sample
        assert not input_of(report, "input_orders__customers")["is_sample"]
        if is_sample:
            assert input_of(report, "input_orders__orders")["rows"] == 500
        by_system: dict[str, list[dict[str, Any]]] = {"orders": [], "bookings": []}
        for customer in report["customers"]:
            by_system[customer["system"]].append(customer)
        for customer in by_system["orders"]:
            [mart] = refreshed.rows(
                "select risk_status, reason, next_expected_order_date::text as expected_on,"
                " total_delivered_orders from analytics.customer_risk_status"
                " where customer_id::text = %s",
                customer["customer"],
            )
            assert mart["risk_status"] == customer["status"]
            assert mart["reason"] == customer["figures"]["reason"]
            assert mart["expected_on"] == customer["figures"]["expected_on"]
            assert mart["total_delivered_orders"] == len(customer["figures"]["dates"])
        for customer in by_system["bookings"]:
            [mart] = refreshed.rows(
                "select customer_segment, total_visits,"
                " expected_next_visit_date::text as expected_on"
                " from analytics.customer_analytics"
                " inner join analytics.booking_organizations using (organization_id)"
                " where organization_slug = %s and square_customer_id = %s",
                customer["tenant"],
                customer["customer"],
            )
            assert mart["customer_segment"] == customer["status"]
            assert mart["total_visits"] == len(customer["figures"]["dates"])
            assert mart["expected_on"] == customer["figures"]["expected_on"]
        assert [len(found) for found in by_system.values()] == [3, 3]
        assert {one["chosen"] for one in report["customers"]} == {
            "most rows",
            "late",
            "newest",
        }
        if not is_sample:
            # the rows left out are those that a refresh leaves out
            left_out = {
                (one["system"], one["input"].partition("__")[2], reason): found["rows"]
                for one in report["inputs"]
                for reason, found in one["left_out"].items()
            }
            quarantined = refreshed.rows(
                'select system, "table", reason, sum(rows_count)::bigint as rows'
                " from operations.quarantined_rows group by 1, 2, 3"
            )
            assert left_out == {
                (row["system"], row["table"], row["reason"]): row["rows"]
                for row in quarantined
            }
            assert left_out


def plant(database: Database) -> None:
    """Put one of each fault into the rows and tables of orders."""
    database.execute(
        """
        alter table commerce.customers
            add deleted_at timestamptz, add "isTest" boolean not null default false,
            add nickname text, add archived boolean, alter updated_at drop not null;
        update commerce.customers set updated_at = null;
        update commerce.customers set deleted_at = now(), "isTest" = true where name = 'Two';
        update commerce.customers set risk_status = 'FRAUD', account_type = 'HOLD'
        where name = 'One';
        """
    )
    database.execute(
        "alter table commerce.tenants drop constraint if exists tenants_slug_key;"
        " insert into commerce.tenants (id, slug, name)"
        " values (gen_random_uuid(), 'acme', 'Another Acme')"
    )
    order = (
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
        " delivered_at, total_amount) values (gen_random_uuid(), %s, %s, %s,"
        " timestamptz '2026-05-01', %s::timestamptz, 12345)"
    )
    for _ in range(20):
        database.execute(order, TENANT, ONE, "DELIVERED", "2026-05-02")
    database.execute(order, TENANT, ONE, "Lost", None)
    database.execute(order, TENANT, ONE, "Lost", None)
    database.execute(order, TENANT, ONE, "it's \U0001f600", None)
    database.execute(order, TENANT, None, "DRAFT", None)
    database.execute(order, TENANT, ONE, "DELIVERED", "2300-01-01")
    database.execute(
        "alter table commerce.orders drop constraint orders_pkey;"
        " insert into commerce.orders select * from commerce.orders"
        " where total_amount = 100 limit 2;"
        " alter table commerce.orders alter total_amount type bigint;"
        " alter table commerce.orders alter ordered_at type timestamp;"
        " alter table commerce.orders alter currency drop not null;"
        " alter table commerce.orders alter updated_at type timestamp,"
        " alter updated_at drop not null;"
        " update commerce.orders set updated_at = null where status = 'Lost';"
        # a view of the application that reads one clock as UTC and names the zone of another
        " alter table commerce.orders rename to parcels;"
        " create view commerce.orders as select id, tenant_id, customer_id, status,"
        " ordered_at::timestamptz as ordered_at, delivered_at, total_amount, currency,"
        " created_at, updated_at at time zone 'Europe/Berlin' as updated_at"
        " from commerce.parcels"
    )


def test_each_planted_fault_is_seen(small: Database) -> None:
    plant(small)
    before = small.rows(CATALOG)
    report = report_of(small, "--system", "orders")
    assert small.rows(CATALOG) == before
    assert report["exit_code"] == 1
    assert lines(report, "wrong") == []
    found = lines(report, "look")

    def told(*words: str) -> list[str]:
        return [line for line in found if all(word in line for word in words)]

    path = "models/orders/inputs/input_orders__orders.sql"
    orders = input_of(report, "input_orders__orders")
    reasons = {reason: one["rows"] for reason, one in orders["left_out"].items()}
    assert reasons == {
        "order_status_unknown": 3,
        "order_id_duplicate": 2,
        "customer_id_missing": 1,
        "delivered_at_out_of_range": 1,
    }
    assert [len(one["such_as"]) for one in orders["left_out"].values()] == [3, 2, 1, 1]
    assert told("input_orders__orders.order_status", "'Lost' 2", path, "DELIVERED")
    assert told("input_orders__orders.order_status", '"it\'s \U0001f600" 1')
    for column, rows, reason in (
        ("order_id", 2, "order_id_duplicate"),
        ("customer_id", 1, "customer_id_missing"),
        ("delivered_at", 1, "out_of_range"),
    ):
        assert told(f"input_orders__orders.{column}: {rows} of 37 rows", reason)
    assert told("input_orders__orders.total_amount", "looks like cents", "bigint", "/ 100.0")
    assert told("input_orders__orders.ordered_at", "is read as UTC")
    assert told("input_orders__orders.updated_at: is NULL in 2 of 37 rows: an hourly")
    deleted = told("commerce.customers.deleted_at is not used, and in 1 of 2 rows")
    assert "'looked_at': ['deleted_at']" in deleted[0]
    assert told('commerce.customers.isTest is not used, and in 1 of 2 rows "isTest"')
    # an empty column
    assert not told("archived")
    assert told("input_orders__customers: nothing shows changes in commerce.customers")
    assert told("input_orders__tenants.tenant_slug: 1 slug belongs", "'acme' to 2")
    # not the account type HOLD, which is in protected_account_types
    assert told("customer_statuses.risk_status", "'FRAUD' 1", "leave risk_status")
    assert len(found) == 12, found

    customers = input_of(report, "input_orders__customers")
    assert customers["unused_columns"]["commerce.customers"] == [
        "deleted_at",
        "isTest",
        "nickname",
        "archived",
    ]
    assert orders["null_share"]["customer_id"] == round(1 / 37, 4)
    assert orders["changes_noticed_by"] == {"commerce.parcels": "updated_at"}
    # duplicates count once, and so do faults
    [one] = report["customers"]
    assert len(one["figures"]["dates"]) == 30

    # a wrong type or a missing column is wrong
    small.execute(
        "drop view commerce.orders; alter table commerce.parcels rename to orders;"
        " alter table commerce.sales_reps alter is_active drop default,"
        " alter is_active type text;"
        " alter table commerce.customers drop constraint customers_sales_rep_id_fkey;"
        " alter table commerce.customers alter sales_rep_id type bigint using 7;"
        " alter table commerce.tenants rename to sellers"
    )
    report = report_of(small, "--system", "orders")
    assert report["exit_code"] == 2
    assert report["customers"] == []
    wrong = lines(report, "wrong")
    folder = "models/orders/inputs"
    settings = "set orders_schema and the orders_..._table settings"
    setting = "set `orders_sales_rep_id_type: bigint` in the vars"
    clock = "`ordered_at at time zone 'Europe/Berlin' as ordered_at`"
    for name, problem, todo in (
        (
            "input_orders__tenants",
            'relation "commerce.tenants" does not exist',
            f"{settings}, or name your table in {folder}/input_orders__tenants.sql",
        ),
        (
            "input_orders__sales_reps.is_active",
            "is text, must be boolean",
            f"cast it in {folder}/input_orders__sales_reps.sql: `...::boolean as is_active`",
        ),
        (
            "input_orders__customers.sales_rep_id",
            "is bigint, must be uuid",
            f"{setting}, or cast it in {folder}/input_orders__customers.sql",
        ),
        (
            "input_orders__orders.ordered_at",
            "is timestamp without time zone, must be timestamptz",
            f"add its time zone in {path}, such as {clock}",
        ),
    ):
        assert f"{name}: {problem}; {todo}" in wrong
    assert len(wrong) == 5, wrong
    small.execute("create role nobody login; grant usage on schema commerce to nobody")
    # the role of the same login: for another one dbt would parse the project again
    as_nobody = {"PGOPTIONS": "-c role=nobody"}
    wrong = lines(report_of(small, "--system", "orders", environment=as_nobody), "wrong")
    assert (
        "input_orders__orders: permission denied for table orders; grant the login select on"
        " it and usage on its schema; if it has policies, also bypassrls" in wrong
    )
    small.execute("drop owned by nobody")
    small.execute("drop role nobody")


def test_a_draft_that_was_delivered_is_looked_at(small: Database) -> None:
    small.execute(
        "update commerce.orders set status = 'DRAFT' where ordered_at < '2026-03-15';"
        " update commerce.tenants set is_active = false"
    )
    [found, none] = lines(report_of(small, "--system", "orders", "--as-of", UNTIL), "look")
    assert none.startswith("orders: no customer gets a status; check that a tenant is active")
    assert "order_status: 2 rows are DRAFT and have a delivered_at, such as order_id" in found
    assert "such a row counts as a delivery; if it is not a delivery, make its" in found


@pytest.mark.slow
def test_customers_that_belong_to_another_one_are_looked_at(small: Database) -> None:
    small.execute(
        "alter table commerce.customers add company_id uuid references commerce.customers;"
        " update commerce.customers set company_id = id where name = 'One'"
    )
    assert lines(report_of(small, "--system", "orders", "--as-of", UNTIL), "look") == []
    small.execute(f"update commerce.customers set company_id = '{ONE}'")
    [found] = lines(report_of(small, "--system", "orders", "--as-of", UNTIL), "look")
    assert "commerce.customers.company_id links 1 row to another row of the table" in found
    assert "'looked_at': ['company_id']" in found


@pytest.mark.slow
def test_check_omits_consequences_and_reviewed_columns(small: Database, project: Path) -> None:
    sources = project / "models" / "orders" / "inputs" / "_orders__sources.yml"
    text = sources.read_text()
    sources.write_text(
        text.replace("capture: {tenant: tenant_id, customer: id}", "capture: none")
    )
    assert sources.read_text() != text
    small.execute(
        "update commerce.tenants set time_zone = 'Mars/Olympus';"
        " alter table commerce.customers alter updated_at drop not null;"
        " update commerce.customers set updated_at = null"
    )
    done = small.run("flows", "check", "--system", "orders", "--as-of", UNTIL, project=project)
    assert done.returncode == 2
    said = done.stdout.splitlines()
    # customers of a tenant that is left out do not count, which is not reported per table
    [wrong] = [line for line in said if line.startswith(("wrong ", "look "))]
    assert wrong.startswith(
        "wrong input_orders__tenants.time_zone: its only row is left out: time_zone_unknown"
    )
    assert "use a time zone of pg_timezone_names" in wrong
    assert any(
        "customers" in line and "the nightly refresh, as its yml says" in line for line in said
    )
    table = said[said.index(next(line for line in said if line.startswith("orders"))) :]
    assert all(len(line.rstrip()) <= 100 for line in table[:7])


@pytest.mark.slow
def test_amounts_words_and_policies_of_the_other_systems_are_looked_at(
    small: Database,
) -> None:
    small.execute(
        """
        insert into booking.organizations (id, slug, name, time_zone)
        values (gen_random_uuid(), 'salon', 'Salon', 'Europe/Berlin'),
            (gen_random_uuid(), 'lost', 'Lost', 'Europe/Nowhere');
        insert into booking.bookings
            (organization_id, booking_id, square_customer_id, location_id, status, start_at)
        select id, 'B' || day, 'C1', 'L1', 'ACCEPTED', timestamptz '2026-05-01' + day
            * interval '1 day'
        from booking.organizations cross join generate_series(1, 25) as day
        where slug = 'salon';
        -- whole amounts, mapped as if they were cents
        insert into booking.payments
            (organization_id, payment_id, square_customer_id, status, amount_cents)
        select organization_id, booking_id, square_customer_id, 'COMPLETED', 45
        from booking.bookings;
        insert into success.organizations (id, slug, name)
        values (gen_random_uuid(), 'team', 'Team');
        insert into success.accounts (id, organization_id, name, size, status, created_at)
        select gen_random_uuid(), id, 'An account', size, 'active', now()
        from success.organizations
        cross join unnest(array['huge', E'very\nhuge', 'small', null]) as size;
        insert into success.invoices (id, organization_id, account_id, due_on, amount)
        select gen_random_uuid(), organization_id, id, '2026-05-01', 'NaN'
        from success.accounts cross join generate_series(1, 10);
        insert into success.invoices (id, organization_id, account_id, due_on, amount)
        select gen_random_uuid(), organization_id, id, '2026-05-01', 990000
        from success.accounts cross join generate_series(1, 10);
        insert into success.engagements (id, organization_id, account_id, type, scheduled_at)
        select gen_random_uuid(), organization_id, id, 'call', scheduled_at
        from success.accounts cross join unnest(array[timestamptz '2026-05-01', null])
            as scheduled_at
        """
    )
    report = report_of(small)
    found = lines(report, "look")

    def told(*words: str) -> list[str]:
        return [line for line in found if all(word in line for word in words)]

    assert told("input_bookings__payments.amount_cents: looks like whole amounts", " 45;")
    assert told("input_bookings__organizations.time_zone", "1 of 2 rows", "pg_timezone_names")
    assert told("input_accounts__invoices.amount: looks like cents", "at least 990000;")
    assert told("input_accounts__invoices.amount: 40 of 80 rows are left out", "out_of_range")
    assert told(
        "input_accounts__accounts.account_size", "which become NULL", "'huge' 1", "'very"
    )
    assert "None" not in told("input_accounts__accounts.account_size")[0]
    # a call that nobody had planned
    assert not told("scheduled_at")
    assert [line for line in found if "\n" in line] == []
    no_usage = (
        "input_usage__organizations: has no rows, like all inputs of usage; if you do not use"
        " this system, set `usage_enabled: false` in the vars"
    )
    assert lines(report, "wrong") == [no_usage]
    [_, customer] = report["customers"]
    assert (customer["tenant"], customer["customer"]) == ("salon", "C1")
    assert customer["figures"]["expected_on"] == "2026-05-27"

    # rows that a policy would hide are not counted
    small.execute(
        "create role reader login; grant usage on schema booking to reader;"
        " grant select on all tables in schema booking to reader;"
        " alter table booking.payments enable row level security"
    )
    report = report_of(small.as_user("reader"), "--system", "bookings")
    [wrong] = lines(report, "wrong")
    assert "row-level security" in wrong
    assert "bypassrls" in wrong
    assert report["customers"] == []
    small.execute("drop owned by reader")
    small.execute("drop role reader")


def edit(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)


def test_an_id_with_blanks_at_its_end_has_a_type_of_its_own(small: Database) -> None:
    small.execute("alter table booking.bookings alter location_id type char(40)")
    report = report_of(small, "--system", "bookings")
    wrong = (
        "input_bookings__bookings.location_id: is character, must be text; set"
        " `bookings_location_id_type: bpchar` in the vars, or cast it in"
        " models/bookings/inputs/input_bookings__bookings.sql"
    )
    assert wrong in lines(report, "wrong")


@pytest.mark.slow
def test_columns_that_lack_or_nobody_knows_are_named(small: Database, project: Path) -> None:
    small.execute(
        "create type commerce.state as enum ('DELIVERED', 'GONE');"
        " alter table commerce.orders alter status type commerce.state"
        " using status::commerce.state;"
        " alter table commerce.customers add deleted_at timestamptz default now();"
        " create domain commerce.name as varchar(80);"
        " alter table commerce.customers alter name type commerce.name,"
        " alter email type char(40)"
    )
    inputs = project / "models" / "orders" / "inputs"
    edit(
        inputs / "input_orders__orders.sql",
        ("    delivered_at,\n", ""),
        ("    currency,\n", "    currency as curency,\n"),
    )
    edit(
        inputs / "input_orders__customers.sql",
        ("    sales_rep_id,\n", ""),
        ("select\n", "{{ config(meta={'looked_at': ['deleted_at']}) }}\n\nselect\n"),
    )
    report = report_of(small, "--system", "orders", project=project)
    assert report["exit_code"] == 2
    wrong = lines(report, "wrong")
    path = "models/orders/inputs/input_orders__orders.sql"
    lacks = (
        f"input_orders__orders.delivered_at: is missing but required (timestamptz); add it to"
        f" {path}: When the order was delivered; NULL until then. It decides cadence and risk"
        " status. An order with this date counts as delivered unless its status is CANCELLED."
    )
    enum = (
        "input_orders__orders.order_status: is commerce.state, must be text; cast it in"
        f" {path}: `...::text as order_status`"
    )
    unknown = (
        "input_orders__orders.curency: is not a column of this input; remove it from"
        f" {path}, or rename it to one of tenant_id, customer_id, order_id, order_status,"
        " ordered_at, delivered_at, total_amount, currency, created_at, updated_at"
    )
    assert wrong == [lacks, enum, unknown]
    assert lines(report, "look") == []
    customers = input_of(report, "input_orders__customers")
    assert customers["optional_columns_lacking"] == ["sales_rep_id"]
    assert customers["columns"]["customer_email"] == "character"

    # an input that dbt cannot compile is wrong, too, in one line
    edit(inputs / "input_orders__orders.sql", ("'orders', 'orders'", "'orders', 'parcels'"))
    done = small.run(*CHECK, project=project)
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "parcels" in line


# a letter that says no
NO = "'n', 'no', 'f', 'false', '0', '', 'non', 'nao', 'nein'"


@pytest.mark.parametrize(
    ("column", "kind", "category", "condition"),
    [
        ("deleted_at", "timestamptz", "D", '"deleted_at" is not null'),
        ("deletedAt", "timestamp", "D", '"deletedAt" is not null'),
        ("is_test", "bool", "B", '"is_test"'),
        ("voided", "int2", "N", '"voided" != 0'),
        ("voided_amount", "money", "N", '"voided_amount"::numeric != 0'),
        ("archived", "text", "S", f'lower("archived") not in ({NO})'),
        ("refunded", "bool", "B", '"refunded"'),
        ("eliminado", "bool", "B", '"eliminado"'),
        ("isactive", "bool", "B", 'not "isactive"'),
        ("active", "bool", "B", 'not "active"'),
        ("activated_at", "timestamptz", "D", None),
        ("active_since", "date", "D", None),
        ("latest_id", "int8", "N", None),
        ("contested", "bool", "B", None),
        ("cancelled_by", "text", "S", "\"cancelled_by\" != ''"),
        ("livemode", "bool", "B", 'not "livemode"'),
    ],
)
def test_names_of_columns_tell_whether_a_row_counts(
    column: str, kind: str, category: str, condition: str | None
) -> None:
    assert says_no(column, kind, category) == condition


def test_a_seed_is_read_as_dbt_reads_it(empty: Database, tmp_path: Path) -> None:
    """Of a spreadsheet, with its mark of order of bytes, short lines and an empty one."""
    (tmp_path / "limits.csv").write_text("\ufeffslug,days,why\na,1\n\nb,2,x\n", "utf-8")
    node = {
        "root_path": str(tmp_path),
        "original_file_path": "limits.csv",
        "alias": "limits",
        "config": {"column_types": {}},
    }
    with empty.connect() as connection:
        load_seed(connection, node, {})
        found = connection.execute("select * from pg_temp.limits").fetchall()
    assert [tuple(row.values()) for row in found] == [
        ("a", 1, None),
        (None, None, None),
        ("b", 2, "x"),
    ]
    assert found[0].keys() == {"slug", "days", "why"}


def test_the_input_of_another_project_counts() -> None:
    ours = {"name": "input_x", "resource_type": "model", "package_name": "customer_health"}
    theirs = ours | {"package_name": "a_shop"}
    for nodes in ([ours, theirs], [theirs, ours]):
        manifest = {"nodes": dict(enumerate(nodes))}
        assert check_inputs.effective(manifest, "input_x") == theirs
    assert check_inputs.effective({"nodes": {"a": ours}}, "input_x") == ours


def test_a_system_that_is_not_there_is_named(small: Database) -> None:
    done = small.run("flows", "check", "--system", "order")
    assert done.returncode == 2
    assert done.stderr == (
        "error: --system: there is no system 'order'; there are: orders, bookings, usage,"
        " accounts\n"
    )


@pytest.mark.slow
def test_an_interface_of_views_is_checked_without_a_right_on_the_tables_behind(
    small: Database,
) -> None:
    names = [row["name"] for row in small.rows(
        "select relname as name from pg_class"
        " where relnamespace = 'commerce'::regnamespace and relkind = 'r'"
    )]  # fmt: skip
    small.execute(
        "alter schema commerce rename to private; create schema commerce;"
        + "".join(
            f"create view commerce.{name} as select * from private.{name};" for name in names
        )
        + "drop role if exists guest; create role guest login;"
        "grant usage on schema commerce to guest;"
        "grant select on all tables in schema commerce to guest;"
        "create publication upgrade for all tables"
    )
    report = report_of(small.as_user("guest"), "--system", "orders")
    watched = input_of(report, "input_orders__orders")["changes_noticed_by"]
    assert watched == {"private.orders": "updated_at"}
    [line] = lines(report, "look")
    assert line.startswith("orders: publication upgrade publishes every new table, so whoever")
    small.execute("drop owned by guest")
    small.execute("drop role guest")


def test_a_partitioned_table_is_checked_like_any_other(small: Database) -> None:
    """Its plan has no columns of its own, only those of its parts."""
    small.execute(
        """
        alter table commerce.orders rename to old_orders;
        create table commerce.orders (like commerce.old_orders including defaults)
        partition by list (currency);
        create table commerce.euros partition of commerce.orders for values in ('EUR');
        create table commerce.others partition of commerce.orders default;
        insert into commerce.orders select * from commerce.old_orders;
        """
    )
    report = report_of(small, "--system", "orders")
    orders = input_of(report, "input_orders__orders")
    assert orders["rows"] == 10
    assert orders["changes_noticed_by"] == {"commerce.orders": "updated_at"}
