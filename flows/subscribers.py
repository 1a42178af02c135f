"""Refuse and warn where a subscriber of a publication lacks our tables.

A publication for all tables also publishes ours. At the first row of a table that the
subscriber lacks, its replication stops, and the slot here keeps the WAL without limit.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import DictRow

from flows.errors import WrongArgument
from flows.installed import MARK
from flows.project import settings
from flows.schemas import SCHEMAS
from flows.streams import print_on

Connection = psycopg.Connection[DictRow]

# the var that says that the subscribers get our tables
VAR = "subscribers_have_our_tables"
SHOWN = 5
# tables of ours that a publication can publish; working tables are unlogged
PUBLISHED = """
    select pg_class.oid, format('%%I.%%I', nspname, relname) as name
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    where
        nspname = any(%(schemas)s) and relkind = 'r' and relpersistence = 'p'
        and starts_with(obj_description(pg_class.oid, 'pg_class'), %(mark)s)
"""
# everybody may read these catalogs
FOLLOWERS = f"""
    select
        (
            select string_agg(pubname, ', ' order by pubname) from pg_publication
            where
                puballtables
                or exists (
                    select from pg_publication_namespace
                    inner join pg_namespace on pnnspid = pg_namespace.oid
                    where pnpubid = pg_publication.oid and nspname = any(%(schemas)s)
                )
        ) as publications,
        -- nothing says which publications a slot follows, unless it is in use
        (
            select string_agg(slot_name, ', ' order by slot_name) from pg_replication_slots
            where
                slot_type = 'logical' and plugin = 'pgoutput' and not temporary
                and database = current_database()
        ) as slots,
        exists ({PUBLISHED}) as are_here
"""


@dataclass(frozen=True)
class Followers:
    """The publications that publish every new table of ours, and the slots of subscribers."""

    publications: str
    slots: str | None
    # whether there are tables of ours already
    are_here: bool

    def problem(self) -> str | None:
        """Return what is wrong, or may become wrong; None if the user says that it is fine."""
        if settings()[VAR] is True:
            return None
        if self.slots and not self.are_here:
            return (
                f"publication {self.publications} publishes every new table, so the"
                f" subscriber of slot {self.slots} would stop at the first row of ours, whose"
                " tables it lacks, and the slot would keep all WAL"
            )
        if self.slots:
            return (
                f"publication {self.publications} publishes every new table, so the"
                f" subscriber of slot {self.slots} stops when a command of ours creates a"
                " table that it lacks"
            )
        if not self.are_here:
            return (
                f"publication {self.publications} publishes every new table, so whoever"
                " subscribes to it needs our tables, too"
            )
        return None


REMEDY = (
    "publish schemas instead (`create publication ... for tables in schema ...`), or create"
    f" our tables at the subscriber, too, and set `{VAR}: true`: docs/ownership.md"
)


def followers(connection: Connection) -> Followers | None:
    """Return who would get new tables of ours, or None if no publication has them."""
    [found] = connection.execute(FOLLOWERS, _parameters()).fetchall()
    return Followers(**found) if found["publications"] else None


def refuse_to_stop_them(connection: Connection) -> None:
    """Raise WrongArgument before the first table of ours stops a subscriber.

    If there is a publication but nobody follows it, print a warning.
    """
    found = followers(connection)
    if found is None or found.are_here or not (problem := found.problem()):
        return
    if found.slots:
        raise WrongArgument(f"{problem}: {REMEDY}")
    _warn(f"{problem}: {REMEDY}")


def tell_of_new_tables(connection: Connection, names: Sequence[str]) -> None:
    """Print which new tables a subscriber needs, if one may follow."""
    if names and (line := _needed(followers(connection), names)):
        _warn(line)


@contextmanager
def telling_of_new_tables(
    connection: Connection, say: Callable[[str], object]
) -> Iterator[None]:
    """Say after this block which tables of ours are new, if a subscriber may follow."""
    found = followers(connection)
    before = _published(connection) if found and found.slots else {}
    try:
        yield
    finally:
        if found and found.slots and not connection.broken:
            new = [name for oid, name in _published(connection).items() if oid not in before]
            if line := _needed(found, new):
                say(f"warning: {line}")


def _needed(found: Followers | None, names: Sequence[str]) -> str | None:
    if not (found and found.slots and names):
        return None
    more = len(names) - SHOWN
    named = ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
    needed = "a new table" if len(names) == 1 else f"{len(names)} new tables"
    return (
        f"the subscriber of slot {found.slots} needs {needed}, or its replication stops:"
        f" {named} (docs/ownership.md)"
    )


def _published(connection: Connection) -> dict[int, str]:
    found = connection.execute(f"{PUBLISHED} order by 2".encode(), _parameters()).fetchall()
    return {row["oid"]: row["name"] for row in found}


def _parameters() -> dict[str, Any]:
    return {"schemas": list(SCHEMAS), "mark": MARK}


def _warn(line: str) -> None:
    """Print a warning where no Progress is at hand, and where it cannot break the JSON."""
    print_on(sys.stderr, f"warning: {line}")
