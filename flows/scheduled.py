"""The refreshes as Prefect flows.

Prefect is the alarm clock and the window, no more: the work, the lock and the log are those
of flows/refresh.py, with Prefect or without.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.database import use_environment
from flows.errors import Busy, Failure
from flows.progress import Progress
from flows.refresh import Mode, Options, refresh
from flows.reports import account_statistics, risk_statistics, segment_statistics

Result = TypeVar("Result")

# a run that starts later than this was missed, by an outage say: the next one does its work
MISSED_AFTER = timedelta(minutes=15)

# how long the nightly run waits for an hourly one to end
QUEUE_SECONDS = 3600
RETRY_SECONDS = 5


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


def run_name() -> str:
    """Name a flow run by what it is and when it was due."""
    due = runtime.flow_run.scheduled_start_time
    return f"{runtime.flow_run.flow_name} {due:%Y-%m-%d %H:%M %Z}"


@flow(name="hourly refresh", flow_run_name=run_name)
def hourly() -> State[Any]:
    """Refresh what changed; skipped while another refresh is running."""
    return _run("hourly", queue_seconds=0)


@flow(name="nightly refresh", flow_run_name=run_name)
def nightly() -> State[Any]:
    """Recompute everything; waits for a refresh that is running."""
    return _run("nightly", queue_seconds=QUEUE_SECONDS)


def _run(mode: Mode, queue_seconds: int) -> State[Any]:
    late = datetime.now(UTC) - runtime.flow_run.scheduled_start_time
    if late > MISSED_AFTER:
        return Completed(name="Missed", message=f"due {late} ago; the next run does its work")
    use_environment()
    deadline = time.monotonic() + queue_seconds
    while True:
        try:
            payload = refresh(Options(mode=mode), PrefectProgress())
        except Busy as busy:
            if not queue_seconds:
                return Completed(name="Skipped", message=str(busy))
            if time.monotonic() > deadline:
                return Failed(message=str(busy))
            time.sleep(RETRY_SECONDS)
        except Failure as failure:
            return Failed(name=type(failure).__name__, message=str(failure))
        else:
            create_table_artifact(risk_statistics(payload["tenants"]), "risk-status")
            create_table_artifact(account_statistics(payload["tenants"]), "account-types")
            create_table_artifact(segment_statistics(payload["organizations"]), "segments")
            return Completed(message=f"{payload['rows_written']} customers written back")
