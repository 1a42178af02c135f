"""`customer-health serve`: a server starts, and a scheduled run begins by itself and ends."""

import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import httpx
import psycopg
import psycopg2  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]
from conftest import PROJECT, Database, free_port

from flows import errors
from flows.__main__ import parse
from flows.progress import Progress
from flows.serve import Keeper, end_left_runs, patient_runner

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

Found = TypeVar("Found")

PATIENCE_SECONDS = 300
PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]


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


def left_behind(home: Path) -> list[str]:
    """Return the processes that run with this PREFECT_HOME."""
    mark = f"PREFECT_HOME={home}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@dataclass(frozen=True)
class Prefect:
    """A Prefect server, and Prefect's own commands on it."""

    api: httpx.Client
    environment: dict[str, str]
    running: ExitStack

    def finish(self, *arguments: str) -> None:
        """Run a command to its end."""
        done = subprocess.run(
            [*PREFECT, *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, *arguments: str) -> None:
        """Start a command that stays until the end."""
        log = Path(self.environment["PREFECT_HOME"]) / arguments[0]
        told = self.running.enter_context(log.open("w"))
        program = subprocess.Popen(
            [*PREFECT, *arguments], cwd=PROJECT, env=self.environment, stdout=told, stderr=told
        )
        self.running.callback(program.wait, 60)
        self.running.callback(program.terminate)


@contextmanager
def prefect_of(
    environment: Mapping[str, str], home: Path, port: str | None = None
) -> Iterator[Prefect]:
    """Run a Prefect server; the environment is that of the commands, such as a worker."""
    port = port or free_port()
    with ExitStack() as running:
        prefect = Prefect(
            running.enter_context(client_of(port)),
            {
                **environment,
                "PREFECT_HOME": str(home),
                "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                "PREFECT_WORKER_QUERY_SECONDS": "2",
                # a shell sets PWD, and PYTHONPATH stands for the installed package
                "PWD": str(PROJECT),
                "PYTHONPATH": str(PROJECT),
            },
            running,
        )
        prefect.start("server", "start", "--port", port)
        wait_for(lambda: prefect.api.get("/health").is_success)
        yield prefect


@contextmanager
def serving(
    database: Database, home: Path, *options: str, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `customer-health serve` until the end of the block, or until the block stops it."""
    with (home / "log").open("w") as log:
        served = subprocess.Popen(
            [sys.executable, "-m", "flows", "serve", *options],
            cwd=PROJECT,
            env=database.os_environment(
                PREFECT_HOME=str(home),
                PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS="2",
                PREFECT_RUNNER_POLL_FREQUENCY="2",
                **environment,
            ),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield served
            served.send_signal(signal.SIGINT)
            served.wait(60)
        finally:
            # in a session of its own
            with suppress(ProcessLookupError):
                os.killpg(served.pid, signal.SIGKILL)
            served.wait()


def client_of(port: str) -> httpx.Client:
    # without keep-alive: the server closes a connection that has been idle
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=30, limits=limits)


def serve(home: Path, *options: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "flows", "serve", *options],
        cwd=PROJECT,
        env={**os.environ, "PREFECT_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_server_of_somebody_else_does_not_get_the_schedules(
    empty: Database, tmp_path: Path
) -> None:
    hosts: list[tuple[tuple[str, int], str]] = [(("127.0.0.1", 0), "0.0.0.0")]  # noqa: S104
    # a container may have no IPv6
    if Path("/proc/net/if_inet6").exists():
        hosts.append((("::1", 0), "::"))
    for listens, host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server(listens, family=family) as other:
            port = str(other.getsockname()[1])
            code, error = serve(
                tmp_path, "--host", host, **empty.environment, PREFECT_SERVER_API_PORT=port
            )
        assert code == 4
        assert f"{host}:{port} is already in use" in error


def test_invalid_options_of_serve_start_nothing(tmp_path: Path) -> None:
    """Not even the demo's database, which --help does not need either."""
    nowhere = {"PGHOST": "/nonexistent"}
    for options, environment, said in (
        ([], {"PREFECT_SERVER_API_PORT": "many"}, "'many' must be 1 to 65535"),
        (["--port", "0"], {}, "'0' must be 1 to 65535 (PREFECT_SERVER_API_PORT)"),
        ([], {"REFRESH_TIME_ZONE": "Mars"}, "'Mars' must be a time zone such as Europe/Rome"),
        (["--time-zone", "Factory"], {}, "'Factory' must be a time zone such as Europe/Rome"),
        (["now"], {}, "unrecognized arguments: now"),
    ):
        code, error = serve(tmp_path, *options, **nowhere, **environment)
        assert (code, len(error.splitlines())) == (2, 1)
        assert said in error
    # as if misspelt, but known without a name server
    code, error = serve(tmp_path, "--host", "::x", **nowhere)
    assert (code, len(error.splitlines())) == (4, 1)
    assert "--host ::x: " in error
    for module in (["flows", "serve"], ["flows.serve"]):
        done = subprocess.run(
            [sys.executable, "-m", *module, "--help"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        assert "--time-zone ZONE" in done.stdout


class Refusing(BaseHTTPRequestHandler):
    """A Prefect server that expects another password."""

    def do_POST(self) -> None:
        self.send_response(401)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.mark.slow
def test_a_server_that_is_not_there_or_lets_nobody_in_is_one_line(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        code, error = serve(tmp_path, PGHOST="/nonexistent", PREFECT_API_URL=url)
        server.shutdown()
    assert code == 4
    assert error == (
        f"error: the Prefect server at {url} answers 401; set PREFECT_API_KEY (Cloud) or"
        " PREFECT_API_AUTH_STRING (server)\n"
    )
    port = free_port()
    code, error = serve(tmp_path, "--no-server", "--port", port, PGHOST="/nonexistent")
    assert code == 4
    assert f"no Prefect server answers at http://127.0.0.1:{port}/api" in error
    assert "Traceback" not in error


def post(api: httpx.Client, path: str, content: object) -> Any:
    """Post until the server accepts: a busy one answers 503."""

    def look() -> httpx.Response | None:
        reply = api.post(path, json=content)
        return reply if reply.is_success else None

    return wait_for(look).json()


def delete(api: httpx.Client, path: str) -> None:
    """Delete, and be sure that it is gone: a busy server answers 503."""
    wait_for(lambda: api.delete(path).status_code in {204, 404})


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


@pytest.mark.slow
def test_a_scheduled_run_fires_and_finishes_and_the_end_leaves_nothing(  # noqa: PLR0915
    refreshed: Database, tmp_path: Path
) -> None:
    port = free_port()
    # a user and a password, in the environment of the scheduler
    login = {"PREFECT_SERVER_API_AUTH_STRING": "ana:p@ss"}
    options = ["--port", port, "--time-zone", "Europe/Vienna"]
    with serving(refreshed, tmp_path, *options, **login) as served, client_of(port) as api:
        wait_for(lambda: api.get("/health").is_success)
        assert api.post("/deployments/filter", json={}).status_code == 401
        api.auth = ("ana", "p@ss")
        alerts = deployment(api, "alerts/alerts")
        every_five_seconds = {"schedule": {"interval": 5, "timezone": "UTC"}, "active": True}
        [schedule] = post(api, f"/deployments/{alerts['id']}/schedules", [every_five_seconds])
        [run, *_] = wait_for(lambda: completed(api, alerts))
        assert run["state"]["type"] == "COMPLETED", run["state"]
        assert run["auto_scheduled"]
        assert run["name"].startswith("alerts 20")
        delete(api, f"/deployments/{alerts['id']}/schedules/{schedule['id']}")

        for name, zone in (
            # clock changes do not affect an hourly run
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

        # the form: what it shows of a parameter, and what it refuses
        nightly = deployment(api, "nightly refresh/nightly")
        form = nightly["parameter_openapi_schema"]["properties"]
        assert set(form) == {"tenant", "as_of", "no_write_back", "backfill_days"}
        assert all(field["description"] for field in form.values())
        assert (form["backfill_days"]["type"], form["backfill_days"]["maximum"]) == (
            "integer",
            3650,
        )
        asked = f"/deployments/{nightly['id']}/create_flow_run"
        refused = api.post(asked, json={"parameters": {"backfill_days": 9999}})
        assert refused.status_code == 409

        # read as on the command line, with the same message
        hourly = deployment(api, "hourly refresh/hourly")
        of_it = f"/deployments/{hourly['id']}/create_flow_run"
        for parameters, reason in (
            (
                {"tenant": "nobody"},
                "--tenant: no active tenant has the slug 'nobody'; there are: ",
            ),
            (
                {"as_of": "2026-06-15T12:00:00"},
                "--as-of: '2026-06-15T12:00:00' is no",
            ),
        ):
            run = post(api, of_it, {"parameters": parameters})
            wait_for(lambda: len(completed(api, hourly)) == 1)
            [run] = completed(api, hourly)
            assert (run["state"]["type"], run["state"]["name"]) == ("FAILED", "Failed")
            assert run["state"]["message"].startswith(reason)
            of_run = {"flow_run_id": {"any_": [run["id"]]}, "level": {"ge_": logging.ERROR}}
            # Prefect sends logs with a delay
            logs = wait_for(partial(post, api, "/logs/filter", {"logs": of_run}))
            assert any(reason in line["message"] for line in logs)
            delete(api, f"/flow_runs/{run['id']}")

        # stopped during a run; Prefect's message about failed runs has a traceback
        before = (tmp_path / "log").read_text()
        post(api, asked, {"parameters": {"no_write_back": True}})
        running = "select from pg_stat_activity where application_name = 'customer_health'"
        wait_for(lambda: refreshed.rows(running))
        served.send_signal(signal.SIGTERM)
        assert served.wait(60) == 130
        wait_for(lambda: not left_behind(tmp_path))
    assert "Traceback" not in (tmp_path / "log").read_text().removeprefix(before)
    assert not refreshed.rows(running)


def test_a_run_that_a_killed_serve_has_left_does_not_stay_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A continuous run that has not begun is deleted: it may have another interval."""
    from prefect.client.schemas.objects import StateType  # Prefect takes seconds to import

    deployments: Any = {name: SimpleNamespace(id=uuid.uuid4()) for name in ("day", "night")}
    left = {uuid.uuid4(): (name, state) for name in deployments for state in StateType}
    ended = {}

    class Server:
        """Has one run in each state of each deployment."""

        def read_flow_runs(self, deployment_filter: Any, flow_run_filter: Any) -> list[Any]:
            ids, states = deployment_filter.id.any_, flow_run_filter.state.type.any_
            return [
                SimpleNamespace(id=run)
                for run, (name, state) in left.items()
                if deployments[name].id in ids and state in states
            ]

        def set_flow_run_state(self, run: uuid.UUID, state: Any, *, force: bool) -> None:
            assert force
            ended[left[run]] = state.type

        def delete_flow_run(self, run: uuid.UUID) -> None:
            ended[left[run]] = "deleted"

    monkeypatch.setattr(
        "prefect.client.orchestration.get_client", lambda **_: nullcontext(Server())
    )
    end_left_runs(deployments, "day")
    begun = (StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)
    assert ended == {("day", StateType.SCHEDULED): "deleted"} | {
        (name, state): StateType.CRASHED for name in deployments for state in begun
    }
    ended.clear()
    # every hour, on a server that never had a continuous run
    end_left_runs({"night": deployments["night"]}, "day")
    assert {name for name, _ in ended} == {"night"}


def test_a_server_that_is_away_is_asked_until_it_answers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Prefect itself would end after three attempts; our own server does not come back."""
    refused = httpx.ConnectError("refused")
    left: Iterator[Exception | None] = iter(
        [None, refused, refused, refused, refused, None, refused, KeyError("a bug")]
    )

    async def look() -> None:
        if error := next(left):
            raise error

    def loop_of(module: str) -> Callable[..., Awaitable[None]]:
        found: Callable[..., Awaitable[None]] = sys.modules[module].critical_service_loop
        return found

    poller = "prefect.runner._scheduled_run_poller"
    patient_runner(None, None)
    for module in (poller, "prefect._internal.observers"):
        assert "_ask" in repr(loop_of(module))
    asked = partial(loop_of(poller), look, 0, run_once=False, jitter_range=0.3)
    with pytest.raises(KeyError):
        anyio.run(asked)
    away = "warning: no answer of the Prefect server: refused"
    assert capsys.readouterr().err.splitlines() == [
        *(away, "the Prefect server answers again", away)
    ]
    # it answers, and refuses
    request = httpx.Request("GET", "http://server")
    revoked = httpx.Response(401, request=request)
    left = iter([None, httpx.HTTPStatusError("401", request=request, response=revoked)])
    with pytest.raises(httpx.HTTPStatusError):
        anyio.run(asked)
    left = iter([None, refused])
    ended = SimpleNamespace(poll=lambda: 1)
    patient_runner(cast("subprocess.Popen[bytes]", ended), None)
    with pytest.raises(errors.Infrastructure, match="the Prefect server has ended"):
        anyio.run(loop_of(poller), look, 0)


def test_a_run_whose_end_the_server_did_not_note_gives_way_to_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect.client.schemas.objects import State
    from prefect.states import Pending, Running, Scheduled

    run = SimpleNamespace(id=uuid.uuid4(), state=Running(), end_time=None, total_run_time=ZERO)
    told: list[str] = []

    class Server:
        """A server that has one run; another one is only counted."""

        def read_deployment_by_name(self, _name: str) -> Any:
            return SimpleNamespace(id=uuid.uuid4(), paused=False)

        def read_flow_runs(self, **_: object) -> list[Any]:
            return [run]

        def set_flow_run_state(
            self, _run: uuid.UUID, state: State[Any], *, force: bool
        ) -> None:
            assert force
            run.state, run.end_time = state, datetime.now(UTC)
            told.append(state.name or "")

        def create_flow_run_from_deployment(self, *_: object, **__: object) -> None:
            told.append("another")

    seconds = 0.0
    monkeypatch.setattr("flows.serve.time.monotonic", lambda: seconds)
    alive: set[uuid.UUID] = set()
    keeper = Keeper("continuous", timedelta(minutes=1), alive.__contains__)
    looks: list[tuple[State[Any], bool, float, list[str]]] = [
        (Running(), True, 9999, []),
        (Running(), False, 9, []),
        # it has been seen again
        (Running(), True, 9999, []),
        # one that waits has no process
        (Scheduled(), False, 9999, []),
        (Pending(), False, 9999, []),
        (Pending(), False, 299, []),
        (Pending(), False, 1, ["Crashed"]),
    ]
    for state, is_alive, passed, expected in looks:
        run.state = state
        alive.clear()
        alive.update([run.id] if is_alive else [])
        seconds += passed
        keeper.look(cast("SyncPrefectClient", Server()))
        assert told == expected
    # after a run that failed early it would wait
    run.total_run_time = timedelta(hours=1)
    keeper.look(cast("SyncPrefectClient", Server()))
    assert told == ["Crashed", "another"]


ZERO = timedelta()
GONE = errors.Infrastructure("database: gone", is_temporary=True)
DENIED = errors.Infrastructure("database: permission denied for table customers")
WRONG = errors.TestsFailed("a_test: 1 rows")
HELD, BUSY = errors.WriteBackHeld("orders: stale"), errors.Busy("another refresh")


@pytest.mark.parametrize(
    ("flow", "ends", "state", "pauses"),
    [
        ("hourly", [], "Completed", []),
        ("nightly", [GONE], "Completed", [60]),
        ("nightly", [GONE, GONE], "Completed", [60, 300]),
        ("hourly", [GONE, GONE, GONE], "Failed", [60, 300]),
        # errors that would only repeat
        ("nightly", [WRONG], "Failed", []),
        ("nightly", [HELD], "Failed", []),
        ("hourly", [DENIED], "Failed", []),
        ("nightly", [GONE, WRONG], "Failed", [60]),
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
    logger = logging.getLogger("of the run")
    monkeypatch.setattr(scheduled, "get_run_logger", lambda: logger)
    ended = getattr(scheduled, flow).fn()
    assert ended.name == state
    assert slept == pauses
    if state == "Failed":
        assert ended.message == str(ends[-1])

    # missed, except runs that somebody requested: the next run would not do their work
    due.scheduled_start_time -= timedelta(minutes=16)
    assert getattr(scheduled, flow).fn().name == "Missed"
    left = iter([BUSY])
    assert getattr(scheduled, flow).fn(tenant="acme").name == "Completed"


@pytest.mark.slow
def test_a_step_that_has_failed_without_an_exception_is_a_failed_task(
    tmp_path: Path,
) -> None:
    """The write-back of one tenant, or a test of dbt: their result shows the failure."""
    program = """
from prefect import flow
from flows.scheduled import PrefectProgress
from flows.write_back import WriteBack

@flow
def both():
    done = PrefectProgress().run("fails", lambda: WriteBack(failed={"acme": "denied"}))
    assert done.failed
    assert PrefectProgress().run("passes", lambda: WriteBack()).failure() is None
    try:
        PrefectProgress().run("raises", lambda: 1 / 0)
    except ZeroDivisionError:
        return [type(done).__name__]

print(both())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={**os.environ, "PREFECT_HOME": str(tmp_path), "PREFECT_API_URL": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "['WriteBack']\n", done.stderr
    for name, ended in (
        ("fails", "Failed('write-back failed: acme: denied; all other tenants are done"),
        ("passes", "Completed()"),
        ("raises", "Failed('Task run encountered an exception ZeroDivisionError"),
    ):
        assert f"Task run '{name}' - Finished in state {ended}" in done.stderr


class Told(Exception):
    """A driver's error with its SQLSTATE."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("database")
        self.sqlstate = sqlstate


def test_permanent_errors_are_not_retried(empty: Database) -> None:
    for state in ("08006", "40001", "40P01", "53300", "57P01", "55P03", "58030"):
        assert errors.is_temporary(Told(state)), state
    for state in ("42501", "42P01", "28P01", "22012", "23505", "55006", "P0001"):
        assert not errors.is_temporary(Told(state)), state
    # libpq gives no SQLSTATE for errors before a session exists
    there = empty.environment
    empty.execute("create role nobody_logs_in")
    for changed, expected in (
        ({"PGHOST": "/nonexistent"}, True),
        ({"PGHOST": "127.0.0.1", "PGPORT": free_port()}, True),
        ({"PGDATABASE": "not_there"}, False),
        ({"PGUSER": "not_there"}, False),
        ({"PGUSER": "nobody_logs_in"}, False),
    ):
        given = {**there, **changed}
        for driver in (psycopg, psycopg2):
            with pytest.raises(driver.OperationalError) as failed:
                driver.connect(
                    host=given["PGHOST"],
                    port=given["PGPORT"],
                    user=given["PGUSER"],
                    dbname=given["PGDATABASE"],
                )
            assert errors.is_temporary(failed.value) is expected, failed.value
    empty.execute("drop role nobody_logs_in")


def test_prefect_reads_prefect_yaml_and_finds_its_flows() -> None:
    from prefect.cli.deploy._models import PrefectYamlModel
    from prefect.flows import load_flow_from_entrypoint

    read = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    deployments = PrefectYamlModel.model_validate(read).deployments
    assert len(deployments) == 9
    for found in deployments:
        assert found.work_pool
        assert found.entrypoint
        flow: Any = load_flow_from_entrypoint(found.entrypoint)
        assert set(found.parameters) <= set(flow.parameters.properties)
        assert all(field["description"] for field in flow.parameters.properties.values())


@pytest.mark.slow
def test_a_server_that_was_named_gets_the_schedules_and_goes_on(
    refreshed: Database, tmp_path: Path
) -> None:
    """Schedules of prefect.yaml for a worker of a process work pool, then those of `serve`."""
    with prefect_of(refreshed.os_environment(), tmp_path) as prefect:
        api, finish = prefect.api, prefect.finish
        url = {"PREFECT_API_URL": prefect.environment["PREFECT_API_URL"]}
        finish("work-pool", "create", "customer-health", "--type", "process")
        finish("deploy", "--all")
        prefect.start("worker", "start", "--pool", "customer-health")
        deployments = post(api, "/deployments/filter", {})
        assert len(deployments) == 9
        assert {found["work_pool_name"] for found in deployments} == {"customer-health"}
        for name, when in (("nightly refresh/nightly", "0 2 * * *"), ("alerts/alerts", 300)):
            [planned] = deployment(api, name)["schedules"]
            assert when in planned["schedule"].values()
        form = deployment(api, "nightly refresh/nightly")["parameter_openapi_schema"]
        assert all(field["description"] for field in form["properties"].values())

        def run_it() -> None:
            weekly = deployment(api, "weekly summary/weekly")
            post(api, f"/deployments/{weekly['id']}/create_flow_run", {})
            [run] = wait_for(lambda: completed(api, weekly))
            assert run["state"]["type"] == "COMPLETED", run["state"]

        run_it()

        # a worker has them: with those of `serve`, each run would start twice
        code, error = serve(tmp_path, **refreshed.environment, **url)
        assert code == 4
        assert error.startswith("error: work pool customer-health already has the schedules")
        assert error.count("\n") == 1
        for name in re.findall("'([^']*)'", error):
            finish("deployment", "delete", name)
        assert post(api, "/deployments/filter", {}) == []

        home = tmp_path / "serve"
        home.mkdir()
        with serving(refreshed, home, **url) as served:
            run_it()
            served.send_signal(signal.SIGTERM)
            assert served.wait(60) == 130
        wait_for(lambda: not left_behind(home))
        assert api.get("/health").is_success
        assert deployment(api, "alerts/alerts")["paused"]


@pytest.mark.slow
def test_serve_outlasts_its_server(refreshed: Database, tmp_path: Path) -> None:
    port, home = free_port(), tmp_path / "serve"
    home.mkdir()
    environment = {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        # otherwise each attempt takes a minute
        "PREFECT_CLIENT_MAX_RETRIES": "2",
    }
    with ExitStack() as running:
        with prefect_of(refreshed.os_environment(), tmp_path, port) as prefect:
            served = running.enter_context(serving(refreshed, home, **environment))
            # all are registered
            wait_for(lambda: "\nserving " in (home / "log").read_text())
            time.sleep(5)
        # Prefect itself gives up after three attempts
        time.sleep(40)
        assert served.poll() is None, (home / "log").read_text()
        with prefect_of(refreshed.os_environment(), tmp_path, port) as prefect:
            dry_run = deployment(prefect.api, "dry run of the write-back/dry-run")
            post(prefect.api, f"/deployments/{dry_run['id']}/create_flow_run", {})
            [run] = wait_for(lambda: completed(prefect.api, dry_run))
            assert run["state"]["type"] == "COMPLETED", run["state"]
        said = (home / "log").read_text()
        assert said.count("no answer of the Prefect server") >= 1
        assert "the Prefect server answers again" in said


UNITS = sorted((PROJECT / "deploy" / "systemd").glob("*.service"))


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine, which is what checks the units")
    assert len(UNITS) == 3
    for unit in UNITS:
        # the folders of this machine's programs
        text = unit.read_text().replace("/opt/customer-health/.venv-dashboards", str(tmp_path))
        text = text.replace("/opt/customer-health/.venv", str(tmp_path))
        (tmp_path / unit.name).write_text(text)
    (tmp_path / "bin").mkdir()
    for program in ("python", "customer-health"):
        (tmp_path / "bin" / program).symlink_to(sys.executable)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / u.name) for u in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    # it only warns about unknown keys
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_units_run_is_a_command_of_ours() -> None:
    [serve] = [
        line.split("/bin/customer-health ", 1)[1].split()
        for unit in UNITS
        for line in unit.read_text().splitlines()
        if "/bin/customer-health " in line
    ]
    assert parse(serve).no_server
