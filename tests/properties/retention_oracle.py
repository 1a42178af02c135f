"""The rules on retention again: one customer, one month and one week at a time."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

Row = dict[str, Any]
# the days on which each customer came
Days = dict[str, set[date]]

WINDOWS = (30, 60, 90)
STANDING = ("ACCEPTED", "PENDING", "NO_SHOW")


def months(first: date, last: date) -> list[date]:
    """Return the first days of the months from one month to another."""
    days = (first + timedelta(number) for number in range((last - first).days + 1))
    return sorted({day.replace(day=1) for day in days})


def cohorts(days: Days, today: date) -> dict[tuple[date, int], Row]:
    """Return each cohort, by its month and the months since."""
    if not days:
        return {}
    begun = {customer: min(came).replace(day=1) for customer, came in days.items()}
    calendar = months(min(begun.values()), today)
    found = {}
    for cohort, size in Counter(begun.values()).items():
        ahead = calendar[calendar.index(cohort) :]
        for since in range(len(calendar)):
            month = ahead[since] if since < len(ahead) else None
            there = sum(
                begun[customer] == cohort and any(day.replace(day=1) == month for day in came)
                for customer, came in days.items()
            )
            active = None if month is None else there
            found[cohort, since] = {
                "cohort_customers": size,
                "active_customers": active,
                "retention_rate": None if active is None else rate(active, size),
                "is_complete": month is not None and month < today.replace(day=1),
            }
    return found


def activity(came: set[date], monday: date, gone_after: int) -> str | None:
    """Return what a customer is in a week, or None if it has not come yet or has left."""

    def is_active(on: date) -> bool:
        last = max((day for day in came if day <= on), default=None)
        return last is not None and (on - last).days <= gone_after

    before, end = monday - timedelta(1), monday + timedelta(6)
    is_there = any(monday <= day <= end for day in came)
    if is_there and min(came) >= monday:
        return "NEW"
    if is_there:
        return "RETURNING" if is_active(before) else "RESURRECTED"
    if is_active(before):
        return "QUIET" if is_active(end) else "GONE"
    return None


def weeks(days: Days, today: date, gone_after: int) -> dict[tuple[date], Row]:
    """Return each completed week, by its Monday."""
    found: dict[tuple[date], Row] = {}
    if not days:
        return found
    first = min(min(came) for came in days.values())
    monday = first - timedelta(first.weekday())
    while monday + timedelta(7) <= today:
        counts = Counter(activity(came, monday, gone_after) for came in days.values())
        there = sum(counts[name] for name in ("NEW", "RETURNING", "RESURRECTED", "QUIET"))
        found[(monday,)] = {
            "active_customers": there,
            "new_customers": counts["NEW"],
            "returning_customers": counts["RETURNING"],
            "resurrected_customers": counts["RESURRECTED"],
            "quiet_customers": counts["QUIET"],
            "gone_customers": counts["GONE"],
            "gone_after_days": gone_after,
        }
        monday += timedelta(7)
    return found


@dataclass(frozen=True)
class Visit:
    """A booking, with its days in the organization's time zone."""

    customer: str
    booking_id: str
    location: str
    team_member: str | None
    service: str | None
    status: str
    start_at: datetime
    starts_on: date
    made_on: date | None


