"""`customer-health serve`: run the schedules, on its own Prefect server or on another.

Exit codes: 2 for a wrong setting, 4 if there is no server, 130 when it is stopped.
"""

import argparse
import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from flows.continuous import ONE_BY_ONE, parse_every
from flows.errors import Infrastructure, WrongArgument
from flows.fleet import at_once, names
from flows.progress import count_of
from flows.project import LOCAL
from flows.schemas import PREFIX
from flows.streams import print_on, tell

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.runner import Runner
    from prefect.schedules import Schedule

SECONDS_TO_START = 60
SECONDS_TO_STOP = 20
SECONDS_TO_LOOK = 2
# so long Prefect may need to report how a run has ended
SECONDS_TO_REPORT = 300
FIRST_PAUSE = timedelta(seconds=10)
# as many failures as lead to the longest pause
MOST_FAILURES = 10
# where this machine reaches a server that listens everywhere
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not listened on
SECONDS_TO_CONNECT = 5

# schedules start here and are computed this many days ahead: serve is restarted before that
BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001 - in the time zone of the schedule
DAYS_AHEAD = 3660

STOPPED = 130

# in a fleet, the deployments that compute or write, which are limited in number
BOUNDED = ("hourly", "nightly", "organization", "write-back", "fit-orders", "fit-visits")
LIMIT = f"{PREFIX}customer-health-fleet"
# how many other runs may go on beside them
OTHERS_AT_ONCE = 3


@dataclass(frozen=True)
class Address:
    """Where our server listens."""

    host: str
    port: int

    @property
    def reached_at(self) -> str:
        """The host under which this machine reaches it."""
        return EVERYWHERE.get(self.host, self.host)

    @property
    def api(self) -> str:
        """The address of its API."""
        host = f"[{self.reached_at}]" if ":" in self.reached_at else self.reached_at
        return f"http://{host}:{self.port}/api"


