"""docs/bring_your_own_database.md, carried out as written."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from conftest import PROJECT, USUAL, Database, new_database

DOCUMENT = PROJECT / "docs" / "bring_your_own_database.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PACKAGE = "As a package of another dbt project"
LOGIN = "health_trial"
UNTIL = "2026-06-15T12:00:00+00:00"


def blocks(heading: str) -> Iterator[tuple[str, str, str]]:
    """Yield the code blocks of a section: language, the file of the first line, the rest."""
    text = DOCUMENT.read_text()
    [section] = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    for language, code in BLOCK.findall(section):
        first, _, rest = code.partition("\n")
        yield language, first.lstrip("-# "), rest if first[:2] in ("--", "# ") else code


def block(heading: str, begins: str) -> str:
    [code] = [code for _, first, code in blocks(heading) if first == begins]
    return code


class Walk:
    """A reader who follows the document, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Begin in the folder for the project."""
        self.folder = folder

    def follow(self, database: Database, heading: str) -> list[str]:
        """Write the inputs of a section, run its commands; return what they print."""
        printed = []
        for language, name, code in blocks(heading):
            if name.startswith("models/"):
                (self.folder / name).write_text(code)
            for line in code.splitlines() if language == "sh" else []:
                command, *arguments = shlex.split(line)
                if command.startswith("PGUSER="):
                    assert command == f"PGUSER={database.environment['PGUSER']}"
                    command, *arguments = arguments
                if command == "cd":
                    self.folder /= arguments[0]
                    continue
                assert command == "customer-health"
                done = database.run("flows", *arguments, project=self.folder)
                # `check` exits with 1, because there is something to look at
                assert done.returncode == (arguments[0] == "check"), done.stdout + done.stderr
                printed.append(done.stdout)
        return printed

    def check_what_is_shown(self, heading: str) -> None:
        """Compare the inputs in the document with the proposed ones."""
        shown = [
            (name.removeprefix("proposed: "), code)
            for _, name, code in blocks(heading)
            if name.startswith("proposed: ")
        ]
        assert shown
        for name, code in shown:
            assert (self.folder / name).read_text() == code


def application(server: Database, *names: str) -> Database:
    database = new_database(server, USUAL)
    for name in names:
        database.execute((DOCUMENT.parent / "bring_your_own" / f"{name}.sql").read_text())
    return database


@pytest.fixture
def owner(server: Database) -> Iterator[Database]:
    """Northwind's tables, with the login that owns them."""
    database = application(server, "northwind")
    yield database
    database.drop()


@pytest.fixture
def trial(owner: Database) -> Iterator[Database]:
    """The same database, with the login that the document creates."""
    rights = block("What a trial may do", "in psql, as an administrator")
    owner.execute(rights.replace(':"DBNAME"', owner.environment["PGDATABASE"]))
    yield owner.as_user(LOGIN)
    owner.execute(f"drop owned by {LOGIN} cascade; drop role {LOGIN}")


@pytest.mark.slow
def test_northwind_from_its_catalog_to_the_write_back(
    owner: Database, trial: Database, tmp_path: Path
) -> None:
    walk = Walk(tmp_path)
    [said] = walk.follow(trial, "Propose a project")
    assert "0 lines with TODO, 3 guesses" in said
    [said] = walk.follow(trial, "Check the inputs")
    walk.check_what_is_shown("Review the proposal")
    assert "0 wrong, 3 to look at" in said
    assert "1 of 25 rows is left out: customer_id_missing" in said
    [said] = walk.follow(trial, "The first refresh")
    assert northwind_statuses(trial, "northwind") == NORTHWIND_STATUSES
    left_out = trial.rows('select "table", key, reason from operations.quarantined_rows')
    assert [tuple(row.values()) for row in left_out] == [
        ("orders", "1500", "customer_id_missing")
    ]
    assert "reactivated_date, risk_status: not written, because input_orders__" in said

    walk.follow(owner, "Keep the marts current")
    owner.execute("delete from operations.changed_keys")
    owner.execute("update northwind.orders set freight = 1 where customer_id = 'CIDRE'")
    owner.execute("update northwind.order_details set quantity = 2 where order_id = 1000")
    noticed = owner.rows("select distinct kind, tenant, key from operations.changed_keys")
    assert sorted(tuple(row.values()) for row in noticed) == NOTICED

    owner.execute(block("Write back", "in psql, as the owner of the tables"))
    walk.follow(trial, "Write back")
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


