"""Health and churn risk of accounts equal those of the oracle, on every day."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import psycopg
import pytest
from accounts_oracle import (
    OUTCOMES,
    Account,
    Date,
    Engagement,
    Evaluation,
    Goal,
    Invoice,
    Metric,
    Organization,
    Row,
    Ticket,
    evaluations,
    goals,
    lost_dates,
)
from conftest import Database, examples
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow

from bench.compiled import CompiledProject, compile_project

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ZONES = ["UTC", "Pacific/Auckland", "America/Los_Angeles"]
# on both sides of every limit, and of the same limit 30 days earlier
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
# attendees: the same person in other spellings and fields, and entries without a person
PEOPLE: list[object] = [
    *("Ada", "ada", " ADA ", "Bob", "Cy", 7, "7"),
    *({"email": "ada"}, {"email": "Ada ", "id": 1}, {"name": "Bob"}, {"id": 7, "name": "Cy"}),
    *({"email": " ", "id": "", "name": "Cy"}, {"email": None, "name": "BOB"}),
    *({}, [], [["Ada"]], None, True, False, "", " \t\n", {"email": ""}, {"phone": "1"}),
    *({"email": {"a": 1}}, {"email": True}, {"email": 1}, {"id": False}, {"name": 1}),
    *({"email": None, "name": None}, {"Email": "eve"}, {"name": ["Eve"]}),
]
# implausible dates, and the first and last plausible ones
ENDLESS: list[Date] = [
    *(date(9999, 12, 31), date(2201, 1, 1), date(1969, 12, 31), "infinity", "-infinity"),
    *("10000-01-01", "0044-03-15 BC"),
]
ENDS: list[Date] = [date(1970, 1, 1), date(2200, 12, 31)]
BACKFILL = 2
TABLES = {
    "health_metrics": "metrics",
    "engagements": "engagements",
    "support_tickets": "tickets",
    "invoices": "invoices",
    "customer_goals": "goals",
}

days = st.sampled_from(DAYS)
moments = st.builds(
    lambda days, hours: NOON - timedelta(days=days, hours=hours),
    st.sampled_from(DAYS) | st.integers(-2, 130),
    st.integers(-14, 14),
)
dates = st.builds(lambda days: NOON.date() - timedelta(days=days), days | st.integers(-5, 130))


# tables that a refresh of one organization does not empty
MARTS = (
    "analytics.account_health_scores",
    "analytics.account_churn_risk",
    "analytics.account_health_factors",
    "analytics.goal_progress",
    "operations.accounts_quarantined_rows",
)

ahead = st.sampled_from([-10, 0, 29, 30, 31, 89, 90, 91, 179, 180, 300]).map(
    lambda days: NOON.date() + timedelta(days=days)
)
endless = st.none() | st.sampled_from(ENDLESS + ENDS)


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
            | st.sampled_from([0, 1, 23, 24, 25, 48, 71, 72, 73, 200, 800, -1, -30]).map(
                lambda hours: begin + timedelta(hours=hours)
            )
            # fractions with infinitely many digits
            | st.integers(0, 72 * 3600 * 10**6).map(
                lambda microseconds: begin + timedelta(microseconds=microseconds)
            )
        )

    def values(least: int) -> Fraction | None:
        return draw(
            st.none()
            | st.integers(least, 9).map(Fraction)
            | st.integers(100 * least, 900).map(lambda hundredths: Fraction(hundredths, 100))
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
    set_goals = [
        Goal(
            one,
            "Goal",
            values(-2),
            values(-2),
            values(-2),
            draw(endless | ahead),
            draw(endless | dates),
            draw(moments),
        )
        for one in some(4)
    ]
    return Account(
        number,
        maybe(1, 4),
        draw(st.sampled_from(["active", "active", "onboarding", "at_risk", "churned"])),
        draw(endless | ahead),
        NOON - timedelta(days=draw(st.sampled_from(AGES))),
        draw(st.none() | st.none() | st.sampled_from(["infinity", "-infinity"]) | moments),
        tuple(metrics),
        tuple(engagements),
        tuple(tickets),
        tuple(invoices),
        tuple(set_goals),
    )


@st.composite
def organizations(draw: st.DrawFn, number: int) -> Organization:
    found = [draw(accounts(number * 10 + one)) for one in range(draw(st.integers(1, 4)))]
    return Organization(number, draw(st.sampled_from(ZONES)), tuple(found))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[datetime], list[Organization]]:
    """Draw rows, and the instants of two refreshes: time alone makes metrics old."""
    as_of = NOON + timedelta(hours=draw(st.sampled_from([0, 0, -13, 11])))
    later = as_of + timedelta(days=draw(st.sampled_from([1, 1, 2, 29, 30, 31])))
    drawn = [draw(organizations(number)) for number in (1, 2)[: draw(st.integers(1, 2))]]
    return [as_of, later], drawn


def plain(value: object) -> str:
    """Convert values that JSON has no type for."""
    if isinstance(value, Fraction):
        value = Decimal(value.numerator) / Decimal(value.denominator)
    return str(value)


class System:
    """The accounts system in a database: rows of the source in, marts out."""

    def __init__(
        self,
        connection: psycopg.Connection[DictRow],
        models: CompiledProject,
        of_one: CompiledProject,
    ) -> None:
        self.connection = connection
        self.models = models
        # this function refreshes the first organization
        self.of_one = of_one

    def begin(self, drawn: list[Organization]) -> None:
        """Replace all rows of the source, and empty the earlier days."""
        with self.connection.transaction():
            for mart in MARTS:
                self.connection.execute(f"delete from {mart}".encode())
            for table in (*TABLES, "accounts", "organizations"):
                self.connection.execute(f"delete from success.{table}".encode())
            for organization in drawn:
                self._insert(organization)

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
                [json.dumps(rows, default=plain)],
            )

    def published(self, mart: str) -> dict[tuple[int, date], DictRow]:
        rows = self.connection.execute(f"select * from analytics.{mart}".encode()).fetchall()
        return {(row["account_id"].int, row["score_date"]): row for row in rows}

    def goals(self) -> dict[int, DictRow]:
        rows = self.connection.execute("select * from analytics.goal_progress").fetchall()
        return {row["goal_id"].int: row for row in rows}

    def lost_dates(self) -> set[tuple[str, int, str]]:
        rows = self.connection.execute(
            'select "table", key, reason from operations.quarantined_rows'
            " where system = 'accounts' and not is_left_out"
        ).fetchall()
        return {(row["table"], UUID(row["key"]).int, row["reason"]) for row in rows}


@pytest.fixture(scope="module")
def system(built: Database) -> Iterator[System]:
    models, of_one = (
        compile_project(
            built.os_environment(),
            tags={"accounts"},
            backfill_days=BACKFILL,
            **scope,
        )
        for scope in (
            {},
            {"refresh_scope": "changed", "organization": "organization-1"},
        )
    )
    with built.connect() as connection:
        yield System(connection, models, of_one)


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


@settings(max_examples=examples(8), deadline=None)
@given(history=histories())
def test_health_and_churn_risk_follow_the_rules(
    system: System, history: tuple[list[datetime], list[Organization]]
) -> None:
    (as_of, later), drawn = history
    system.begin(drawn)
    # one organization by itself, then all of them, as of the same instant
    expected = published_by({}, drawn[:1], as_of)
    system.of_one.refresh(system.connection, as_of)
    compare(system, expected, drawn[:1], as_of)
    expected = published_by(expected, drawn, as_of)
    system.models.refresh(system.connection, as_of)
    compare(system, expected, drawn, as_of)
    # only time has passed: the earlier days stay
    expected = published_by(expected, drawn, later)
    system.models.refresh(system.connection, later)
    compare(system, expected, drawn, later)


Published = dict[tuple[int, date], Evaluation]


def published_by(held: Published, drawn: list[Organization], as_of: datetime) -> Published:
    """Return the rows that a refresh has published, and those of before."""
    found = dict(held)
    for organization in drawn:
        today = as_of.astimezone(organization.zone).date()
        numbers = {account.number for account in organization.accounts}
        held_days = {day for number, day in held if number in numbers}
        found |= {
            (number, day): one
            for (number, day), one in evaluations(organization, as_of, BACKFILL).items()
            # a published day is not collected again
            if day == today or day not in held_days
        }
    return found


def compare(
    system: System, expected: Published, drawn: list[Organization], as_of: datetime
) -> None:
    scores, risks = (
        system.published("account_health_scores"),
        system.published("account_churn_risk"),
    )
    assert scores.keys() == risks.keys() == expected.keys()
    for key, one in expected.items():
        assert_same(scores[key], one.score_row(), key)
        assert_same(risks[key], one.churn_row(), key)
    progressed = system.goals()
    expected_goals = {
        number: row
        for organization in drawn
        for number, row in goals(organization, as_of).items()
    }
    assert progressed.keys() == expected_goals.keys()
    for number, row in expected_goals.items():
        assert_same(progressed[number], row, number)
    assert system.lost_dates() == {lost for one in drawn for lost in lost_dates(one)}
    sums = system.connection.execute(
        "select account_id, score_date, sum(points) as points, sum(effective_weight) as weight"
        " from analytics.account_health_factors group by 1, 2"
    ).fetchall()
    for added in sums:
        score = scores[added["account_id"].int, added["score_date"]]["health_score"]
        assert abs(added["points"] - score) <= Decimal("0.0050001")
        assert abs(added["weight"] - 1) < Decimal("0.00000001")
