"""A fleet of databases, each with its own group of tenants: list them and reach them.

FLEET lists libpq services from ~/.pg_service.conf or PGSERVICEFILE. A command or a Prefect run
works on one of them; each has its own lock, run log and dbt folders.
"""

import argparse
import os
import re
from collections.abc import Sequence

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn

from flows.database import ADDRESS, announcement
from flows.errors import WrongArgument
from flows.project import HOME, for_command
from flows.schemas import check_prefix

# also the name of a folder and of a deployment
SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

# dbt keeps one processor busy during a refresh, and the database another
AT_ONCE = "2"
MOST_AT_ONCE = 64


def listed() -> list[str]:
    """Return the names in FLEET, in order; none if it is not set."""
    return [name for name in re.split(r"[\s,]+", os.environ.get("FLEET", "")) if name]


def current() -> str | None:
    """Return the database of the fleet that this process works on; None without a fleet."""
    return os.environ.get("PGSERVICE") if listed() else None


def names() -> list[str]:
    """Return the names in FLEET, after checking them.

    Raises WrongArgument for a name that is in no service file, or that appears twice.
    """
    found = listed()
    check(found)
    return found


def check(services: Sequence[str]) -> None:
    """Raise WrongArgument for a name that is in no service file, or that FLEET has twice."""
    for name in services:
        if not SERVICE.fullmatch(name):
            raise WrongArgument(
                f"FLEET: {name!r} must be a service in ~/.pg_service.conf or PGSERVICEFILE,"
                " named with letters, digits, _, - and ."
            )
        if listed().count(name) > 1:
            raise WrongArgument(f"FLEET: {name} is named twice")
        if refused := _refused(name):
            raise WrongArgument(
                f"FLEET: {name}: {refused}; test it with `psql service={name}`"
            )


def _refused(service: str) -> str | None:
    """Return libpq's error for an unknown service, without connecting to a known one."""
    # libpq looks the service up before it rejects the invalid sslmode, so it never connects
    attempt = PGconn.connect_start(make_conninfo(service=service, sslmode="none").encode())
    said = attempt.error_message.decode(errors="replace").strip()
    attempt.finish()
    return None if "sslmode" in said else said


def use_fleet() -> str:
    """Unset all other addresses; return the first line of a fleet command.

    Raises WrongArgument if FLEET is missing.
    """
    check_prefix()
    databases = listed()
    if not databases:
        raise WrongArgument(
            "FLEET is not set; set it to the names of services in ~/.pg_service.conf or"
            " PGSERVICEFILE, such as `FLEET='berlin paris'`"
        )
    for name in ADDRESS:
        os.environ.pop(name, None)
    return announcement(f"fleet of {len(databases)}: {', '.join(databases)}")


def check_pages() -> None:
    """Check that pages that show a fleet have a service as their only address.

    libpq would add parts of another address, such as its password, to a service that has none.

    Raises WrongArgument.
    """
    others = [name for name in ADDRESS if name != "PGSERVICE" and os.environ.get(name)]
    if listed() and others:
        raise WrongArgument(
            f"FLEET: unset {', '.join(others)}; PGSERVICE=NAME says which database the pages"
            " show"
        )


def chosen(only: Sequence[str]) -> list[str]:
    """Return the databases of the fleet, or those that --only names, after checking them."""
    databases = listed()
    wanted = [name for given in only for name in re.split(r"[\s,]+", given) if name]
    if only and not wanted:
        # --only with an empty value, such as an unset shell variable, must not mean all
        wanted = [""]
    for name in wanted:
        if name not in databases:
            raise WrongArgument(
                f"--only: no database {name!r} in FLEET; there are: {', '.join(databases)}"
            )
    services = [name for name in databases if not only or name in wanted]
    check(services)
    return services


def use(service: str) -> None:
    """Point this process to one database of the fleet, and dbt to that database's folders."""
    for name in ADDRESS:
        os.environ.pop(name, None)
    os.environ |= _own(service)


def environment(service: str) -> dict[str, str]:
    """Return the environment for one of our commands on one database of the fleet."""
    kept = {name: value for name, value in os.environ.items() if name not in ADDRESS}
    return {**kept, **_own(service), **for_command()}


def _own(service: str) -> dict[str, str]:
    """Return the variables of one database, with its own folders for dbt's files."""
    folders = {"DBT_TARGET_PATH": "target", "DBT_LOG_PATH": "logs"}
    return {"PGSERVICE": service} | {
        name: str(HOME.joinpath(os.environ.get(name) or usual, "fleet", service))
        for name, usual in folders.items()
    }


def at_once() -> int:
    """Return how many databases FLEET_AT_ONCE allows at once."""
    try:
        return parse_at_once(os.environ.get("FLEET_AT_ONCE") or AT_ONCE)
    except argparse.ArgumentTypeError as error:
        raise WrongArgument(str(error)) from None


def parse_at_once(text: str) -> int:
    """Read how many databases a fleet command may work on at once."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= MOST_AT_ONCE):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1 to {MOST_AT_ONCE} (FLEET_AT_ONCE)"
        )
    return int(text)
