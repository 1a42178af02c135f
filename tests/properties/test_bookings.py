"""The marts on bookings equal the oracle's, also after changes of the source."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from bookings_oracle import (
    Booking,
    Customer,
    Limits,
    Location,
    Organization,
    Payment,
    Profile,
    ReferralProfile,
    Row,
    customers,
    local_date,
    location_days,
    moments_ahead,
)
from conftest import Database, examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow

from bench.compiled import CompiledProject

Key = tuple[object, ...]
T = TypeVar("T", Profile, Booking, Payment, ReferralProfile)

# the clocks of the last three change at midnight, or back to it
ZONES = [
    "UTC",
    "America/Los_Angeles",
    "Pacific/Auckland",
    "Europe/Lisbon",
    "America/Santiago",
    "Asia/Beirut",
    "America/Havana",
]
# mostly days on which the clocks of one of these zones change, or the day after
DAYS = [
    date(2026, 1, 15),
    date(2024, 2, 29),
    *(date(2025, 9, 7), date(2025, 9, 28), date(2025, 10, 26), date(2025, 11, 2)),
    *(date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 4), date(2026, 4, 5)),
]
TICK, HOUR = timedelta(microseconds=1), timedelta(hours=1)
TIMES = [
    *(time(12), time(11, 59, 59), time(17), time(16, 59, 59), time(9)),
    *(time(0), time(0, 30), time(1, 30), time(2, 30), time(23, 30)),
    time(23, 59, 59, 999999),
]
# limits of windows and segments
DAYS_AGO = [
    *(0, 0, 1, 29, 30, 31, 45, 46, 60, 61, 89, 90, 91),
    *(179, 180, 181, 364, 365, 366, -1, -2, -30),
]
# days from one visit to the next; none: scattered
GAPS = [[], [], [], [1, 1, 2, 3, 3], [7, 8], [1, 30, 31, 90, 91]]
STATUSES = [
    *["ACCEPTED"] * 9,
    *("PENDING", "DECLINED", "NO_SHOW", "CANCELLED_BY_CUSTOMER", "CANCELLED_BY_SELLER"),
]
PAYMENT_STATUSES = [
    *["COMPLETED"] * 6,
    *("APPROVED", "PENDING", "CANCELED", "FAILED"),
]
# ids whose order differs between collations
CUSTOMERS = ["C1", "c1", "C10"]
IDS = ["b10", "B9", "b9", "B10", "a1", "A1", "b-1", "B_1", "z", "Z", "b1", "B1", "0", "y"]
IDS += [f"{letter}{number}" for letter in "bBa" for number in range(11, 21)]
LOCATIONS = ["L9", "l10", "L10"]
OWN_LIMITS = {
    1: Limits("organization-1", new_days=45, active_days=30, at_risk_days=60),
    3: Limits("organization-3", new_days=45, active_days=30, at_risk_days=40),
}
STAMPS = ["created_at", "updated_at", "refreshed_at"]
NOT_BUSINESS = [*STAMPS, "valid_until", "source_updated_at"]

texts = st.sampled_from([None, "", " \n", "Ada", " Bo ", "\tAda@Mail.Example "])
notes = st.sampled_from([None, None, None, "", " \r\n", "Window seat", "Call before\n"])
updates = st.integers(0, 99).map(lambda hour: datetime(2023, 5, 1, tzinfo=UTC) + hour * HOUR)
zones = st.sampled_from(ZONES)
amounts = st.sampled_from([None, 0, 1, 2, 100, 9999, -500]) | st.integers(0, 20000)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Draw an instant to compute for: near local midnights and clock changes."""
    local = datetime.combine(draw(st.sampled_from(DAYS)), draw(st.sampled_from(TIMES)))
    return local.replace(tzinfo=ZoneInfo(draw(zones))).astimezone(UTC)


