"""The commands as Prefect flows.

Prefect is the alarm clock and the window, no more: the work, the lock and the log are those
of flows/refresh.py, with Prefect or without.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.alerts import run_alerts
from flows.database import use_environment
from flows.errors import Busy, Failure, Infrastructure
from flows.progress import Progress
from flows.refresh import Mode, Options, refresh
from flows.reports import preview, print_refresh, summarize

Result = TypeVar("Result")

# a run that starts later than this was missed, by an outage say: the next one does its work
MISSED_AFTER = timedelta(minutes=15)

# how long the nightly run waits for an hourly one to end
QUEUE_SECONDS = 3600
RETRY_SECONDS = 5

# a database that restarts, say: the whole refresh is tried again, and nothing else is. Not by
# Prefect's own retries, which do not ask what failed
RETRIES_AFTER_SECONDS = (60, 300)


class PrefectProgress(Progress):
    """Shows steps as task runs, and what finishes in the logs of the run."""

    def run(self, name: str, step: Callable[[], Result]) -> Result:
        """Run one step as a task."""
        return task(name=name, task_run_name=name)(step)()

    def finished(self, what: str, status: str) -> None:
        """Log that something has finished."""
        get_run_logger().info("%-8s %s", status, what)

    def say(self, text: str) -> None:
        """Log a line of text."""
        get_run_logger().info(text)

    def table(self, title: str, lines: Sequence[Mapping[str, Any]]) -> None:
        """Keep a table as an artifact under its title."""
        key = "-".join(re.findall("[a-z0-9]+", title.lower()))
        # numbers, dates and intervals as the database writes them
        plain = json.loads(json.dumps([dict(line) for line in lines], default=str))
        create_table_artifact(plain, key, description=title)


def run_name() -> str:
    """Name a flow run by what it is and when it was due; in UTC, where no hour comes twice."""
    due = runtime.flow_run.scheduled_start_time.astimezone(UTC)
    return f"{runtime.flow_run.flow_name} {due:%Y-%m-%d %H:%M %Z}"


@flow(name="hourly refresh", flow_run_name=run_name)
def hourly() -> State[Any]:
    """Refresh what changed; skipped while another refresh is running."""
    return _run("hourly", queue_seconds=0)


@flow(name="nightly refresh", flow_run_name=run_name)
def nightly() -> State[Any]:
    """Recompute everything; waits for a refresh that is running."""
    return _run("nightly", queue_seconds=QUEUE_SECONDS)


@flow(name="alerts", flow_run_name=run_name)
def alerts() -> State[Any]:
    """Raise and send what people should know."""
    return _report(lambda: run_alerts(PrefectProgress(), dry_run=False))


@flow(name="weekly summary", flow_run_name=run_name)
def weekly() -> State[Any]:
    """Show the last complete week against the one before."""
    return _report(lambda: summarize(PrefectProgress()))


@flow(name="dry run of the write-back", flow_run_name=run_name)
def dry_run() -> State[Any]:
    """Show what a write-back would change."""
    return _report(lambda: preview(None, PrefectProgress()))


def _report(work: Callable[[], None]) -> State[Any]:
    use_environment()
    try:
        work()
    except Failure as failure:
        return Failed(name=type(failure).__name__, message=str(failure))
    return Completed()


def _run(mode: Mode, queue_seconds: int) -> State[Any]:
    late = datetime.now(UTC) - runtime.flow_run.scheduled_start_time
    if late > MISSED_AFTER:
        return Completed(name="Missed", message=f"due {late} ago; the next run does its work")
    progress = PrefectProgress()
    progress.say(use_environment())
    deadline = time.monotonic() + queue_seconds
    retries = iter(RETRIES_AFTER_SECONDS)
    while True:
        try:
            payload = refresh(Options(mode=mode), progress)
        except Busy as busy:
            if not queue_seconds:
                return Completed(name="Skipped", message=str(busy))
            if time.monotonic() > deadline:
                return Failed(message=str(busy))
            time.sleep(RETRY_SECONDS)
        except Failure as failure:
            pause = next(retries, None) if isinstance(failure, Infrastructure) else None
            if pause is None:
                return Failed(name=type(failure).__name__, message=str(failure))
            progress.say(f"tried again in {pause} s: {failure}")
            time.sleep(pause)
        else:
            print_refresh(payload, progress)
            return Completed(message=f"{payload['rows_written']} customers written back")
