"""`make serve`: a Prefect server with its UI, and the schedules of the refreshes.

Errors: ends with 2 for a wrong setting, with 4 when the server does not come up, with 130
when it is stopped.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from zoneinfo import available_timezones

import httpx

from flows.database import PROJECT, use_environment
from flows.errors import Failure, Infrastructure, WrongArgument
from flows.progress import print_any_text

HOST = "127.0.0.1"
PORT = os.environ.get("PREFECT_SERVER_API_PORT", "4200")
TIME_ZONE = os.environ.get("REFRESH_TIME_ZONE", "UTC")
SECONDS_TO_START = 60

SETTINGS = {
    "PREFECT_HOME": os.environ.get("PREFECT_HOME", str(PROJECT / ".local" / "prefect")),
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
    """Raise WrongArgument for a port or a time zone that cannot be."""
    if not PORT.isdecimal() or not 0 < int(PORT) < 2**16:
        raise WrongArgument(f"PREFECT_SERVER_API_PORT is {PORT}, must be 1 to 65535")
    if TIME_ZONE not in available_timezones():
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


def serve() -> None:
    """Offer the flows to the server, at their hours, until stopped."""
    # after the settings are made: Prefect reads them when it is imported
    from prefect import serve as serve_deployments
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    from flows.scheduled import alerts, dry_run, hourly, nightly, weekly

    # None: when somebody presses the button
    hours = {
        "hourly": (hourly, "0 * * * *"),
        "nightly": (nightly, "0 2 * * *"),
        "alerts": (alerts, "*/5 * * * *"),
        "weekly": (weekly, "0 6 * * 1"),
        "dry-run": (dry_run, None),
    }
    serve_deployments(
        *(
            RunnerDeployment.from_flow(
                flow,
                name=name,
                schedule=Cron(cron, timezone=TIME_ZONE) if cron else None,
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
            for name, (flow, cron) in hours.items()
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
