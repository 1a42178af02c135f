"""operations.application_logs: one row a run, written at its start and at its end."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from flows.database import Connection, connect, one_line, rows
from flows.errors import Failure, Infrastructure, TestsFailed, WriteBackHeld, WrongArgument
from flows.project import IS_OF_USER, PACKAGE, VARIABLE
from flows.schemas import OPERATIONS

# in the payload of a refresh: its marts are published and tested, what comes is the write-back
COMPUTED = "is_computed"


class RunLog:
    """The row of one run. What is put into payload is stored when the run ends."""

    def __init__(
        self, connection: Connection, cron_name: str, log_type: str, logid: str | None = None
    ) -> None:
        self.connection = connection
        self.logid = logid or str(uuid.uuid4())
        self.payload: dict[str, Any] = {"cron_name": cron_name}
        self._log_type = log_type
        self._started = time.monotonic()

    def start(self) -> None:
        """Insert the row; runs that died without ending theirs are marked so.

        Needs the refresh lock: only with it is a row that says running known to be dead.
        """
        self.connection.execute(
            f"update {OPERATIONS}.application_logs set status = 'interrupted'"
            " where status = 'running'"
        )
        self.connection.execute(
            f"insert into {OPERATIONS}.application_logs (logid, log_type, status, payload)"
            " values (%s, %s, 'running', %s)",
            (self.logid, self._log_type, self._json()),
        )

    def store(self) -> None:
        """Store the payload as it is now."""
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

    def count_with_last(self, mark: str, status: str) -> None:
        """Take the place of the row before this one, if it has this mark and ended so, too.

        So runs of which there is nothing to tell are one row, that of the last of them:
        runs_count says how many there were, runs_since when the first began.
        """
        before = self.connection.execute(
            f"""
            delete from {OPERATIONS}.application_logs
            where
                log_id = (
                    select max(log_id) from {OPERATIONS}.application_logs
                    where logid != %(logid)s and log_type = %(log_type)s
                )
                and status = %(status)s
                -- an idle run that has written what an earlier one left is one to tell of
                and payload ? 'runs_count'
                and payload @> jsonb_build_object(
                    'cron_name', %(job)s::text, %(mark)s::text, true
                )
            returning payload -> 'runs_count' as count, payload ->> 'runs_since' as since
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
    """Raise WrongArgument where somebody's project has made the marts, and ours would go on.

    As when a command is started beside the folder of the project, and not in it.
    """
    [there] = rows(connection, f"select to_regclass('{OPERATIONS}.application_logs') as logs")
    last = there["logs"] and rows(
        connection,
        f"select payload ->> 'project' as project from {OPERATIONS}.application_logs"
        " where payload ? 'project' order by log_id desc limit 1",
    )
    if last and last[0]["project"] != PACKAGE and not IS_OF_USER:
        raise WrongArgument(
            f"the marts here are those of the project {last[0]['project']}: run this in its"
            f" folder, or name it in {VARIABLE}; `customer-health uninstall` takes them away"
        )


@contextmanager
def logged(
    connection: Connection, cron_name: str, log_type: str, logid: str | None = None
) -> Iterator[RunLog]:
    """Log what is done inside, whichever way it ends; logid: what it is called there."""
    log = RunLog(connection, cron_name, log_type, logid)
    log.start()
    try:
        yield log
    except BaseException as error:
        log.payload["error"] = (
            # as connect() says it, further out
            f"database: {one_line(error)}"
            if isinstance(error, psycopg.Error)
            else str(error) or type(error).__name__
        )
        if isinstance(error, Failure):
            error.payload = log.payload
        try:
            if connection.closed:
                # only our session has ended, it may be
                with connect() as log.connection:
                    log.end(_status_of(error))
            else:
                log.end(_status_of(error))
        except (Infrastructure, psycopg.Error):
            # the database is gone; the next run marks the row as interrupted
            error.add_note("the run log could not be written")
        raise
    log.end("success")


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
