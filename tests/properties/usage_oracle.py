"""The rules on tenant health again, in plain Python."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import floor

COMPONENTS = (
    "login",
    "case_resolution",
    "campaign_completion",
    "feature_adoption",
    "support_tickets",
)
WINDOW = timedelta(hours=24 * 30)


@dataclass(frozen=True)
class User:
    is_enabled: bool
    created_at: datetime
    last_login_at: datetime | None


@dataclass(frozen=True)
class Case:
    closed_at: datetime | None
    # whether it is the primary one, and how it meets its deadline
    investigations: tuple[tuple[bool, str], ...]


@dataclass(frozen=True)
class Assignment:
    status: str
    due_at: datetime | None
    completed_at: datetime | None
    # as text if Python cannot represent the instant: infinity
    campaign_ends_at: datetime | str | None
    # another organization's, so the assignment belongs to nobody
    is_campaign_of_another: bool


@dataclass(frozen=True)
class Feature:
    first_used_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class Usage:
    """The rows of one organization in the source."""

    users: list[User]
    cases: list[Case]
    assignments: list[Assignment]
    features: list[Feature]
    tickets: list[datetime]


@dataclass(frozen=True)
class Weight:
    """A row of the seed tenant_health_weights."""

    version: int
    component: str
    weight: Fraction
    target: Fraction
    score_without_data: int
    points_per_ticket: int | None
    valid_from: date


@dataclass(frozen=True)
class Score:
    overall: int
    observed: int | None
    coverage: Fraction
    previous: int | None
    trend: str
    risk: str


# the number counted, and the number it is compared with; None if there is no such number
Counts = dict[str, tuple[int, int | None]]


def half_up(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))


def collect(usage: Usage, as_of: datetime) -> Counts:
    def is_in_window(instant: datetime | None) -> bool:
        return instant is not None and as_of - WINDOW <= instant < as_of

    users = [user for user in usage.users if user.is_enabled and user.created_at < as_of]
    cases = [
        is_on_time(case)
        for case in usage.cases
        if is_in_window(case.closed_at) and case.investigations
    ]
    due = [
        assignment
        for assignment in usage.assignments
        if is_in_window(assignment.due_at or plausible(assignment.campaign_ends_at))
        and not assignment.is_campaign_of_another
    ]
    completed = [
        assignment
        for assignment in due
        if assignment.status == "COMPLETED"
        and (assignment.completed_at is None or assignment.completed_at < as_of)
    ]
    adopted = [
        feature
        for feature in usage.features
        if (first := feature.first_used_at or feature.last_used_at)
        and (last := feature.last_used_at or feature.first_used_at)
        and first < as_of
        and (is_in_window(first) or is_in_window(last))
    ]
    return {
        "login": (sum(is_in_window(user.last_login_at) for user in users), len(users)),
        "case_resolution": (sum(cases), len(cases)),
        "campaign_completion": (len(completed), len(due)),
        "feature_adoption": (len(adopted), len(usage.features)),
        "support_tickets": (sum(map(is_in_window, usage.tickets)), None),
    }


def plausible(instant: datetime | str | None) -> datetime | None:
    """Return an instant, or None if it is missing or outside 1970 to 2200."""
    if isinstance(instant, str) or (instant and not 1970 <= instant.year <= 2200):
        return None
    return instant


def is_on_time(case: Case) -> bool:
    primary = [sla for is_primary, sla in case.investigations if is_primary]
    deciding = primary or [sla for _, sla in case.investigations]
    return "OVERDUE" not in deciding


def component_score(counts: Counts, weight: Weight) -> tuple[int, bool]:
    """Return the score, and whether there was anything to measure."""
    measured, possible = counts[weight.component]
    if weight.points_per_ticket is not None:
        left = max(0, 100 - weight.points_per_ticket * measured)
        return min(100, half_up(left / weight.target)), True
    if not possible:
        return weight.score_without_data, False
    return min(100, half_up(100 * Fraction(measured, possible) / weight.target)), True


def overall(counts: Counts, weights: list[Weight]) -> tuple[int, int | None, Fraction]:
    points, observed, coverage = Fraction(0), Fraction(0), Fraction(0)
    for weight in weights:
        score, has_data = component_score(counts, weight)
        points += weight.weight * score
        if has_data:
            observed += weight.weight * score
            coverage += weight.weight
    return half_up(points), half_up(observed / coverage) if coverage else None, coverage


def scores(collected: dict[date, Counts], seed: list[Weight]) -> dict[date, Score]:
    """Score every collected day."""
    found: dict[date, Score] = {}
    before: date | None = None
    for day in sorted(collected):
        weights = in_force(seed, day)
        score, observed, coverage = overall(collected[day], weights)
        change = score - overall(collected[before], weights)[0] if before else 0
        trend = "IMPROVING" if change > 5 else "DECLINING" if change < -5 else "STABLE"
        is_declining = trend == "DECLINING"
        if score < 40 or (score < 60 and is_declining):
            risk = "HIGH"
        elif score < 70 or is_declining:
            risk = "MEDIUM"
        else:
            risk = "LOW"
        previous = found[before].overall if before else None
        found[day] = Score(score, observed, coverage, previous, trend, risk)
        before = day
    return found


def in_force(seed: list[Weight], day: date) -> list[Weight]:
    latest = max(weight.valid_from for weight in seed if weight.valid_from <= day)
    return [weight for weight in seed if weight.valid_from == latest]
