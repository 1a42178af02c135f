"""The rules on bookings again, in plain Python: one customer at a time."""

import itertools
import statistics
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property
from typing import TypeVar
from zoneinfo import ZoneInfo

Row = dict[str, object]
T = TypeVar("T")

DAY = timedelta(days=1)
UNRELIABLE_RATE, UNRELIABLE_NO_SHOWS = Fraction(20, 100), 2
WATCH_RATE, WATCH_CANCELLATION_RATE = Fraction(10, 100), Fraction(30, 100)
IRREGULAR_CV = Fraction(1, 2)


@dataclass(frozen=True)
class Limits:
    """The organization's row of the seed risk_thresholds."""

    threshold_row: str = "default"
    new_days: int = 30
    active_days: int = 30
    at_risk_days: int = 90


# rows of the source, with the names of its columns


@dataclass(frozen=True)
class Location:
    id: str
    name: str
    time_zone: str | None


@dataclass(frozen=True)
class Profile:
    square_customer_id: str
    given_name: str | None
    family_name: str | None
    email_address: str | None
    phone_number: str | None
    acquisition_source: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Booking:
    booking_id: str
    square_customer_id: str | None
    location_id: str
    team_member_id: str | None
    service_id: str | None
    status: str
    start_at: datetime
    customer_note: str | None
    seller_note: str | None
    updated_at: datetime


@dataclass(frozen=True)
class Payment:
    payment_id: str
    square_customer_id: str | None
    status: str
    amount_cents: int | None
    tip_cents: int
    refunded_cents: int
    created_at: datetime
    updated_at: datetime

    @property
    def amount(self) -> int:
        return self.amount_cents or 0


@dataclass(frozen=True)
class ReferralProfile:
    square_customer_id: str
    is_activated: bool
    activated_at: datetime | None
    referral_source: str | None
    referral_count: int
    reward_cents: int
    updated_at: datetime


P = TypeVar("P", Profile, ReferralProfile)


@dataclass(frozen=True)
class Organization:
    """An organization, with all rows of the source."""

    number: int
    time_zone: str
    is_active: bool
    limits: Limits
    locations: tuple[Location, ...]
    customers: tuple[Profile, ...]
    bookings: tuple[Booking, ...]
    payments: tuple[Payment, ...]
    referral_profiles: tuple[ReferralProfile, ...]

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def location(self, location_id: str) -> Location | None:
        return next((one for one in self.locations if one.id == location_id), None)

    def location_zone(self, location_id: str) -> ZoneInfo:
        location = self.location(location_id)
        return ZoneInfo((location and location.time_zone) or self.time_zone)

    def location_date(self, booking: Booking) -> date:
        return local_date(booking.start_at, self.location_zone(booking.location_id))


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def known(text: str | None) -> str | None:
    """Return a text without surrounding blanks, or None if it is empty."""
    return (text or "").strip() or None


def rounded(value: Fraction | int, places: int = 0) -> Fraction:
    """Round half away from zero."""
    units = int(abs(Fraction(value)) * 10**places + Fraction(1, 2))
    return Fraction(units if value >= 0 else -units, 10**places)


def rate(part: int, whole: int) -> Fraction | None:
    return rounded(Fraction(part, whole), 4) if whole else None


def last_of(rows: Collection[T], order: Callable[[T], tuple[datetime, str]]) -> T | None:
    """Return the latest; of several at the same time, the one with the smallest id."""
    latest = max((order(row)[0] for row in rows), default=None)
    return min((row for row in rows if order(row)[0] == latest), key=order, default=None)


def by_start(booking: Booking) -> tuple[datetime, str]:
    return booking.start_at, booking.booking_id


def by_creation(payment: Payment) -> tuple[datetime, str]:
    return payment.created_at, payment.payment_id


def segment(visit_days: list[date], day: date, limits: Limits) -> str:
    """Return the segment on a day, from the sorted days of visits up to it."""
    first, last = None, None
    for visit_day in visit_days:
        if visit_day > day:
            break
        first, last = first or visit_day, visit_day
    if first is None or last is None:
        return "NEVER_VISITED"
    if (day - first).days <= limits.new_days:
        return "NEW"
    if (day - last).days <= limits.active_days:
        return "ACTIVE"
    return "AT_RISK" if (day - last).days <= limits.at_risk_days else "LOST"


