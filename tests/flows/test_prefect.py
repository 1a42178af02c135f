"""`make serve`: a server comes up, a scheduled run fires by itself and finishes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import httpx
import pytest
from conftest import PROJECT, Database

from flows import errors
from flows.progress import Progress

Found = TypeVar("Found")

PATIENCE_SECONDS = 300


def wait_for(look: Callable[[], Found | None]) -> Found:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            found = look()
        except httpx.HTTPError:
            found = None
        if found:
            return found
        time.sleep(1)
    raise TimeoutError


@pytest.fixture
def api(refreshed: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    """The API of a server that `python -m flows.serve` has started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = refreshed.os_environment(
        PREFECT_HOME=str(tmp_path),
        PREFECT_SERVER_API_PORT=str(port),
        PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS="2",
        PREFECT_RUNNER_POLL_FREQUENCY="2",
        REFRESH_TIME_ZONE="Europe/Vienna",
    )
    with (tmp_path / "log").open("w") as log:
        served = subprocess.Popen(
            [sys.executable, "-m", "flows.serve"],
            cwd=PROJECT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=30) as client:
                yield client
            served.send_signal(signal.SIGINT)
            served.wait(60)
        finally:
            # its own session: nobody else is in it
            with suppress(ProcessLookupError):
                os.killpg(served.pid, signal.SIGKILL)
            served.wait()


def serve(**environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "flows.serve"],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_server_of_somebody_else_does_not_get_the_schedules(empty: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, error = serve(**empty.environment, PREFECT_SERVER_API_PORT=port)
    assert code == 4
    assert f"something listens on 127.0.0.1:{port} already" in error
    code, error = serve(PREFECT_SERVER_API_PORT="many")
    assert (code, error) == (2, "error: PREFECT_SERVER_API_PORT is many, must be 1 to 65535\n")
    for zone in ("Mars", "Factory"):
        code, error = serve(REFRESH_TIME_ZONE=zone)
        assert (code, error) == (
            2,
            f"error: REFRESH_TIME_ZONE is {zone}, must be one such as Europe/Rome\n",
        )


def post(api: httpx.Client, path: str, content: object) -> Any:
    """Post until it is taken: a busy server answers 503."""

    def look() -> httpx.Response | None:
        reply = api.post(path, json=content)
        return reply if reply.is_success else None

    return wait_for(look).json()


def deployment(api: httpx.Client, path: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        reply = api.get(f"/deployments/name/{path}")
        return reply.json() if reply.is_success else None

    return wait_for(look)


def completed(api: httpx.Client, of_deployment: dict[str, Any]) -> list[dict[str, Any]]:
    ended = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}
    of_it = {"deployments": {"id": {"any_": [of_deployment["id"]]}}, "flow_runs": ended}
    found: list[dict[str, Any]] = post(api, "/flow_runs/filter", of_it)
    return found


def test_a_scheduled_run_fires_and_finishes(api: httpx.Client) -> None:
    alerts = deployment(api, "alerts/alerts")
    every_five_seconds = {"schedule": {"interval": 5, "timezone": "UTC"}, "active": True}
    [schedule] = post(api, f"/deployments/{alerts['id']}/schedules", [every_five_seconds])
    [run, *_] = wait_for(lambda: completed(api, alerts))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert run["auto_scheduled"]
    assert run["name"].startswith("alerts 20")
    api.delete(f"/deployments/{alerts['id']}/schedules/{schedule['id']}")

    for name, zone in (
        # clock changes are nothing to what runs every hour
        ("hourly refresh/hourly", "UTC"),
        ("nightly refresh/nightly", "Europe/Vienna"),
        ("weekly summary/weekly", "Europe/Vienna"),
    ):
        [schedule] = deployment(api, name)["schedules"]
        assert schedule["schedule"]["timezone"] == zone

    dry_run = deployment(api, "dry run of the write-back/dry-run")
    post(api, f"/deployments/{dry_run['id']}/create_flow_run", {})
    [run, *_] = wait_for(lambda: completed(api, dry_run))
    assert run["state"]["type"] == "COMPLETED", run["state"]
    artifacts = post(api, "/artifacts/filter", {})
    assert "the-first-10-customers" in {artifact["key"] for artifact in artifacts}


GONE, WRONG = errors.Infrastructure("database: gone"), errors.TestsFailed("a_test: 1 rows")
HELD, BUSY = errors.WriteBackHeld("orders: stale"), errors.Busy("another refresh")


@pytest.mark.parametrize(
    ("flow", "ends", "state", "pauses"),
    [
        ("hourly", [], "Completed", []),
        ("nightly", [GONE], "Completed", [60]),
        ("nightly", [GONE, GONE], "Completed", [60, 300]),
        ("hourly", [GONE, GONE, GONE], "Infrastructure", [60, 300]),
        # what would only fail again
        ("nightly", [WRONG], "TestsFailed", []),
        ("nightly", [HELD], "WriteBackHeld", []),
        ("nightly", [GONE, WRONG], "TestsFailed", [60]),
        # one is skipped, the other waits
        ("hourly", [BUSY], "Skipped", []),
        ("nightly", [BUSY, BUSY, GONE], "Completed", [5, 5, 60]),
    ],
)
def test_only_failures_of_infrastructure_are_tried_again(
    flow: str,
    ends: list[errors.Failure],
    state: str,
    pauses: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from flows import scheduled  # Prefect takes seconds to import

    left = iter(ends)
    slept: list[float] = []

    def refresh(*_: object) -> dict[str, Any]:
        if failure := next(left, None):
            raise failure
        return {"rows_written": 0}

    monkeypatch.setattr(scheduled, "refresh", refresh)
    monkeypatch.setattr(scheduled, "print_refresh", lambda *_: None)
    monkeypatch.setattr(scheduled, "use_environment", lambda: None)
    monkeypatch.setattr(scheduled, "PrefectProgress", Progress)
    monkeypatch.setattr("time.sleep", slept.append)
    due = SimpleNamespace(scheduled_start_time=datetime.now(UTC))
    monkeypatch.setattr(scheduled, "runtime", SimpleNamespace(flow_run=due))
    assert getattr(scheduled, flow).fn().name == state
    assert slept == pauses

    due.scheduled_start_time -= timedelta(minutes=16)
    assert getattr(scheduled, flow).fn().name == "Missed"
