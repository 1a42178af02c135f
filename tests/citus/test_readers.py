"""What pages show and people write on Citus is as on one server."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import UNTIL, Database
from pairs import Pair, same_demo
from psycopg.rows import DictRow, dict_row

from bench.pages import CHOSEN, OF_ALL, OF_ONE, ORGANIZATIONS, UNFILTERED
from dashboards.queries import PAGES, text_of
from flows.contacts import INSERT

pytestmark = pytest.mark.slow

pytest_plugins = ["pairs"]

FITTED = """
    insert into analytics.order_model_parameters
        (tenant_id, valid_from, model, r, alpha_days, a, b, state)
    select tenant_id, '2025-01-01', 'MBG', 0.8, 75, 0.05, 10, 'FITTED'
    from analytics.tenants
"""
CONTACT = {
    "channel": "PHONE",
    "outcome": "REACHED",
    "note": None,
    "contacted_by": None,
    "contacted_at": UNTIL,
    "snoozed_until": None,
    "corrects_contact_id": None,
}


@pytest.fixture
def pair(server: Database, programs: Path, of_citus: Path) -> Iterator[Pair]:
    with same_demo(server, programs, of_citus, shards=6, customers=60) as both:
        yield both


def shown(
    database: Database, chosen: dict[str, Any]
) -> dict[tuple[str, str, bool], list[str]]:
    """Return the rows of each query of each page: of all tenants, and of the chosen."""
    found = {}
    with psycopg.connect(
        host=database.environment["PGHOST"],
        port=database.environment["PGPORT"],
        user=database.environment["PGUSER"],
        dbname=database.environment["PGDATABASE"],
        cursor_factory=psycopg.ClientCursor,
        row_factory=dict_row,
    ) as reader:
        reader.execute("set timezone to 'UTC'")
        reader.commit()
        # as pages do
        reader.read_only = True
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for page, queries in PAGES.items():
            for query in queries:
                is_of_one = query.startswith(OF_ONE) and query not in OF_ALL
                for is_all in (True, False):
                    parameters = UNFILTERED | (chosen if is_of_one or not is_all else {})
                    if parameters["organization"] and page in ORGANIZATIONS:
                        parameters["organization"] = chosen[ORGANIZATIONS[page]]
                    rows = reader.execute(text_of(query), parameters).fetchall()
                    found[page, query, is_all] = sorted(map(repr, rows))
    return found


def add_contacts(database: Database, customers: list[DictRow]) -> None:
    """Write a contact with each, twice as a second click does, and correct it."""
    with database.connect() as connection:
        for number, customer in enumerate(customers):
            contact = CONTACT | customer | {"contact_id": uuid.UUID(int=number)}
            correction = contact | {
                "contact_id": uuid.UUID(int=100 + number),
                "corrects_contact_id": contact["contact_id"],
                "outcome": "WITHDRAWN" if number % 2 else "LOST",
                "snoozed_until": None if number % 2 else "2026-06-20",
            }
            for each in (contact, contact, correction):
                connection.execute(INSERT.encode(), each)


def test_pages_and_contacts_are_as_on_one_server(pair: Pair) -> None:
    pair.run("refresh", "--mode", "nightly", "--as-of", UNTIL)
    due = pair.plain.rows(
        "select tenant_id::text, customer_id::text from analytics.due_to_order"
        " order by tenant_id, customer_id limit 9"
    )
    for database in (pair.plain, pair.distributed):
        database.execute(FITTED)
        add_contacts(database, due)
        assert database.value("select count(*) from operations.customer_contacts") == 18
    [chosen] = pair.plain.rows(CHOSEN)
    plain, distributed = (
        shown(database, chosen) for database in (pair.plain, pair.distributed)
    )
    assert sum(map(len, plain.values())) > 1000
    different = {
        key: (plain[key], distributed[key])
        for key in plain
        # when and how runs went
        if not key[0].endswith("operations") and plain[key] != distributed[key]
    }
    assert different == {}, sorted(different)
