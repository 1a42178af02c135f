"""Citus, which keeps the rows of a table on many nodes: what it does not let us do."""

from flows.database import Connection, connect, rows
from flows.errors import WrongArgument


def refuse_on_citus(connection: Connection, command: str, because: str) -> None:
    """Raise WrongArgument where Citus has distributed tables of this database."""
    [catalog] = rows(
        connection, "select to_regclass('pg_catalog.pg_dist_partition') is not null as there"
    )
    if catalog["there"] and rows(
        connection, "select from pg_catalog.pg_dist_partition where partmethod = 'h' limit 1"
    ):
        raise WrongArgument(
            f"{command}: not on a database whose tables Citus has distributed: {because}"
        )


def refuse_triggers_on_citus(command: str) -> None:
    """Raise WrongArgument there for a command that puts triggers on them."""
    with connect() as connection:
        refuse_on_citus(
            connection,
            command,
            "it takes no triggers on them; `updated_at` tells the hourly refresh what has"
            " changed",
        )
