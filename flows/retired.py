"""Drop what an earlier version of the project created and this one no longer does."""

from typing import Any

import psycopg

from flows.database import Connection, rows, with_short_lock
from flows.installed import MARK
from flows.progress import Progress
from flows.schemas import INTERNAL

RETIRED = f"""
    select
        retired.name,
        pg_class.relkind = 'v' as is_view,
        pg_class.relkind = 'v' or pg_class.relnamespace = '{INTERNAL}'::regnamespace
            as may_go
    from unnest(%(before)s::text[]) as retired (name)
    inner join pg_class
        on to_regclass(retired.name) = pg_class.oid
    where
        pg_class.oid not in (
            select to_regclass(made.name)::oid
            from unnest(%(made)s::text[]) as made (name)
            where to_regclass(made.name) is not null
        )
        and starts_with(obj_description(pg_class.oid, 'pg_class'), %(mark)s)
    order by retired.name
"""


def drop_retired(
    connection: Connection, before: list[str], made: list[str], progress: Progress
) -> None:
    """Drop views and intermediate tables that are no longer created.

    Marts with rows stay, and so does everything that objects of others depend on. This is
    printed once, because the next refresh no longer knows about them.
    """
    retired = rows(connection, RETIRED, {"before": before, "made": made, "mark": MARK})
    stays = [one["name"] for one in retired if not one["may_go"]]
    waiting = [one for one in retired if one["may_go"]]
    # they may read each other: repeat as long as something could be dropped
    while waiting:
        left = [one for one in waiting if not _drop(connection, one)]
        if left == waiting:
            stays += [one["name"] for one in left]
            break
        waiting = left
    if dropped := [one["name"] for one in retired if one["name"] not in stays]:
        progress.say(f"dropped, no longer in use: {', '.join(dropped)}".replace('"', ""))
    if stays:
        names = ", ".join(name.replace('"', "") for name in stays)
        progress.say(
            f"no longer refreshed but kept: {names}; drop them when nobody reads them"
        )


def _drop(connection: Connection, one: dict[str, Any]) -> bool:
    """Drop one object; return whether it is gone."""
    kind = "view" if one["is_view"] else "table"
    statement = f"drop {kind} if exists {one['name']}".encode()
    try:
        with_short_lock(connection, lambda: connection.execute(statement))
    except (
        psycopg.errors.DependentObjectsStillExist,
        psycopg.errors.LockNotAvailable,
        # somebody has changed its owner
        psycopg.errors.InsufficientPrivilege,
    ):
        return False
    return True