@st.composite
def instants(draw: st.DrawFn, as_of: datetime, zone: ZoneInfo) -> list[datetime]:
    """Draw a few instants, scattered or in sequence, by the clock of a zone."""
    gaps = draw(st.sampled_from(GAPS))
    ago = draw(st.lists(st.sampled_from(DAYS_AGO), min_size=1, max_size=1 if gaps else 9))
    if gaps:
        between = draw(st.lists(st.sampled_from(gaps), max_size=8))
        ago = list(itertools.accumulate(between, initial=ago[0]))
    today = local_date(as_of, zone)
    return [
        datetime.combine(
            today - timedelta(days=days), draw(st.sampled_from(TIMES)), zone
        ).astimezone(UTC)
        for days in ago
    ]


@st.composite
def organizations(draw: st.DrawFn, as_of: datetime) -> Organization:
    """Draw an organization with a short history of each customer."""
    zone = draw(zones)
    locations = [
        Location(location_id, f"At {location_id}", draw(zones | st.none()))
        for location_id in LOCATIONS[:2]
    ]
    # few instants for many rows, so that several are equal
    shared = draw(instants(as_of, ZoneInfo(zone)))
    regular = shared if draw(st.booleans()) else []
    when = st.sampled_from(
        [
            as_of + draw(st.sampled_from([0, 0, 1, -1])) * TICK,
            *shared,
            *draw(instants(as_of, ZoneInfo(locations[0].time_zone or zone))),
        ]
    )
    # most rows belong to one customer, so that a history gets long
    main, anyone = st.just(CUSTOMERS[0]), st.sampled_from([*CUSTOMERS, None])
    drawn_bookings = [
        *(replace(draw(bookings(main, st.just(at))), status="ACCEPTED") for at in regular),
        *draw(st.lists(bookings(main, when), max_size=6)),
        *draw(st.lists(bookings(anyone, when), max_size=8)),
    ]
    drawn_payments = [
        *draw(st.lists(payments(main, when), max_size=6)),
        *draw(st.lists(payments(anyone, when), max_size=4)),
    ]
    return Organization(
        number=1,
        time_zone=zone,
        is_active=draw(st.sampled_from([True] * 9 + [False])),
        limits=Limits(),
        locations=tuple(locations),
        customers=tuple(
            draw(profiles(customer, when)) for customer in CUSTOMERS if draw(st.booleans())
        ),
        bookings=tuple(
            replace(row, booking_id=one) for one, row in zip(IDS, drawn_bookings, strict=False)
        ),
        payments=tuple(
            replace(row, payment_id=one) for one, row in zip(IDS, drawn_payments, strict=False)
        ),
        referral_profiles=tuple(
            draw(referral_profiles(customer, when))
            for customer in [*CUSTOMERS, "nobody"]
            if draw(st.booleans())
        ),
    )


def bookings(
    whose: st.SearchStrategy[str | None], when: st.SearchStrategy[datetime]
) -> st.SearchStrategy[Booking]:
    return st.builds(
        Booking,
        booking_id=st.just(""),
        square_customer_id=whose,
        location_id=st.sampled_from(LOCATIONS),
        team_member_id=st.sampled_from([None, "T1", "t1", "T10"]),
        service_id=st.sampled_from([None, "S1", "s1"]),
        status=st.sampled_from(STATUSES),
        start_at=when,
        customer_note=notes,
        seller_note=notes,
        updated_at=updates,
    )


def payments(
    whose: st.SearchStrategy[str | None], when: st.SearchStrategy[datetime]
) -> st.SearchStrategy[Payment]:
    return st.builds(
        Payment,
        payment_id=st.just(""),
        square_customer_id=whose,
        status=st.sampled_from(PAYMENT_STATUSES),
        amount_cents=amounts,
        tip_cents=st.sampled_from([0, 0, 1, 25, 300]),
        refunded_cents=st.sampled_from([0, 0, 0, 1, 100, 20001, -1]),
        created_at=when,
        updated_at=updates,
    )


def profiles(customer: str, when: st.SearchStrategy[datetime]) -> st.SearchStrategy[Profile]:
    return st.builds(
        Profile,
        square_customer_id=st.just(customer),
        given_name=texts,
        family_name=texts,
        email_address=texts,
        phone_number=texts,
        acquisition_source=st.sampled_from([None, "WALK_IN"]),
        created_at=when,
        updated_at=updates,
    )


