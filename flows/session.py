"""Prepare a session: it must have one backend, and gets the settings that the rules rely on.

The settings are in macros/session/session_settings.sql, for dbt's sessions and for these.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from flows.errors import Infrastructure
from flows.keepalives import KEEPALIVES
from flows.project import OUR_PROJECT

MACRO = OUR_PROJECT / "macros" / "session" / "session_settings.sql"

# connection options, whatever the environment or a service file says
ARGUMENTS: dict[str, Any] = {
    "connect_timeout": 10,
    # from a SQL_ASCII server psycopg would return bytes
    "client_encoding": "utf8",
    **KEEPALIVES,
}

ASKED = 3


@cache
def settings() -> str:
    """Return the query that yields the settings: name and value."""
    # without the first and last line, which make it a macro
    return MACRO.read_text().partition("\n")[2].rpartition("{% endmacro")[0]


def use_settings(
    connection: psycopg.Connection[Any],
    different: Mapping[str, str] | None = None,
    *,
    is_local: bool = False,
) -> None:
    """Set the settings that the rules rely on, with different values for some if given.

    is_local: until the end of the transaction. Settings that an older server does not know are
    skipped.
    """
    connection.execute(
        f"""
        select pg_catalog.set_config(name, value, %(is_local)s)
        from (
            select name, coalesce(%(different)s::jsonb ->> name, value) as value
            from ({settings()}) as settings (name, value)
        ) as settings
        where pg_catalog.current_setting(name, true) != value
        """.encode(),
        {
            "is_local": is_local,
            "different": Jsonb(dict(different or {})),
        },
    )


def as_options(connection: psycopg.Connection[Any]) -> str:
    """Return the settings that this server knows, in the form of PGOPTIONS."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(
            f"""
            select settings.name, settings.value
            from ({settings()}) as settings (name, value)
            -- PGOPTIONS may not hold settings that only a superuser may set
            inner join pg_settings on lower(pg_settings.name) = settings.name
            where context = 'user'
            """.encode()
        ).fetchall()
    return " ".join(
        "-c " + f"{name}={value}".replace("\\", "\\\\").replace(" ", "\\ ")
        for name, value in found
    )


def refuse_shared_backends(
    connection: psycopg.Connection[Any], service: str | None = None
) -> None:
    """Raise Infrastructure if statements of this session go to different backends.

    A transaction pooler would leak our role and settings to sessions of the application, and
    would not hold our lock.
    """
    backends = {_backend(connection) for _ in range(ASKED)}
    if backends == {connection.info.backend_pid}:
        return
    # There is a pooler. While another session holds its backend in a transaction, this one
    # must still get the same backend as before.
    with psycopg.connect(**ARGUMENTS, service=service, autocommit=False) as other:
        holds = _backend(other)
        is_shared = holds in backends or len(backends | {_backend(connection)}) > 1
        other.rollback()
    if is_shared:
        info = connection.info
        raise Infrastructure(
            f"database: {info.host}:{info.port} is a transaction pooler, where a session"
            " cannot keep a lock, role or setting; PGHOST and PGPORT must name the server"
            " itself or a session pool (pool_mode = session)"
        )


def _backend(connection: psycopg.Connection[Any]) -> int:
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute("select pg_catalog.pg_backend_pid()").fetchone()
    assert found is not None  # noqa: S101 - a select without from has one row
    return int(found[0])
