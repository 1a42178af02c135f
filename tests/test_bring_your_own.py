"""docs/bring_your_own_database.md, carried out as it stands there."""

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT, Database, new_database

DOCUMENT = PROJECT / "docs" / "bring_your_own_database.md"
COMPANIES = "Several businesses in the same tables"
NORTHWIND, PAGILA = "Orders: the shape of Northwind", "Bookings: the shape of Pagila"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRITE_BACK, PACKAGE = "From trial to write-back", "As a package of another dbt project"
LOGIN = "health_trial"
UNTIL = "2026-06-15T12:00:00+00:00"


def blocks(heading: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield the code of a section: what its first line names, and all of it."""
    text = DOCUMENT.read_text()
    [section] = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    for found, code in BLOCK.findall(section):
        if found == language:
            yield code.partition("\n")[0].lstrip("-# "), code


def one_block(heading: str, begins: str) -> str:
    [code] = [
        code
        for language in ("sql", "yaml", "sh")
        for first, code in blocks(heading, language)
        if first == begins
    ]
    return code


def edit(project: Path, heading: str) -> None:
    """Make the edits that a section of the document shows."""
    for name, code in blocks(heading, "yaml"):
        body = code.partition("\n")[2]
        path = project / name
        if name == "dbt_project.yml":
            set_vars(path, body)
        else:
            kept = path.read_text().partition("    tables:\n")[0]
            path.write_text(kept + textwrap.indent(body, "    "))
    for name, code in blocks(heading, "sql"):
        if name.startswith("models/"):
            (project / name).write_text(code.partition("\n")[2])


def set_vars(path: Path, lines: str) -> None:
    text = path.read_text()
    for line in lines.splitlines():
        name = line.partition(":")[0]
        text, replaced = re.subn(rf"^  {name}: .*$", f"  {line}", text, flags=re.MULTILINE)
        assert replaced == 1, line
    path.write_text(text)


@pytest.fixture
def owner(server: Database) -> Iterator[Database]:
    """Both sample databases, for whoever owns them."""
    database = new_database(server)
    for name in ("northwind", "pagila"):
        database.execute((DOCUMENT.parent / "bring_your_own" / f"{name}.sql").read_text())
    yield database
    database.drop()


@pytest.fixture
def trial(owner: Database) -> Iterator[Database]:
    """The same for the login that the document makes."""
    rights = one_block("What it may do", "in psql, as the owner of the database")
    owner.execute(rights.replace(':"DBNAME"', owner.environment["PGDATABASE"]))
    yield owner.as_user(LOGIN)
    owner.execute(f"drop owned by {LOGIN} cascade; drop role {LOGIN}")


def follow(trial: Database, project: Path, heading: str) -> None:
    """Make the edits of a section and run its commands."""
    edit(project, heading)
    for _, code in blocks(heading, "sh"):
        for line in code.splitlines():
            python, option, *arguments = shlex.split(line)
            assert (python, option) == ("python", "-m")
            done = trial.run(*arguments, project=project)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_northwind_from_the_first_refresh_to_the_write_back(
    owner: Database, trial: Database, project: Path
) -> None:
    follow(trial, project, NORTHWIND)
    check_northwind(trial)

    done = trial.run("flows", "write-back", "--force", project=project)
    assert done.returncode == 0, done.stderr
    assert "reactivated_date, risk_status: not written, for input_orders__" in done.stdout
    assert "0 customers written back" in done.stdout
    owner.execute(one_block(WRITE_BACK, "in psql, as the owner of the tables"))
    follow(trial, project, WRITE_BACK)
    written = trial.rows(
        "select customer_id, account_type, risk_status, dormancy_since::text"
        " from northwind.customers order by customer_id"
    )
    assert [tuple(row.values()) for row in written] == [
        ("ALPEN", "ACTIVE", "HEALTHY", None),
        ("BREZL", "ACTIVE", "AT_RISK_CADENCE", None),
        ("CIDRE", "ACTIVE", "DORMANT", "2026-03-26"),
        ("DELTA", "PROSPECT", None, None),
        ("ESKIL", "ACTIVE", None, None),
        ("FIORI", "ACTIVE", "AT_RISK_REVENUE", None),
    ]

    done = owner.run("flows", "capture", "install", project=project)
    assert done.returncode == 0, done.stderr
    owner.execute("delete from operations.changed_keys")
    owner.execute("update northwind.orders set freight = 1 where customer_id = 'CIDRE'")
    noticed = owner.rows("select distinct kind, tenant, key from operations.changed_keys")
    assert [tuple(row.values()) for row in noticed] == [("customer", "1", "CIDRE")]

    sources = project / "models" / "orders" / "inputs" / "_orders__sources.yml"
    sources.write_text(
        sources.read_text().replace("customer: customer_id", "customer: client")
    )
    refused = owner.run("flows", "capture", "install", project=project)
    assert refused.returncode == 2
    assert 'customer is client: column "client" does not exist' in refused.stderr
    triggers = "where watched_by = 'triggers'"
    assert len(owner.rows(f"select * from operations.captured_tables {triggers}")) == 3


def test_what_stands_in_for_columns_that_somebody_does_not_have(
    small: Database, project: Path
) -> None:
    small.execute(
        'create table commerce."Order" ("id" uuid primary key, "tenantId" uuid,'
        ' "customerId" uuid, "createdAt" timestamp(3), "shippedAt" timestamp(3));'
        'insert into commerce."Order" select id, tenant_id, customer_id,'
        " ordered_at at time zone 'UTC', delivered_at at time zone 'UTC'"
        " from commerce.orders"
    )
    edit(project, "Columns that you do not have")
    refresh = ("flows", "refresh", "--mode", "nightly", "--no-write-back", "--as-of", UNTIL)
    done = small.run(*refresh, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert small.value("select count(*) from operations.quarantined_rows") == 0
    [dated] = small.rows(
        "select bool_and(last_order_date is not null) as is_dated,"
        " bool_and(revenue_at_risk is null) as is_without_revenue,"
        " array_agg(distinct revenue_basis) as bases"
        " from analytics.customer_risk_status"
    )
    assert dated == {
        "is_dated": True,
        "is_without_revenue": True,
        "bases": ["INSUFFICIENT_HISTORY"],
    }


@pytest.mark.slow
def test_two_companies_in_the_same_tables(owner: Database, project: Path) -> None:
    """The same orders twice: what the one company reads of the other would show."""
    owner.execute((DOCUMENT.parent / "bring_your_own" / "companies.sql").read_text())
    edit(project, NORTHWIND)
    for path in (project / "models" / "orders" / "inputs").glob("*.sql"):
        path.write_text(path.read_text().replace("1 as tenant_id", "company_id as tenant_id"))
    edit(project, COMPANIES)
    [(_, refresh)] = blocks(NORTHWIND, "sh")
    done = owner.run(*shlex.split(refresh)[2:], project=project)
    assert done.returncode == 0, done.stdout + done.stderr

    first, second = NORTHWIND_STATUSES, [(*row[:-1], None) for row in NORTHWIND_STATUSES]
    assert northwind_statuses(owner, "northwind") == first
    assert northwind_statuses(owner, "northwind-japan") == second
    done = owner.run("flows", "capture", "install", project=project)
    assert done.returncode == 0, done.stderr
    owner.execute("delete from operations.changed_keys")
    owner.execute(
        "update northwind.orders set freight = 1"
        " where (company_id, customer_id) = (2, 'CIDRE')"
    )
    noticed = owner.rows("select distinct kind, tenant, key from operations.changed_keys")
    assert [tuple(row.values()) for row in noticed] == [("customer", "2", "CIDRE")]


# worked out by hand, for 15 June 2026
NORTHWIND_STATUSES = [
    ("ALPEN", "HEALTHY", "2026-06-01", "2026-07-01", None, 1),
    ("BREZL", "AT_RISK_CADENCE", "2026-05-20", "2026-06-03", None, 1),
    ("CIDRE", "DORMANT", "2026-01-10", "2026-02-09", "2026-03-26", 2),
    ("FIORI", "AT_RISK_REVENUE", "2026-06-12", "2026-06-22", None, 2),
]


def northwind_statuses(database: Database, tenant: str) -> list[tuple[object, ...]]:
    rows = database.rows(
        "select customer_id, risk_status, last_order_date::text,"
        " next_expected_order_date::text, dormancy_since::text, sales_rep_id"
        " from analytics.customer_risk_status join analytics.tenants using (tenant_id)"
        " where tenant_slug = %s order by customer_id",
        tenant,
    )
    return [tuple(row.values()) for row in rows]


def check_northwind(database: Database) -> None:
    assert northwind_statuses(database, "northwind") == NORTHWIND_STATUSES
    left_out = database.rows('select "table", key, reason from operations.quarantined_rows')
    assert [tuple(row.values()) for row in left_out] == [
        ("orders", "1500", "customer_id_missing")
    ]


def test_pagila_with_its_first_refresh(trial: Database, project: Path) -> None:
    follow(trial, project, PAGILA)
    check_pagila(trial)
    assert not trial.rows("select * from operations.quarantined_rows")


def check_pagila(database: Database) -> None:
    """Compare with figures that were worked out by hand, for 15 June 2026."""
    customers = database.rows(
        "select square_customer_id, customer_segment, total_visits, total_revenue_cents,"
        " first_booking_location_id from analytics.customer_analytics order by 1"
    )
    assert [tuple(row.values()) for row in customers] == [
        (1, "ACTIVE", 10, 4990, 1),
        (2, "AT_RISK", 3, 1497, 1),
        (3, "LOST", 4, 1996, 2),
        (4, "NEVER_VISITED", 0, 0, None),
        (5, "NEW", 2, 998, 2),
    ]
    stores = database.rows(
        "select location_name, sum(appointments_count)::int, sum(new_customers)::int as new"
        " from analytics.analytics_appointments_by_location_daily group by 1 order by 1"
    )
    assert [tuple(row.values()) for row in stores] == [("Store 1", 13, 2), ("Store 2", 6, 2)]


@pytest.mark.slow
def test_another_dbt_project_builds_it_as_a_package(
    owner: Database, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for heading in (NORTHWIND, PAGILA):
        edit(project, heading)
    set_vars(project / "dbt_project.yml", "orders_enabled: true\nbookings_enabled: true\n")
    folder = tmp_path_factory.mktemp("beside")
    (folder / "customer_health").symlink_to(project)
    own = folder / "my_project"
    (own / "models").mkdir(parents=True)
    for language in ("yaml", "sql"):
        for name, code in blocks(PACKAGE, language):
            (own / name).write_text(code)
    # theirs is not ours, though it has the name of one of ours
    for name in ("tenants", "stg_orders__orders", "int_customers", "risk_thresholds"):
        (own / "models" / f"{name}.sql").write_text("select 'theirs' as tenant_id")
    # but for an input: ours could not be built, and would be no table of theirs
    ours = project / "models" / "orders" / "inputs" / "input_orders__customers.sql"
    ours.write_text("select * from nowhere.customers")
    profile = (project / "profiles.example.yml").read_text()
    (own / "profiles.yml").write_text(
        profile.replace("customer_health:", "my_project:").replace(
            "schema: analytics_internal", "schema: theirs"
        )
    )

    [(_, code)] = blocks(PACKAGE, "sh")
    build = code.strip()
    printed = run(owner, own, f"{build} --vars 'as_of: {UNTIL}'")
    # of sources_are_fresh: the sample is from some days before
    assert "WARN=1 ERROR=0" in printed
    # their input does not say who looks after a customer
    found = northwind_statuses(owner, "northwind")
    assert found == [(*row[:-1], None) for row in NORTHWIND_STATUSES]
    check_pagila(owner)
    called = owner.rows("select customer_id from theirs.customers_to_call order by 1")
    assert [row["customer_id"] for row in called] == ["ALPEN", "BREZL", "FIORI"]
    assert owner.value("select tenant_id from theirs.tenants") == "theirs"
    named = owner.rows("select distinct customer_name from analytics.due_to_order")
    assert all(str(row["customer_name"]).isupper() for row in named)
    manifest = json.loads((own / "target" / "manifest.json").read_text())
    parents = manifest["parent_map"].items()
    crossed = {
        parent
        for child, found in parents
        for parent in found
        if ".customer_health." in child and ".my_project." in parent
    }
    assert crossed == {"model.my_project.input_orders__customers"}

    # a seed is loaded again while somebody reads it
    with owner.connect() as connection, connection.transaction():
        connection.execute("select * from analytics_internal.risk_thresholds")
        seed = "timeout 60 dbt seed --select risk_thresholds"
        assert "PASS=4 WARN=0" in run(owner, own, f"{seed} --vars 'as_of: {UNTIL}'")

    # where dbt would look for ours first, a run says so before anything is built wrong
    settings = own / "dbt_project.yml"
    flag = "require_ref_searches_node_package_before_root: true"
    settings.write_text(settings.read_text().replace("flags:\n", f"flags:\n  {flag}\n"))
    with pytest.raises(AssertionError, match="must be false"):
        run(owner, own, f"{build} --vars 'as_of: {UNTIL}' --select input_orders__customers")


def run(database: Database, folder: Path, commands: str) -> str:
    """Run commands of a shell in a dbt project, and return what they print."""
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", commands],
        cwd=folder,
        env=database.os_environment(
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            DBT_TARGET_PATH=str(folder / "target"),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