def referral_profiles(
    customer: str, when: st.SearchStrategy[datetime]
) -> st.SearchStrategy[ReferralProfile]:
    return st.builds(
        ReferralProfile,
        square_customer_id=st.just(customer),
        is_activated=st.booleans(),
        activated_at=when | st.none(),
        referral_source=st.sampled_from([None, " ", "FLYER"]),
        referral_count=st.integers(0, 3),
        reward_cents=st.integers(0, 3000),
        updated_at=updates,
    )


@st.composite
def histories(draw: st.DrawFn, most: int) -> tuple[datetime, list[Organization]]:
    """Draw an instant, and organizations whose customers and rows have equal ids."""
    as_of = draw(moments())
    drawn = draw(st.lists(organizations(as_of), min_size=1, max_size=most))
    return as_of, [
        replace(one, number=number, limits=OWN_LIMITS.get(number, Limits()))
        for number, one in enumerate(drawn, start=1)
    ]


def history_of(
    number: int,
    zone: str,
    as_of: datetime,
    starts: list[tuple[str, str, datetime]],
    paid: list[tuple[str, datetime]],
) -> tuple[datetime, list[Organization]]:
    """Return a history of bookings and payments, with defaults for everything else."""
    organization = Organization(
        number=number,
        time_zone=zone,
        is_active=True,
        limits=OWN_LIMITS.get(number, Limits()),
        locations=(),
        customers=(),
        bookings=tuple(
            Booking(
                booking_id=str(number),
                square_customer_id=customer,
                location_id=LOCATIONS[0],
                team_member_id=None,
                service_id=None,
                status=status,
                start_at=start_at,
                customer_note=None,
                seller_note=None,
                updated_at=as_of,
            )
            for number, (customer, status, start_at) in enumerate(starts)
        ),
        payments=tuple(
            Payment(
                payment_id=str(number),
                square_customer_id=customer,
                status="COMPLETED",
                amount_cents=100,
                tip_cents=0,
                refunded_cents=0,
                created_at=created_at,
                updated_at=as_of,
            )
            for number, (customer, created_at) in enumerate(paid)
        ),
        referral_profiles=(),
    )
    return as_of, [organization]


def at_the_limits(number: int) -> tuple[datetime, list[Organization]]:
    """Return customers whose figures equal the limits, because these are hardly ever drawn."""
    as_of = datetime(2026, 1, 15, 12, tzinfo=UTC)
    days_ago = {
        ("unreliable", "ACCEPTED"): range(8),
        ("unreliable", "NO_SHOW"): range(2),
        ("stays away", "ACCEPTED"): range(9),
        ("stays away", "NO_SHOW"): range(1),
        ("cancels", "ACCEPTED"): range(7),
        ("cancels", "CANCELLED_BY_CUSTOMER"): range(3),
        ("irregular", "ACCEPTED"): [0, 1, 2, 4, 7, 10],
        ("stayed active", "ACCEPTED"): [10, 38, 66, 94, 125, 150],
        ("at risk", "ACCEPTED"): [50],
        ("came back", "ACCEPTED"): [10, 38, 66, 94, 126, 150],
    }
    rows = [
        (customer, status, as_of - timedelta(days=days))
        for (customer, status), ago in days_ago.items()
        for days in ago
    ]
    return history_of(number, "UTC", as_of, rows, [])


def before_the_clocks_change(zone: str, day: date) -> tuple[datetime, list[Organization]]:
    """Return rows that leave their windows with the first instant of a day."""
    as_of = datetime.combine(day - timedelta(days=1), time(12), ZoneInfo(zone))
    leaving = {days: as_of - timedelta(days=days) for days in (29, 89, 179, 364)}
    return history_of(
        2,
        zone,
        as_of,
        [(f"visited {days}", "ACCEPTED", instant) for days, instant in leaving.items()],
        [(f"paid {days}", instant) for days, instant in leaving.items()],
    )


