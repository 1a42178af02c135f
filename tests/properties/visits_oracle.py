"""The backtest of segments and the probability of a visit: one customer, one cut at a time."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from bookings_oracle import Limits, gaps_between, rounded, segment

Row = dict[str, Any]
Keyed = tuple[tuple[str, date], Row]
HORIZONS = (30, 60, 90)
IRREGULAR_CV = Fraction(1, 2)
MIN_CUSTOMERS = 30
Z = 1.959963984540054


@dataclass(frozen=True)
class Model:
    """Parameters in force from a day on."""

    valid_from: date
    r: float
    alpha: float
    a: float
    b: float
    is_mbg: bool

    def chances(self, days: list[date], at: date) -> dict[int, float]:
        """Return the probability of a visit day within each horizon after a date."""
        seen = [day for day in days if day <= at]
        x, s = len(seen) - 1, int(self.is_mbg)
        silent_from, now = ((day - seen[0]).days for day in (seen[-1], at))
        dropped = 0.0
        if x + s:
            dropped = (
                self.a
                / (self.b + x + s - 1)
                * ((self.alpha + now) / (self.alpha + silent_from)) ** (self.r + x)
            )
        alive = 1 / (1 + dropped)
        return {
            days: alive
            * (1 - ((self.alpha + now) / (self.alpha + now + days)) ** (self.r + x))
            for days in HORIZONS
        }


@dataclass(frozen=True)
class Business:
    """An organization: the visit days of each customer, its limits and its models."""

    visits: dict[str, Counter[date]]
    today: date
    limits: Limits
    models: tuple[Model, ...]

    def model(self, day: date) -> Model | None:
        """Return the model in force on a day."""
        known = [model for model in self.models if model.valid_from <= day]
        return max(known, key=lambda model: model.valid_from, default=None)

    def days(self) -> dict[str, list[date]]:
        return {customer: sorted(visits) for customer, visits in self.visits.items()}

    def seen(self) -> tuple[date, date]:
        """Return the first and last days for which the visits are known."""
        every = [day for days in self.days().values() for day in days]
        return min(every), min(self.today, max(every))

    def cuts(self) -> list[date]:
        first, last = self.seen()
        days = (first + timedelta(number) for number in range((last - first).days + 1))
        return [
            day
            for day in days
            if day.day == 1 and (day - first).days >= 90 and (last - day).days >= 90
        ]

    def period(self) -> dict[tuple[()], Row]:
        cuts = self.cuts()
        first, last = self.seen()
        row: Row = {
            "observed_from": first,
            "observed_until": last,
            "middle_cut_on": cuts[(len(cuts) - 1) // 2] if cuts else None,
            "cuts_count": len(cuts),
        }
        if cuts:
            row |= {"first_cut_on": cuts[0], "last_cut_on": cuts[-1]}
        return {(): row}

    def visit_days(self) -> Iterator[Keyed]:
        for customer, days in self.days().items():
            for number, day in enumerate(days, start=1):
                yield (
                    (customer, day),
                    {
                        "next_visit_on": next(iter(days[number:]), None),
                        "first_visit_on": days[0],
                        "visit_day_number": number,
                        "recent_cadence_days": cadence(days[:number]),
                        "cadence_confidence": confidence(days[:number]),
                        "visits_count": self.visits[customer][day],
                    },
                )

    def positions(self) -> Iterator[Keyed]:
        cuts = self.cuts()
        for customer, days in self.days().items():
            for cut in cuts:
                before = [day for day in days if day <= cut]
                if not before:
                    continue
                pace = cadence(before)
                after = next((day for day in days if day > cut), None)
                model = self.model(cut)
                chances = model.chances(days, cut) if model else {}
                yield (
                    (customer, cut),
                    {
                        "customer_segment": segment(before, cut, self.limits),
                        "last_visit_date": before[-1],
                        "visit_days_count": len(before),
                        "recent_cadence_days": pace,
                        "cadence_confidence": confidence(before),
                        "days_since_last_visit": (cut - before[-1]).days,
                        "days_past_expected": pace and (cut - before[-1]).days - pace,
                        "next_visit_date": after,
                        "days_until_next_visit": after and (after - cut).days,
                        **{f"p_visit_{days}d": chances.get(days) for days in HORIZONS},
                    },
                )

    def backtest(self) -> dict[tuple[date, str], Row]:
        groups = grouped(self.positions(), lambda key, row: (key[1], row["customer_segment"]))
        return {
            key: {"customers_count": len(rows)}
            | {
                f"visited_{days}d_count": sum(came(row, days) for _, row in rows)
                for days in HORIZONS
            }
            for key, rows in groups.items()
        }

    def summary(self) -> dict[tuple[str, int], Row]:
        found: dict[tuple[str, int], Row] = {}
        groups = grouped(self.positions(), lambda _, row: row["customer_segment"])
        for name, rows in groups.items():
            customers = len({customer for (customer, _), _ in rows})
            waits = [row["days_until_next_visit"] for _, row in rows]
            median = sorted(wait or 10**6 for wait in waits)[(len(waits) - 1) // 2]
            for days in HORIZONS:
                visited = sum(came(row, days) for _, row in rows)
                share = visited / len(rows) if customers >= MIN_CUSTOMERS else None
                low, high = (None, None) if share is None else wilson(share, customers)
                found[name, days] = {
                    "positions_count": len(rows),
                    "customers_count": customers,
                    "visited_count": visited,
                    "visited_share": share,
                    "visited_share_low": low,
                    "visited_share_high": high,
                    "median_days_until_next_visit": None if median == 10**6 else median,
                }
        return found

    def quality(self) -> dict[tuple[int], Row]:
        rows = [row for _, row in self.positions()]
        found: dict[tuple[int], Row] = {}
        for days in HORIZONS if rows else ():
            outcomes = Counter(
                (row["customer_segment"] == "LOST", not came(row, days)) for row in rows
            )
            tp, fp = outcomes[True, True], outcomes[True, False]
            fn, tn = outcomes[False, True], outcomes[False, False]
            recall, kept = share_of(tp, tp + fn), share_of(tn, tn + fp)
            chance = f"p_visit_{days}d"
            foreseen = [row for row in rows if row[chance] is not None]
            expected = [row for row in rows if row["days_past_expected"] is not None]
            found[(days,)] = {
                "tp": tp,
                "fp": fp,
                "fn": fn,
                "tn": tn,
                "precision": share_of(tp, tp + fp),
                "recall": recall,
                "f1": share_of(2 * tp, 2 * tp + fp + fn),
                "base_rate": share_of(tp + fn, len(rows)),
                "balanced_accuracy": None
                if recall is None or kept is None
                else (recall + kept) / 2,
                "positions_count": len(rows),
                "auc_days_since_last_visit": auc(rows, days, "days_since_last_visit"),
                "auc_days_past_expected": auc(expected, days, "days_past_expected"),
                "expected_positions_count": len(expected),
                "auc_p_visit": auc(foreseen, days, chance, sign=-1),
                "auc_days_since_last_visit_of_forecasts": auc(
                    foreseen, days, "days_since_last_visit"
                ),
                "forecast_positions_count": len(foreseen),
            }
        return found

    def calibration(self) -> dict[tuple[int, int], Row]:
        found: dict[tuple[int, int], Row] = {}
        for days in HORIZONS:
            chance = f"p_visit_{days}d"
            told = [(key, row) for key, row in self.positions() if row[chance] is not None]
            for band, rows in grouped(told, lambda _, row: int(row[chance] * 10)).items():  # noqa: B023
                visited = sum(came(row, days) for _, row in rows)
                customers = len({customer for (customer, _), _ in rows})
                low, high = wilson(visited / len(rows), customers)
                found[days, band] = {
                    "positions_count": len(rows),
                    "customers_count": customers,
                    "mean_p_visit": statistics.mean(row[chance] for _, row in rows),
                    "visited_count": visited,
                    "visited_share": visited / len(rows),
                    "visited_share_low": low,
                    "visited_share_high": high,
                }
        return found

    def errors(self) -> dict[tuple[str], Row]:
        _, last = self.seen()
        judged = ((key, row) for key, row in self.visit_days() if (last - key[1]).days >= 90)
        found: dict[tuple[str], Row] = {}
        for name, rows in grouped(judged, lambda _, row: row["cadence_confidence"]).items():
            waits = [
                ((row["next_visit_on"] - key[1]).days, row["recent_cadence_days"])
                for key, row in rows
                if row["next_visit_on"] and (row["next_visit_on"] - key[1]).days <= 90
            ]
            errors = sorted(wait - pace for wait, pace in waits if pace is not None)
            near = sum(abs(error) <= 7 for error in errors)
            found[(name,)] = {
                "visit_days_count": len(rows),
                "followed_count": len(waits),
                "mean_absolute_error_days": mean([abs(error) for error in errors]),
                "mean_error_days": mean(errors),
                "median_error_days": errors[(len(errors) - 1) // 2] if errors else None,
                "within_7_days_count": near,
                "within_7_days_share": None if name == "NONE" else near / len(rows),
            }
        return found

    def outlook(self) -> dict[tuple[str], Row]:
        model = self.model(self.today)
        found: dict[tuple[str], Row] = {}
        for customer, days in self.days().items():
            chances = model.chances(days, self.today) if model else {}
            found[(customer,)] = {
                "visit_days": len(days),
                "last_visit_date": days[-1],
                "outlook": in_words(chances.get(90)),
                **{f"p_visit_{horizon}d": chances.get(horizon) for horizon in HORIZONS},
            }
        return found


def grouped(
    rows: Iterable[Keyed], key: Callable[[tuple[str, date], Row], Any]
) -> dict[Any, list[Keyed]]:
    found: dict[Any, list[Keyed]] = defaultdict(list)
    for row in rows:
        found[key(*row)].append(row)
    return dict(found)


def came(row: Row, days: int) -> bool:
    wait = row["days_until_next_visit"]
    return wait is not None and wait <= days


def cadence(days: list[date]) -> int | None:
    gaps = gaps_between(days[-5:])
    return int(rounded(statistics.mean(gaps))) if gaps else None


def confidence(days: list[date]) -> str:
    gaps = gaps_between(days)
    if not gaps:
        return "NONE"
    if len(gaps) <= 2:
        return "LOW"
    if len(gaps) <= 4:
        return "MEDIUM"
    limit = (IRREGULAR_CV * statistics.mean(gaps)) ** 2
    return "MEDIUM" if statistics.variance(gaps) > limit else "HIGH"


def wilson(share: float, trials: int) -> tuple[float, float]:
    middle = (share + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
    half = (
        Z
        * math.sqrt(share * (1 - share) / trials + Z**2 / (4 * trials**2))
        / (1 + Z**2 / trials)
    )
    return middle - half, middle + half


def auc(rows: list[Row], days: int, column: str, sign: int = 1) -> float | None:
    """Compare each customer who left with each one who came back."""
    gone = [sign * row[column] for row in rows if not came(row, days)]
    there = [sign * row[column] for row in rows if came(row, days)]
    if not gone or not there:
        return None
    # values that differ only in the last digit are equal
    wins = sum(
        0.5 if abs(one - other) < 1e-13 else one > other for one in gone for other in there
    )
    return wins / (len(gone) * len(there))


def share_of(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def mean(values: list[int]) -> float | None:
    return statistics.mean(values) if values else None


def in_words(chance: float | None) -> str | None:
    if chance is None:
        return None
    return "LIKELY" if chance >= 0.5 else "UNLIKELY" if chance < 0.25 else "UNSURE"
