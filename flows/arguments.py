"""Reading and checking what a command was given."""

from datetime import UTC, datetime

from flows.database import Connection, rows
from flows.errors import WrongArgument

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2201, 1, 1, tzinfo=UTC)


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


def check_tenant(connection: Connection, slug: str | None) -> None:
    """Raise WrongArgument when there are tenants already and none has this slug."""
    if slug is None or not is_built(connection):
        return
    slugs = [
        tenant["tenant_slug"]
        for tenant in rows(connection, "select tenant_slug from analytics.tenants order by 1")
    ]
    if slug not in slugs:
        known = ", ".join(slugs[:10]) + (f" and {len(slugs) - 10} more" if slugs[10:] else "")
        raise WrongArgument(
            f"--tenant: no active tenant {slug!r}, there are: {known or 'none'}"
        )


def is_built(connection: Connection) -> bool:
    """Return whether a refresh has built the marts here."""
    [tenants] = rows(connection, "select to_regclass('analytics.tenants') as relation")
    return tenants["relation"] is not None
