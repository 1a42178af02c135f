"""REFRESH_EVERY: rounds of a refresh in one process that keeps dbt loaded."""

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import PROJECT, USUAL, Database, free_port
from test_prefect import client_of, deployment, left_behind, post, serving, wait_for

from flows import dbt, errors, fingerprints
from flows.continuous import parse_every, refresh_continuously
from flows.database import connect
from flows.errors import Busy, WriteBackHeld
from flows.progress import Progress
from flows.refresh import Options
from flows.run_log import RunLog
from flows.serve import pause_after, schedules

SECOND = timedelta(seconds=1)
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


class Lines(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def finished(self, what: str, status: str) -> None:
        self.said.append(f"{status} {what}")

    def fail(self, reason: str) -> None:
        self.said.append(f"failed: {reason}")


@pytest.mark.parametrize(
    ("text", "every"),
    [("10s", 10), ("90s", 90), ("1m", 60), ("59m", 3540), ("1h", 3600), ("24h", 86400)],
)
def test_how_often_is_10_seconds_to_24_hours(text: str, every: int) -> None:
    assert parse_every(text) == every * SECOND


@pytest.mark.parametrize(
    "text",
    [
        "9s",
        "0h",
        "25h",
        "10",
        "s",
        "",
        "1.5m",
        "-10s",
        "10 s",
        "1d",
        "\u0661\u0660s",
        "86401s",
    ],
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"must be 10s to 24h.*REFRESH_EVERY"):
        parse_every(text)


def test_below_an_hour_the_hourly_refresh_has_no_schedule_of_its_own() -> None:
    assert "hourly" not in schedules("UTC", timedelta(minutes=59))
    assert schedules("UTC")["hourly"].interval == timedelta(hours=1)
    assert schedules("UTC", timedelta(hours=6))["hourly"].interval == timedelta(hours=6)


def test_pauses_double_from_failure_to_failure_up_to_an_hour() -> None:
    seconds = [pause_after([True] * failures).total_seconds() for failures in range(11)]
    assert seconds == [0, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
    # a successful round ends the series
    assert pause_after([True, False, True, True]) == 10 * SECOND


def rounds(*ends: Mapping[str, Any] | Exception) -> tuple[list[float], Any]:
    """Return when rounds begin; each round ends as given, the last one for good."""
    began: list[float] = []

    def refresh(_options: Options, progress: Progress) -> Mapping[str, Any]:
        began.append(time.monotonic())
        progress.say(f"round {len(began)}")
        if len(began) > len(ends):
            raise KeyboardInterrupt
        end = ends[len(began) - 1]
        if isinstance(end, Exception):
            raise end
        if not end.get("is_idle"):
            progress.finished("a_model", "success")
            progress.finished("a_test", "warn")
        return end

    return began, refresh


IDLE = {"is_idle": True, "rows_written": 0}


def test_a_round_with_nothing_to_do_says_nothing_and_a_busy_one_is_left_out() -> None:
    lines = Lines()
    began, refresh = rounds(
        IDLE, Busy("another"), {"rows_written": 3}, {"is_idle": True, "rows_written": 2}, IDLE
    )
    with pytest.raises(KeyboardInterrupt):
        refresh_continuously(SECOND / 100, refresh, lines)
    assert lines.said == [
        *("round 3", "warn a_test", "3 customers written back"),
        *("round 4", "2 customers written back"),
        "round 6",
    ]
    assert len(began) == 6


def test_a_round_that_fails_is_raised_with_what_it_has_said() -> None:
    lines = Lines()
    _, refresh = rounds(IDLE, errors.TestsFailed("a_test: 1 rows"))
    with pytest.raises(errors.TestsFailed):
        refresh_continuously(SECOND / 100, refresh, lines)
    assert lines.said == ["round 2"]


def test_a_write_back_that_is_held_is_told_once_and_the_marts_go_on() -> None:
    lines = Lines()
    held = WriteBackHeld("orders: stale")
    began, refresh = rounds(held, held, IDLE, held)
    with pytest.raises(KeyboardInterrupt):
        refresh_continuously(SECOND / 100, refresh, lines)
    assert lines.said == [
        *("round 1", "failed: error: orders: stale"),
        *("round 4", "failed: error: orders: stale"),
        "round 5",
    ]
    assert len(began) == 5


def test_a_long_round_leaves_out_those_that_were_due_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, slept = 100.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", sleep)
    took = iter([1.0, 25.0, 9.5])

    def refresh(_options: Options, _progress: Progress) -> Mapping[str, Any]:
        nonlocal now
        seconds = next(took, None)
        if seconds is None:
            raise KeyboardInterrupt
        now += seconds
        return IDLE

    with pytest.raises(KeyboardInterrupt):
        refresh_continuously(10 * SECOND, refresh, Lines())
    assert slept == [9.0, 5.0, 0.5]


def test_it_ends_when_a_file_of_the_project_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fingerprints, "PROJECTS", (tmp_path,))
    model = tmp_path / "models" / "orders" / "a_model.sql"
    model.parent.mkdir(parents=True)
    model.write_text("select 1")

    def refresh(_options: Options, _progress: Progress) -> Mapping[str, Any]:
        model.write_text("select 22")
        return IDLE

    why = refresh_continuously(SECOND / 100, refresh, Lines())
    assert why.startswith("a project file has changed")


def test_a_child_that_has_parsed_other_files_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fingerprints, "PROJECTS", (tmp_path,))
    # lives until its input closes, as a child that runs dbt
    monkeypatch.setattr(dbt, "PROGRAM", "import sys; sys.stdin.read()")
    model = tmp_path / "models" / "a_model.sql"
    model.parent.mkdir()
    model.write_text("select 1")
    warm = dbt.Warm()
    child = warm.take({})
    warm.keep(child)
    assert warm.take({}) is child
    warm.keep(child)
    model.write_text("select 22")
    other = warm.take({})
    assert other is not child
    assert child.has_ended()
    warm.keep(other)
    warm.end()


