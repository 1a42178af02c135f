"""The kinds of failure, each with its exit code."""

from collections.abc import Mapping
from typing import Any

# SQLSTATEs, or their classes, that a retry may cure: connection, transaction conflict,
# insufficient resources, operator intervention, lock not available, system error
TEMPORARY = ("08", "40", "53", "57", "55P03", "58")
# what a server says when it refuses a login: libpq gives no SQLSTATE then
REFUSALS = (
    "authentication failed",
    "does not exist",
    "certificate",
    "no password supplied",
    "not permitted",
    "permission denied",
    "pg_hba.conf",
    "does not support SSL",
    "invalid ",
)


def is_temporary(error: BaseException) -> bool:
    """Return whether a database error may go away within a minute."""
    # the first is psycopg's, the second that of dbt's driver
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state:
        return str(state).startswith(TEMPORARY)
    if "OperationalError" not in {kind.__name__ for kind in type(error).__mro__}:
        return False
    return not any(words in str(error) for words in REFUSALS)


class Failure(Exception):
    """A run that cannot continue: one line that names the table, key or setting."""

    exit_code = 4
    # the run's entry in the run log, if it has one
    payload: Mapping[str, Any] = {}


class TestsFailed(Failure):
    """Data tests failed: nothing is written back."""

    exit_code = 1


class WrongArgument(Failure):
    """An argument or setting that is not allowed."""

    exit_code = 2


class WriteBackHeld(Failure):
    """The marts are done, but it is not safe to write back."""

    exit_code = 3


class Infrastructure(Failure):
    """The database, or something else that the run needs, does not work.

    is_temporary: the cause may go away within a minute, so the caller should try again.
    """

    exit_code = 4

    def __init__(self, message: str, *, is_temporary: bool = False) -> None:
        super().__init__(message)
        self.is_temporary = is_temporary


class Busy(Failure):
    """Another refresh holds the lock."""

    exit_code = 5
