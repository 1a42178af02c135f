"""The rules on accounts again, as plainly as they can be said: an account on a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import floor
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
    attendees: tuple[str, ...]
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
class Account:
    number: int
    arr: int | None
    status: str
    renewal_on: date | None
    created_at: datetime
    archived_at: datetime | None
    metrics: tuple[Metric, ...]
    engagements: tuple[Engagement, ...]
    tickets: tuple[Ticket, ...]
    invoices: tuple[Invoice, ...]


@dataclass(frozen=True)
class Organization:
    number: int
    time_zone: str
    accounts: tuple[Account, ...]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def rounded(value: Number, digits: int) -> Fraction:
    """Round half up; nothing here is negative."""
    return Fraction(floor(value * 10**digits + Fraction(1, 2)), 10**digits)


def mean(values: Sequence[Number]) -> Fraction | None:
    return Fraction(sum(values)) / len(values) if values else None


def clamped(value: Number) -> Fraction:
    return Fraction(min(100, max(0, value)))


class Evaluation:
    """One account, as it was on one day."""

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
        return self.happened(account.created_at) and not self.happened(account.archived_at)

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
                Fraction((one.resolved_at - one.created_at) // timedelta(seconds=1), 3600)
                for one in recent
                if one.resolved_at is not None and self.happened(one.resolved_at)
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
                    100 * len({who.lower() for one in telling for who in one.attendees}), 3
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
        if self.account.arr is not None:
            less = sum(1 for arr in revenues if arr < self.account.arr)
            # alone is the first of none
            rank = Fraction(100 * less, max(1, len(revenues) - 1))
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
        renewal_on = self.account.renewal_on
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
        """Return the health and the share of the weights that it rests on."""
        there = {name: score for name, score in self.components().items() if score is not None}
        coverage = sum((WEIGHTS[name] for name in there), Fraction(0))
        if not coverage:
            return None, coverage
        return sum(WEIGHTS[name] * score for name, score in there.items()) / coverage, coverage

    def earlier(self) -> "Evaluation | None":
        day = self.day - timedelta(days=EARLIER)
        earlier = Evaluation(self.organization, self.account, day, self.as_of)
        return earlier if earlier.exists(self.account) else None

    def churn_terms(self) -> dict[str, Fraction]:
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
        terms: dict[str, Number] = {
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
        return {name: rounded(points, 4) for name, points in terms.items()}

    def churn_risk(self) -> int:
        return min(100, int(rounded(sum(self.churn_terms().values(), Fraction(0)), 0)))

    def churn_row(self) -> Row:
        terms = self.churn_terms()
        total = sum(terms.values(), Fraction(0))
        return {
            **terms,
            "total_points": total,
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
        }


def evaluations(
    organization: Organization, as_of: datetime, days: int
) -> dict[tuple[int, date], Evaluation]:
    """Return what is published at an instant, with so many days before it."""
    today = as_of.astimezone(organization.zone).date()
    found = {}
    for before in range(days + 1):
        day = today - timedelta(days=before)
        for account in organization.accounts:
            one = Evaluation(organization, account, day, as_of)
            if one.exists(account):
                found[account.number, day] = one
    return found
