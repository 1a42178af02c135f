"""Reading and checking what a command was given."""

import os
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from flows import systems
from flows.database import Connection, rows
from flows.errors import WrongArgument
from flows.installed import MARK
from flows.schemas import ANALYTICS, INTERNAL

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2201, 1, 1, tzinfo=UTC)
MOST_DAYS = 3650


def read_arguments(arguments: Sequence[str]) -> list[str]:
    """Return what was typed, as UTF-8 also where the locale is said to know ASCII only.

    Raises WrongArgument for what is no text.
    """
    return [_read(argument) for argument in arguments]


def _read(argument: str) -> str:
    # Python keeps each byte that its locale has no character for
    try:
        argument.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(argument).decode()
        except UnicodeDecodeError:
            raise WrongArgument(f"argument {argument!r} is no UTF-8") from None
    return argument


def parse_as_of(text: str) -> datetime:
    """Read an instant, which must say its offset and lie in the years that are believed."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise WrongArgument(
            f"--as-of: {text!r} is no timestamp with an offset,"
            " such as 2026-01-31T12:00:00+00:00"
        )
    if not EARLIEST <= instant < LATEST:
        raise WrongArgument(f"--as-of: {text!r} lies outside 1970 to 2200")
    return instant


def parse_days(text: str) -> int:
    """Read a number of days, up to ten years."""
    if not text.isdecimal() or int(text) > MOST_DAYS:
        raise WrongArgument(
            f"--backfill-days: {text!r} is no whole number from 0 to {MOST_DAYS}"
        )
    return int(text)


def parse_run_id(text: str) -> str:
    """Read what a run shall be called in the log."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise WrongArgument(f"--run-id: {text!r} is no UUID") from None


def check_tenant(connection: Connection, slug: str | None) -> None:
    """Raise WrongArgument when there are tenants already and none has this slug."""
    if is_built(connection):
        check_slug(connection, systems.registry()[systems.known("orders", "--tenant")], slug)


def check_slug(connection: Connection, system: systems.System, slug: str | None) -> None:
    """Raise WrongArgument when none of those that the system's mart lists has this slug."""
    if slug is None:
        return
    tenant = system.tenant
    found = rows(
        connection,
        f"select {tenant}_slug as slug from {ANALYTICS}.{system.tenants} order by 1",
    )
    refuse_others(tenant, slug, [row["slug"] for row in found])


def refuse_others(tenant: str, slug: str, slugs: list[str]) -> None:
    """Raise WrongArgument when a slug of a tenant, or organization, is none of these."""
    if slug not in slugs:
        raise WrongArgument(
            f"--{tenant}: no active {tenant} {slug!r}, there are: {_some(slugs)}"
        )


def check_organization(connection: Connection, slug: str | None) -> None:
    """Raise WrongArgument when the sources are mapped already and none has this slug.

    Asks the source: an organization that has just signed up need not wait for the night.
    """
    if slug is None:
        return
    lists = []
    for name in systems.daily():
        system = systems.registry()[name]
        mart = f"{ANALYTICS}.{system.tenants}"
        columns = [f"{system.tenant}_slug", "is_active", "is_valid"]
        # the staging view that lists them, whatever their table is called
        [there] = rows(
            connection,
            "select to_regclass(%(mart)s) as mart, (select min(oid::regclass::text)"
            " from pg_class where relnamespace = to_regnamespace(%(schema)s)"
            " and starts_with(relname, %(prefix)s)"
            " and starts_with(obj_description(oid, 'pg_class'), %(mark)s)"
            " and cardinality(%(columns)s::name[]) = ("
            "select count(*) from pg_attribute where attrelid = pg_class.oid"
            " and attname = any(%(columns)s::name[]))) as view",
            {
                "mart": mart,
                "schema": INTERNAL,
                "prefix": f"stg_{name}__",
                "mark": f"{MARK}{name}: ",
                "columns": columns,
            },
        )
        if there["view"]:
            lists.append(
                f"select {columns[0]} as slug from {there['view']}"
                " where is_active and is_valid"
            )
        elif there["mart"]:
            # a system without sources
            lists.append(f"select {columns[0]} as slug from {mart}")
        else:
            return
    slugs = [row["slug"] for row in rows(connection, f"{' union '.join(lists)} order by 1")]
    if slug not in slugs:
        raise WrongArgument(
            f"--organization: no active organization {slug!r}, there are: {_some(slugs)}"
        )


def is_built(connection: Connection) -> bool:
    """Return whether a refresh has built the marts here."""
    [tenants] = rows(connection, f"select to_regclass('{ANALYTICS}.tenants') as relation")
    return tenants["relation"] is not None


def _some(slugs: list[str]) -> str:
    more = f" and {len(slugs) - 10} more" if slugs[10:] else ""
    return (", ".join(slugs[:10]) or "none") + more