# answers each request as a run of dbt that ended well
ANSWERS = """
import sys
for _ in sys.stdin:
    print('{{"event": "end", "error": null, "is_wrong": false, "is_temporary": false,'
          ' "nodes": []}}', flush=True)
"""


def test_dbt_loads_while_a_refresh_finds_out_what_to_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[dbt.Child] = []

    class Child(dbt.Child):
        def __init__(self, environment: Mapping[str, str]) -> None:
            super().__init__(environment)
            started.append(self)

    monkeypatch.setattr(dbt, "PROGRAM", ANSWERS)
    monkeypatch.setattr(dbt, "Child", Child)
    # as in a process that keeps none
    monkeypatch.setattr(dbt, "_warm", None)

    with dbt.loading({}):
        assert len(started) == 1
        dbt.build({}, {}, Lines())
        assert len(started) == 1
        # a later request may need another version of the files
        assert started[0].has_ended()
    with dbt.loading({}):
        # nothing is built
        assert not started[1].has_ended()
    assert started[1].has_ended()
    with dbt.kept_warm():
        dbt.build({}, {}, Lines())
        assert len(started) == 3
        with dbt.loading({}):
            dbt.build({}, {}, Lines())
        assert len(started) == 3


def test_an_outage_ends_the_run_at_once_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import scheduled  # Prefect takes seconds to import

    slept: list[float] = []

    def refresh(_options: Options, progress: Progress) -> dict[str, Any]:
        progress.say("a round")
        raise errors.Infrastructure("database: gone", is_temporary=True)

    logger = logging.getLogger("of the run")
    monkeypatch.setattr(scheduled, "refresh", refresh)
    monkeypatch.setattr(scheduled, "use_database", lambda: "a database")
    monkeypatch.setattr(scheduled, "get_run_logger", lambda: logger)
    monkeypatch.setattr(time, "sleep", slept.append)
    ended = scheduled.continuous.fn()
    assert (ended.type.value, ended.message) == ("FAILED", "database: gone")
    # `serve` starts the next run, with the files as they are then
    assert slept == []