def serve_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options; the environment gives their defaults."""
    command.description = (
        "Registers the flows with their schedules and runs them when they are due, until it"
        " is stopped. It uses the Prefect server or Cloud of PREFECT_API_URL, or else starts"
        " a server."
    )
    command.add_argument(
        "--host",
        default=os.environ.get("PREFECT_SERVER_API_HOST") or "127.0.0.1",
        help="host that the server listens on (PREFECT_SERVER_API_HOST, or 127.0.0.1)",
    )
    command.add_argument(
        "--port",
        type=_port,
        default=os.environ.get("PREFECT_SERVER_API_PORT") or "4200",
        help="port that the server listens on (PREFECT_SERVER_API_PORT, or 4200)",
    )
    command.add_argument(
        "--time-zone",
        metavar="ZONE",
        type=_time_zone,
        default=os.environ.get("REFRESH_TIME_ZONE") or "UTC",
        help="time zone of the nightly, weekly and monthly runs (REFRESH_TIME_ZONE, or UTC)",
    )
    command.add_argument(
        "--refresh-every",
        metavar="TIME",
        type=parse_every,
        default=os.environ.get("REFRESH_EVERY") or "1h",
        help="interval of the hourly refresh, 10s to 24h (REFRESH_EVERY, or 1h)",
    )
    command.add_argument(
        "--no-server",
        action="store_true",
        help="start no server, use the one at PREFECT_API_URL, or at --host and --port",
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**16):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1 to 65535 (PREFECT_SERVER_API_PORT)"
        )
    return int(text)


def _time_zone(text: str) -> str:
    # two names that are no places and that Prefect refuses
    if text not in available_timezones() - {"Factory", "localtime"}:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a time zone such as Europe/Rome (REFRESH_TIME_ZONE)"
        )
    return text


def serve(arguments: argparse.Namespace) -> int:
    """Serve the flows at their hours until Ctrl-C or SIGTERM; return the exit code."""
    if names() and arguments.refresh_every < ONE_BY_ONE:
        raise WrongArgument(
            "--refresh-every (REFRESH_EVERY): must be 1h or more with FLEET, because a run"
            " that stays alive for each database would block the others"
        )
    at_once()
    # also for a process in the background, where a shell makes it ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, _as_ctrl_c)
    address = Address(arguments.host, arguments.port)
    given = os.environ.get("PREFECT_API_URL")
    os.environ |= _settings(given or address.api)
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
    if given or arguments.no_server:
        _check_server(os.environ["PREFECT_API_URL"])
        _offer(arguments.time_zone, arguments.refresh_every)
    else:
        with _server(address) as server:
            _offer(arguments.time_zone, arguments.refresh_every, server)
    print_on(sys.stderr, "stopped")
    return STOPPED


def _as_ctrl_c(*_: object) -> None:
    """Treat another signal like Ctrl-C, which Prefect handles well."""
    signal.raise_signal(signal.SIGINT)


def _settings(api: str) -> dict[str, str]:
    """Return the environment of Prefect: for the server, this process and every run."""
    settings = {
        "PREFECT_HOME": str(LOCAL / f"{PREFIX}prefect"),
        "PREFECT_SERVER_UI_API_URL": api,
        **os.environ,
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # a run in a fleet's limit holds a lease, and is cancelled if a restarted server has
        # forgotten it
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
        "DO_NOT_TRACK": "1",
        # characters that the terminal cannot show must not fail a run
        "PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace",
    }
    if password := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        # our own server asks for the password, so pass it on
        settings.setdefault("PREFECT_API_AUTH_STRING", password)
    return settings


def _check_server(api: str) -> None:
    """Raise Infrastructure unless a server answers at this address and accepts us."""
    # imported after the settings are made, because Prefect reads them on import
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        with get_client(sync_client=True) as client:
            client.read_deployments(limit=1)
    except PrefectHTTPStatusError as error:
        code = error.response.status_code
        why = (
            "; set PREFECT_API_KEY (Cloud) or PREFECT_API_AUTH_STRING (server)"
            if code in (401, 403)
            else ""
        )
        raise Infrastructure(f"the Prefect server at {api} answers {code}{why}") from error
    except (httpx.HTTPError, httpx.InvalidURL, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise Infrastructure(f"no Prefect server answers at {api}: {reason}") from error


def _listens(address: Address) -> bool:
    """Return whether something listens there. Raises Infrastructure for an unknown host."""
    place = (address.reached_at, address.port)
    try:
        socket.create_connection(place, SECONDS_TO_CONNECT).close()
    except (socket.gaierror, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Infrastructure(
            f"--host {address.host}: {reason} (PREFECT_SERVER_API_HOST)"
        ) from error
    except OSError:
        return False
    return True


@contextmanager
def _server(address: Address) -> "Iterator[subprocess.Popen[bytes]]":
    """Run our own server, which ends with this process."""
    import httpx

    # otherwise another listener would be taken for our server and get the schedules
    if _listens(address):
        raise Infrastructure(
            f"{address.host}:{address.port} is already in use; choose another --port"
            " (PREFECT_SERVER_API_PORT), or use the server there with --no-server"
        )
    if address.host not in ("127.0.0.1", "localhost", "::1") and not os.environ.get(
        "PREFECT_SERVER_API_AUTH_STRING"
    ):
        tell(
            sys.stderr,
            f"warning: anyone who reaches {address.host}:{address.port} can start and stop"
            " runs; set PREFECT_SERVER_API_AUTH_STRING to require a user and a password",
        )
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "prefect", "server", "start"),
            *("--host", address.host, "--port", str(address.port)),
        ],
        # Ctrl-C goes only to us: we pause the schedules on the server, then stop it
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread has begun yet
    )
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            with suppress(httpx.HTTPError):
                httpx.get(f"{address.api}/health", timeout=2).raise_for_status()
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise Infrastructure(
                    f"the Prefect server did not start on {address.host}:{address.port}"
                )
            time.sleep(0.5)
        yield server
    finally:
        _end(server)


def die_with_parent() -> None:
    """Let Linux end this process when its parent is killed."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _end(server: subprocess.Popen[bytes]) -> None:
    """Stop the server and everything that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def schedules(zone: str, every: timedelta = ONE_BY_ONE) -> "dict[str, Schedule]":
    """Return the schedule of each flow in this time zone.

    The hourly flow has no schedule if a continuous run refreshes more often.

    Hourly and minute schedules are intervals in UTC from a local midnight: in a local zone
    Prefect would treat an hour that comes twice as one and leave a gap.
    """
    from prefect.schedules import Cron, Interval, RRule

    begin = BEGIN.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    hourly = Interval(every, anchor_date=begin, timezone="UTC")
    return ({"hourly": hourly} if every >= ONE_BY_ONE else {}) | {
        "nightly": RRule(nightly_rule(zone), timezone=zone),
        "alerts": Interval(timedelta(minutes=5), anchor_date=begin, timezone="UTC"),
        # no time zone changes its clocks at that hour
        "weekly": Cron("0 6 * * 1", timezone=zone),
        "fit-orders": Cron("0 5 1 * *", timezone=zone),
        "fit-visits": Cron("0 5 1 * *", timezone=zone),
    }


def nightly_rule(zone: str) -> str:
    """Return the rule for 02:00 on every local day, the first 02:00 if it comes twice.

    If the clocks skip it, the run is due 24 hours after the one before; Prefect by itself
    would plan it an hour earlier.
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