@st.composite
def edited(draw: st.DrawFn, organization: Organization, as_of: datetime) -> Organization:
    """Draw changes of an organization: rows edited, moved, deleted and added."""
    whose = st.sampled_from([*CUSTOMERS, None])
    other = draw(organizations(as_of))
    known = {row.booking_id for row in organization.bookings}
    come = [row for row in other.bookings if row.booking_id not in known]
    return replace(
        organization,
        is_active=other.is_active,
        locations=draw(st.sampled_from([organization.locations, other.locations])),
        customers=edited_rows(draw, organization.customers, given_name=texts),
        bookings=(
            *edited_rows(
                draw,
                organization.bookings,
                status=st.sampled_from(STATUSES),
                square_customer_id=whose,
                seller_note=notes,
                updated_at=updates,
            ),
            *(come if draw(st.booleans()) else ()),
        ),
        payments=edited_rows(
            draw,
            organization.payments,
            amount_cents=amounts,
            square_customer_id=whose,
            updated_at=updates,
        ),
        referral_profiles=edited_rows(
            draw, organization.referral_profiles, is_activated=st.booleans()
        ),
    )


def edited_rows(
    draw: st.DrawFn, rows: tuple[T, ...], **columns: st.SearchStrategy[Any]
) -> tuple[T, ...]:
    """Draw changes of rows: most stay, some differ in a column, some are deleted."""
    changes = [*["none"] * 2 * len(columns), *columns, "gone"]
    drawn = [(row, draw(st.sampled_from(changes))) for row in rows]
    return tuple(
        replace(row, **{change: draw(columns[change])}) if change in columns else row
        for row, change in drawn
        if change != "gone"
    )


class System:
    """The bookings system in a database: rows of the source in, marts out."""

    tables = ("referral_profiles", "payments", "bookings", "customers", "locations")

    def __init__(
        self, connection: psycopg.Connection[DictRow], models: CompiledProject
    ) -> None:
        self.connection = connection
        self.models = models

    def forget(self) -> None:
        """Empty the marts, which would remember the last example."""
        self.connection.execute("delete from analytics.customer_analytics")

    def refresh(self, drawn: list[Organization], as_of: datetime) -> None:
        """Replace all rows of the source, and compute the marts."""
        with self.connection.transaction():
            for table in (*self.tables, "organizations"):
                self.connection.execute(f"delete from booking.{table}".encode())
            self._insert("organizations", [organization_row(one) for one in drawn])
            for table in self.tables:
                rows = [
                    {"organization_id": UUID(int=one.number), **vars(row)}
                    for one in drawn
                    for row in getattr(one, table)
                ]
                self._insert(table, rows)
        self.models.refresh(self.connection, as_of)

    def _insert(self, table: str, rows: list[Row]) -> None:
        if rows:
            columns = ", ".join(rows[0])
            self.connection.execute(
                f"insert into booking.{table} ({columns}) select {columns}"
                f" from jsonb_populate_recordset(null::booking.{table}, %s)".encode(),
                [json.dumps(rows, default=str)],
            )

    def customers(self) -> dict[tuple[UUID, str], DictRow]:
        """Return the rows of customer_analytics."""
        rows = self._published("customer_analytics")
        for row in rows:
            for note in row["booking_notes"]:
                note["start_at"] = datetime.fromisoformat(note["start_at"])
                assert note["start_at"].utcoffset() == timedelta(0)
        return {(row["organization_id"], row["square_customer_id"]): row for row in rows}

    def location_days(self) -> dict[Key, DictRow]:
        """Return the rows of analytics_appointments_by_location_daily."""
        rows = self._published("analytics_appointments_by_location_daily")
        return {(row["organization_id"], row["location_id"], row["date"]): row for row in rows}

    def _published(self, mart: str) -> list[DictRow]:
        return self.connection.execute(f"select * from analytics.{mart}".encode()).fetchall()


def organization_row(organization: Organization) -> Row:
    return {
        "id": UUID(int=organization.number),
        "slug": f"organization-{organization.number}",
        "name": "One",
        "time_zone": organization.time_zone,
        "is_active": organization.is_active,
    }


@pytest.fixture(scope="module")
def system(built: Database, full_refresh: CompiledProject) -> Iterator[System]:
    models = full_refresh.of("bookings")
    with built.connect() as connection:
        for limits in OWN_LIMITS.values():
            connection.execute(
                "insert into analytics_internal.risk_thresholds"
                " (tenant_slug, segment_new_days, segment_at_risk_days) values (%s, %s, %s)",
                [limits.threshold_row, limits.new_days, limits.at_risk_days],
            )
        # this takes a third of the time, and no row here is bad
        quick = [one for one in models.models if one.name != "int_quarantined_rows__bookings"]
        yield System(connection, replace(models, models=quick))


