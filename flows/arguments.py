"""Read and check the arguments of a command."""

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
    """Return the arguments as UTF-8, even in a locale that knows only ASCII.

    Raises WrongArgument for bytes that are not UTF-8.
    """
    return [_read(argument) for argument in arguments]


def _read(argument: str) -> str:
    # Python keeps bytes that its locale cannot decode as surrogates
    try:
        argument.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(argument).decode()
        except UnicodeDecodeError:
            raise WrongArgument(f"argument {argument!r} is not UTF-8") from None
    return argument


def parse_as_of(text: str) -> datetime:
    """Read an instant. It must have an offset and lie between 1970 and 2200."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise WrongArgument(
            f"--as-of: {text!r} is not a timestamp with an offset, such as"
            " 2026-01-31T12:00:00+00:00"
        )
    if not EARLIEST <= instant < LATEST:
        raise WrongArgument(f"--as-of: {text!r} is outside the years 1970 to 2200")
    return instant


def parse_days(text: str) -> int:
    """Read a number of days, up to ten years."""
    if not text.isdecimal() or int(text) > MOST_DAYS:
        raise WrongArgument(
            f"--backfill-days: {text!r} must be a whole number from 0 to {MOST_DAYS}"
        )
    return int(text)


def parse_run_id(text: str) -> str:
    """Read the id that a run gets in the run log."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise WrongArgument(f"--run-id: {text!r} must be a UUID") from None


def check_tenant(connection: Connection, slug: str | None) -> None:
    """Raise WrongArgument when the marts list tenants and none has this slug."""
    if slug is not None and is_built(connection):
        check_slug(connection, systems.registry()[systems.known("orders", "--tenant")], slug)


def check_slug(connection: Connection, system: systems.System, slug: str | None) -> None:
    """Raise WrongArgument when no tenant in the system's mart has this slug."""
    if slug is None:
        return
    tenant = system.tenant
    found = rows(
        connection,
        f"select {tenant}_slug as slug from {ANALYTICS}.{system.tenants} order by 1",
    )
    refuse_others(tenant, slug, [row["slug"] for row in found])


def refuse_others(tenant: str, slug: str, slugs: list[str]) -> None:
    """Raise WrongArgument when the slug is not in the list."""
    if slug not in slugs:
        raise WrongArgument(
            f"--{tenant}: no active {tenant} has the slug {slug!r}; there are: {_some(slugs)}"
        )


def check_organization(connection: Connection, slug: str | None) -> None:
    """Raise WrongArgument when the inputs are built and no organization has this slug.

    It reads the inputs, so that a new organization need not wait for the nightly refresh.
    """
    if slug is None:
        return
    if not slug:
        raise WrongArgument("--organization is empty: give the slug of an organization")
    lists = []
    for name in systems.daily():
        system = systems.registry()[name]
        mart = f"{ANALYTICS}.{system.tenants}"
        columns = [f"{system.tenant}_slug", "is_active", "is_valid"]
        # the staging view that lists them, found by its columns: the table's name may differ
        [there] = rows(
            connection,
            "select to_regclass(%(mart)s) as mart, (select min(oid::regclass::text)"
            " from pg_class where relnamespace = to_regnamespace(%(schema)s)"
            " and starts_with(relname::text, %(prefix)s)"
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
            # a system whose inputs are not built
            lists.append(f"select {columns[0]} as slug from {mart}")
        else:
            return
    slugs = [row["slug"] for row in rows(connection, f"{' union '.join(lists)} order by 1")]
    if slug not in slugs:
        raise WrongArgument(
            f"--organization: no active organization has the slug {slug!r}; there are:"
            f" {_some(slugs)}"
        )


def is_built(connection: Connection) -> bool:
    """Return whether a refresh has built the marts here."""
    [tenants] = rows(connection, f"select to_regclass('{ANALYTICS}.tenants') as relation")
    return tenants["relation"] is not None


def _some(slugs: list[str]) -> str:
    more = f" and {len(slugs) - 10} more" if slugs[10:] else ""
    return (", ".join(slugs[:10]) or "none") + more
