"""The derived histories equal a day-by-day replay of the rules."""

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from conftest import Database, examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from orders_oracle import Order, Thresholds, account_type, days_between, risk_status
from psycopg.rows import DictRow

from bench.compiled import CompiledProject

TENANT, CUSTOMER = UUID(int=1), UUID(int=2)
BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=500)


@pytest.fixture(scope="module")
def compiled(full_refresh: CompiledProject) -> CompiledProject:
    return full_refresh.of("orders")


@st.composite
def order_lists(draw: st.DrawFn) -> list[Order]:
    """Draw the orders of one customer: close together, with pauses, in any state."""
    instant = BEGINNING
    orders = []
    for number in range(draw(st.integers(0, 18))):
        instant += timedelta(
            days=draw(st.sampled_from([0, 1, 2, 7, 10, 30, 55, 56, 57, 180, 181, 366])),
            hours=draw(st.integers(0, 23)),
        )
        delivered = draw(st.sampled_from([None, 0, 0, 0, 0, 5, 60, 3000]))
        orders.append(
            Order(
                number=number,
                status=draw(
                    st.sampled_from(["DELIVERED"] * 6 + ["SHIPPED", "DRAFT", "CANCELLED"])
                ),
                ordered_at=instant,
                delivered_at=None
                if delivered is None
                else instant + timedelta(hours=delivered),
                total=draw(
                    st.sampled_from([Decimal("100.00"), Decimal("85.00"), Decimal("84.99")])
                    | st.decimals(-10, 200, places=2)
                    | st.none()
                ),
                currency=draw(st.sampled_from(["USD"] * 9 + ["EUR"])),
            )
        )
    return orders


thresholds = st.builds(
    Thresholds,
    dormant_days=st.integers(3, 60),
    grace_days=st.integers(1, 2),
    revenue_decline_pct=st.sampled_from([Decimal(15), Decimal("12.5")]),
    cadence_orders=st.integers(2, 6),
    recent_orders=st.integers(1, 4),
    baseline_orders=st.integers(3, 10),
    min_baseline_orders=st.integers(1, 3),
    fallback_cadence_days=st.integers(1, 45),
) | st.just(Thresholds())

ZONES = ["UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"]


def load(database: Database, orders: list[Order], zone: str, limits: Thresholds) -> None:
    with database.connect() as connection, connection.transaction():
        connection.execute("truncate commerce.tenants cascade")
        connection.execute(
            "insert into commerce.tenants (id, slug, name, time_zone)"
            " values (%s, 'one', 'One', %s)",
            (TENANT, zone),
        )
        connection.execute(
            "insert into commerce.customers (id, tenant_id, name, created_at)"
            " values (%s, %s, 'One', %s)",
            (CUSTOMER, TENANT, BEGINNING - timedelta(days=30)),
        )
        for order in orders:
            connection.execute(
                "insert into commerce.orders (id, tenant_id, customer_id, status,"
                " ordered_at, delivered_at, total_amount, currency)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    UUID(int=order.number),
                    TENANT,
                    CUSTOMER,
                    order.status,
                    order.ordered_at,
                    order.delivered_at,
                    order.total,
                    order.currency,
                ),
            )
        connection.execute(
            "delete from analytics_internal.risk_thresholds where tenant_slug = 'one'"
        )
        names = list(vars(limits))
        connection.execute(
            f"insert into analytics_internal.risk_thresholds (tenant_slug, {', '.join(names)})"
            f" values ('one', {', '.join(['%s'] * len(names))})".encode(),
            list(vars(limits).values()),
        )


def status_on(steps: list[DictRow], day: date) -> str | None:
    """Return the status of the step of a day, of which there is at most one."""
    found = [
        step["status"]
        for step in steps
        if step["valid_from"] <= day and (step["valid_to"] is None or day < step["valid_to"])
    ]
    assert len(found) <= 1, f"steps overlap on {day}"
    return found[0] if found else None


@settings(
    max_examples=examples(32),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    orders=order_lists(),
    zone=st.sampled_from(ZONES),
    limits=thresholds,
    until=st.integers(0, 800 * 24),
)
def test_histories_equal_a_replay_on_every_day(
    built: Database,
    compiled: CompiledProject,
    orders: list[Order],
    zone: str,
    limits: Thresholds,
    until: int,
) -> None:
    as_of = BEGINNING + timedelta(hours=until)
    load(built, orders, zone, limits)
    with built.connect() as connection:
        compiled.refresh(connection, as_of)
    steps = "select status, valid_from, valid_to from analytics.{} order by valid_from"
    risk_steps = built.rows(steps.format("customer_risk_status_history"))
    account_steps = built.rows(steps.format("customer_account_type_history"))
    local = ZoneInfo(zone)
    first = (BEGINNING - timedelta(days=30)).astimezone(local).date()
    for day in days_between(first, (as_of + AHEAD).date()):
        assert status_on(risk_steps, day) == risk_status(orders, day, as_of, local, limits), (
            day
        )
        assert status_on(account_steps, day) == account_type(
            orders, day, as_of, local, limits
        ), day
    for steps_found in (risk_steps, account_steps):
        for before, after in itertools.pairwise(steps_found):
            assert before["valid_to"] == after["valid_from"]
            assert before["status"] != after["status"]
        if steps_found:
            assert steps_found[-1]["valid_to"] is None
