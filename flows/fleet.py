"""Many databases, each with a group of tenants of its own: which ones, and how to reach them.

FLEET names services of libpq, which stand in ~/.pg_service.conf or PGSERVICEFILE. A command,
or a run of Prefect, works on one of them; each has its own lock, run log and folders of dbt.
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

# the name of a folder, and of a deployment, too
SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

# a refresh of dbt keeps one processor busy, and its database another
AT_ONCE = "2"
MOST_AT_ONCE = 64


def listed() -> list[str]:
    """Return what FLEET names, in its order; nothing where it is not set."""
    return [name for name in re.split(r"[\s,]+", os.environ.get("FLEET", "")) if name]


def names() -> list[str]:
    """Return the same, looked up.

    Raises WrongArgument for one that no service file has, or that is named twice.
    """
    found = listed()
    for name in found:
        if not SERVICE.fullmatch(name):
            raise WrongArgument(
                f"FLEET: {name!r} must be a name of letters, digits, _, - and ., of a service"
                " in ~/.pg_service.conf or PGSERVICEFILE"
            )
        if found.count(name) > 1:
            raise WrongArgument(f"FLEET: {name} is named twice")
        if refused := _refused(name):
            raise WrongArgument(f"FLEET: {name}: {refused}; psql reads the same file")
    return found


def _refused(service: str) -> str | None:
    """Return what libpq says of a service that it does not find, without connecting to it."""
    # looked up before it is seen that there is no such mode, so that nobody is called
    attempt = PGconn.connect_start(make_conninfo(service=service, sslmode="none").encode())
    said = attempt.error_message.decode(errors="replace").strip()
    attempt.finish()
    return None if "sslmode" in said else said


def use_fleet() -> str:
    """Leave all addresses to the services; return what a command of the fleet says first.

    Raises WrongArgument where FLEET is not set, or is wrong.
    """
    check_prefix()
    databases = names()
    if not databases:
        raise WrongArgument(
            "FLEET is not set, must be names of services in ~/.pg_service.conf or"
            " PGSERVICEFILE, such as `FLEET='berlin paris'`"
        )
    for name in ADDRESS:
        os.environ.pop(name, None)
    return announcement(f"fleet of {len(databases)}: {', '.join(databases)}")


def chosen(only: Sequence[str]) -> list[str]:
    """Return the databases of the fleet, or those of them that --only names."""
    databases = names()
    wanted = [name for given in only for name in re.split(r"[\s,]+", given) if name]
    if only and not wanted:
        # a variable of a shell that is not set, say: not all of them
        wanted = [""]
    for name in wanted:
        if name not in databases:
            raise WrongArgument(
                f"--only: no database {name!r} in FLEET, there are: {', '.join(databases)}"
            )
    return [name for name in databases if not only or name in wanted]


def use(service: str) -> None:
    """Lead this process to one database of the fleet, and its dbt to folders of its own."""
    for name in ADDRESS:
        os.environ.pop(name, None)
    os.environ |= _own(service)


def environment(service: str) -> dict[str, str]:
    """Return the environment of a command of ours on one database of the fleet."""
    kept = {name: value for name, value in os.environ.items() if name not in ADDRESS}
    return {**kept, **_own(service), **for_command()}


def _own(service: str) -> dict[str, str]:
    """Return what each database has of its own: dbt writes and reads files by fixed names."""
    folders = {"DBT_TARGET_PATH": "target", "DBT_LOG_PATH": "logs"}
    return {"PGSERVICE": service} | {
        name: str(HOME.joinpath(os.environ.get(name) or usual, "fleet", service))
        for name, usual in folders.items()
    }


def at_once() -> int:
    """Return how many databases may be worked on at once, by FLEET_AT_ONCE."""
    try:
        return parse_at_once(os.environ.get("FLEET_AT_ONCE") or AT_ONCE)
    except argparse.ArgumentTypeError as error:
        raise WrongArgument(str(error)) from None


def parse_at_once(text: str) -> int:
    """Read how many databases may be worked on at once."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= MOST_AT_ONCE):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1 to {MOST_AT_ONCE} (FLEET_AT_ONCE)"
        )
    return int(text)
