"""What can go wrong, each with the exit code it ends a command with."""

from collections.abc import Mapping
from typing import Any

# by SQLSTATE, or its class, what may be over when it is tried again: connections, conflicts
# with others, want of room, somebody's intervention, a lock, the machine
TEMPORARY = ("08", "40", "53", "57", "55P03", "58")
# what a server says when it lets nobody in: libpq gives no SQLSTATE then
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
    """Return whether an error of the database may be over in a minute."""
    # of psycopg, and of the driver that dbt has
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state:
        return str(state).startswith(TEMPORARY)
    if "OperationalError" not in {kind.__name__ for kind in type(error).__mro__}:
        return False
    return not any(words in str(error) for words in REFUSALS)


class Failure(Exception):
    """A run that cannot go on. The message is one line and names what is concerned."""

    exit_code = 4
    # what the run log holds of the run, where it got so far
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
    """The database, or something else the run stands on, does not work.

    With is_temporary it may be over in a minute, so that it is worth another try.
    """

    exit_code = 4

    def __init__(self, message: str, *, is_temporary: bool = False) -> None:
        super().__init__(message)
        self.is_temporary = is_temporary


class Busy(Failure):
    """Another refresh holds the lock."""

    exit_code = 5