def _offer(
    zone: str, every: timedelta, server: "subprocess.Popen[bytes] | None" = None
) -> None:
    """Register the flows and their schedules, and serve them until stopped.

    server: our own, if we have started one.
    """
    # imported after the settings are made, because Prefect reads them on import
    from prefect.deployments.runner import RunnerDeployment
    from prefect.types.entrypoint import EntrypointType

    from flows import scheduled

    # by the name of the deployment, its flow
    flows: dict[str, Flow[..., Any]] = {
        "hourly": scheduled.hourly,
        "nightly": scheduled.nightly,
        "organization": scheduled.organization,
        "write-back": scheduled.write_back,
        "dry-run": scheduled.dry_run,
        "alerts": scheduled.alerts,
        "weekly": scheduled.weekly,
        "fit-orders": scheduled.fit_orders,
        "fit-visits": scheduled.fit_visits,
    }
    if every < ONE_BY_ONE:
        flows["continuous"] = scheduled.continuous
    services: Sequence[str | None] = names() or [None]
    deployments = {
        # by its full name, the short name, the flow and the database
        f"{flow.name}/{named(name, service)}": (name, flow, service)
        for service in services
        for name, flow in flows.items()
    }
    continuous = f"{scheduled.continuous.name}/{PREFIX}continuous"
    earlier = _registered(dict.fromkeys([*deployments, continuous]))
    _refuse_work_pool(earlier)
    end_left_runs(earlier, continuous)
    hours = schedules(zone, every)
    runner = patient_runner(server, at_once() + OTHERS_AT_ONCE if services[0] else None)
    if every < ONE_BY_ONE:
        # by the map of the running processes
        keeper = Keeper(continuous, every, lambda run: bool(runner._process_manager.get(run)))  # noqa: SLF001
        threading.Thread(target=keeper.keep, daemon=True).start()
    elif continuous in earlier:
        _take_back(earlier[continuous])
    offered = [
        RunnerDeployment.from_flow(
            flow,
            name=named(name, service),
            # without a schedule a run starts only by hand
            schedule=hours.get(name),
            tags=[service] if service else None,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        for name, flow, service in deployments.values()
    ]
    with suppress(KeyboardInterrupt):
        for deployment in offered:
            runner.add_deployment(deployment)
        if services[0]:
            _bound([path for path, (name, *_) in deployments.items() if name in BOUNDED])
        tell(
            sys.stdout,
            f"serving {count_of(len(offered), 'deployment')} of"
            f" {count_of(len(services), 'database')}",
        )
        try:
            asyncio.run(runner.start())
        except BaseExceptionGroup as group:
            # of the tasks that Prefect runs at once
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise error from None


def patient_runner(server: "subprocess.Popen[bytes] | None", limit: int | None) -> "Runner":
    """Return a runner of Prefect that asks a server that is away again and again.

    By itself it ends after three attempts, and kills all runs. server: our own, if we have
    started one. If that has ended, nothing would start it again: then the runner ends.
    """
    import httpx
    from prefect._internal import observers
    from prefect.exceptions import ObjectNotFound
    from prefect.runner import Runner
    from prefect.runner import _scheduled_run_poller as poller

    def has_ended() -> bool:
        return server is not None and server.poll() is not None

    class PatientRunner(Runner):
        # Prefect's own handler leaves its loop halfway and abandons the running runs
        def handle_sigterm(self, *_: object) -> None:
            _as_ctrl_c()

        async def _pause_schedules(self) -> None:
            # otherwise it would not stop the runs
            with suppress(httpx.HTTPError, ObjectNotFound):
                if not has_ended():
                    await super()._pause_schedules()  # type: ignore[no-untyped-call]

    # this looks for runs that are due
    poller.critical_service_loop = partial(_ask, has_ended)  # type: ignore[attr-defined]
    # and this for those that are to be cancelled
    observers.critical_service_loop = partial(_ask, bool)  # type: ignore[attr-defined]
    return PatientRunner(limit=limit)


async def _ask(
    has_ended: Callable[[], bool],
    workload: Callable[[], Awaitable[None]],
    interval: float,
    **_: object,
) -> None:
    """Ask the server at this interval, forever. Raises Infrastructure if it has ended."""
    import httpx

    is_away = False
    while True:
        try:
            await workload()
            if is_away:
                tell(sys.stderr, "the Prefect server answers again")
            is_away = False
        except httpx.HTTPError as error:
            if isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error:
                # it is there and refuses, as for another key or version
                raise
            if has_ended():
                raise Infrastructure("the Prefect server has ended") from error
            if not is_away:
                reason = str(error).partition("\n")[0] or type(error).__name__
                tell(sys.stderr, f"warning: no answer of the Prefect server: {reason}")
            is_away = True
        await asyncio.sleep(interval)


def named(name: str, service: str | None) -> str:
    """Return the name of a deployment, for one database of a fleet if given."""
    return "-".join(filter(None, [f"{PREFIX}{name}", service]))


def _bound(paths: Sequence[str]) -> None:
    """Limit how many runs of these deployments go on at once, in all.

    Other runs wait at the server, without a process. This must follow the registration, which
    takes deployments out of the limit.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(LIMIT, at_once())
        limit = client.read_global_concurrency_limit_by_name(LIMIT)
        for path in paths:
            client.request(
                "PATCH",
                "/deployments/{id}",
                path_params={"id": client.read_deployment_by_name(path).id},
                # the client has no argument for this
                json={"global_concurrency_limit_id": str(limit.id)},
            )


def _registered(paths: Iterable[str]) -> "dict[str, DeploymentResponse]":
    """Return those of these deployments that the server already has."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    found = {}
    with get_client(sync_client=True) as client:
        for path in paths:
            with suppress(ObjectNotFound):
                found[path] = client.read_deployment_by_name(path)
    return found


def end_left_runs(earlier: "Mapping[str, DeploymentResponse]", continuous: str) -> None:
    """Set the runs to Crashed that were running when an earlier serve was killed.

    Otherwise Prefect would show them as Running forever. Continuous runs that have not begun
    are deleted, because they may have another interval.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import TERMINAL_STATES, StateType
    from prefect.states import Crashed

    begun = [*set(StateType) - TERMINAL_STATES - {StateType.SCHEDULED}]
    with get_client(sync_client=True) as client:

        def runs(paths: Iterable[str], states: list[StateType]) -> "list[FlowRun]":
            ids = [earlier[path].id for path in paths]
            of_type = filters.FlowRunFilterStateType(any_=states)
            return client.read_flow_runs(
                deployment_filter=filters.DeploymentFilter(
                    id=filters.DeploymentFilterId(any_=ids)
                ),
                flow_run_filter=filters.FlowRunFilter(
                    state=filters.FlowRunFilterState(type=of_type)
                ),
            )

        for run in runs(earlier, begun):
            lost: State[None] = Crashed(message="`serve` was killed while it ran")
            client.set_flow_run_state(run.id, lost, force=True)
        for run in runs({continuous} & earlier.keys(), [StateType.SCHEDULED]):
            client.delete_flow_run(run.id)


def _take_back(deployment: "DeploymentResponse") -> None:
    """Delete a deployment that an earlier serve registered and this one does not."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.delete_deployment(deployment.id)


class Keeper:
    """Keeps one run of a deployment going: starts another when it ends.

    After a run that failed early it waits; the pause doubles with each failure up to an hour,
    because people are told about each one.
    """

    def __init__(
        self, deployment: str, every: timedelta, is_alive: Callable[[UUID], bool]
    ) -> None:
        """Start nothing yet. is_alive: whether a run has a process."""
        self._deployment = deployment
        self._is_alive = is_alive
        # since when a run that should have a process has none
        self._gone: dict[UUID, float] = {}
        self._parameters = {"every_seconds": int(every.total_seconds())}
        self._begun = datetime.now(UTC)

    def keep(self) -> None:
        """Look every few seconds, forever."""
        import httpx
        from prefect.client.orchestration import get_client
        from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

        with get_client(sync_client=True) as client:
            while True:
                time.sleep(SECONDS_TO_LOOK)
                try:
                    self.look(client)
                except (ObjectNotFound, PrefectHTTPStatusError, httpx.HTTPError):
                    # not registered yet, or no server at the moment, which Prefect reports
                    continue
                except Exception as error:  # noqa: BLE001 - otherwise no run would ever start again
                    reason = str(error).partition("\n")[0] or type(error).__name__
                    tell(sys.stderr, f"warning: {self._deployment}: {reason}")

    def look(self, client: "SyncPrefectClient") -> None:
        """Start a run unless there is one, it is too early, or somebody has paused it."""
        from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
        from prefect.client.schemas.sorting import FlowRunSort

        deployment = client.read_deployment_by_name(self._deployment)
        if deployment.paused:
            return
        runs = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id])),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=MOST_FAILURES,
        )
        going = [run for run in runs if run.state and not run.state.is_final()]
        if going:
            self._end_lost(client, going)
            return
        # failures before this serve do not count: their cause may be fixed
        ended = [run for run in runs if run.end_time and run.end_time >= self._begun]
        pause = pause_after([_failed_soon(run) for run in ended])
        last = ended[0].end_time if ended else None
        if last is None or datetime.now(UTC) >= last + pause:
            client.create_flow_run_from_deployment(deployment.id, parameters=self._parameters)

    def _end_lost(self, client: "SyncPrefectClient", going: "Sequence[FlowRun]") -> None:
        """Set runs to Crashed that have long had no process.

        The server could not note their end, and would keep them forever.
        """
        from prefect.states import Crashed

        now = time.monotonic()
        self._gone = {
            run.id: self._gone.get(run.id, now)
            for run in going
            if not (run.state and run.state.is_scheduled()) and not self._is_alive(run.id)
        }
        for run, since in self._gone.items():
            if now - since >= SECONDS_TO_REPORT:
                lost: State[None] = Crashed(message="its process has ended")
                client.set_flow_run_state(run, lost, force=True)


def pause_after(failed: Sequence[bool]) -> timedelta:
    """Return how long to wait after these runs; failed lists the last run first."""
    failures = len(list(takewhile(bool, failed)))
    return min(FIRST_PAUSE * 2 ** (failures - 1), ONE_BY_ONE) if failures else timedelta()


def _failed_soon(run: "FlowRun") -> bool:
    return not (run.state and run.state.is_completed()) and run.total_run_time < ONE_BY_ONE


def _refuse_work_pool(earlier: "Mapping[str, DeploymentResponse]") -> None:
    """Raise Infrastructure if a work pool has our deployments: each would run twice."""
    of_pool = [
        (path, found.work_pool_name) for path, found in earlier.items() if found.work_pool_name
    ]
    if of_pool:
        # in quotes for the shell
        listed = " ".join(f"'{path}'" for path, _ in of_pool)
        raise Infrastructure(
            f"work pool {of_pool[0][1]} already has the schedules, so each run would start"
            " twice: either use only its worker, or first run"
            f" `python -m prefect deployment delete` for {listed}"
        )


if __name__ == "__main__":
    from flows.__main__ import main

    sys.exit(main(["serve", *sys.argv[1:]]))