@pytest.fixture(scope="module")
def captured_template(refreshed_template: Database) -> Database:
    """The demo after a refresh, with triggers that have recorded all changes; a template."""
    database = refreshed_template.copy(USUAL)
    done = database.run("flows", "capture", "install", "--allow-gaps")
    assert done.returncode == 0, done.stderr
    # its newest order is old
    done = database.run("flows", "refresh", "--mode", "hourly")
    assert "write-back held" in done.stderr
    return database.as_template()


@pytest.fixture
def demo(captured_template: Database) -> Iterator[Database]:
    """Return a copy that no other test has changed."""
    database = captured_template.copy(USUAL)
    yield database
    database.drop()


# the first customer
FIRST = "(select min(customer_id::text)::uuid from analytics.customer_risk_status)"
GROW = (
    "update commerce.orders set total_amount = total_amount + 1000"
    f" where customer_id = {FIRST}"
)


def total(database: Database) -> int:
    [row] = database.rows(
        "select max(total_cents) as cents from analytics.customer_order_days"
        f" where customer_id = {FIRST}"
    )
    return int(row["cents"])


@pytest.mark.slow
def test_one_run_refreshes_every_ten_seconds_and_is_started_again_when_it_dies(
    demo: Database, tmp_path: Path
) -> None:
    port = free_port()
    path = "continuous refresh/continuous"
    with serving(demo, tmp_path, "--port", port), client_of(port) as api:
        # first every hour, then more often on the same server
        assert deployment(api, "hourly refresh/hourly")["schedules"]
    with (
        serving(demo, tmp_path, "--port", port, REFRESH_EVERY="10s") as served,
        client_of(port) as api,
    ):
        of_it = {"any_": [wait_for(lambda: deployment(api, path))["id"]]}
        assert not deployment(api, "hourly refresh/hourly")["schedules"]

        def runs(state: str) -> list[dict[str, Any]]:
            asked = {"state": {"type": {"any_": [state]}}}
            found: list[dict[str, Any]] = post(
                api, "/flow_runs/filter", {"deployments": {"id": of_it}, "flow_runs": asked}
            )
            return found

        for crashed in (0, 1):
            [run] = wait_for(lambda: runs("RUNNING"))
            before = total(demo)
            demo.execute(GROW)
            wait_for(lambda before=before: total(demo) > before)  # type: ignore[misc]
            assert len(runs("CRASHED")) == crashed
            if not crashed:
                [engine] = [
                    process
                    for process in psutil.Process(served.pid).children()
                    if process.environ().get("PREFECT__FLOW_RUN_ID") == run["id"]
                ]
                engine.kill()
                wait_for(lambda: runs("CRASHED"))
        # one run for all its rounds; rounds without work are counted in one row
        idle = (
            "select (payload ->> 'runs_count')::int as runs from operations.application_logs"
            " where payload ? 'runs_count' order by log_id desc limit 1"
        )
        wait_for(lambda: any(row["runs"] > 1 for row in demo.rows(idle)))
        assert [one["id"] for one in runs("RUNNING")] == [run["id"]]
        # what is left behind when serve is killed: a run that goes on, and one that waits
        nightly = deployment(api, "nightly refresh/nightly")["id"]
        begun = {"state": {"type": "RUNNING"}}
        lost = post(api, f"/deployments/{nightly}/create_flow_run", begun)["id"]
        planned = {
            "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": TOMORROW}},
            "parameters": {"every_seconds": 20},
        }
        post(api, f"/deployments/{of_it['any_'][0]}/create_flow_run", planned)
        # a run ends with the process that started it, whoever kills that
        os.killpg(served.pid, signal.SIGKILL)
        wait_for(lambda: not left_behind(tmp_path))
    with (
        serving(demo, tmp_path, "--port", port, REFRESH_EVERY="15s"),
        client_of(port) as api,
    ):
        [again] = wait_for(lambda: [one for one in runs("RUNNING") if one["id"] != run["id"]])
        assert again["parameters"] == {"every_seconds": 15}
        assert len(runs("RUNNING")) == 1
        assert runs("SCHEDULED") == []
        state = api.get(f"/flow_runs/{lost}").json()["state"]
        assert state["type"] == "CRASHED"
        assert state["message"] == "`serve` was killed while it ran"