@dataclass(frozen=True)
class Customer:
    """A customer of an organization at an instant."""

    organization: Organization
    square_customer_id: str
    as_of: datetime

    def day(self, instant: datetime) -> date:
        return local_date(instant, self.organization.zone)

    @cached_property
    def today(self) -> date:
        return self.day(self.as_of)

    @cached_property
    def profile(self) -> Profile | None:
        return self._own(self.organization.customers)

    @cached_property
    def referral_profile(self) -> ReferralProfile | None:
        return self._own(self.organization.referral_profiles)

    def _own(self, rows: Iterable[P]) -> P | None:
        mine = (row for row in rows if row.square_customer_id == self.square_customer_id)
        return next(mine, None)

    @cached_property
    def bookings(self) -> list[Booking]:
        return [
            booking
            for booking in self.organization.bookings
            if booking.square_customer_id == self.square_customer_id
        ]

    @cached_property
    def accepted(self) -> list[Booking]:
        return self.in_status("ACCEPTED")

    @cached_property
    def visits(self) -> list[Booking]:
        return [booking for booking in self.accepted if booking.start_at <= self.as_of]

    @cached_property
    def payments(self) -> list[Payment]:
        return [
            payment
            for payment in self.organization.payments
            if payment.square_customer_id == self.square_customer_id
            and payment.status == "COMPLETED"
            and payment.created_at <= self.as_of
        ]

    @cached_property
    def visit_days(self) -> list[date]:
        return sorted({self.day(visit.start_at) for visit in self.visits})

    def in_status(self, *statuses: str) -> list[Booking]:
        return [booking for booking in self.bookings if booking.status in statuses]

    def is_within(self, instant: datetime, far: int, near: int = 0) -> bool:
        """Whether an instant lies in the window (today - far, today - near]."""
        return near <= (self.today - self.day(instant)).days < far

    def row(self) -> Row:
        """Return what customer_analytics holds, except valid_until and the stamps."""
        return (
            self.identity()
            | self.chronology()
            | self.first_booking()
            | self.volumes()
            | self.reliability()
            | self.money()
            | self.cadence()
            | self.preferences()
            | self.notes()
            | self.referrals()
            | self.segment()
            | self.source()
        )

    def identity(self) -> Row:
        profile = self.profile
        given_name = known(profile.given_name) if profile else None
        family_name = known(profile.family_name) if profile else None
        email = known(profile.email_address) if profile else None
        full_name = " ".join(name for name in (given_name, family_name) if name)
        return {
            "square_customer_id": self.square_customer_id,
            "given_name": given_name,
            "family_name": family_name,
            "display_name": full_name or (email and email.lower()) or self.square_customer_id,
            "email_address": email and email.lower(),
            "phone_number": known(profile.phone_number) if profile else None,
            "profile_created_at": profile.created_at if profile else None,
            "acquisition_source": profile.acquisition_source if profile else None,
            "has_profile": profile is not None,
        }

    def chronology(self) -> Row:
        accepted = [booking.start_at for booking in self.accepted]
        visits = [visit.start_at for visit in self.visits]
        ahead = [instant for instant in accepted if instant > self.as_of]
        payments = [payment.created_at for payment in self.payments]
        no_shows = [booking.start_at for booking in self.in_status("NO_SHOW")]
        cancelled = self.in_status("CANCELLED_BY_CUSTOMER", "CANCELLED_BY_SELLER")
        first_booking_at = min(accepted, default=None)
        return {
            "first_booking_at": first_booking_at,
            "last_booking_at": max(accepted, default=None),
            "first_visit_at": min(visits, default=None),
            "last_visit_at": max(visits, default=None),
            "next_booking_at": min(ahead, default=None),
            "first_payment_at": min(payments, default=None),
            "last_payment_at": max(payments, default=None),
            "last_no_show_at": max(no_shows, default=None),
            "last_cancellation_at": max((one.start_at for one in cancelled), default=None),
            "days_profile_to_first_booking": None
            if self.profile is None or first_booking_at is None
            else (self.day(first_booking_at) - self.day(self.profile.created_at)).days,
        }

    def first_accepted(self) -> Booking | None:
        return min(self.accepted, key=by_start, default=None)

    def first_booking(self) -> Row:
        first = self.first_accepted()
        return {
            "first_booking_id": first and first.booking_id,
            "first_booking_location_id": first and first.location_id,
            "first_booking_date": first and self.organization.location_date(first),
        }

    def volumes(self) -> Row:
        visits = [visit.start_at for visit in self.visits]
        return {
            "total_bookings": len(self.bookings),
            "total_accepted_bookings": len(self.accepted),
            "total_visits": len(visits),
            "upcoming_bookings": len(self.accepted) - len(visits),
            "pending_bookings": len(self.in_status("PENDING")),
            "declined_bookings": len(self.in_status("DECLINED")),
            "total_cancelled_by_customer": len(self.in_status("CANCELLED_BY_CUSTOMER")),
            "total_cancelled_by_seller": len(self.in_status("CANCELLED_BY_SELLER")),
            "total_no_shows": len(self.in_status("NO_SHOW")),
            "other_status_bookings": 0,
            "visits_last_30d": sum(self.is_within(at, 30) for at in visits),
            "visits_last_90d": sum(self.is_within(at, 90) for at in visits),
            "visits_prior_90d": sum(self.is_within(at, 180, 90) for at in visits),
            "visits_last_365d": sum(self.is_within(at, 365) for at in visits),
        }

    def reliability(self) -> Row:
        visits, no_shows = len(self.visits), len(self.in_status("NO_SHOW"))
        cancelled = len(self.in_status("CANCELLED_BY_CUSTOMER"))
        begun = [booking for booking in self.bookings if booking.start_at <= self.as_of]
        last_begun = last_of(begun, by_start)
        no_show_rate = Fraction(no_shows, visits + no_shows or 1)
        agreed = visits + no_shows + cancelled
        if not agreed:
            tier = "NO_HISTORY"
        elif no_show_rate >= UNRELIABLE_RATE and no_shows >= UNRELIABLE_NO_SHOWS:
            tier = "UNRELIABLE"
        elif (
            no_show_rate >= WATCH_RATE
            or Fraction(cancelled, agreed) >= WATCH_CANCELLATION_RATE
        ):
            tier = "WATCH"
        else:
            tier = "RELIABLE"
        return {
            "no_show_rate": rate(no_shows, visits + no_shows),
            "customer_cancellation_rate": rate(cancelled, agreed),
            "show_rate": rate(visits, agreed),
            "last_booking_status": last_begun and last_begun.status,
            "reliability_tier": tier,
        }

    def money(self) -> Row:
        amounts = [payment.amount for payment in self.payments]
        revenue, tips = sum(amounts), sum(payment.tip_cents for payment in self.payments)
        refunded = sum(max(0, min(one.refunded_cents, one.amount)) for one in self.payments)
        last = last_of(self.payments, by_creation)
        recent, prior = self.revenue(90), self.revenue(180, 90)
        return {
            "total_revenue_cents": revenue,
            "total_tips_cents": tips,
            "gross_revenue_cents": revenue + tips,
            "refunded_cents": refunded,
            "net_revenue_cents": revenue - refunded,
            "total_payments": len(amounts),
            "avg_ticket_cents": rounded(Fraction(revenue, len(amounts) or 1)),
            "median_ticket_cents": statistics.median_low(amounts) if amounts else None,
            "max_ticket_cents": max(amounts, default=None),
            "last_ticket_cents": last and last.amount,
            "tip_rate": rate(tips, revenue),
            "revenue_last_30d_cents": self.revenue(30),
            "revenue_last_90d_cents": recent,
            "revenue_prior_90d_cents": prior,
            "revenue_last_365d_cents": self.revenue(365),
            "revenue_trend_90d_pct": rounded(Fraction(100 * (recent - prior), prior), 1)
            if prior
            else None,
        }

    def revenue(self, far: int, near: int = 0) -> int:
        return sum(
            payment.amount
            for payment in self.payments
            if self.is_within(payment.created_at, far, near)
        )

    def cadence(self) -> Row:
        gaps = gaps_between(self.visit_days)
        recent_gaps = gaps_between(self.visit_days[-5:])
        recent = int(rounded(statistics.mean(recent_gaps))) if gaps else None
        mean = statistics.mean(gaps) if gaps else Fraction(0)
        variance = statistics.variance(gaps) if len(gaps) > 1 else None
        is_irregular = variance is not None and variance > (IRREGULAR_CV * mean) ** 2
        if not gaps:
            confidence = "NONE"
        elif len(gaps) <= 2:
            confidence = "LOW"
        else:
            confidence = "MEDIUM" if len(gaps) <= 4 or is_irregular else "HIGH"
        return {
            "avg_days_between_visits": rounded(mean, 1) if gaps else None,
            "median_days_between_visits": rounded(statistics.median(gaps), 1)
            if gaps
            else None,
            "stddev_days_between_visits": None
            if variance is None
            else rounded(Fraction(statistics.stdev(gaps)), 1),
            "recent_cadence_days": recent,
            "expected_next_visit_date": self.visit_days[-1] + DAY * recent if recent else None,
            "cadence_confidence": confidence,
        }

    def preferences(self) -> Row:
        first = min(self.visits, key=by_start, default=None)
        members = [visit.team_member_id for visit in self.visits if visit.team_member_id]
        services = {visit.service_id for visit in self.visits if visit.service_id}
        member = self.preferred(lambda visit: visit.team_member_id)
        return {
            "preferred_team_member_id": member,
            "preferred_team_member_share": rate(
                sum(one == member for one in members), len(members)
            ),
            "preferred_service_id": self.preferred(lambda visit: visit.service_id),
            "preferred_location_id": self.preferred(lambda visit: visit.location_id),
            "first_location_id": first and first.location_id,
            "distinct_locations": len({visit.location_id for visit in self.visits}),
            "distinct_team_members": len(set(members)),
            "distinct_services": len(services),
            "preferred_weekday": self.preferred(
                lambda visit: self.day(visit.start_at).isoweekday()
            ),
            "preferred_daypart": self.preferred(self.daypart),
        }

    def daypart(self, visit: Booking) -> str:
        hour = visit.start_at.astimezone(self.organization.zone).hour
        if hour < 12:
            return "MORNING"
        return "AFTERNOON" if hour < 17 else "EVENING"

    def preferred(self, choice: Callable[[Booking], str | int | None]) -> str | int | None:
        """Return the most frequent value; of equal ones the latest, then the smallest."""
        visits: dict[str | int, list[datetime]] = {}
        for visit in self.visits:
            chosen = choice(visit)
            if chosen is not None:
                visits.setdefault(chosen, []).append(visit.start_at)
        best = max(((len(at), max(at)) for at in visits.values()), default=None)
        return min(
            (chosen for chosen, at in visits.items() if (len(at), max(at)) == best),
            default=None,
        )

    def notes(self) -> Row:
        with_note = sorted(
            (
                one
                for one in self.bookings
                if known(one.customer_note) or known(one.seller_note)
            ),
            key=lambda booking: booking.booking_id,
        )
        newest_first = sorted(with_note, key=lambda booking: booking.start_at, reverse=True)
        return {
            "booking_notes": [
                {
                    "booking_id": booking.booking_id,
                    "start_at": booking.start_at.replace(microsecond=0),
                    "status": booking.status,
                    "customer_note": known(booking.customer_note),
                    "seller_note": known(booking.seller_note),
                }
                for booking in newest_first
            ],
            "notes_count": len(newest_first),
            "last_note_at": newest_first[0].start_at if newest_first else None,
        }

    def referrals(self) -> Row:
        profile = self.referral_profile
        is_referrer = profile is not None and profile.is_activated
        return {
            "is_referrer": is_referrer,
            "activated_as_referrer_at": profile.activated_at
            if profile and is_referrer
            else None,
            "referral_source": known(profile.referral_source) if profile else None,
            "total_referrals": profile.referral_count if profile else 0,
            "total_rewards_cents": profile.reward_cents if profile else 0,
        }

    def segment(self) -> Row:
        limits = self.organization.limits

        def on(day: date) -> str:
            return segment(self.visit_days, day, limits)

        present = on(self.today)
        since, next_on = None, None
        if self.visit_days:
            since = self.today
            while on(since - DAY) == present:
                since -= DAY
            longest = max(limits.new_days, limits.active_days, limits.at_risk_days)
            ahead = (self.today + number * DAY for number in range(1, longest + 2))
            next_on = next((day for day in ahead if on(day) != present), None)
        return {
            "customer_segment": present,
            "segment_since": since,
            "next_segment": on(next_on) if next_on else None,
            "next_segment_on": next_on,
            "is_one_time_visitor": len(self.visits) == 1,
            "threshold_row": limits.threshold_row,
        }

    def source(self) -> Row:
        rows = (
            self.profile,
            self.referral_profile,
            *self.bookings,
            *self.payments,
        )
        return {
            "source_updated_at": max((row.updated_at for row in rows if row), default=None)
        }

    def events(self) -> Row:
        """Return what changes with the clock: what has begun, and what is in the windows."""
        visits = [visit.start_at for visit in self.visits]
        paid = [payment.created_at for payment in self.payments]
        begun = sum(booking.start_at <= self.as_of for booking in self.bookings)
        windows = ((30, 0), (90, 0), (180, 90), (365, 0))
        return {
            "come": (begun, len(self.payments)),
            "windows": [
                [at for at in (*visits, *paid) if self.is_within(at, *window)]
                for window in windows
            ],
        }


