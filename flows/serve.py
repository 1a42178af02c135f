"""`make serve`: a Prefect server with its UI, and the schedules of the refreshes.

Errors: ends with 2 for a wrong setting, with 4 when the server does not come up, with 130
when it is stopped.
"""

import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import httpx

from flows.database import use_environment
from flows.errors import Failure, Infrastructure, WrongArgument
from flows.progress import print_any_text
from flows.project import LOCAL
from flows.schemas import PREFIX, check_prefix

if TYPE_CHECKING:
    from prefect.schedules import Schedule

HOST = "127.0.0.1"
HOME = LOCAL / f"{PREFIX}prefect"
PORT = os.environ.get("PREFECT_SERVER_API_PORT", "4200")
TIME_ZONE = os.environ.get("REFRESH_TIME_ZONE", "UTC")
SECONDS_TO_START = 60

# what schedules are reckoned from, and how far ahead of today: until then `make serve` is
# surely started again
BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001 - in the time zone of the schedule
DAYS_AHEAD = 3660

SETTINGS = {
    "PREFECT_HOME": os.environ.get("PREFECT_HOME", str(HOME)),
    "PREFECT_API_URL": f"http://{HOST}:{PORT}/api",
    "PREFECT_SERVER_API_HOST": HOST,
    "PREFECT_SERVER_API_PORT": PORT,
    "PREFECT_SERVER_UI_API_URL": f"http://{HOST}:{PORT}/api",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # what the terminal's encoding lacks is no error in a run, either
    "PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace",
}


def check_settings() -> None:
    """Raise WrongArgument for a prefix, a port or a time zone that cannot be."""
    check_prefix()
    if not PORT.isdecimal() or not 0 < int(PORT) < 2**16:
        raise WrongArgument(f"PREFECT_SERVER_API_PORT is {PORT}, must be 1 to 65535")
    # two that are no places, and that Prefect does not take
    if TIME_ZONE not in available_timezones() - {"Factory", "localtime"}:
        raise WrongArgument(
            f"REFRESH_TIME_ZONE is {TIME_ZONE}, must be one such as Europe/Rome"
        )


def start_server() -> subprocess.Popen[bytes]:
    """Start the server and wait until it answers."""
    with socket.socket() as mine:
        # or else whoever listens there would be taken for it, and get the schedules
        if mine.connect_ex((HOST, int(PORT))) == 0:
            raise Infrastructure(
                f"something listens on {HOST}:{PORT} already; PREFECT_SERVER_API_PORT names"
                " another port"
            )
    server = subprocess.Popen([sys.executable, "-m", "prefect", "server", "start"])
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and server.poll() is None:
        try:
            httpx.get(f"{SETTINGS['PREFECT_API_URL']}/health", timeout=2).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.5)
        else:
            return server
    server.terminate()
    raise Infrastructure(f"the Prefect server did not come up on {HOST}:{PORT}")


def schedules(zone: str) -> "dict[str, Schedule]":
    """Return when each flow runs, by the clocks of this time zone.

    What runs by the hour or minute goes by intervals in UTC, from a local midnight on: in a
    zone of its own, Prefect takes an hour that comes twice for one, and leaves a gap.
    """
    from prefect.schedules import Cron, Interval, RRule

    begin = BEGIN.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return {
        "hourly": Interval(timedelta(hours=1), anchor_date=begin, timezone="UTC"),
        "nightly": RRule(nightly_rule(zone), timezone=zone),
        "alerts": Interval(timedelta(minutes=5), anchor_date=begin, timezone="UTC"),
        # no clock is changed at that hour
        "weekly": Cron("0 6 * * 1", timezone=zone),
    }


def nightly_rule(zone: str) -> str:
    """Return the rule of 02:00 on every local day, the first one where it comes twice.

    Where the clocks leave it out, the run is due 24 hours after the one before. Left to
    itself, Prefect would plan it for the hour before.
    """
    lines = ["RRULE:FREQ=DAILY;BYHOUR=2;BYMINUTE=0;BYSECOND=0"]
    past = datetime.now(UTC).replace(tzinfo=None) - BEGIN
    for days in range(past.days + DAYS_AHEAD):
        due = BEGIN + timedelta(days=days, hours=2)
        instant = due.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        shown = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if shown != due:
            lines += [f"EXDATE:{due:%Y%m%dT%H%M%S}", f"RDATE:{shown:%Y%m%dT%H%M%S}"]
    return "\n".join(lines)


def serve() -> None:
    """Offer the flows to the server, at their hours, until stopped."""
    # after the settings are made: Prefect reads them when it is imported
    from prefect import serve as serve_deployments
    from prefect.deployments.runner import RunnerDeployment
    from prefect.types.entrypoint import EntrypointType

    from flows.scheduled import alerts, dry_run, hourly, nightly, weekly

    flows = {
        "hourly": hourly,
        "nightly": nightly,
        "alerts": alerts,
        "weekly": weekly,
        "dry-run": dry_run,
    }
    hours = schedules(TIME_ZONE)
    serve_deployments(
        *(
            RunnerDeployment.from_flow(
                flow,
                name=f"{PREFIX}{name}",
                # without one: when somebody presses the button
                schedule=hours.get(name),
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
            for name, flow in flows.items()
        )
    )


def main() -> int:
    """Run server and schedules until Ctrl-C."""
    print_any_text()
    try:
        check_settings()
        os.environ |= SETTINGS
        Path(SETTINGS["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
        use_environment()
        server = start_server()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.exit_code
    try:
        serve()
    finally:
        server.terminate()
        server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