@dataclass(frozen=True)
class Business:
    """An organization: its bookings, and the instant of the refresh."""

    bookings: list[Visit]
    as_of: datetime
    today: date

    def visits(self) -> list[Visit]:
        return [
            row
            for row in self.bookings
            if row.status == "ACCEPTED" and row.start_at <= self.as_of
        ]

    def of(self, customer: str) -> list[Visit]:
        return [row for row in self.visits() if row.customer == customer]

    def days(self) -> Days:
        found: Days = defaultdict(set)
        for row in self.visits():
            found[row.customer].add(row.starts_on)
        return found

    def customer_visits(self) -> dict[tuple[str, str], Row]:
        return {
            (row.customer, row.booking_id): {
                "location_id": row.location,
                "team_member_id": row.team_member,
                "service_id": row.service,
                "visit_on": row.starts_on,
                "is_first_visit": row == self.first(row.customer),
                "next_visit_on": self.next_day(row),
                "previous_same_service_on": self.day_before(row),
                "booked_on": row.made_on,
                "rebooked_on": self.rebooked(row),
            }
            for row in self.visits()
        }

    def first(self, customer: str) -> Visit:
        return min(self.of(customer), key=lambda row: (row.start_at, row.booking_id))

    def next_day(self, visit: Visit) -> date | None:
        days = {row.starts_on for row in self.of(visit.customer)}
        return min((day for day in days if day > visit.starts_on), default=None)

    def day_before(self, visit: Visit) -> date | None:
        return max(
            (
                row.starts_on
                for row in self.of(visit.customer)
                if row.service == visit.service and row.starts_on < visit.starts_on
            ),
            default=None,
        )

    def rebooked(self, visit: Visit) -> date | None:
        return min(
            (
                row.made_on
                for row in self.bookings
                if row.customer == visit.customer
                and row.status in STANDING
                and row.starts_on > visit.starts_on
                and row.made_on
            ),
            default=None,
        )

    def retention(self) -> dict[tuple[str, str | None, int], Row]:
        firsts = [self.first(customer) for customer in self.days()]

        def of_window(rows: list[Visit], window: timedelta) -> Row:
            over = [row for row in rows if row.starts_on + window < self.today]
            returned = sum(
                any(
                    row.starts_on < day <= row.starts_on + window
                    for day in self.days()[row.customer]
                )
                for row in over
            )
            return {
                **counted_on(over),
                "new_customers": len(over),
                "returned_customers": returned,
                "waiting_customers": len(rows) - len(over),
                "retention_rate": rate(returned, len(over)),
            }

        return by_dimension(firsts, of_window)

    def rebooking(self) -> dict[tuple[str, str | None, int], Row]:
        def of_window(rows: list[Visit], window: timedelta) -> Row:
            over = [row for row in rows if row.made_on and row.starts_on + window < self.today]
            made = [(row, self.rebooked(row)) for row in over]
            again = sum(
                1 for row, made_on in made if made_on and made_on <= row.starts_on + window
            )
            return {
                **counted_on(over),
                "visits_count": len(over),
                "rebooked_count": again,
                "left_out_count": len(rows) - len(over),
                "rebooking_rate": rate(again, len(over)),
            }

        return by_dimension(self.visits(), of_window)

    def intervals(self) -> dict[tuple[str | None], Row]:
        found = {}
        for service in {row.service for row in self.visits()}:
            of_customers = [
                sorted({row.starts_on for row in self.of(customer) if row.service == service})
                for customer in self.days()
            ]
            gaps = sorted(
                (later - earlier).days
                for days in of_customers
                for earlier, later in pairwise(days)
            )
            found[(service,)] = {
                "customers_count": sum(1 for days in of_customers if days),
                "intervals_count": len(gaps),
                "interval_days_q1": quantile(gaps, 1),
                "interval_days_median": quantile(gaps, 2),
                "interval_days_q3": quantile(gaps, 3),
            }
        return found


def by_dimension(
    rows: Iterable[Visit], of_window: Callable[[list[Visit], timedelta], Row]
) -> dict[tuple[str, str | None, int], Row]:
    groups: dict[tuple[str, str | None], list[Visit]] = defaultdict(list)
    for row in rows:
        groups["organization", "all"].append(row)
        groups["location", row.location].append(row)
        groups["service", row.service].append(row)
        groups["team_member", row.team_member].append(row)
    return {
        (*key, window): of_window(members, timedelta(window))
        for key, members in groups.items()
        for window in WINDOWS
    }


def counted_on(rows: list[Visit]) -> Row:
    days = [row.starts_on for row in rows]
    return {
        "first_counted_on": min(days, default=None),
        "last_counted_on": max(days, default=None),
    }


def rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def quantile(values: list[int], quarters: int) -> int | None:
    """Return the smallest value that at least this many quarters do not exceed."""
    return next(
        (
            value
            for number, value in enumerate(values, start=1)
            if 4 * number >= quarters * len(values)
        ),
        None,
    )
