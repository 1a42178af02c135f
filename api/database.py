"""Connections: one transaction per request, in the caller's role, mostly read-only."""

import queue
from collections.abc import Callable, Mapping
from typing import Any, LiteralString, TypeVar

import orjson
import psycopg
from psycopg import sql
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.types.string import TextLoader

from api.problems import Problem, log
from flows.database import REFRESHER, one_line, take_role
from flows.errors import Failure
from flows.session import ARGUMENTS, refuse_shared_backends, use_settings

# a query that takes longer is too slow for a screen, and burdens the database
STATEMENT_TIMEOUT = "10s"
# how long a request waits for a connection
SECONDS_TO_WAIT = 5
# a machine that is gone is noticed after 15 to 20 seconds, not after minutes as by a command
NOTICED = {"keepalives_idle": 10, "tcp_user_timeout": 15_000}
# plans that a connection keeps; the largest takes 1.6 MB of the server's memory
PLANS = 20
# settings in which a reader's session differs from a refresh
SETTINGS = {
    "statement_timeout": STATEMENT_TIMEOUT,
    # row-level security decides which rows are shown
    "row_security": "on",
}

# where PostgreSQL raises "cached plan must not change result type"
REPLANNED = "RevalidateCachedQuery"

# the login is not a member of the role, or the role no longer exists
MAY_NOT = (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue)

Connection = psycopg.Connection[DictRow]
Result = TypeVar("Result")


class JsonLoader(Loader):
    """Passes JSON from the database on unchanged."""

    def load(self, data: Buffer) -> orjson.Fragment:
        """Return the JSON as a fragment of the answer."""
        return orjson.Fragment(bytes(data))


def open_connection() -> Connection:
    """Open a read-only connection; between requests it has the refresher's rights.

    Raises a Failure if the login may not take that role.
    """
    connection = psycopg.connect(
        **{**ARGUMENTS, **NOTICED},
        autocommit=True,
        application_name="customer_health api",
        row_factory=dict_row,
        # values become literals: each query gets its own plan, without casts
        cursor_factory=psycopg.ClientCursor,
    )
    try:
        refuse_shared_backends(connection)
        use_settings(connection, SETTINGS)
        # many requests run at once: one query on all processors makes the others wait
        connection.execute("set max_parallel_workers_per_gather = 0")
        take_role(connection, REFRESHER)
    except BaseException:
        connection.close()
        raise
    connection.prepared_max = PLANS
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    # exact numbers, ids and dates are text in JSON
    for name in ("numeric", "uuid", "date"):
        connection.adapters.register_loader(name, TextLoader)
    connection.adapters.register_loader("jsonb", JsonLoader)
    return connection


def rows_of(
    connection: Connection, query: LiteralString, values: Mapping[str, Any]
) -> list[DictRow]:
    """Run a query with these values, and return its rows.

    Planning a large view takes longer than reading it. So a query that a connection gets for
    the sixth time, with the same values, is prepared. PostgreSQL plans it again for another
    role if row security decides what it sees.
    """
    text = filled(connection, query, values)
    with psycopg.Cursor(connection, row_factory=dict_row) as cursor:
        # our own file, in which the values have become literals
        return cursor.execute(text.encode()).fetchall()


def filled(connection: Connection, query: LiteralString, values: Mapping[str, Any]) -> str:
    """Return the text of a query in which the values have become literals."""
    return psycopg.ClientCursor(connection).mogrify(query, values)


def use_role(connection: Connection, role: str) -> None:
    """Take the caller's role until the end of the transaction."""
    try:
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    except MAY_NOT as error:
        grant = sql.SQL("grant {} to {}").format(
            sql.Identifier(role), sql.Identifier(connection.info.user)
        )
        log(f"role {role}: {one_line(error)}; run `{grant.as_string(connection)}`")
        raise Problem(
            403, "the API may not take the role of this token; its log says what to grant"
        ) from error


class Pool:
    """A fixed number of connections, each opened when it is first needed."""

    def __init__(self, size: int) -> None:
        # last in, first out: reuse the connection that was used last
        self._free: queue.LifoQueue[Connection | None] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(None)

    def run(self, work: Callable[[Connection], Result], *, writes: bool = False) -> Result:
        """Run work in a transaction; raises Problem if the database fails."""
        try:
            connection = self._free.get(timeout=SECONDS_TO_WAIT)
        except queue.Empty:
            raise Problem(503, "all connections are in use", Retry_After="1") from None
        try:
            if connection:
                try:
                    return _in_transaction(connection, work, writes=writes)
                except psycopg.errors.FeatureNotSupported as error:
                    if error.diag.source_function != REPLANNED:
                        raise
                    # a view has other columns since; the rollback discarded the old plans
                    return _in_transaction(connection, work, writes=writes)
                except psycopg.errors.InsufficientPrivilege:
                    # its role may have been dropped since, and created again
                    connection.close()
                except psycopg.OperationalError:
                    if not connection.closed:
                        raise
            # not opened yet, or of no use since the last request
            connection = open_connection()
            return _in_transaction(connection, work, writes=writes)
        except (psycopg.Error, Failure) as error:
            raise as_problem(error) from error
        finally:
            self._free.put(None if connection is None or connection.closed else connection)

    def close(self) -> None:
        """Close all idle connections."""
        while not self._free.empty():
            if connection := self._free.get():
                connection.close()


def _in_transaction(
    connection: Connection, work: Callable[[Connection], Result], *, writes: bool
) -> Result:
    with connection.transaction():
        if writes:
            # a writer must see what others have committed in the meantime
            try:
                connection.execute(
                    "set transaction isolation level read committed, read write"
                )
            except psycopg.errors.FeatureNotSupported as error:
                raise Problem(
                    503, "this API reads from a standby: use the API of the primary server"
                ) from error
        try:
            return work(connection)
        except Problem as error:
            if writes or connection.info.transaction_status != TransactionStatus.INTRANS:
                raise
            # a rollback would discard the plans of the connection
            problem = error
    raise problem


def as_problem(error: psycopg.Error | Failure) -> Problem:
    """Return a Problem for the caller; the details go to the log only."""
    match error:
        case psycopg.errors.UndefinedTable() | psycopg.errors.InvalidSchemaName():
            detail = "there are no figures yet, or the views are detached: run a refresh"
        case psycopg.errors.UndefinedColumn():
            detail = (
                "the marts are of another version: run a refresh, or restart the API after an"
                " upgrade"
            )
        case psycopg.errors.QueryCanceled():
            detail = (
                f"the query took more than {STATEMENT_TIMEOUT}: narrow the filters or the days"
            )
        case psycopg.errors.InsufficientPrivilege():
            detail = "a role lacks a right: run `customer-health roles install`"
        case psycopg.errors.UntranslatableCharacter():
            # only in a database that is not in UTF-8
            return Problem(422, "a parameter has a character that the database cannot hold")
        case psycopg.errors.SerializationFailure() | psycopg.errors.DeadlockDetected():
            # on a standby, a refresh of the primary server cancels long queries
            detail = "the database has cancelled the query because of other work: try again"
        case psycopg.OperationalError(sqlstate=str(state)) if state[:2] in ("53", "55"):
            detail = "the database is busy or short of resources"
        case psycopg.OperationalError() | Failure():
            detail = "the database cannot be reached"
        case _:
            raise error
    log(f"{detail}: {one_line(error)}")
    return Problem(503, detail, Retry_After="5")
