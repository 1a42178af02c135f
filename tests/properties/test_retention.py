"""Cohorts, weeks and retention equal those of the oracle, customer by customer."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from conftest import Database
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow
from retention_oracle import Business, Days, Row, Visit, activity, cohorts, weeks

from bench.compiled import CompiledProject

# in the middle of a month and week; their first and last instants, in one zone
INSTANTS = [
    datetime(2026, 6, 17, 12, tzinfo=UTC),
    datetime(2026, 6, 1, 0, tzinfo=ZoneInfo("Pacific/Auckland")),
    datetime(2026, 5, 31, 23, 59, 59, tzinfo=ZoneInfo("America/Los_Angeles")),
]
# one tenant has no customer
ZONES = {1: "America/Los_Angeles", 2: "Pacific/Auckland", 3: "UTC"}
GONE_AFTER = 90
CLOCK = [time(0), time(9), time(9), time(23, 59, 59, 999999)]
KEYS: dict[str, tuple[str, ...]] = {
    "order_cohorts_monthly": ("cohort_month", "months_since"),
    "order_customers_weekly": ("week_begins_on",),
    "customer_order_weeks": ("customer_id", "week_begins_on"),
    "visit_cohorts_monthly": ("cohort_month", "months_since"),
    "visit_customers_weekly": ("week_begins_on",),
    "customer_visit_weeks": ("square_customer_id", "week_begins_on"),
    "customer_visits": ("square_customer_id", "booking_id"),
    "first_visit_retention": ("dimension", "dimension_id", "window_days"),
    "visit_rebooking": ("dimension", "dimension_id", "window_days"),
    "visit_intervals_by_service": ("service_id",),
}
Key = tuple[object, ...]


@dataclass(frozen=True)
class Order:
    """A row of orders in the source."""

    tenant: UUID
    customer: UUID
    status: str
    delivered_at: datetime | None


@dataclass(frozen=True)
class Booking:
    """A row of bookings in the source."""

    organization: UUID
    customer: str
    booking_id: str
    location: str
    team_member: str | None
    service: str | None
    status: str
    start_at: datetime
    created_at: datetime | None


@dataclass(frozen=True)
class History:
    """The rows of both applications at an instant."""

    as_of: datetime
    orders: list[Order]
    closed: set[UUID]
    bookings: list[Booking]
    # by tenant and organization
    zones: dict[UUID, ZoneInfo]


@dataclass(frozen=True)
class System:
    """Both systems in a database."""

    connection: psycopg.Connection[DictRow]
    models: CompiledProject

    def refresh(self, history: History) -> None:
        """Replace the rows of the sources, and compute the marts."""
        customers = {(row.customer, row.tenant) for row in history.orders}
        with self.connection.transaction():
            self.connection.execute(
                "truncate commerce.orders, commerce.customers, booking.bookings cascade"
            )
            cursor = self.connection.cursor()
            cursor.executemany(
                "insert into commerce.customers (id, tenant_id, name, is_closed)"
                " values (%s, %s, 'C', %s)",
                [(*row, row[0] in history.closed) for row in customers],
            )
            cursor.executemany(
                "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
                " delivered_at) values (%s, %s, %s, %s, '2020-01-01 00:00+00', %s)",
                [
                    (uuid4(), row.tenant, row.customer, row.status, row.delivered_at)
                    for row in history.orders
                ],
            )
            cursor.executemany(
                "insert into booking.bookings (organization_id, square_customer_id,"
                " booking_id, location_id, team_member_id, service_id, status, start_at,"
                " created_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [tuple(vars(row).values()) for row in history.bookings],
            )
        self.models.refresh(self.connection, history.as_of)


def rows_of(connection: psycopg.Connection[DictRow], mart: str) -> dict[Key, Row]:
    """Return the rows of a mart by key; keys must be unique."""
    tenant = "tenant_id" if "order" in mart else "organization_id"
    rows = connection.execute(f"select * from analytics.{mart}".encode()).fetchall()
    found = {tuple(row[name] for name in (tenant, *KEYS[mart])): row for row in rows}
    assert len(found) == len(rows), mart
    return found


@pytest.fixture(scope="module")
def system(built: Database, full_refresh: CompiledProject) -> Iterator[System]:
    models = full_refresh.of("orders", "bookings")
    quick = [one for one in models.models if "quarantined_rows" not in one.name]
    with built.connect() as connection:
        # not every application records when a booking was made
        connection.execute("alter table booking.bookings alter created_at drop not null")
        for number, zone in ZONES.items():
            for table in ("commerce.tenants", "booking.organizations"):
                connection.execute(
                    f"insert into {table} (id, slug, name, time_zone)"
                    " values (%s, %s, 'B', %s)".encode(),
                    [UUID(int=number), f"business-{number}", zone],
                )
        yield System(connection, replace(models, models=quick))


def comings(chance: random.Random, zone: ZoneInfo, today: date) -> list[datetime]:
    """Draw the days on which a customer came and will come, with pauses at the limits."""
    day = today - timedelta(days=chance.choice([*range(-3, 10), 30, 60, 90, 91, 150, 400]))
    pace = chance.choice([1, 7, 29, 30, 31, 60])
    pauses = [0, 1, 7, 29, 30, 31, 60, 61, 90, 91, 92, 97, 98, 180]
    found = []
    for _ in range(chance.choice([1, 1, 2, 3, 5, 8])):
        found.append(datetime.combine(day, chance.choice(CLOCK), zone))
        day += timedelta(days=chance.choice([pace, pace, chance.choice(pauses)]))
    # twice on the same day, to begin with
    return [found[0], *found] if chance.random() < 0.3 else found


def history(chance: random.Random) -> History:
    as_of = chance.choice(INSTANTS)
    orders: list[Order] = []
    closed: set[UUID] = set()
    bookings: list[Booking] = []
    for number, name in ZONES.items():
        zone, tenant = ZoneInfo(name), UUID(int=number)
        today = as_of.astimezone(zone).date()
        for customer in range(0 if number == 3 else 12):
            buyer = UUID(int=100 * number + customer)
            if chance.random() < 0.3:
                closed.add(buyer)
            for at in comings(chance, zone, today):
                status = chance.choice(["DELIVERED"] * 8 + ["CANCELLED"])
                delivered_at = at if chance.random() < 0.95 else None
                orders.append(Order(tenant, buyer, status, delivered_at))
            for at in comings(chance, zone, today):
                made = at - timedelta(days=chance.choice([0, 1, 14, 31, 60, 90, -40]))
                bookings.append(
                    Booking(
                        tenant,
                        f"C{customer}",
                        f"{chance.choice('bBz')}{len(bookings)}",
                        chance.choice("LM"),
                        chance.choice(["ann", "bob", None]),
                        chance.choice(["cut", "cut", "colour", None]),
                        chance.choice(
                            ["ACCEPTED"] * 9
                            + ["PENDING", "NO_SHOW", "CANCELLED_BY_CUSTOMER", "DECLINED"]
                        ),
                        at,
                        # one application does not always record it
                        None if number == 1 and chance.random() < 0.3 else made,
                    )
                )
    zones = {UUID(int=number): ZoneInfo(name) for number, name in ZONES.items()}
    return History(as_of, orders, closed, bookings, zones)


def of_tenant(told: History, tenant: UUID) -> tuple[Days, Business]:
    """Draw orders and bookings, by the clock of the tenant."""
    zone = told.zones[tenant]
    bought: Days = {}
    for order in told.orders:
        at = order.delivered_at
        if order.tenant == tenant and order.status != "CANCELLED" and at and at <= told.as_of:
            bought.setdefault(str(order.customer), set()).add(at.astimezone(zone).date())
    booked = [
        Visit(
            row.customer,
            row.booking_id,
            row.location,
            row.team_member,
            row.service,
            row.status,
            row.start_at,
            row.start_at.astimezone(zone).date(),
            row.created_at and row.created_at.astimezone(zone).date(),
        )
        for row in told.bookings
        if row.organization == tenant
    ]
    return bought, Business(booked, told.as_of, told.as_of.astimezone(zone).date())


def active_weeks(days: Days, today: date) -> dict[Key, Row]:
    """Return the completed weeks in which a customer came or left."""
    found: dict[Key, Row] = {}
    for customer, came in days.items():
        monday = min(came) - timedelta(min(came).weekday())
        while monday + timedelta(7) <= today:
            name = activity(came, monday, GONE_AFTER)
            if name not in (None, "QUIET"):
                found[customer, monday] = {"activity": name}
            monday += timedelta(7)
    return found


def expected(told: History) -> dict[str, dict[Key, Row]]:
    found: dict[str, dict[Key, Row]] = {mart: {} for mart in KEYS}
    for tenant in told.zones:
        bought, business = of_tenant(told, tenant)
        today, visited = business.today, business.days()
        of_mart: dict[str, dict[Any, Row]] = {
            "order_cohorts_monthly": cohorts(bought, today),
            "order_customers_weekly": weeks(bought, today, GONE_AFTER),
            "customer_order_weeks": {
                (UUID(str(customer)), monday): row
                for (customer, monday), row in active_weeks(bought, today).items()
            },
            "visit_cohorts_monthly": cohorts(visited, today),
            "visit_customers_weekly": weeks(visited, today, GONE_AFTER),
            "customer_visit_weeks": active_weeks(visited, today),
            "customer_visits": business.customer_visits(),
            "first_visit_retention": business.retention(),
            "visit_rebooking": business.rebooking(),
            "visit_intervals_by_service": business.intervals(),
        }
        for mart, rows in of_mart.items():
            found[mart] |= {(tenant, *key): row for key, row in rows.items()}
    return found


def compare(
    connection: psycopg.Connection[DictRow], told: History
) -> dict[str, dict[Key, Row]]:
    """Compare every mart with the oracle; return the rows of the marts."""
    wanted, seen = expected(told), {}
    for mart in KEYS:
        found = seen[mart] = rows_of(connection, mart)
        assert found.keys() == wanted[mart].keys(), mart
        for key, row in wanted[mart].items():
            for column, value in row.items():
                told_of = found[key][column]
                is_rate = column.endswith("_rate") and told_of is not None
                assert (float(told_of) if is_rate else told_of) == value, (mart, key, column)
    return seen


def test_who_comes_back_is_what_the_oracle_counts(
    system: System, pytestconfig: pytest.Config
) -> None:
    seen: dict[str, int] = dict.fromkeys(KEYS, 0)

    @settings(max_examples=pytestconfig.getoption("histories"), deadline=None)
    @given(seed=st.integers(0, 2**32))
    def each(seed: int) -> None:
        told = history(random.Random(seed))
        system.refresh(told)
        for mart, rows in compare(system.connection, told).items():
            seen[mart] += len(rows)

    each()
    assert min(seen.values()) > 0


def test_parts_add_up_to_wholes(system: System) -> None:
    """Cohorts add up to customers, weeks to the week before, dimensions to organizations."""
    told = history(random.Random(7))
    system.refresh(told)
    both = [of_tenant(told, tenant) for tenant in told.zones]
    for mart, weekly, people in (
        (
            "order_cohorts_monthly",
            "order_customers_weekly",
            sum(len(bought) for bought, _ in both),
        ),
        (
            "visit_cohorts_monthly",
            "visit_customers_weekly",
            sum(len(business.days()) for _, business in both),
        ),
    ):
        firsts = [row for key, row in rows_of(system.connection, mart).items() if key[2] == 0]
        assert firsts
        assert all(row["active_customers"] == row["cohort_customers"] for row in firsts)
        assert sum(row["cohort_customers"] for row in firsts) == people

        found = rows_of(system.connection, weekly)
        for (tenant, monday), row in found.items():
            assert isinstance(monday, date)
            before = found.get((tenant, monday - timedelta(7)), {"active_customers": 0})
            assert row["active_customers"] == (
                before["active_customers"]
                + row["new_customers"]
                + row["resurrected_customers"]
                - row["gone_customers"]
            )

    for mart, counts in (
        ("first_visit_retention", ("new_customers", "returned_customers")),
        ("visit_rebooking", ("visits_count", "rebooked_count", "left_out_count")),
    ):
        sums: dict[Key, list[int]] = {}
        for (tenant, dimension, _, window), row in rows_of(system.connection, mart).items():
            so_far = sums.setdefault((tenant, window, dimension), [0] * len(counts))
            sums[tenant, window, dimension] = [
                one + row[name] for one, name in zip(so_far, counts, strict=True)
            ]
        for (tenant, window, _), parts in sums.items():
            assert parts == sums[tenant, window, "organization"], mart
        # the longer the window, the fewer customers have completed it
        for tenant, window, dimension in sums:
            if window == 30:
                assert sums[tenant, 30, dimension][0] >= sums[tenant, 90, dimension][0]