@pytest.mark.slow
def test_what_stands_in_for_columns_that_somebody_does_not_have(
    small: Database, tmp_path: Path
) -> None:
    small.execute(
        'create table commerce."Order" ("id" uuid primary key, "tenantId" uuid,'
        ' "customerId" uuid, "createdAt" timestamp(3), "shippedAt" timestamp(3));'
        'insert into commerce."Order" select id, tenant_id, customer_id,'
        " ordered_at at time zone 'UTC', delivered_at at time zone 'UTC'"
        " from commerce.orders;"
        "drop table commerce.orders"
    )
    done = small.run("flows", "init", str(tmp_path / "it"), "--systems", "orders")
    assert done.returncode == 0, done.stderr
    path = "models/orders/inputs/input_orders__orders.sql"
    code = block("Columns that you do not have", f"instead of {path}")
    (tmp_path / "it" / path).write_text(code)
    refresh = ("flows", "refresh", "--mode", "nightly", "--no-write-back", "--as-of", UNTIL)
    done = small.run(*refresh, project=tmp_path / "it")
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
def test_two_companies_in_the_same_tables(server: Database, tmp_path: Path) -> None:
    """The same orders twice, so that a row of the other company would show."""
    owner = application(server, "northwind", "companies")
    walk = Walk(tmp_path)
    walk.follow(owner, "Several businesses in the same tables")
    first, second = NORTHWIND_STATUSES, [(*row[:-1], None) for row in NORTHWIND_STATUSES]
    assert northwind_statuses(owner, "northwind") == first
    assert northwind_statuses(owner, "northwind-japan") == second
    walk.follow(owner, "Keep the marts current")
    owner.execute("delete from operations.changed_keys")
    owner.execute(
        "update northwind.orders set freight = 1"
        " where (company_id, customer_id) = (2, 'CIDRE')"
    )
    noticed = owner.rows("select distinct kind, tenant, key from operations.changed_keys")
    assert [tuple(row.values()) for row in noticed] == [("customer", "2", "CIDRE")]
    owner.drop()


NOTICED = [("customer", "1", "ALPEN"), ("customer", "1", "CIDRE")]
# computed by hand, for June 15, 2026
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


@pytest.mark.slow
def test_pagila_with_its_first_refresh(server: Database, tmp_path: Path) -> None:
    owner = application(server, "pagila")
    walk = Walk(tmp_path)
    walk.follow(owner, "Bookings: Pagila")
    walk.check_what_is_shown("Bookings: Pagila")
    check_pagila(owner)
    assert not owner.rows("select * from operations.quarantined_rows")
    owner.drop()


def check_pagila(database: Database) -> None:
    """Compare with figures computed by hand, for June 15, 2026."""
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
def test_another_dbt_project_builds_it_as_a_package(server: Database, tmp_path: Path) -> None:
    owner = application(server, "northwind", "pagila")
    proposed = tmp_path / "proposed"
    done = owner.run("flows", "init", str(proposed), "--time-zone", "America/New_York")
    assert done.returncode == 0, done.stderr
    (tmp_path / "customer_health").symlink_to(PROJECT)
    own = tmp_path / "my_project"
    shutil.copytree(proposed / "models", own / "models")
    for language, name, code in blocks(PACKAGE):
        if language != "sh":
            (own / name).write_text(code)
    settings = own / "dbt_project.yml"
    project = yaml.safe_load(settings.read_text())
    differ = yaml.safe_load((proposed / "dbt_project.yml").read_text())["vars"]
    project["vars"]["customer_health"] |= differ
    settings.write_text(yaml.safe_dump(project))
    # models of the user's project do not replace ours, even with the same name
    for name in ("tenants", "stg_orders__orders", "int_customers", "risk_thresholds"):
        (own / "models" / f"{name}.sql").write_text("select 'theirs' as tenant_id")
    # except an input
    (own / "models/orders/inputs/input_orders__customers.sql").unlink()
    profile = (PROJECT / "profiles.example.yml").read_text()
    (own / "profiles.yml").write_text(
        profile.replace("customer_health:", "my_project:").replace(
            "schema: analytics_internal", "schema: theirs"
        )
    )

    [build] = [code.strip() for language, _, code in blocks(PACKAGE) if language == "sh"]
    printed = run(owner, own, f"{build} --vars 'as_of: {UNTIL}'")
    # sources_are_fresh warns, because the sample is some days old
    assert "WARN=1 ERROR=0" in printed
    # the user's input has no sales rep
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
    assert "model.my_project.input_orders__customers" in crossed
    assert all(name.startswith("model.my_project.input_") for name in crossed)

    # a seed is loaded again while somebody reads it
    with owner.connect() as connection, connection.transaction():
        connection.execute("select * from analytics_internal.risk_thresholds")
        seed = "timeout 60 dbt seed --select risk_thresholds"
        assert "WARN=0 ERROR=0" in run(owner, own, f"{seed} --vars 'as_of: {UNTIL}'")

    # if dbt would find our model first, the run says so before anything wrong is built
    project["flags"]["require_ref_searches_node_package_before_root"] = True
    settings.write_text(yaml.safe_dump(project))
    with pytest.raises(AssertionError, match="must be false"):
        run(owner, own, f"{build} --vars 'as_of: {UNTIL}' --select input_orders__customers")


def run(database: Database, folder: Path, commands: str) -> str:
    """Run shell commands in a dbt project, and return what they print."""
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
