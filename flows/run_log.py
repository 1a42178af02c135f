"""Write operations.application_logs: one row per run, at its start and at its end."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psycopg

from flows.database import Connection, connect, one_line, rows
from flows.errors import Failure, Infrastructure, TestsFailed, WriteBackHeld, WrongArgument
from flows.project import IS_OF_USER, PACKAGE, VARIABLE
from flows.schemas import OPERATIONS

# payload key of a refresh whose marts are published and tested: only the write-back is left
COMPUTED = "is_computed"

# the jobs that have runs, by their names in the log
Job = Literal[
    "refresh_hourly",
    "refresh_nightly",
    "refresh_organization",
    "write_back",
    "rollback",
    "fit_orders",
    "fit_visits",
    "detach",
]


class RunLog:
    """The row of one run."""

    def __init__(
        self, connection: Connection, cron_name: str, log_type: str, logid: str | None = None
    ) -> None:
        self.connection = connection
        self.logid = logid or str(uuid.uuid4())
        self.payload: dict[str, Any] = {"cron_name": cron_name}
        self.has_ended = False
        self._log_type = log_type
        self._started = time.monotonic()

    def start(self) -> None:
        """Insert the row; mark earlier runs that died as interrupted.

        Needs the refresh lock: only its holder knows that another running row is dead.
        """
        self.connection.execute(
            f"update {OPERATIONS}.application_logs set status = 'interrupted'"
            " where status = 'running'"
        )
        try:
            self.connection.execute(
                f"insert into {OPERATIONS}.application_logs (logid, log_type, status, payload)"
                " values (%s, %s, 'running', %s)",
                (self.logid, self._log_type, self._json()),
            )
        except psycopg.errors.UniqueViolation:
            raise WrongArgument(f"--run-id: {self.logid} is in the run log already") from None

    def store(self) -> None:
        """Store the current payload."""
        self.connection.execute(
            f"update {OPERATIONS}.application_logs set payload = %s where logid = %s",
            (self._json(), self.logid),
        )

    def end(self, status: str) -> None:
        """Store how the run ended."""
        self.payload["seconds"] = round(time.monotonic() - self._started, 1)
        self.connection.execute(
            f"update {OPERATIONS}.application_logs set status = %s, payload = %s"
            " where logid = %s",
            (status, self._json(), self.logid),
        )
        self.has_ended = True

    def count_with_last(self, mark: str, status: str) -> None:
        """End the run, and replace the previous row if it has the same mark and status.

        Consecutive runs without news thus share one row: runs_count is their number,
        runs_since the start of the first. What the previous one could not write back goes
        with it.
        """
        with self.connection.transaction():
            self._count_with_last(mark, status)
            self.end(status)

    def _count_with_last(self, mark: str, status: str) -> None:
        before = self.connection.execute(
            f"""
            with runs as (
                delete from {OPERATIONS}.application_logs
                where
                    log_id = (
                        select max(log_id) from {OPERATIONS}.application_logs
                        where logid != %(logid)s and log_type = %(log_type)s
                    )
                    and status = %(status)s
                    -- an idle run that wrote back pending changes keeps its own row
                    and payload ? 'runs_count'
                    and payload @> jsonb_build_object(
                        'cron_name', %(job)s::text, %(mark)s::text, true
                    )
                returning
                    logid, payload -> 'runs_count' as count, payload ->> 'runs_since' as since
            ),

            batches as (
                delete from {OPERATIONS}.write_back_batches using runs
                where write_back_batches.logid = runs.logid
                returning batch_id
            ),

            changes as (
                delete from {OPERATIONS}.write_back_changes using batches
                where write_back_changes.batch_id = batches.batch_id
            )

            select count, since from runs
            """.encode(),
            {
                "logid": self.logid,
                "log_type": self._log_type,
                "job": self.payload["cron_name"],
                "mark": mark,
                "status": status,
            },
        ).fetchall()
        [own] = self.connection.execute(
            f"select created_at from {OPERATIONS}.application_logs where logid = %s",
            (self.logid,),
        ).fetchall()
        self.payload |= {
            "runs_count": 1 + sum(row["count"] for row in before),
            "runs_since": min(
                [own["created_at"].isoformat(), *(row["since"] for row in before)]
            ),
        }

    def _json(self) -> str:
        return json.dumps(self.payload, default=str)


def check_maker(connection: Connection) -> None:
    """Raise WrongArgument if a user's project made the marts and our own would overwrite them.

    This happens when a command is started outside the project's folder.
    """
    [there] = rows(connection, f"select to_regclass('{OPERATIONS}.application_logs') as logs")
    last = there["logs"] and rows(
        connection,
        f"select payload ->> 'project' as project from {OPERATIONS}.application_logs"
        " where payload ? 'project' order by log_id desc limit 1",
    )
    if last and last[0]["project"] != PACKAGE and not IS_OF_USER:
        raise WrongArgument(
            f"the marts in this database belong to the project {last[0]['project']}: run the"
            f" command in its folder, or set {VARIABLE} to it; `customer-health uninstall`"
            " removes the marts"
        )


@contextmanager
def logged(
    connection: Connection, cron_name: str, log_type: str, logid: str | None = None
) -> Iterator[RunLog]:
    """Log the run inside this block, however it ends. logid: its id in the run log."""
    log = RunLog(connection, cron_name, log_type, logid)
    log.start()
    try:
        yield log
    except BaseException as error:
        log.payload["error"] = (
            # the same words as in connect()
            f"database: {one_line(error)}"
            if isinstance(error, psycopg.Error)
            else str(error) or type(error).__name__
        )
        if isinstance(error, Failure):
            error.payload = log.payload
        try:
            _end(log, _status_of(error))
        except (Infrastructure, psycopg.Error):
            # the database is unreachable; the next run marks the row as interrupted
            error.add_note("the run log could not be written")
        raise
    if not log.has_ended:
        _end(log, "success")


def _end(log: RunLog, status: str) -> None:
    """Store how the run ended, in a new session if only ours has ended."""
    try:
        log.end(status)
    except psycopg.OperationalError:
        with connect() as log.connection:
            log.end(status)


def _status_of(error: BaseException) -> str:
    match error:
        case TestsFailed():
            return "tests_failed"
        case WriteBackHeld():
            return "held"
        case WrongArgument():
            return "wrong_argument"
        case Failure() | psycopg.Error():
            return "failed"
        case _:
            return "interrupted" if not isinstance(error, Exception) else "failed"
