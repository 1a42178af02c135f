"""The rules on accounts again, in plain Python: one account on one day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo

Row = dict[str, object]
Number = Fraction | int

WEIGHTS = {
    "usage": Fraction(40, 100),
    "support": Fraction(25, 100),
    "engagement": Fraction(20, 100),
    "business": Fraction(15, 100),
}
OUTCOMES = {"positive": 100, "neutral": 60, "action_required": 40, "negative": 0}
RECENT, TELLING, EARLIER = 30, 90, 30
# older metrics are ignored
METRICS = 30

# a date of the source; as text if Python cannot represent it: infinity, year 10000, BC
Date = date | str


# rows of the source


@dataclass(frozen=True)
class Metric:
    id: int
    metric_date: date
    login_frequency: int | None
    feature_adoption_score: int | None
    training_completion_rate: int | None
    created_at: datetime


@dataclass(frozen=True)
class Engagement:
    id: int
    type: str
    title: str
    outcome: str | None
    completed_at: datetime | None
    # values that JSON can hold
    attendees: tuple[object, ...]
    created_at: datetime


@dataclass(frozen=True)
class Ticket:
    id: int
    severity: int | None
    status: str
    is_escalated: bool
    csat: int | None
    created_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True)
class Invoice:
    id: int
    due_on: date
    paid_on: date | None


@dataclass(frozen=True)
class Goal:
    id: int
    title: str
    current_value: Fraction | None
    target_value: Fraction | None
    start_value: Fraction | None
    target_date: Date | None
    completion_date: Date | None
    created_at: datetime


@dataclass(frozen=True)
class Account:
    number: int
    arr: int | None
    status: str
    renewal_on: Date | None
    created_at: datetime
    archived_at: datetime | str | None
    metrics: tuple[Metric, ...]
    engagements: tuple[Engagement, ...]
    tickets: tuple[Ticket, ...]
    invoices: tuple[Invoice, ...]
    goals: tuple[Goal, ...]


@dataclass(frozen=True)
class Organization:
    number: int
    time_zone: str
    accounts: tuple[Account, ...]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def plausible(value: Date | None) -> date | None:
    """Return a date, or None if it is missing or outside 1970 to 2200."""
    if value is None or isinstance(value, str) or not 1970 <= value.year <= 2200:
        return None
    return value


def people(entries: Sequence[object]) -> set[str]:
    """Return the people named: by e-mail, else id, else name."""

    def text(value: object, *kinds: type) -> str | None:
        # Python treats true as a number; the rules do not
        if isinstance(value, bool) or not isinstance(value, kinds):
            return None
        return str(value).strip().lower() or None

    found = set()
    for entry in entries:
        if isinstance(entry, dict):
            person = (
                text(entry.get("email"), str)
                or text(entry.get("id"), str, int)
                or text(entry.get("name"), str)
            )
        else:
            person = text(entry, str, int)
        if person is not None:
            found.add(person)
    return found


def rounded(value: Number, digits: int) -> Fraction:
    """Round half up; nothing here is negative."""
    return Fraction(floor(value * 10**digits + Fraction(1, 2)), 10**digits)


def mean(values: Sequence[Number]) -> Fraction | None:
    return Fraction(sum(values)) / len(values) if values else None


def clamped(value: Number) -> Fraction:
    return Fraction(min(100, max(0, value)))


class Evaluation:
    """One account on one day."""

    def __init__(
        self, organization: Organization, account: Account, day: date, as_of: datetime
    ) -> None:
        self.organization = organization
        self.account = account
        self.day = day
        self.as_of = as_of

    def local(self, instant: datetime) -> date:
        return instant.astimezone(self.organization.zone).date()

    def happened(self, instant: datetime | None) -> bool:
        return (
            instant is not None and instant <= self.as_of and self.local(instant) <= self.day
        )

    def within(self, instant: datetime, days: int) -> bool:
        return self.local(instant) > self.day - timedelta(days=days)

    def exists(self, account: Account) -> bool:
        archived_at = account.archived_at
        if isinstance(archived_at, str):
            archived_at = None
        return self.happened(account.created_at) and not self.happened(archived_at)

    @property
    def age(self) -> int:
        return (self.day - self.local(self.account.created_at)).days

    @property
    def completed(self) -> list[Engagement]:
        return [
            one
            for one in self.account.engagements
            if one.created_at <= self.as_of and self.happened(one.completed_at)
        ]

    def engaged_within(self, days: int) -> list[Engagement]:
        return [
            one
            for one in self.completed
            if one.completed_at is not None and self.within(one.completed_at, days)
        ]

    @property
    def tickets(self) -> list[Ticket]:
        return [one for one in self.account.tickets if self.happened(one.created_at)]

    def usage(self) -> list[Fraction | None]:
        known = [one for one in self.account.metrics if one.metric_date <= self.day]
        if not known:
            return [None] * 3
        newest = max(known, key=lambda one: (one.metric_date, one.created_at, one.id))
        if (self.day - newest.metric_date).days > METRICS:
            return [None] * 3
        logins, adoption, training = (
            newest.login_frequency,
            newest.feature_adoption_score,
            newest.training_completion_rate,
        )
        return [
            None if logins is None else clamped(Fraction(100 * logins, 5)),
            None if adoption is None else clamped(adoption),
            None if training is None else clamped(training),
        ]

    def support(self) -> list[Fraction | None]:
        recent = [one for one in self.tickets if self.within(one.created_at, RECENT)]
        severity = mean([one.severity for one in recent if one.severity is not None])
        hours = mean(
            [
                Fraction(
                    (one.resolved_at - one.created_at) // timedelta(microseconds=1),
                    3600 * 10**6,
                )
                for one in recent
                if one.resolved_at is not None
                and self.happened(one.resolved_at)
                and one.resolved_at >= one.created_at
            ]
        )
        csat = mean(
            [
                one.csat
                for one in recent
                if one.csat is not None
                and (one.resolved_at is None or self.happened(one.resolved_at))
            ]
        )
        return [
            clamped(100 - 10 * len(recent)),
            None if severity is None else clamped(100 - 25 * severity),
            None if hours is None else clamped(100 * (72 - hours) / 48),
            None if csat is None else clamped(20 * csat),
        ]

    def engagement(self) -> list[Fraction | None]:
        telling = self.engaged_within(TELLING)
        return [
            clamped(25 * len(self.engaged_within(RECENT))),
            mean([OUTCOMES[one.outcome] for one in telling if one.outcome is not None]),
            clamped(
                Fraction(
                    100 * len(people([who for one in telling for who in one.attendees])), 3
                )
            ),
        ]

    def business(self) -> list[Fraction | None]:
        revenues = [
            one.arr
            for one in self.organization.accounts
            if one.arr is not None and self.exists(one)
        ]
        rank = None
        # a single account has no rank
        if self.account.arr is not None and len(revenues) > 1:
            less = sum(1 for arr in revenues if arr < self.account.arr)
            rank = Fraction(100 * less, len(revenues) - 1)
        paid = [
            one
            for one in self.account.invoices
            if one.paid_on is not None and one.paid_on <= self.day
        ]
        on_time = [
            one for one in paid if one.paid_on is not None and one.paid_on <= one.due_on
        ]
        decided = len(paid) + len(self.overdue_invoices)
        return [
            rank,
            None
            if self.days_to_renewal is None
            else clamped(Fraction(100 * self.days_to_renewal, 180)),
            Fraction(100 * len(on_time), decided) if decided else None,
        ]

    @property
    def days_to_renewal(self) -> int | None:
        renewal_on = plausible(self.account.renewal_on)
        return (renewal_on - self.day).days if renewal_on else None

    @property
    def overdue_invoices(self) -> list[Invoice]:
        return [
            one
            for one in self.account.invoices
            if one.due_on < self.day and (one.paid_on is None or one.paid_on > self.day)
        ]

    @property
    def escalated_tickets(self) -> int:
        return sum(
            1
            for one in self.tickets
            if one.is_escalated
            and not self.happened(one.resolved_at)
            and not (one.resolved_at is None and one.status == "closed")
        )

    @property
    def days_since_engagement(self) -> int:
        days = [self.local(one.completed_at) for one in self.completed if one.completed_at]
        return (self.day - max(days)).days if days else self.age

    def components(self) -> dict[str, Fraction | None]:
        return {
            name: mean([score for score in getattr(self, name)() if score is not None])
            for name in WEIGHTS
        }

    def health(self) -> tuple[Fraction | None, Fraction]:
        """Return the health, and the share of the weights that it is based on."""
        there = {name: score for name, score in self.components().items() if score is not None}
        coverage = sum((WEIGHTS[name] for name in there), Fraction(0))
        if not coverage:
            return None, coverage
        return sum(WEIGHTS[name] * score for name, score in there.items()) / coverage, coverage

    def earlier(self) -> "Evaluation | None":
        day = self.day - timedelta(days=EARLIER)
        earlier = Evaluation(self.organization, self.account, day, self.as_of)
        return earlier if earlier.exists(self.account) else None

    def churn_terms(self) -> dict[str, Number]:
        health, _ = self.health()
        assert health is not None
        earlier = self.earlier()
        before = earlier.health()[0] if earlier else None
        lost = Fraction(0)
        if before is not None:
            lost = min(Fraction(15), max(before - health, Fraction(0)))
        gap, renewal = self.days_since_engagement, self.days_to_renewal
        competitor = any(
            word in ("competitor", "competitors")
            for one in self.engaged_within(TELLING)
            for word in one.title.lower().split()
        )
        return {
            "health_points": Fraction(30, 100) * (100 - health),
            "decline_points": lost,
            "gap_points": 20 if gap > 30 else 10 if gap > 14 else 0,
            "escalation_points": min(15, 5 * self.escalated_tickets),
            "renewal_points": 0
            if renewal is None or renewal >= 90
            else 15
            if renewal >= 30
            else 25,
            "overdue_points": min(20, 10 * len(self.overdue_invoices)),
            "competitor_points": 10 if competitor else 0,
        }

    def churn_risk(self) -> int:
        """Return the churn risk, rounded once from the exact terms."""
        return min(100, int(rounded(sum(self.churn_terms().values(), Fraction(0)), 0)))

    def churn_row(self) -> Row:
        terms = {name: rounded(points, 4) for name, points in self.churn_terms().items()}
        return {
            **terms,
            # published beside its terms, as their sum
            "total_points": sum(terms.values(), Fraction(0)),
            "churn_risk_score": self.churn_risk(),
            "days_since_engagement": self.days_since_engagement,
            "escalated_tickets_count": self.escalated_tickets,
            "days_to_renewal": self.days_to_renewal,
            "overdue_invoices_count": len(self.overdue_invoices),
        }

    def score_row(self) -> Row:
        health, coverage = self.health()
        assert health is not None
        earlier = self.earlier()
        before = earlier.health()[0] if earlier else None
        components = {
            f"{name}_score": None if score is None else rounded(score, 2)
            for name, score in self.components().items()
        }
        if self.account.status == "churned":
            status = "churned"
        elif self.age < 90:
            status = "onboarding"
        elif self.churn_risk() >= 60 or rounded(health, 2) < 40:
            status = "at_risk"
        else:
            status = "active"
        return {
            "health_score": rounded(health, 2),
            **components,
            "data_coverage": coverage,
            "confidence": "LOW" if coverage < Fraction(1, 2) else "NORMAL",
            "score_30_days_ago": None if before is None else rounded(before, 2),
            "suggested_status": status,
            "reported_status": self.account.status,
            "measured_on": max(
                (
                    one.metric_date
                    for one in self.account.metrics
                    if one.metric_date <= self.day
                ),
                default=None,
            ),
        }


class Progress:
    """One goal on one day."""

    def __init__(self, goal: Goal, organization: Organization, today: date) -> None:
        self.goal = goal
        self.today = today
        self.started_on = goal.created_at.astimezone(organization.zone).date()
        self.target_date = plausible(goal.target_date)

    @property
    def is_to_be_lowered(self) -> bool:
        start, target = self.goal.start_value, self.goal.target_value
        # without a start value, the goal is to increase the value
        return start is not None and target is not None and target < start

    @property
    def progress(self) -> Fraction | None:
        start, now, target = (
            self.goal.start_value,
            self.goal.current_value,
            self.goal.target_value,
        )
        if now is None or target is None:
            return None
        if self.is_to_be_lowered and start is not None:
            return min(Fraction(1), max(Fraction(0), (start - now) / (start - target)))
        return min(Fraction(1), max(Fraction(0), now / target)) if target > 0 else None

    @property
    def elapsed(self) -> Fraction | None:
        if self.target_date is None:
            return None
        if self.target_date <= self.started_on:
            return Fraction(1)
        gone, whole = self.today - self.started_on, self.target_date - self.started_on
        return min(Fraction(1), Fraction(gone.days, whole.days))

    @property
    def is_achieved(self) -> bool:
        now, target = self.goal.current_value, self.goal.target_value
        if now is None or target is None:
            return False
        return now <= target if self.is_to_be_lowered else now >= target > 0

    def status(self) -> str:
        progress, elapsed = self.progress, self.elapsed
        if self.is_achieved:
            return "achieved"
        if self.target_date is None:
            return "on_track"
        if self.target_date < self.today:
            return "missed"
        if progress is not None and elapsed is not None:
            if progress + Fraction(1, 5) < elapsed:
                return "at_risk"
            if (self.target_date - self.today).days <= 30 and progress < Fraction(4, 5):
                return "at_risk"
        return "on_track"

    def forecast(self) -> date | None:
        """Return the date on which the goal is reached at its pace, within 100 years."""
        days = (self.today - self.started_on).days
        start, now = self.goal.start_value or Fraction(0), self.goal.current_value
        target = self.goal.target_value
        if self.is_achieved or self.progress is None or now is None or target is None:
            return None
        # both are below zero if the value is to be lowered
        moved, whole = now - start, target - start
        if not days or moved * whole <= 0:
            return None
        needed = days * whole / moved
        return self.started_on + timedelta(days=ceil(needed)) if needed < 36500 else None

    def row(self) -> Row:
        completed_on = plausible(self.goal.completion_date)
        if not self.is_achieved or (completed_on and completed_on > self.today):
            completed_on = None
        progress, elapsed = self.progress, self.elapsed
        return {
            "goal_status": self.status(),
            "progress_rate": None if progress is None else rounded(progress, 4),
            "elapsed_rate": None if elapsed is None else rounded(elapsed, 4),
            "target_date": self.target_date,
            "days_left": (self.target_date - self.today).days if self.target_date else None,
            "forecast_date": self.forecast(),
            "completion_date": completed_on,
            "days_to_achieve": (completed_on - self.started_on).days
            if completed_on and completed_on >= self.started_on
            else None,
            "is_late": completed_on > self.target_date
            if completed_on and self.target_date
            else None,
        }


def evaluations(
    organization: Organization, as_of: datetime, days: int
) -> dict[tuple[int, date], Evaluation]:
    """Return the scores published at an instant, with so many days before it."""
    today = as_of.astimezone(organization.zone).date()
    found = {}
    for before in range(days + 1):
        day = today - timedelta(days=before)
        for account in organization.accounts:
            one = Evaluation(organization, account, day, as_of)
            if one.exists(account):
                found[account.number, day] = one
    return found


def goals(organization: Organization, as_of: datetime) -> dict[int, Row]:
    """Return the goals of the accounts that exist at an instant, by id."""
    today = as_of.astimezone(organization.zone).date()
    return {
        goal.id: Progress(goal, organization, today).row()
        for account in organization.accounts
        if Evaluation(organization, account, today, as_of).exists(account)
        for goal in account.goals
        if goal.created_at <= as_of
    }


def lost_dates(organization: Organization) -> set[tuple[str, int, str]]:
    """Return the implausible dates: table, id, column."""
    found = set()

    def look(table: str, number: int, column: str, value: Date | None) -> None:
        if value is not None and plausible(value) is None:
            found.add((table, number, f"{column}_out_of_range"))

    for account in organization.accounts:
        look("accounts", account.number, "renewal_on", account.renewal_on)
        look("accounts", account.number, "archived_at", account.archived_at)
        for goal in account.goals:
            look("customer_goals", goal.id, "target_date", goal.target_date)
            look("customer_goals", goal.id, "completion_date", goal.completion_date)
    return found