def differences(found: DictRow, expected: Row) -> Row:
    """Return the columns that differ, as they are and as they should be."""
    exact = {
        column: Fraction(value) if isinstance(value, Decimal) else value
        for column, value in found.items()
    }
    return {
        column: (exact[column], value)
        for column, value in expected.items()
        if exact[column] != value
    }


def assert_follows_the_rules(
    system: System, drawn: list[Organization], as_of: datetime
) -> None:
    found = system.customers()
    expected = {
        (UUID(int=one.number), customer.square_customer_id): customer.row()
        for one in drawn
        for customer in customers(one, as_of)
    }
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert found[key].keys() - row.keys() == {"organization_id", "valid_until", *STAMPS}
        assert differences(found[key], row) == {}, key

    days_found = system.location_days()
    days_expected = {
        (UUID(int=one.number), row["location_id"], row["date"]): row
        for one in drawn
        for row in location_days(one, as_of)
    }
    assert days_found.keys() == days_expected.keys()
    for place, row in days_expected.items():
        assert list(days_found[place]) == ["organization_id", *row]
        assert differences(days_found[place], row) == {}, place


@settings(max_examples=examples(12), deadline=None)
@given(history=histories(most=6))
@example(history=at_the_limits(1))
@example(history=at_the_limits(2))
def test_marts_follow_the_rules(
    system: System,
    history: tuple[datetime, list[Organization]],
) -> None:
    as_of, drawn = history
    system.forget()
    system.refresh(drawn, as_of)
    assert_follows_the_rules(system, drawn, as_of)
    for row in system.customers().values():
        assert [row[stamp] for stamp in STAMPS] == [as_of] * 3


@settings(max_examples=examples(8), deadline=None)
@given(data=st.data(), history=histories(most=6))
def test_edits_reach_the_marts_and_the_stamps(
    system: System,
    data: st.DataObject,
    history: tuple[datetime, list[Organization]],
) -> None:
    as_of, drawn = history
    later = as_of + data.draw(st.sampled_from([0 * HOUR, TICK, HOUR, 24 * HOUR, 720 * HOUR]))
    changed = [data.draw(edited(one, as_of) | st.just(one)) for one in drawn]
    system.forget()
    system.refresh(drawn, as_of)
    before = system.customers()
    system.refresh(changed, later)
    assert_follows_the_rules(system, changed, later)
    for key, row in system.customers().items():
        stamps = {stamp: row[stamp] for stamp in STAMPS}
        if key not in before:
            assert stamps == dict.fromkeys(STAMPS, later)
            continue
        old = before[key]
        differing = {column for column in row if row[column] != old[column]} - {*STAMPS}
        assert stamps == {
            "created_at": as_of,
            "updated_at": later if differing - {*NOT_BUSINESS} else as_of,
            "refreshed_at": later if differing else as_of,
        }, (key, differing)


@settings(max_examples=examples(8), deadline=None)
@given(history=histories(most=3))
@example(history=before_the_clocks_change("America/Havana", date(2025, 11, 2)))
@example(history=before_the_clocks_change("Asia/Beirut", date(2026, 3, 29)))
def test_valid_until_is_when_the_first_column_changes(
    system: System, history: tuple[datetime, list[Organization]]
) -> None:
    as_of, drawn = history
    system.forget()
    system.refresh(drawn, as_of)
    organizations_by_id = {UUID(int=one.number): one for one in drawn}
    for (organization_id, customer_id), row in system.customers().items():
        organization = organizations_by_id[organization_id]
        now = Customer(organization, customer_id, as_of)
        columns, events = now.row(), now.events()
        for instant in moments_ahead(organization, as_of, days=400):
            then = Customer(organization, customer_id, instant)
            if instant == row["valid_until"]:
                # too early an instant is allowed if something happens that no column shows
                assert then.row() != columns or then.events() != events
                break
            assert then.row() == columns, (customer_id, instant, row["valid_until"])
        else:
            assert row["valid_until"] is None