def gaps_between(days: list[date]) -> list[Fraction]:
    return [Fraction((after - before).days) for before, after in itertools.pairwise(days)]


def customers(organization: Organization, as_of: datetime) -> list[Customer]:
    """Return the customers that have a row in customer_analytics.

    A future payment does not count yet, but its customer does.
    """
    if not organization.is_active:
        return []
    ids = {
        *(profile.square_customer_id for profile in organization.customers),
        *(booking.square_customer_id for booking in organization.bookings),
        *(payment.square_customer_id for payment in organization.payments),
    }
    return [Customer(organization, one, as_of) for one in ids if one is not None]


def location_days(organization: Organization, as_of: datetime) -> list[Row]:
    """Return the rows of analytics_appointments_by_location_daily, with columns in order."""
    if not organization.is_active:
        return []
    firsts = [
        (first.location_id, organization.location_date(first))
        for customer in customers(organization, as_of)
        if (first := customer.first_accepted())
    ]
    places = {
        (booking.location_id, organization.location_date(booking))
        for booking in organization.bookings
    }
    rows: list[Row] = []
    for location_id, day in sorted(places):
        location = organization.location(location_id)
        here = [
            booking
            for booking in organization.bookings
            if (booking.location_id, organization.location_date(booking)) == (location_id, day)
        ]
        statuses = [booking.status for booking in here]
        guests = [one.square_customer_id for one in here if one.status == "ACCEPTED"]
        unique = len(set(guests) - {None})
        new = firsts.count((location_id, day))
        by_customer = statuses.count("CANCELLED_BY_CUSTOMER")
        by_seller = statuses.count("CANCELLED_BY_SELLER")
        cancelled, no_shows = by_customer + by_seller, statuses.count("NO_SHOW")
        rows.append(
            {
                "location_id": location_id,
                "location_name": location and location.name,
                "date": day,
                "appointments_count": len(guests),
                "accepted_appointments": len(guests),
                "cancelled_appointments": cancelled,
                "no_show_appointments": no_shows,
                "cancelled_by_customer": by_customer,
                "cancelled_by_seller": by_seller,
                "unique_customers": unique,
                "new_customers": new,
                "returning_customers": unique - new,
                "pending_appointments": statuses.count("PENDING"),
                "declined_appointments": statuses.count("DECLINED"),
                "total_bookings": len(here),
                "unidentified_appointments": guests.count(None),
                "no_show_rate": rate(no_shows, no_shows + len(guests)),
                "cancellation_rate": rate(cancelled, cancelled + no_shows + len(guests)),
                "is_future": day > local_date(as_of, organization.location_zone(location_id)),
            }
        )
    return rows


def moments_ahead(organization: Organization, as_of: datetime, days: int) -> list[datetime]:
    """Return every instant at which anything could change: midnights and those of the rows."""
    today = local_date(as_of, organization.zone)
    midnights = [
        datetime.combine(today + number * DAY, time(), organization.zone).astimezone(UTC)
        for number in range(1, days + 1)
    ]
    own = [
        *(booking.start_at for booking in organization.bookings),
        *(payment.created_at for payment in organization.payments),
    ]
    return sorted({instant for instant in (*midnights, *own) if instant > as_of})
