"""Detach: drop our views on the application's tables so that its migrations can run.

A view blocks `alter column type` and `drop column` on the tables that it reads. The marts are
tables, or views on our tables, and stay. The next hourly or nightly refresh creates the views
again. On Citus our tables between two steps of a refresh go, too, so that shards can move.
"""

from datetime import datetime
from typing import Any

import psycopg

from flows.citus import unmovable_tables
from flows.database import (
    Connection,
    connect,
    install,
    refresh_lock,
    rows,
    with_short_lock,
)
from flows.errors import Busy, WriteBackHeld, WrongArgument
from flows.installed import MARK, READS
from flows.progress import Progress, count_of
from flows.run_log import logged
from flows.schemas import OPERATIONS

# Views of ours that read a relation that is not ours, directly or through another view. Ours
# are known by their comment, because somebody may have renamed them.
STANDING = f"""
    with recursive {READS},

    named as (
        select
            pg_class.oid,
            pg_class.relkind,
            pg_namespace.nspname as schema_name,
            pg_class.relname as name,
            starts_with(obj_description(pg_class.oid, 'pg_class'), %(mark)s) is true as is_ours
        from pg_class
        inner join pg_namespace
            on pg_class.relnamespace = pg_namespace.oid
    ),

    ours as (
        select * from named
        where relkind = 'v' and is_ours
    ),

    standing (view_id) as (
        select ours.oid
        from ours
        inner join reads
            on ours.oid = reads.view_id
        inner join named
            on reads.read_id = named.oid
        where
            not named.is_ours
            and named.schema_name not in ('pg_catalog', 'information_schema')

        union

        select ours.oid
        from standing
        inner join reads
            on standing.view_id = reads.read_id
        inner join ours
            on reads.view_id = ours.oid
    )

    select format('%%I.%%I', ours.schema_name, ours.name) as relation
    from ours
    inner join standing
        on ours.oid = standing.view_id
    order by 1
"""


def detach(progress: Progress) -> None:
    """Drop every view of ours that reads the application's tables, and what holds shards.

    Raises WrongArgument if an object of others depends on one of them, and Busy if one stays
    in use; nothing is dropped then.
    """
    with refresh_lock(), connect() as connection:
        install(connection, "operations.sql")
        with logged(connection, "detach", "detach") as log:
            standing = rows(connection, STANDING, {"mark": MARK})
            tables = unmovable_tables(connection)
            if standing or tables:
                _take_away(connection, standing, tables)
            log.payload["views"] = [view["relation"] for view in standing]
        since = detached_since(connection)
    if since is None:
        progress.say("no view of ours reads a table of the application")
    elif standing:
        working = f" and {count_of(len(tables), 'working table')}" if tables else ""
        progress.say(
            f"detached: dropped {count_of(len(standing), 'view')} on the application's"
            f" tables{working}; migrate"
            " now; the next hourly or nightly refresh creates them again"
        )
    else:
        progress.say(in_words(since))


def detached_since(connection: Connection) -> datetime | None:
    """Return since when views are detached, or None if all of them exist."""
    [table] = rows(connection, f"select to_regclass('{OPERATIONS}.detached_views') as there")
    if table["there"] is None:
        return None
    [detached] = rows(
        connection,
        f"select min(detached_at) as since from {OPERATIONS}.detached_views"
        " where to_regclass(relation) is null",
    )
    since: datetime | None = detached["since"]
    return since


def in_words(since: datetime) -> str:
    """Return a line that says views are detached and what restores them."""
    return (
        f"detached since {since:%Y-%m-%d %H:%M:%S %Z}: the next hourly or nightly refresh"
        " creates our views on the application's tables again"
    )


def check_attached(connection: Connection) -> None:
    """Raise WriteBackHeld while views are detached."""
    if since := detached_since(connection):
        raise WriteBackHeld(in_words(since))


def put_back(connection: Connection, progress: Progress, *, is_complete: bool) -> None:
    """Restore the grants of views that exist again.

    is_complete: the refresh has built everything, so a view that is still missing is gone for
    good and is forgotten.
    """
    # if we are killed meanwhile, the grants are still noted
    with connection.transaction():
        for view in rows(
            connection,
            f"delete from {OPERATIONS}.detached_views"
            " where to_regclass(relation) is not null or %(is_complete)s"
            " returning relation, to_regclass(relation) is not null as is_there,"
            " grant_statements",
            {"is_complete": is_complete},
        ):
            for grant in view["grant_statements"] if view["is_there"] else []:
                try:
                    with connection.transaction():
                        connection.execute(grant.encode())
                except psycopg.errors.Error as error:
                    if connection.broken:
                        raise
                    # the role or the column is gone
                    progress.say(
                        f"warning: could not restore a grant: {grant}: {str(error).strip()}"
                    )


def _take_away(
    connection: Connection, standing: list[dict[str, Any]], tables: list[str]
) -> None:
    def change() -> None:
        for view in standing:
            connection.execute(f"call {OPERATIONS}.note_grants(%(relation)s)", view)
        if standing:
            connection.execute("drop view " + ", ".join(view["relation"] for view in standing))
        if tables:
            connection.execute("drop table " + ", ".join(tables))

    try:
        with_short_lock(connection, change)
    except psycopg.errors.DependentObjectsStillExist as error:
        others = "; ".join((error.diag.message_detail or str(error)).splitlines())
        raise WrongArgument(
            f"detach: nothing was dropped, because objects of others depend on ours: {others}"
        ) from error
    except psycopg.errors.LockNotAvailable as error:
        raise Busy(
            "detach: a long transaction uses one of our relations; nothing was dropped, try"
            " again"
        ) from error
