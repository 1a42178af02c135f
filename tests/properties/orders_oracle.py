"""The rules on orders again, in plain Python: day by day, without SQL and without steps."""

import itertools
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Thresholds:
    """A row of the seed risk_thresholds."""

    dormant_days: int = 45
    grace_days: int = 1
    revenue_decline_pct: Decimal = Decimal(15)
    cadence_orders: int = 5
    recent_orders: int = 3
    baseline_orders: int = 10
    min_baseline_orders: int = 2
    fallback_cadence_days: int = 45
    active_days: int = 180
    target_days: int = 365


@dataclass(frozen=True)
class Order:
    """One order of one customer."""

    number: int
    status: str
    ordered_at: datetime | None
    delivered_at: datetime | None
    total: Decimal | None
    currency: str | None


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def risk_status(
    orders: list[Order], day: date, as_of: datetime, zone: ZoneInfo, limits: Thresholds
) -> str | None:
    """Return the risk status at the end of a day, or at as_of if that is earlier."""
    delivered = sorted(
        (
            order
            for order in orders
            if order.status != "CANCELLED"
            and order.delivered_at
            and order.delivered_at <= as_of
            and local_date(order.delivered_at, zone) <= day
        ),
        # where clocks go back past midnight, a later instant can have an earlier date
        key=lambda order: (
            order.delivered_at and local_date(order.delivered_at, zone),
            order.delivered_at,
            order.number,
        ),
    )
    if not delivered:
        return None
    days = [local_date(order.delivered_at, zone) for order in delivered if order.delivered_at]
    late = (day - days[-1]).days - cadence(days, limits)
    if late >= limits.dormant_days:
        return "DORMANT"
    if late >= limits.grace_days:
        return "AT_RISK_CADENCE"
    if has_declined(delivered, limits):
        return "AT_RISK_REVENUE"
    return "HEALTHY"


def cadence(days: list[date], limits: Thresholds) -> int:
    latest = days[-limits.cadence_orders :]
    gaps = [
        (after - before).days for before, after in itertools.pairwise(latest) if after > before
    ]
    if not gaps:
        return limits.fallback_cadence_days
    mean = Decimal(sum(gaps)) / len(gaps)
    return int(mean.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def has_declined(delivered: list[Order], limits: Thresholds) -> bool:
    compared = delivered[-(limits.recent_orders + limits.baseline_orders) :]
    if len({order.currency for order in compared}) > 1:
        return False
    recent, baseline = (
        compared[-limits.recent_orders :],
        compared[: -limits.recent_orders],
    )
    recent_totals = [order.total for order in recent if order.total and order.total > 0]
    baseline_totals = [order.total for order in baseline if order.total and order.total > 0]
    if not recent_totals or len(baseline_totals) < limits.min_baseline_orders:
        return False
    recent_mean = Fraction(sum(recent_totals)) / len(recent_totals)
    baseline_mean = Fraction(sum(baseline_totals)) / len(baseline_totals)
    limit = Fraction(limits.revenue_decline_pct) / 100
    return baseline_mean - recent_mean >= limit * baseline_mean


def account_type(
    orders: list[Order], day: date, as_of: datetime, zone: ZoneInfo, limits: Thresholds
) -> str:
    """Return the account type at the end of a day, or at as_of if that is earlier."""
    placed = [
        local_date(order.ordered_at, zone)
        for order in orders
        if order.status not in ("DRAFT", "CANCELLED")
        and order.ordered_at
        and order.ordered_at <= as_of
        and local_date(order.ordered_at, zone) <= day
    ]
    if not placed:
        return "PROSPECT"
    age = (day - max(placed)).days
    if age <= limits.active_days:
        return "ACTIVE"
    return "TARGET" if age <= limits.target_days else "PROSPECT"


def days_between(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