@pytest.mark.slow
def test_a_child_that_is_kept_warm_forgets_each_run(refreshed: Database) -> None:
    with dbt.kept_warm():
        children = set()
        others = set(psutil.Process().children())
        for day in ("2026-01-01", "2026-01-02"):
            arguments = {
                "as_of": f"{day}T00:00:00+00:00",
                "refresh_scope": "all",
                "run_id": "warm",
            }
            options = ("--select=int_tenants", "--exclude-resource-type=test")
            run = dbt.build(arguments, refreshed.environment, Lines(), options)
            assert run.failure() is None
            [row] = refreshed.rows(
                "select min(as_of)::date::text as day from analytics_internal.int_tenants"
            )
            assert row["day"] == day
            children |= set(psutil.Process().children()) - others
        assert len(children) == 1
    assert not any(child.is_running() for child in children)


class Killer(Lines):
    """Kills the process that runs dbt as soon as a node has finished."""

    def finished(self, what: str, status: str) -> None:  # noqa: ARG002
        for child in psutil.Process().children(recursive=True):
            # one may already have ended
            with suppress(psutil.Error):
                if dbt.PROGRAM.format("main") in child.cmdline() and not child.children():
                    child.kill()


@pytest.mark.slow
def test_a_run_of_dbt_that_is_killed_may_go_well_when_it_is_tried_again(
    demo: Database,
) -> None:
    options = ("--select=config.materialized:working_table", "--exclude-resource-type=test")
    arguments = {"as_of": "2026-01-01T00:00:00+00:00", "refresh_scope": "all"}
    with dbt.kept_warm():
        with pytest.raises(errors.Infrastructure) as killed:
            dbt.build(arguments, demo.environment, Killer(), options)
        assert killed.value.is_temporary
        run = dbt.build(arguments, demo.environment, Lines(), options)
        assert run.failure() is None
        # a process that is killed while it has nothing to do is not a failure
        Killer().finished("", "")
        run = dbt.build(arguments, demo.environment, Lines(), options)
        assert run.failure() is None


# a process that runs so many rounds, every tenth with work, and prints what it holds
ROUNDS = """
import sys
from datetime import timedelta
import psutil
from flows.continuous import refresh_continuously
from flows.database import connect
from flows.progress import Progress
from flows.refresh import refresh

rounds, busy, held = int(sys.argv[1]), sys.argv[2], []

def round(options, progress):
    if len(held) == rounds:
        print(max(held[rounds // 2 :]) - max(held[: rounds // 2]))
        sys.exit()
    if len(held) % 10 == 5:
        with connect(as_login=True) as connection:
            connection.execute(busy.encode())
    me = psutil.Process()
    family = [me, *me.children(recursive=True)]
    held.append(sum(one.memory_full_info().uss for one in family))
    return refresh(options, progress)

refresh_continuously(timedelta(milliseconds=1), round, Progress(is_json=True))
"""


@pytest.mark.slow
def test_memory_stays_flat_over_the_rounds(
    demo: Database, pytestconfig: pytest.Config
) -> None:
    rounds = str(pytestconfig.getoption("--rounds"))
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS, rounds, GROW],
        env=demo.os_environment(),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 8 << 20


def test_runs_with_nothing_to_do_are_one_row_as_long_as_they_end_alike(
    refreshed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in refreshed.environment.items():
        monkeypatch.setenv(name, value)
    with connect() as connection:
        connection.execute("truncate operations.application_logs cascade")
        for status, rows_written in (
            *[("success", 0)] * 3,
            ("success", 7),
            *[("success", 0)] * 2,
            *[("held", 0)] * 2,
            ("success", 0),
        ):
            log = RunLog(connection, "refresh_hourly", "refresh")
            log.start()
            log.payload |= {"is_idle": True, "rows_written": rows_written}
            if not rows_written:
                log.count_with_last("is_idle", status)
            log.end(status)
    found = refreshed.rows(
        "select status, (payload -> 'runs_count')::int as runs"
        " from operations.application_logs order by log_id"
    )
    assert [tuple(row.values()) for row in found] == [
        *(("success", 3), ("success", None), ("success", 2), ("held", 2), ("success", 1)),
    ]
