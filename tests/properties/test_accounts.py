"""Health and churn risk of accounts must say what the rules say, on every day."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from accounts_oracle import (
    OUTCOMES,
    Account,
    Engagement,
    Invoice,
    Metric,
    Organization,
    Row,
    Ticket,
    evaluations,
)
from conftest import Database
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow

from bench.compiled import CompiledProject, compile_project

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ZONES = ["UTC", "Pacific/Auckland", "America/Los_Angeles"]
# on both sides of every limit, and of the same limit 30 days before
DAYS = [
    0,
    0,
    1,
    5,
    13,
    14,
    15,
    28,
    29,
    30,
    31,
    40,
    44,
    45,
    59,
    60,
    61,
    89,
    90,
    91,
    119,
    120,
    121,
]
AGES = [0, 1, 29, 30, 31, 88, 89, 90, 91, 200, 400]
PEOPLE = ["Ada", "ada", "Bob", "Cy", "Di"]
BACKFILL = 2
TABLES = {
    "health_metrics": "metrics",
    "engagements": "engagements",
    "support_tickets": "tickets",
    "invoices": "invoices",
}

days = st.sampled_from(DAYS)
moments = st.builds(
    lambda days, hours: NOON - timedelta(days=days, hours=hours),
    st.sampled_from(DAYS) | st.integers(-2, 130),
    st.integers(-14, 14),
)
dates = st.builds(lambda days: NOON.date() - timedelta(days=days), days | st.integers(-5, 130))


@st.composite
def accounts(draw: st.DrawFn, number: int) -> Account:
    def some(most: int) -> range:
        start = number * 100
        return range(start, start + draw(st.integers(0, most)))

    def maybe(least: int, most: int) -> int | None:
        return draw(st.none() | st.integers(least, most))

    def later(begin: datetime) -> datetime | None:
        return draw(
            st.none()
            | st.sampled_from([1, 23, 24, 25, 48, 71, 72, 73, 200, 800]).map(
                lambda hours: begin + timedelta(hours=hours)
            )
        )

    metrics = [
        Metric(one, draw(dates), maybe(0, 7), maybe(0, 110), maybe(0, 110), draw(moments))
        for one in some(4)
    ]
    engagements = [
        Engagement(
            one,
            draw(st.sampled_from(["call", "note"])),
            draw(st.sampled_from(["Review", "The competitor", "Competitors are near"])),
            draw(st.sampled_from([None, *OUTCOMES])),
            draw(moments | st.none()),
            tuple(draw(st.lists(st.sampled_from(PEOPLE), max_size=3))),
            NOON - timedelta(days=draw(st.sampled_from([200, 200, -1]))),
        )
        for one in some(5)
    ]
    tickets = []
    for one in some(14):
        begin = draw(moments)
        tickets.append(
            Ticket(
                one,
                maybe(0, 4),
                draw(st.sampled_from(["open", "closed"])),
                draw(st.booleans()),
                maybe(0, 5),
                begin,
                later(begin),
            )
        )
    invoices = [Invoice(one, draw(dates), draw(st.none() | dates)) for one in some(4)]
    return Account(
        number,
        maybe(1, 4),
        draw(st.sampled_from(["active", "active", "onboarding", "at_risk", "churned"])),
        draw(
            st.none()
            | st.sampled_from([-10, 0, 29, 30, 31, 89, 90, 91, 179, 180, 300]).map(
                lambda days: NOON.date() + timedelta(days=days)
            )
        ),
        NOON - timedelta(days=draw(st.sampled_from(AGES))),
        draw(st.none() | st.none() | moments),
        tuple(metrics),
        tuple(engagements),
        tuple(tickets),
        tuple(invoices),
    )


@st.composite
def organizations(draw: st.DrawFn, number: int) -> Organization:
    found = [draw(accounts(number * 10 + one)) for one in range(draw(st.integers(1, 4)))]
    return Organization(number, draw(st.sampled_from(ZONES)), tuple(found))


@st.composite
def histories(draw: st.DrawFn) -> tuple[datetime, list[Organization]]:
    as_of = NOON + timedelta(hours=draw(st.sampled_from([0, 0, -13, 11])))
    return as_of, [draw(organizations(number)) for number in (1, 2)[: draw(st.integers(1, 2))]]


class System:
    """The accounts system in a database: rows of the source in, marts out."""

    def __init__(
        self, connection: psycopg.Connection[DictRow], models: CompiledProject
    ) -> None:
        self.connection = connection
        self.models = models

    def refresh(self, drawn: list[Organization], as_of: datetime) -> None:
        """Replace all rows of the source, forget the days of before, and compute the marts."""
        with self.connection.transaction():
            for mart in ("health_scores", "churn_risk", "health_factors"):
                self.connection.execute(f"delete from analytics.account_{mart}".encode())
            for table in (*TABLES, "customer_goals", "accounts", "organizations"):
                self.connection.execute(f"delete from success.{table}".encode())
            for organization in drawn:
                self._insert(organization)
        self.models.refresh(self.connection, as_of)

    def _insert(self, organization: Organization) -> None:
        of = {"organization_id": UUID(int=organization.number)}
        self._rows(
            "organizations",
            [
                {
                    "id": UUID(int=organization.number),
                    "slug": f"organization-{organization.number}",
                    "name": "One",
                    "time_zone": organization.time_zone,
                    "is_active": True,
                }
            ],
        )
        for account in organization.accounts:
            row = {
                column: value
                for column, value in vars(account).items()
                if not isinstance(value, tuple)
            }
            number = row.pop("number")
            account_id = UUID(int=number)
            self._rows("accounts", [{**of, **row, "id": account_id, "name": "One"}])
            for table, part in TABLES.items():
                rows = [
                    {**of, "account_id": account_id, **vars(one), "id": UUID(int=one.id)}
                    for one in getattr(account, part)
                ]
                self._rows(table, rows)

    def _rows(self, table: str, rows: list[Row]) -> None:
        if rows:
            columns = ", ".join(rows[0])
            self.connection.execute(
                f"insert into success.{table} ({columns}) select {columns}"
                f" from jsonb_populate_recordset(null::success.{table}, %s)".encode(),
                [json.dumps(rows, default=str)],
            )

    def published(self, mart: str) -> dict[tuple[int, date], DictRow]:
        rows = self.connection.execute(f"select * from analytics.{mart}".encode()).fetchall()
        return {(row["account_id"].int, row["score_date"]): row for row in rows}


@pytest.fixture(scope="module")
def system(built: Database, built_folder: Path) -> Iterator[System]:
    models = compile_project(
        built.environment, built_folder, tags={"accounts"}, backfill_days=BACKFILL
    )
    with built.connect() as connection:
        # it takes a good part of the time, and no row here is bad
        quick = [one for one in models.models if one.name != "int_quarantined_rows__accounts"]
        yield System(connection, replace(models, models=quick))


def assert_same(found: DictRow, expected: Row, key: object) -> None:
    exact = {
        column: Fraction(value) if isinstance(value, Decimal) else value
        for column, value in found.items()
    }
    wrong = {
        column: (exact[column], value)
        for column, value in expected.items()
        if exact[column] != value
    }
    assert wrong == {}, key


@settings(max_examples=60, deadline=None)
@given(history=histories())
def test_health_and_churn_risk_follow_the_rules(
    system: System, history: tuple[datetime, list[Organization]]
) -> None:
    as_of, drawn = history
    system.refresh(drawn, as_of)
    expected = {
        key: one
        for organization in drawn
        for key, one in evaluations(organization, as_of, BACKFILL).items()
    }
    scores, risks = (
        system.published("account_health_scores"),
        system.published("account_churn_risk"),
    )
    assert scores.keys() == risks.keys() == expected.keys()
    for key, one in expected.items():
        assert_same(scores[key], one.score_row(), key)
        assert_same(risks[key], one.churn_row(), key)
    sums = system.connection.execute(
        "select account_id, score_date, sum(points) as points, sum(effective_weight) as weight"
        " from analytics.account_health_factors group by 1, 2"
    ).fetchall()
    assert len(sums) == len(expected)
    for row in sums:
        score = scores[row["account_id"].int, row["score_date"]]["health_score"]
        assert abs(row["points"] - score) <= Decimal("0.0051")
        assert abs(row["weight"] - 1) < Decimal("0.00000001")
