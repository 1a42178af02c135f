"""When flows run, by Prefect's own code, over two years of clock changes."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flows.serve import schedules

# zones with a change of half an hour, of a month each year, at midnight, and none
ZONES = (
    *("Europe/Rome", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Beirut", "UTC"),
    *(
        pytest.param(zone, marks=pytest.mark.slow)
        for zone in (
            *("America/New_York", "Africa/Cairo", "America/Sao_Paulo", "Atlantic/Azores"),
            *("Antarctica/Troll", "Asia/Kathmandu", "Pacific/Apia"),
        )
    ),
)
FIRST, LAST = date(2026, 1, 2), date(2028, 1, 2)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def planned(schedule: Any, start: datetime, runs: int) -> list[datetime]:
    """Return the instants that Prefect's scheduler plans at this moment."""
    from prefect.deployments.schedules import create_deployment_schedule_create
    from prefect.server.schemas import schedules as of_server

    sent = create_deployment_schedule_create(schedule).schedule
    kind = getattr(of_server, type(sent).__name__)
    received = kind.model_validate(sent.model_dump(mode="json"))
    found = asyncio.run(received.get_dates(n=runs, start=start))
    # not pendulum's datetimes, which compute differently
    return [datetime.fromtimestamp(instant.timestamp(), UTC) for instant in found]


def changes(zone: str) -> list[datetime]:
    """Return the hours, in UTC, after which the clocks of a zone have changed."""
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    hours = [start + number * HOUR for number in range((LAST - FIRST).days * 24)]
    local = [hour.astimezone(ZoneInfo(zone)) for hour in hours]
    return [
        one.astimezone(UTC)
        for one, later in pairwise(local)
        if one.utcoffset() != later.utcoffset()
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_clock_changes_leave_every_hour_and_five_minutes(zone: str) -> None:
    moments = [datetime(2026, 8, 8, tzinfo=UTC), *changes(zone)]
    for name, pause, minutes in (("hourly", HOUR, {0, 30}), ("alerts", HOUR / 12, None)):
        for moment in moments:
            start = moment - 2 * HOUR
            instants = planned(schedules(zone)[name], start, int(6 * HOUR / pause))
            assert {later - one for one, later in pairwise(instants)} == {pause}
            assert instants[0] - start < pause
            if minutes:
                local = {instant.astimezone(ZoneInfo(zone)).minute for instant in instants}
                assert local <= minutes


@pytest.mark.parametrize("zone", ZONES)
def test_every_local_day_has_one_nightly_whenever_it_is_planned(zone: str) -> None:
    schedule = schedules(zone)["nightly"]
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    days = (LAST - FIRST).days
    instants = set(planned(schedule, start, days + 2))
    # the scheduler plans again and again, more often near clock changes
    looks = [
        change + number * HOUR for change in changes(zone) for number in range(-26, 27, 4)
    ]
    for look in looks:
        instants |= set(planned(schedule, look, 3))
    local = [instant.astimezone(ZoneInfo(zone)) for instant in sorted(instants)]
    count = Counter(instant.date() for instant in local)
    for number in range(1, days):
        assert count[FIRST + number * DAY] == 1, FIRST + number * DAY
    odd = [instant for instant in local if (instant.hour, instant.minute) != (2, 0)]
    for instant in odd:
        # that day has no 02:00, and this is 24 hours after the night before
        two = instant.replace(hour=2, minute=0, fold=0)
        assert two.astimezone(UTC).astimezone(ZoneInfo(zone)) == instant
    assert len(odd) <= 2
    assert bool(odd) == (
        zone
        in {
            *("Europe/Rome", "America/New_York", "Australia/Lord_Howe"),
            *("Africa/Casablanca", "Antarctica/Troll"),
        }
    )


@pytest.mark.parametrize("zone", ZONES)
def test_the_weekly_summary_is_due_on_mondays_at_six(zone: str) -> None:
    instants = planned(schedules(zone)["weekly"], datetime(2026, 1, 1, tzinfo=UTC), 104)
    local = [instant.astimezone(ZoneInfo(zone)) for instant in instants]
    assert {(instant.weekday(), instant.hour, instant.minute) for instant in local} == {
        (0, 6, 0)
    }
    assert {later.date() - one.date() for one, later in pairwise(local)} == {7 * DAY}
