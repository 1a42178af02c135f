"""docs/bring_your_own_database.md, carried out as it stands there."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT, Database, new_database

DOCUMENT = PROJECT / "docs" / "bring_your_own_database.md"
NORTHWIND, PAGILA = "Orders: the shape of Northwind", "Bookings: the shape of Pagila"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOGIN = "health_trial"


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
        path = project / name
        path.write_text(mapped(path.read_text(), code.partition("\n")[2]))


def set_vars(path: Path, lines: str) -> None:
    text = path.read_text()
    for line in lines.splitlines():
        name = line.partition(":")[0]
        text, replaced = re.subn(rf"^  {name}: .*$", f"  {line}", text, flags=re.MULTILINE)
        assert replaced == 1, line
    path.write_text(text)


def mapped(view: str, select: str) -> str:
    """Put the select in place of the innermost one of a staging view."""
    head, is_nested, rest = view.rpartition("from (\n")
    if not is_nested:
        return view[: view.index("select\n")] + select
    tail = rest[rest.index("    ) as renamed") :]
    return head + is_nested + textwrap.indent(select, " " * 8) + tail


@pytest.fixture
def trial(server: Database) -> Iterator[Database]:
    """Both sample databases, for the login that the document makes."""
    database = new_database(server)
    for name in ("northwind", "pagila"):
        database.execute((DOCUMENT.parent / "bring_your_own" / f"{name}.sql").read_text())
    rights = one_block("What it may do", "in psql, as the owner of the database")
    name = database.environment["PGDATABASE"]
    database.execute(rights.replace(':"DBNAME"', name))
    yield database.as_user(LOGIN)
    database.drop()
    server.execute(f"drop role {LOGIN}")


def follow(trial: Database, project: Path, heading: str) -> None:
    """Make the edits of a section and run its commands."""
    edit(project, heading)
    for _, code in blocks(heading, "sh"):
        for line in code.splitlines():
            python, module, *arguments = shlex.split(line)
            assert (python, module) == ("python", "-m")
            done = trial.run(*arguments, project=project)
            assert done.returncode == 0, done.stdout + done.stderr


def test_northwind_is_refreshed_as_the_document_says(trial: Database, project: Path) -> None:
    follow(trial, project, NORTHWIND)
    check_northwind(trial)


def check_northwind(trial: Database) -> None:
    """Compare with statuses that were worked out by hand, for 15 June 2026."""
    statuses = trial.rows(
        "select customer_id, risk_status, last_order_date::text,"
        " next_expected_order_date::text, dormancy_since::text, sales_rep_id"
        " from analytics.customer_risk_status order by customer_id"
    )
    assert [tuple(row.values()) for row in statuses] == [
        ("ALPEN", "HEALTHY", "2026-06-01", "2026-07-01", None, 1),
        ("BREZL", "AT_RISK_CADENCE", "2026-05-20", "2026-06-03", None, 1),
        ("CIDRE", "DORMANT", "2026-01-10", "2026-02-09", "2026-03-26", 2),
        ("FIORI", "AT_RISK_REVENUE", "2026-06-12", "2026-06-22", None, 2),
    ]
    types = trial.rows(
        "select customer_id, account_type from analytics.customer_account_types order by 1"
    )
    assert {row["customer_id"].strip(): row["account_type"] for row in types} == {
        "ALPEN": "ACTIVE",
        "BREZL": "ACTIVE",
        "CIDRE": "ACTIVE",
        "DELTA": "PROSPECT",
        "ESKI": "ACTIVE",
        "FIORI": "ACTIVE",
    }
    left_out = trial.rows("select * from operations.quarantined_rows where system = 'orders'")
    assert [(row["key"], row["reason"]) for row in left_out] == [
        ("1500", "customer_id_missing")
    ]


def test_pagila_is_refreshed_as_the_document_says(trial: Database, project: Path) -> None:
    follow(trial, project, PAGILA)
    check_pagila(trial)


def check_pagila(trial: Database) -> None:
    """Compare with figures that were worked out by hand, for 15 June 2026."""
    customers = trial.rows(
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
    stores = trial.rows(
        "select location_name, sum(appointments_count)::int, sum(new_customers)::int as new"
        " from analytics.analytics_appointments_by_location_daily group by 1 order by 1"
    )
    assert [tuple(row.values()) for row in stores] == [("Store 1", 13, 2), ("Store 2", 6, 2)]
    assert not trial.rows("select * from operations.quarantined_rows where system = 'bookings'")
