"""Refuse commands that do not work on Citus, which distributes tables; find its shards."""

from flows.database import Connection, connect, rows
from flows.errors import WrongArgument
from flows.installed import MARK
from flows.schemas import INTERNAL


def refuse_on_citus(connection: Connection, command: str, because: str) -> None:
    """Raise WrongArgument if this database has the extension, even before it has nodes."""
    if _is_there(connection):
        raise WrongArgument(
            f"{command}: not possible in a database with the extension citus: {because}"
        )


def refuse_distributed(connection: Connection, command: str, because: str) -> None:
    """Raise WrongArgument if Citus has distributed tables of this database."""
    if _is_there(connection) and rows(
        connection, "select from pg_catalog.pg_dist_partition where partmethod = 'h' limit 1"
    ):
        raise WrongArgument(
            f"{command}: not possible on a database with tables distributed by Citus:"
            f" {because}"
        )


def refuse_triggers_on_citus(command: str) -> None:
    """Raise WrongArgument for a command that puts triggers on the application's tables."""
    with connect() as connection:
        refuse_on_citus(
            connection,
            command,
            "it distributes no table with triggers; the hourly refresh relies on `updated_at`",
        )


def unmovable_tables(connection: Connection) -> list[str]:
    """Return the tables between two steps: Citus does not move the shards of unlogged ones."""
    if not _is_there(connection):
        return []
    found = rows(
        connection,
        "select format('%%I.%%I', %(schema)s::text, relname) as name"
        " from pg_catalog.pg_dist_partition"
        " inner join pg_class on logicalrelid = pg_class.oid"
        " where relpersistence = 'u' and relnamespace = to_regnamespace(%(schema)s)"
        " and starts_with(obj_description(pg_class.oid, 'pg_class'), %(mark)s)"
        " order by 1",
        {"schema": INTERNAL, "mark": MARK},
    )
    return [row["name"] for row in found]


def is_distributed(connection: Connection, table: str) -> bool:
    """Return whether Citus keeps the rows of this table on other nodes."""
    return _is_there(connection) and bool(
        rows(
            connection,
            "select from pg_catalog.pg_dist_partition"
            " where logicalrelid = to_regclass(%(table)s)",
            {"table": table},
        )
    )


def shards(connection: Connection) -> list[int]:
    """Return the tables in which Citus keeps rows of other tables on this node, by oid."""
    if not _is_there(connection):
        return []
    found = rows(
        connection,
        "select distinct objid as shard from pg_depend where classid = 'pg_class'::regclass"
        " and pg_catalog.relation_is_a_known_shard(objid)",
    )
    return [row["shard"] for row in found]


def _is_there(connection: Connection) -> bool:
    [catalog] = rows(
        connection, "select to_regclass('pg_catalog.pg_dist_partition') is not null as there"
    )
    there: bool = catalog["there"]
    return there
