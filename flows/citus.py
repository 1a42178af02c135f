"""Refuse commands that do not work on Citus, which distributes tables over nodes."""

from flows.database import Connection, connect, rows
from flows.errors import WrongArgument


def refuse_on_citus(connection: Connection, command: str, because: str) -> None:
    """Raise WrongArgument if Citus has distributed tables of this database."""
    [catalog] = rows(
        connection, "select to_regclass('pg_catalog.pg_dist_partition') is not null as there"
    )
    if catalog["there"] and rows(
        connection, "select from pg_catalog.pg_dist_partition where partmethod = 'h' limit 1"
    ):
        raise WrongArgument(
            f"{command}: not possible on a database with tables distributed by Citus:"
            f" {because}"
        )


def refuse_triggers_on_citus(command: str) -> None:
    """Raise WrongArgument for a command that puts triggers on distributed tables."""
    with connect() as connection:
        refuse_on_citus(
            connection,
            command,
            "Citus allows no triggers on them; the hourly refresh relies on `updated_at`",
        )
