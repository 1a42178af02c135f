"""The views on predicted visits and their backtest equal the oracle."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from bookings_oracle import Limits
from conftest import Database
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow
from visits_oracle import Business, Model, Row

from bench.compiled import CompiledProject

AS_OF = datetime(2026, 6, 15, 12, tzinfo=UTC)
TODAY = AS_OF.date()
LIMITS = {
    1: Limits(),
    2: Limits("business-2", new_days=45, active_days=20, at_risk_days=60),
}
# the first two are as long as possible, the third has no cut
ZONES = {1: "America/Los_Angeles", 2: "Pacific/Auckland", 3: "UTC"}
DAYS_BACK = {1: 500, 2: 400, 3: 150}
KEYS: dict[str, tuple[str, ...]] = {
    "customer_visit_days": ("square_customer_id", "visit_on"),
    "visit_backtest_periods": (),
    "customer_segment_positions": ("square_customer_id", "cut_on"),
    "customer_segment_backtest": ("cut_on", "customer_segment"),
    "customer_segment_backtest_summary": ("customer_segment", "horizon_days"),
    "customer_segment_forecast_quality": ("horizon_days",),
    "next_visit_date_errors": ("cadence_confidence",),
    "visit_model_calibration": ("horizon_days", "band"),
    "customer_visit_outlook": ("square_customer_id",),
}


@dataclass(frozen=True)
class Booking:
    """A row of bookings in the source."""

    organization: UUID
    customer: str
    status: str
    start_at: datetime


@dataclass(frozen=True)
class System:
    """The bookings system in a database."""

    connection: psycopg.Connection[DictRow]
    models: CompiledProject

    def refresh(self, bookings: list[Booking]) -> None:
        """Replace the bookings, and compute the marts."""
        with self.connection.transaction():
            self.connection.execute("delete from booking.bookings")
            self.connection.cursor().executemany(
                "insert into booking.bookings (organization_id, booking_id,"
                " square_customer_id, location_id, status, start_at)"
                " values (%s, %s, %s, 'L', %s, %s)",
                [
                    (row.organization, str(number), row.customer, row.status, row.start_at)
                    for number, row in enumerate(bookings)
                ],
            )
        self.models.refresh(self.connection, AS_OF)

    def fit(self, models: dict[int, tuple[Model, ...]]) -> None:
        """Write parameters as the command does."""
        self.connection.execute("delete from analytics.visit_model_parameters")
        for number, fitted in models.items():
            for one in fitted:
                self.connection.execute(
                    "insert into analytics.visit_model_parameters (organization_id,"
                    " valid_from, model, r, alpha_days, a, b, state)"
                    " values (%s, %s, %s, %s, %s, %s, %s, 'FITTED')",
                    [
                        UUID(int=number),
                        one.valid_from,
                        "MBG" if one.is_mbg else "BG",
                        *(one.r, one.alpha, one.a, one.b),
                    ],
                )
            # a refused fit removes nothing
            self.connection.execute(
                "insert into analytics.visit_model_parameters (organization_id, valid_from,"
                " model, state, reason) values (%s, '2026-06-14', 'MBG', 'REFUSED', 'few')",
                [UUID(int=number)],
            )

    def found(self, mart: str) -> dict[tuple[object, ...], Row]:
        """Return the rows of a mart by key."""
        columns = ("organization_id", *KEYS[mart])
        rows = self.connection.execute(f"select * from analytics.{mart}".encode())
        return {tuple(row[name] for name in columns): row for row in rows}


@pytest.fixture(scope="module")
def system(built: Database, full_refresh: CompiledProject) -> Iterator[System]:
    models = full_refresh.of("bookings")
    quick = [one for one in models.models if one.name != "int_quarantined_rows__bookings"]
    with built.connect() as connection:
        for number, zone in ZONES.items():
            connection.execute(
                "insert into booking.organizations (id, slug, name, time_zone)"
                " values (%s, %s, 'B', %s)",
                [UUID(int=number), f"business-{number}", zone],
            )
        own = LIMITS[2]
        connection.execute(
            "insert into analytics_internal.risk_thresholds (tenant_slug, segment_new_days,"
            " segment_active_days, segment_at_risk_days) values (%s, %s, %s, %s)",
            [own.threshold_row, own.new_days, own.active_days, own.at_risk_days],
        )
        yield System(connection, replace(models, models=quick))


def history(chance: random.Random) -> list[Booking]:
    """Return the bookings of customers with different rhythms."""
    bookings = []
    for number, zone in ZONES.items():
        for customer in range(45):
            day = TODAY - timedelta(days=chance.randint(-5, DAYS_BACK[number]))
            pace = chance.choice([3, 10, 30, 31, 60, 90, 91])
            for _ in range(chance.choice([1, 1, 1, 2, 3, 5, 8, 13])):
                at = chance.choice([time(0), time(9), time(23, 59, 59, 999999)])
                bookings.append(
                    Booking(
                        UUID(int=number),
                        f"C{customer}",
                        chance.choice(["ACCEPTED"] * 9 + ["NO_SHOW"]),
                        datetime.combine(day, at, ZoneInfo(zone)),
                    )
                )
                # twice on one day, too, and some in the future
                day += timedelta(days=chance.choice([0, pace, pace, chance.randint(1, 120)]))
    return bookings


def parameters(chance: random.Random) -> dict[int, tuple[Model, ...]]:
    """Return two models of one business, one after the other; the others have none."""
    # the first comes before the last cut
    starts = chance.randint(120, 300), chance.randint(20, 119)
    return {
        1: tuple(
            Model(
                TODAY - timedelta(days=start),
                r=chance.uniform(0.2, 3),
                alpha=chance.uniform(10, 200),
                a=chance.uniform(0.01, 2),
                b=chance.uniform(0.5, 10),
                is_mbg=chance.random() < 0.7,
            )
            for start in starts
        )
    }


def businesses(
    bookings: list[Booking], models: dict[int, tuple[Model, ...]]
) -> dict[UUID, Business]:
    found = {}
    for number, zone in ZONES.items():
        visits: dict[str, Counter[date]] = {}
        for row in bookings:
            is_visit = row.status == "ACCEPTED" and row.start_at <= AS_OF
            if row.organization == UUID(int=number) and is_visit:
                day = row.start_at.astimezone(ZoneInfo(zone)).date()
                visits.setdefault(row.customer, Counter())[day] += 1
        found[UUID(int=number)] = Business(
            visits,
            AS_OF.astimezone(ZoneInfo(zone)).date(),
            LIMITS.get(number, Limits()),
            models.get(number, ()),
        )
    return found


def expected(found: dict[UUID, Business], mart: str) -> dict[tuple[object, ...], Row]:
    return {
        (number, *key): row
        for number, business in found.items()
        for key, row in {
            "customer_visit_days": lambda one: dict(one.visit_days()),
            "visit_backtest_periods": Business.period,
            "customer_segment_positions": lambda one: dict(one.positions()),
            "customer_segment_backtest": Business.backtest,
            "customer_segment_backtest_summary": Business.summary,
            "customer_segment_forecast_quality": Business.quality,
            "next_visit_date_errors": Business.errors,
            "visit_model_calibration": Business.calibration,
            "customer_visit_outlook": Business.outlook,
        }[mart](business).items()
    }


def is_same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return one == other


def compare(system: System, oracle: dict[UUID, Business]) -> None:
    for mart in KEYS:
        found, wanted = system.found(mart), expected(oracle, mart)
        assert found.keys() == wanted.keys(), mart
        assert wanted, mart
        for key, row in wanted.items():
            for column, value in row.items():
                assert is_same(found[key][column], value), (mart, key, column)


def test_what_views_on_visits_say_is_what_became_of_them(
    system: System, pytestconfig: pytest.Config
) -> None:
    @settings(max_examples=pytestconfig.getoption("histories"), deadline=None)
    @given(seed=st.integers(0, 2**32))
    def each(seed: int) -> None:
        chance = random.Random(seed)
        bookings, models = history(chance), parameters(chance)
        system.fit(models)
        system.refresh(bookings)
        compare(system, businesses(bookings, models))

    each()


def test_a_cut_does_not_change_when_more_is_seen(system: System) -> None:
    """Later visits of old and new customers, 90 days and more after the cut."""
    bookings = history(random.Random(1))
    until = datetime(2026, 3, 1, tzinfo=UTC)
    early = [row for row in bookings if row.start_at < until]
    system.fit(parameters(random.Random(1)))
    system.refresh(early)
    before = system.found("customer_segment_backtest")
    chances = system.found("customer_segment_positions")
    system.refresh(bookings)
    after = system.found("customer_segment_backtest")
    assert len(after) > len(before) > 0
    assert {key: after[key] for key in before} == before
    later = system.found("customer_segment_positions")
    known = {"next_visit_date", "days_until_next_visit"}
    for key, row in chances.items():
        assert {k: v for k, v in row.items() if k not in known} == {
            k: v for k, v in later[key].items() if k not in known
        }
