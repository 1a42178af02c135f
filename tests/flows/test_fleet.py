"""`customer-health fleet`: a command on each of many independent databases."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]
from conftest import PROJECT, UNTIL, Database, free_port, load_two_customers, new_database
from test_prefect import (
    client_of,
    completed,
    delete,
    deployment,
    post,
    prefect_of,
    serve,
    wait_for,
)
from test_prefect import serving as serving_of

from flows.database import ADDRESS
from flows.errors import Infrastructure
from flows.fleet_commands import JOB_COLUMNS
from flows.progress import Progress
from flows.serve import BOUNDED

NIGHTLY = ("refresh", "--mode", "nightly", "--as-of", UNTIL)
LOCK = "select pg_advisory_lock(hashtext('customer_health refresh'))"
SESSIONS = (
    "select distinct datname from pg_stat_activity where application_name = 'customer_health'"
)


# Prefect's runs of a fleet
LISTED = ("down", "m00", "m01")
FIT = "fit of the order models"


@dataclass(frozen=True)
class Fleet:
    """Databases with their services, and the environment that names them."""

    databases: dict[str, Database]
    environment: dict[str, str]

    def start(
        self, *arguments: str, cwd: Path = PROJECT, changes: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start `customer-health fleet` with these arguments."""
        return subprocess.Popen(
            [sys.executable, "-m", "flows", "fleet", *arguments],
            cwd=cwd,
            env={**self.environment, **(changes or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, cwd: Path = PROJECT, changes: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run it; return how it ended, and what it printed."""
        process = self.start(*arguments, cwd=cwd, changes=changes)
        told, errors = process.communicate(timeout=600)
        return process.returncode, told, errors


def of_fleet(databases: dict[str, Database], folder: Path, *others: str) -> Fleet:
    """Write a service file for these databases, and for services where nothing listens."""
    nowhere = {"PGHOST": "127.0.0.1", "PGPORT": free_port(), "PGDATABASE": "x", "PGUSER": "x"}
    places = {name: database.environment for name, database in databases.items()}
    places |= dict.fromkeys(others, nowhere)
    file = folder / "services"
    file.write_text(
        "".join(
            f"[{name}]\nhost={place['PGHOST']}\nport={place['PGPORT']}\n"
            f"dbname={place['PGDATABASE']}\nuser={place['PGUSER']}\n\n"
            for name, place in places.items()
        )
    )
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PG") and name != "DATABASE_URL"
    }
    folders = {
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    services = {"PGSERVICEFILE": str(file), "FLEET": " ".join(sorted(places))}
    return Fleet(databases, {**plain, **folders, **services})


@contextmanager
def small_ones(server: Database, count: int) -> Iterator[dict[str, Database]]:
    """Create so many databases, each with the smallest business."""
    first = new_database(server)
    load_two_customers(first)
    names = [f"fleet_{uuid.uuid4().hex[:8]}" for _ in range(count)]
    databases = [first.copy(name) for name in names]
    try:
        yield {f"m{number:02}": database for number, database in enumerate(databases)}
    finally:
        for database in (first, *databases):
            database.drop()


def lines_of(told: str) -> dict[str, str]:
    """Return the lines of the last table, by the database at their beginning."""
    _, _, table = told.rpartition("\ndatabase ")
    return {line.split()[0]: line.rstrip() for line in table.splitlines()[1:-1]}


@pytest.fixture
def nowhere(tmp_path: Path) -> Fleet:
    """Two services without a database."""
    return of_fleet({}, tmp_path, "berlin", "paris")


@pytest.mark.parametrize(
    ("arguments", "changes", "said"),
    [
        (["status"], {"FLEET": ""}, "FLEET is not set; set it to the names of services"),
        (["status"], {"FLEET": "berlin rome"}, 'FLEET: rome: definition of service "rome"'),
        (NIGHTLY, {"FLEET": "berlin,../x"}, "FLEET: '../x' must be a service in"),
        (NIGHTLY, {"FLEET": "paris, paris"}, "FLEET: paris is named twice"),
        (NIGHTLY, {"PGSERVICEFILE": "/nonexistent"}, 'service file "/nonexistent" not found'),
        (
            ["--only", "rome", *NIGHTLY],
            {},
            "--only: no database 'rome' in FLEET; there are: b",
        ),
        (
            ["--only", "", *NIGHTLY],
            {},
            "--only: no database '' in FLEET; there are: berlin, p",
        ),
        (["rollback", "5"], {}, "rollback: a batch is in one database; name it with --only"),
        (["--at-once", "0", *NIGHTLY], {}, "'0' must be 1 to 64 (FLEET_AT_ONCE)"),
        (NIGHTLY, {"FLEET_AT_ONCE": "many"}, "'many' must be 1 to 64 (FLEET_AT_ONCE)"),
        (["refresh", "--mode", "daily"], {}, "--mode: invalid choice: 'daily'"),
        (["serve"], {}, "serve: cannot run on a fleet"),
        (["fleet", "status"], {}, "fleet: cannot run on a fleet"),
        (["status", "--log-file", "x"], {}, "--log-file: put it before the command"),
        (["--log-file", "x", "api-tokens", "list"], {}, "--log-file: not with api-tokens"),
    ],
)
def test_what_is_not_understood_runs_nowhere(
    nowhere: Fleet, arguments: list[str], changes: dict[str, str], said: str
) -> None:
    code, told, errors = nowhere.run(*arguments, changes=changes)
    assert (code, len(errors.splitlines())) == (2, 1)
    assert said in errors
    assert "berlin:" not in told


def test_a_command_for_one_database_does_not_guess_which(nowhere: Fleet) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows", "status"],
        cwd=PROJECT,
        env=nowhere.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: FLEET names several databases: use `customer-health")


def test_pages_of_a_fleet_take_their_address_from_a_service_only(nowhere: Fleet) -> None:
    other = {"PGPASSWORD": "secret", "PGSERVICE": "berlin"}
    done = subprocess.run(
        [sys.executable, "-m", "dashboards"],
        cwd=PROJECT,
        env=nowhere.environment | other,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: FLEET: unset PGPASSWORD; PGSERVICE=NAME says which database the pages show\n"
    )


@pytest.mark.slow
def test_a_database_that_is_down_or_in_use_leaves_the_others_be(
    server: Database, tmp_path: Path
) -> None:
    with small_ones(server, 3) as databases:
        fleet = of_fleet(databases, tmp_path, "down")
        busy = databases["m01"]
        # an address that must not override a service, and dbt's variables must not either
        elsewhere = {"PGHOST": "/nonexistent", "PGUSER": "nobody", "PGSERVICE": "down"}
        with busy.connect() as connection:
            connection.execute(LOCK)
            code, told, errors = fleet.run(*NIGHTLY, changes=elsewhere)
        # the worst exit code: unreachable is 4, and busy, 5, is no failure
        assert (code, errors) == (4, ""), told
        ends = lines_of(told)
        assert list(ends) == ["down", "m00", "m01", "m02"]
        assert ends["down"].split()[1:3] == ["failed", "4"]
        assert "Connection refused" in ends["down"]
        assert ends["m01"].split()[1:3] == ["busy", "5"]
        assert ends["m01"].endswith(
            "another refresh or write-back is running; try again when it has ended"
        )
        for name in ("m00", "m02"):
            assert ends[name].split()[1:3] == ["done", "0"]
            assert f"\n{name}: done in " in told
            [run] = databases[name].rows("select status from operations.application_logs")
            assert run["status"] == "success"
            assert (tmp_path / "target" / "fleet" / name).is_dir()
        assert told.endswith("2 of 4 databases done\n")

        with databases["m02"].connect() as connection, connection.transaction():
            connection.execute("lock operations.application_logs")
            code, told, errors = fleet.run("status", "--json")
        found = json.loads(told)
        assert code == found["exit_code"] == 4
        rows = {row["database"]: row for row in found["tables"]["Jobs"]}
        assert list(rows) == ["down", "m00", "m01", "m02"]
        assert set(rows["m00"]) == {"database", *JOB_COLUMNS, "note"}
        assert (rows["m00"]["job"], rows["m00"]["status"]) == ("refresh_nightly", "success")
        assert "Connection refused" in rows["down"]["note"]
        assert "canceling statement due to statement timeout" in rows["m02"]["note"]
        assert rows["m01"]["note"]
        # nothing was created there
        assert not busy.rows("select from pg_namespace where nspname = 'operations'")
        assert "no figures known: down, m01, m02" in found["lines"]
        # not when the refresh ran
        oldest = "the oldest figures are those of m00, from 2026-06-15 12:00 UTC"
        assert oldest in found["lines"]

        code, told, errors = fleet.run(
            "--only", "m00,m02", "write-back", "--dry-run", "--json"
        )
        found = json.loads(told)
        assert code == found["exit_code"] == 0, errors
        assert [one["outcome"] for one in found["databases"]] == ["done", "done"]
        assert "Changes" in found["databases"][1]["result"]["tables"]
        assert "m02: " in errors


@pytest.mark.slow
@pytest.mark.parametrize(
    "sign",
    [
        signal.SIGTERM,
        *(
            pytest.param(sign, marks=pytest.mark.slow)
            for sign in (signal.SIGINT, signal.SIGKILL)
        ),
    ],
)
def test_whoever_stops_the_fleet_stops_all_of_it(
    server: Database, tmp_path: Path, sign: signal.Signals
) -> None:
    if signal.getsignal(sign) == signal.SIG_IGN:
        pytest.skip("a shell that runs these tests in the background has them ignore Ctrl-C")
    with small_ones(server, 1) as databases:
        fleet = of_fleet(databases, tmp_path)
        running = fleet.start(*NIGHTLY)
        wait_for(lambda: server.rows(SESSIONS))
        running.send_signal(sign)
        told, errors = running.communicate(timeout=60)
        if sign != signal.SIGKILL:
            assert running.returncode == 130
            assert errors == "interrupted\n", told
        wait_for(lambda: not server.rows(SESSIONS))


@pytest.mark.slow
def test_ten_databases_two_at_a_time(server: Database, tmp_path: Path, project: Path) -> None:
    """The project's .env names another database, as if it were the only one."""
    with small_ones(server, 9) as databases:
        fleet = of_fleet(databases, tmp_path, "down")
        names = fleet.environment.pop("FLEET")
        (project / ".env").write_text(
            f"FLEET='{names}'\nDATABASE_URL=postgresql://nobody@127.0.0.1:1/nothing\n"
            "PGHOSTADDR=127.0.0.1\nPGSERVICE=down\n"
        )
        most, is_over = [0], Event()

        def watch() -> None:
            with closing(server.connect()) as connection:
                while not is_over.is_set():
                    most.append(len(connection.execute(SESSIONS).fetchall()))
                    time.sleep(0.1)

        watcher = Thread(target=watch)
        watcher.start()
        code, told, errors = fleet.run(*NIGHTLY, cwd=project)
        is_over.set()
        watcher.join()
        assert (code, errors) == (4, ""), told
        ends = lines_of(told)
        assert {line.split()[1] for name, line in ends.items() if name != "down"} == {"done"}
        assert ends["down"].split()[1:3] == ["failed", "4"]
        assert told.endswith("9 of 10 databases done\n")
        assert max(most) == 2
        for database in databases.values():
            [run] = database.rows("select status from operations.application_logs")
            assert run["status"] == "success"
        # in order, by the first line of each database
        first = [told.index(f"\n{name}: ") for name in sorted(databases)]
        assert all(before < after for before, after in pairwise(first))

        code, told, _ = fleet.run("status", "--json", cwd=project)
        assert code == 4
        rows = json.loads(told)["tables"]["Jobs"]
        assert [row["database"] for row in rows] == ["down", *sorted(databases)]


def test_a_run_that_stays_is_no_schedule_of_a_fleet(nowhere: Fleet, tmp_path: Path) -> None:
    given = {name: nowhere.environment[name] for name in ("FLEET", "PGSERVICEFILE")}
    code, error = serve(tmp_path, REFRESH_EVERY="1m", **given)
    assert code == 2
    assert error.startswith(
        "error: --refresh-every (REFRESH_EVERY): must be 1h or more with FLEET"
    )
    code, error = serve(tmp_path, **{**given, "FLEET": "berlin rome"})
    assert code == 2
    assert error.startswith('error: FLEET: rome: definition of service "rome" not found')


def test_a_run_says_by_its_tag_which_database_it_is_of_and_waits_in_line(
    nowhere: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import scheduled  # Prefect takes seconds to import

    for name in ADDRESS:
        monkeypatch.setenv(name, "elsewhere")
    for name in ("FLEET", "PGSERVICEFILE", "DBT_TARGET_PATH", "DBT_LOG_PATH"):
        monkeypatch.setenv(name, nowhere.environment[name])
    refreshed_by: list[str] = []

    def refresh(*_: object) -> dict[str, Any]:
        refreshed_by.append(os.environ["PGSERVICE"])
        return {}

    monkeypatch.setattr(scheduled, "refresh", refresh)
    monkeypatch.setattr(scheduled, "print_refresh", lambda *_: None)
    monkeypatch.setattr(scheduled, "written_in_words", lambda _: "")
    monkeypatch.setattr(scheduled, "PrefectProgress", Progress)
    monkeypatch.setattr(scheduled, "get_run_logger", lambda: logging.getLogger("of the run"))
    run = SimpleNamespace(flow_name="nightly refresh", tags=["paris"])
    monkeypatch.setattr(scheduled, "runtime", SimpleNamespace(flow_run=run))
    for flow, minutes, ended_as in (
        (scheduled.hourly, 59, "Completed"),
        (scheduled.hourly, 61, "Missed"),
        (scheduled.nightly, 719, "Completed"),
        (scheduled.nightly, 721, "Missed"),
    ):
        run.scheduled_start_time = datetime.now(UTC) - timedelta(minutes=minutes)
        assert flow.fn().name == ended_as
    # an entry of another database is wrong
    monkeypatch.setenv("FLEET", "berlin paris rome")
    run.scheduled_start_time = datetime.now(UTC)
    assert scheduled.nightly.fn().name == "Completed"
    monkeypatch.setenv("FLEET", nowhere.environment["FLEET"])
    assert refreshed_by == ["paris", "paris", "paris"]
    assert not {"PGHOST", "DATABASE_URL"} & set(os.environ)
    assert scheduled.run_name().startswith("nightly refresh of paris 20")

    run.scheduled_start_time = datetime.now(UTC)
    for tags in ([], ["rome"], ["berlin", "paris"]):
        run.tags = tags
        failed = scheduled.nightly.fn()
        assert failed.name == "Failed"
        assert failed.message == (
            "FLEET is set, so exactly one tag of the run must name a database of berlin, paris"
        )
    assert len(refreshed_by) == 3

    def is_away(*_: object) -> dict[str, Any]:
        refreshed_by.append("away")
        raise Infrastructure("database: away", is_temporary=True)

    run.tags = ["paris"]
    pauses: list[float] = []
    monkeypatch.setattr(scheduled, "refresh", is_away)
    monkeypatch.setattr("flows.scheduled.time.sleep", pauses.append)
    # the next hourly run comes soon, and another database needs the place
    for flow, retried in ((scheduled.hourly, []), (scheduled.nightly, [60, 300])):
        pauses.clear()
        assert flow.fn().name == "Failed"
        assert pauses == retried


def test_tables_of_two_databases_are_two_artifacts(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import scheduled  # Prefect takes seconds to import

    stored: dict[str, str] = {}

    def store(_rows: object, key: str, description: str) -> None:
        stored[key] = description

    run = SimpleNamespace(tags=[])
    monkeypatch.setattr(scheduled, "create_table_artifact", store)
    monkeypatch.setattr(scheduled, "runtime", SimpleNamespace(flow_run=run))
    # Prefect allows only a-z, 0-9 and - in a key
    names = ("eu_1", "eu-1", "EU.1")
    monkeypatch.setenv("FLEET", " ".join(names))
    for name in names:
        run.tags = [name]
        scheduled.PrefectProgress().table("Risk status", [])
    assert list(stored.values()) == [f"Risk status, {name}" for name in names]
    assert all(re.fullmatch("risk-status-eu-1-[a-z0-9]+", key) for key in stored)
    monkeypatch.delenv("FLEET")
    scheduled.PrefectProgress().table("Risk status", [])
    assert stored["risk-status"] == "Risk status"


@pytest.mark.slow
def test_prefect_has_the_schedules_of_each_database_and_one_limit_for_all(
    refreshed: Database, empty: Database, tmp_path: Path
) -> None:
    fleet = of_fleet({"m00": empty, "m01": refreshed}, tmp_path, "down")
    port = free_port()
    environment = {
        **fleet.environment,
        "FLEET_AT_ONCE": "1",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
    }
    nobody = Database(dict.fromkeys(("PGHOST", "PGPORT", "PGUSER", "PGDATABASE"), "nobody"))
    # the second start finds what the first has registered
    for _ in range(2):
        with (
            serving_of(nobody, tmp_path, "--port", port, **environment) as served,
            client_of(port) as api,
        ):
            offered = [deployment(api, f"write-back/write-back-{name}") for name in LISTED]
            wait_for(partial(all_bound, api))
            assert served.poll() is None
            found = post(api, "/deployments/filter", {})
            assert len(found) == 9 * 3
            assert {tag for one in found for tag in one["tags"]} == set(LISTED)
            nights = [one for one in found if one["name"].startswith("nightly-")]
            assert [len(one["schedules"]) for one in nights] == [1, 1, 1]

            for one in offered:
                for key in ("first", "second"):
                    # sent again if the server was busy: it may have done it, hence the key
                    asked = {"idempotency_key": f"{key} of {one['name']}, {served.pid}"}
                    post(api, f"/deployments/{one['id']}/create_flow_run", asked)
            runs = {
                name: wait_for(partial(ended, api, one, 2))
                for name, one in zip(LISTED, offered, strict=True)
            }
            states = {name: {run["state"]["type"] for run in of} for name, of in runs.items()}
            assert states == {"down": {"FAILED"}, "m00": {"FAILED"}, "m01": {"COMPLETED"}}
            assert "Connection refused" in runs["down"][0]["state"]["message"]
            assert runs["m01"][0]["name"].startswith("write-back of m01 20")
            # never two at once
            times = sorted(
                (run["start_time"], run["end_time"]) for of in runs.values() for run in of
            )
            assert all(before[1] <= after[0] for before, after in pairwise(times)), times
            for run in (run for of in runs.values() for run in of):
                delete(api, f"/flow_runs/{run['id']}")
    # each has its own log; without a refresh there is nothing to write back
    for database, status in ((refreshed, "success"), (empty, "held")):
        found = database.rows(
            "select status, count(*) from operations.application_logs"
            " where payload ->> 'cron_name' = 'write_back' group by 1"
        )
        assert found == [{"status": status, "count": 4}]


@pytest.mark.slow
def test_a_worker_runs_each_database_by_its_tag_within_the_limit_of_the_pool(
    refreshed: Database, empty: Database, tmp_path: Path
) -> None:
    """The deployments of prefect.yaml, copied for each database as docs/fleet.md says."""
    fleet = of_fleet({"m00": empty, "m01": refreshed}, tmp_path, "down")
    written = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    # it waits for the lock
    [fit] = [one for one in written["deployments"] if one["name"] == "fit-orders"]
    written["deployments"] = [
        {**fit, "name": f"fit-orders-{name}", "tags": [name]} for name in LISTED
    ]
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump(written))
    pool = "customer-health"
    with prefect_of(fleet.environment, tmp_path) as prefect:
        prefect.finish("work-pool", "create", pool, "--type", "process")
        prefect.finish("work-pool", "set-concurrency-limit", pool, "1")
        prefect.finish("deploy", "--all", "--prefect-file", str(file))
        prefect.start("worker", "start", "--pool", pool)
        offered = [deployment(prefect.api, f"{FIT}/fit-orders-{one}") for one in LISTED]

        def run(one: dict[str, Any]) -> Callable[[], str]:
            path = f"/deployments/{one['id']}/create_flow_run"
            begun = post(prefect.api, path, {})
            return lambda: prefect.api.get(f"/flow_runs/{begun['id']}").json()["state_type"]

        with refreshed.connect() as connection:
            connection.execute(LOCK)
            waiting = run(offered[-1])
            wait_for(lambda: waiting() == "RUNNING")
            others = [run(one) for one in offered[:-1]]
            # the worker has looked for runs several times
            time.sleep(10)
            assert [state() for state in others] == ["SCHEDULED", "SCHEDULED"]
        runs = [wait_for(partial(ended, prefect.api, one, 1))[0] for one in offered]
    states = dict(zip(LISTED, (run["state"]["type"] for run in runs), strict=True))
    assert states == {"down": "FAILED", "m00": "FAILED", "m01": "COMPLETED"}
    assert "Connection refused" in runs[0]["state"]["message"]
    assert runs[2]["name"].startswith(f"{FIT} of m01 20")
    assert refreshed.rows(
        "select status from operations.application_logs"
        " where payload ->> 'cron_name' = 'fit_orders'"
    ) == [{"status": "success"}]


def all_bound(api: httpx.Client) -> bool:
    """Return whether one limit holds all deployments that compute or write."""
    found = post(api, "/deployments/filter", {})
    limits = Counter(
        limit["name"] for one in found if (limit := one.get("global_concurrency_limit"))
    )
    return limits == {"customer-health-fleet": len(BOUNDED) * len(LISTED)}


def ended(
    api: httpx.Client, of_deployment: dict[str, Any], count: int
) -> list[dict[str, Any]] | None:
    """Return the runs of a deployment once so many have ended."""
    found = completed(api, of_deployment)
    return found if len(found) == count else None
