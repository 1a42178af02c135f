"""What other limits would have done: every customer at every cut, by the rule."""

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

SETTINGS = ("dormant_days", "grace_days", "fallback_cadence_days")


@dataclass(frozen=True)
class Limits:
    """The limits of the risk status that can be varied."""

    dormant_days: int = 45
    grace_days: int = 1
    fallback_cadence_days: int = 45


def cadence(days: Sequence[date]) -> int | None:
    """Return the mean gap of the last five order days, half up."""
    last = days[-5:]
    gaps = [(after - before).days for before, after in itertools.pairwise(last)]
    if not gaps:
        return None
    mean = Decimal(sum(gaps)) / len(gaps)
    return int(mean.quantize(Decimal(1), ROUND_HALF_UP))


def status(days: Sequence[date], on: date, limits: Limits) -> str:
    """Return the risk status on a day, of a customer whose revenue was never judged."""
    known = [day for day in days if day <= on]
    own = cadence(known)
    pace = limits.fallback_cadence_days if own is None else own
    late = (on - known[-1]).days - pace
    if late >= limits.dormant_days:
        return "DORMANT"
    return "AT_RISK_CADENCE" if late >= limits.grace_days else "HEALTHY"


def cuts(customers: Sequence[Sequence[date]]) -> list[date]:
    """Return the first days of months that have 90 days of history on both sides."""
    every = [day for days in customers for day in days]
    first, last = min(every) + timedelta(90), max(every) - timedelta(90)
    found = (first + timedelta(number) for number in range((last - first).days + 1))
    return [day for day in found if day.day == 1]


def counted(
    customers: Sequence[Sequence[date]], at: Sequence[date], limits: Limits
) -> Counter[tuple[bool, bool]]:
    """Count positions by whether they are DORMANT and whether the customer has left."""
    return Counter(
        (
            status(days, cut, limits) == "DORMANT",
            not any(cut < day <= cut + timedelta(90) for day in days),
        )
        for cut in at
        for days in customers
        if days[0] <= cut
    )


def balanced_accuracy(count: Counter[tuple[bool, bool]]) -> float | None:
    """Return the mean of sensitivity and specificity; None without both outcomes."""
    gone, ordered = (
        sum(n for (_, g), n in count.items() if g == which) for which in (True, False)
    )
    if not gone or not ordered:
        return None
    return (count[True, True] / gone + count[False, False] / ordered) / 2


def best_limit(customers: Sequence[Sequence[date]], at: Sequence[date]) -> int:
    """Return the dormant_days with the best accuracy, the smallest of equal ones."""
    rated = {
        value: balanced_accuracy(counted(customers, at, Limits(dormant_days=value))) or 0.0
        for value in allowed("dormant_days")
    }
    return min(rated, key=lambda value: (-round(rated[value], 12), value))


def allowed(setting: str) -> list[int]:
    """Return the values to try for a limit: late comes before dormant."""
    tried = [(value, changed(Limits(), setting, value)) for value in range(1, 181)]
    return [value for value, limits in tried if limits.grace_days < limits.dormant_days]


def middle(values: Sequence[date]) -> date:
    """Return the low median."""
    return statistics.median_low(values)


def changed(limits: Limits, setting: str, value: int) -> Limits:
    """Return the limits with one value replaced."""
    return replace(limits, **{setting: value})
