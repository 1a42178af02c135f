"""The change queue: what feeds it, and which of its keys a refresh takes."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from psycopg import sql

from flows import dbt
from flows.database import (
    PROJECT,
    Connection,
    connect,
    environment,
    in_a_moment,
    install,
    rows,
)
from flows.detach import detached_since, in_words
from flows.errors import WrongArgument
from flows.progress import Progress

# systems that are refreshed hourly, and the mart that holds the instant of their rows
CLOCKS = {"orders": "tenants", "bookings": "booking_organizations"}
EVENTS = {
    "insert": "referencing new table as new_rows",
    "update": "referencing old table as old_rows new table as new_rows",
    "delete": "referencing old table as old_rows",
    "truncate": "",
}
# what the triggers call, one for each table; others may have functions of such names, too
FUNCTIONS = """
    select oid::regprocedure::text as name from pg_proc
    where
        pronamespace = 'operations'::regnamespace and proname like 'capture\\_%'
        and position(
            'Note the keys that a statement has touched' in obj_description(oid, 'pg_proc')
        ) > 0
"""
KEY_PARTS = ("tenant", "customer", "location", "starts_at")
# a part of a key that is the same in all rows stands in quotes in the sources' yml
CONSTANT = re.compile("'(.*)'")
# a row that a slow transaction has stamped before the last refresh began
OVERLAP = timedelta(hours=1)
# what the rules are made of
RULES = ("dbt_project.yml", "models/**/*.sql", "macros/**/*.sql", "seeds/*.csv")


@dataclass(frozen=True)
class Scope:
    """Which keys a refresh recomputes, and why."""

    changed_since: datetime | None = None
    # why an hourly refresh recomputes all keys; None when it need not
    full_because: str | None = None


def install_triggers(progress: Progress) -> None:
    """Put the triggers on every source table; those that are there are put anew.

    The next refresh is a full one: what was changed before nobody has noticed.
    """
    with with_queue() as connection:
        sources = [s for s in dbt.sources(environment(connection)) if s["capture"]]
        keys = [_key(connection, source) for source in sources]
        mapping = _mapping()
        for source in sources:
            _refuse_foreign(connection, source["relation"])
        # all tables, before any has triggers: refreshes are full ones until all have theirs
        with connection.transaction():
            connection.execute("delete from operations.captured_tables")
            for source in sources:
                connection.execute(
                    "insert into operations.captured_tables (system, relation, mapping)"
                    " values (%s, %s, 'none yet')",
                    (source["system"], source["relation"]),
                )
        for source, key in zip(sources, keys, strict=True):
            in_a_moment(connection, partial(_put_triggers, connection, source, key, mapping))
            progress.say(f"captured: {source['relation']}")
        for system in {source["system"] for source in sources}:
            connection.execute(
                "insert into operations.changed_keys (system, kind) values (%s, 'everything')",
                (system,),
            )


def remove_triggers(progress: Progress) -> None:
    """Take the triggers off again, wherever they are."""
    with with_queue() as connection:
        connection.execute("delete from operations.captured_tables")
        functions = [function["name"] for function in rows(connection, FUNCTIONS)]
        for trigger in rows(
            connection,
            "select tgname, nspname, relname from pg_trigger"
            " inner join pg_class on tgrelid = pg_class.oid"
            " inner join pg_namespace on relnamespace = pg_namespace.oid"
            " where tgfoid::regprocedure::text = any(%(functions)s)",
            {"functions": functions},
        ):
            drop = sql.SQL("drop trigger {} on {}.{}").format(
                *map(sql.Identifier, trigger.values())
            )
            in_a_moment(connection, partial(connection.execute, drop))
        for function in functions:
            connection.execute(f"drop function {function}".encode())
    progress.say("no table is captured: updated_at tells the hourly refresh what changed")


def print_capture(progress: Progress) -> None:
    """Print which tables are captured, and how many keys wait."""
    with with_queue() as connection:
        progress.table(
            "Captured tables",
            rows(
                connection,
                "select system, relation,"
                " case when is_captured then 'by triggers' else 'triggers are missing' end"
                " as captured from operations.capture_status order by 1, 2",
            ),
        )
        progress.table(
            "Changes waiting",
            rows(
                connection,
                "select system, kind, count(distinct (tenant, key, starts_at)) as keys,"
                " min(noticed_at)::timestamptz(0)::text as since"
                " from operations.changed_keys group by system, kind order by 1, 2",
            ),
        )
        progress.table(
            "Errors of the triggers, which the application did not notice: the last 10",
            rows(
                connection,
                "select created_at::timestamptz(0)::text as at, relation, error"
                " from operations.hook_errors where hook = 'capture'"
                " order by error_id desc limit 10",
            ),
        )
        if since := detached_since(connection):
            progress.say(in_words(since))


@contextmanager
def with_queue() -> Iterator[Connection]:
    """Open a connection of the login, which owns the sources, to the change queue."""
    with connect(as_login=True) as connection:
        install(connection, "operations.sql")
        install(connection, "capture.sql")
        yield connection


def claim(connection: Connection, logid: str, as_of: datetime, rules: str) -> Scope:
    """Claim the keys that wait, and say whether they are enough for an hourly refresh.

    rules is the fingerprint of what the refresh computes by.

    Needs the refresh lock. Keys that a killed run had claimed are claimed anew.
    """
    install(connection, "capture.sql")
    connection.execute("update operations.changed_keys set claimed_by = %s", (logid,))
    return _scope(connection, as_of, rules)


def fingerprint_of_rules() -> str:
    """Return a fingerprint of all that decides what a number means."""
    return _fingerprint({file for pattern in RULES for file in PROJECT.glob(pattern)})


def missing_relations(connection: Connection) -> list[str]:
    """Return what the last refresh of all has made, and somebody has dropped since."""
    return [
        row["relation"]
        for row in rows(
            connection,
            "select relation from (select payload -> 'relations' as relations"
            " from operations.application_logs where payload ? 'relations'"
            " order by log_id desc limit 1) as last"
            " cross join jsonb_array_elements_text(relations) as relation"
            " where to_regclass(relation) is null order by relation",
        )
    ]


def _scope(connection: Connection, as_of: datetime, rules: str) -> Scope:
    if since := detached_since(connection):
        return Scope(full_because=f"our views were detached {since:%Y-%m-%d %H:%M:%S %Z}")
    if missing := missing_relations(connection):
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        name = missing[0].replace('"', "")
        return Scope(full_because=f"{name}{more} of ours {'are' if more else 'is'} missing")
    last = _last_published(connection)
    if last is None:
        return Scope(full_because="there was no refresh yet")
    if last["rules"] != rules:
        return Scope(full_because="the rules are other ones than those of the last refresh")
    if last["as_of"] > as_of:
        return Scope(full_because=f"the marts hold {last['as_of']:%Y-%m-%d %H:%M:%S %Z}")
    [capture] = rows(
        connection,
        "select count(*) as tables, count(*) filter (where is_captured) as captured,"
        " count(*) filter (where mapping = %(mapping)s) as mapped,"
        " (select count(*) from operations.changed_keys where kind = 'everything') as lost"
        " from operations.capture_status",
        {"mapping": _mapping()},
    )
    if capture["mapped"] < capture["tables"]:
        because = (
            "dbt_project.yml or the sources have changed since `capture install`, or it did"
            " not end"
        )
    elif capture["captured"] < capture["tables"]:
        because = "a captured table has lost its triggers"
    elif capture["lost"]:
        because = "a table was emptied, the triggers are new, or one of them has failed"
    else:
        since = None if capture["tables"] else last["began_at"] - OVERLAP
        return Scope(changed_since=since)
    return Scope(full_because=because)


def _last_published(connection: Connection) -> dict[str, Any] | None:
    """Return the run whose rows the marts of all systems hold, or None."""
    runs = []
    for system, clock in CLOCKS.items():
        log = f"operations.{system}_publications"
        [there] = rows(
            connection,
            f"select to_regclass('{log}') as log, to_regclass('analytics.{clock}') as clock",
        )
        if None in there.values():
            return None
        runs += rows(
            connection,
            "select application_logs.created_at as began_at, payload ->> 'rules' as rules,"
            " greatest(log.as_of, (select max(as_of) from analytics."
            f"{clock})) as as_of"
            f" from {log} as log inner join operations.application_logs"
            " on log.run_id = application_logs.logid order by log_id desc limit 1",
        )
    if len(runs) < len(CLOCKS):
        return None
    return {
        "began_at": min(run["began_at"] for run in runs),
        "as_of": max(run["as_of"] for run in runs),
        "rules": runs[0]["rules"] if runs[0]["rules"] == runs[1]["rules"] else None,
    }


def _function(relation: str) -> str:
    return "capture_" + relation.replace('"', "")


def _refuse_foreign(connection: Connection, relation: str) -> None:
    """Raise WrongArgument when a function or a trigger of our name is somebody else's."""
    ours = [function["name"] for function in rows(connection, FUNCTIONS)]
    for thing in rows(
        connection,
        "select 'function ' || oid::regprocedure as name from pg_proc"
        " where pronamespace = 'operations'::regnamespace and proname = %(function)s"
        " and oid::regprocedure::text != all(%(ours)s)"
        " union all"
        " select format('trigger %%s on %%s', tgname, tgrelid::regclass) from pg_trigger"
        " where tgrelid = to_regclass(%(relation)s) and tgname = any(%(triggers)s)"
        " and tgfoid::regprocedure::text != all(%(ours)s)",
        {
            "function": _function(relation),
            "ours": ours,
            "relation": relation,
            "triggers": [f"customer_health_{event}" for event in EVENTS],
        },
    ):
        raise WrongArgument(
            f"capture: {thing['name']} is not ours, and has a name that we need; rename it"
        )


def _put_triggers(
    connection: Connection, source: dict[str, Any], key: list[str], mapping: str
) -> None:
    function = _function(source["relation"])
    connection.execute(
        "call operations.make_capture_function(%s, %s, %s, %s, %s, %s)",
        [function, source["system"], *key],
    )
    for event, transition in EVENTS.items():
        connection.execute(
            sql.SQL(
                "create or replace trigger {name} after {event} on {relation} {transition}"
                " for each statement execute function {function}()"
            ).format(
                name=sql.Identifier(f"customer_health_{event}"),
                event=sql.SQL(event),
                relation=sql.SQL(source["relation"]),
                transition=sql.SQL(transition),
                function=sql.Identifier("operations", function),
            )
        )
    connection.execute(
        "update operations.captured_tables set mapping = %s where relation = %s",
        (mapping, source["relation"]),
    )


def _key(connection: Connection, source: dict[str, Any]) -> list[str]:
    """Return the SQL of the parts of a row's key: a column, a constant, or nothing.

    Raises WrongArgument for a column that the table does not have.
    """
    columns = {
        column["attname"]
        for column in rows(
            connection,
            "select attname from pg_attribute where attrelid = to_regclass(%(relation)s)"
            " and attnum > 0 and not attisdropped",
            source,
        )
    }
    key = []
    for part in KEY_PARTS:
        name = str(source["capture"].get(part, ""))
        if constant := CONSTANT.fullmatch(name):
            key.append(sql.Literal(constant[1]).as_string(connection))
        elif name and name not in columns:
            raise WrongArgument(
                f"capture: {source['relation']} has no column {name}, which the sources' yml"
                f" in models/staging names as the {part} of its rows"
            )
        else:
            key.append(sql.Identifier(name).as_string(connection) if name else "")
    return key


def _mapping() -> str:
    """Return a fingerprint of what names the tables and the columns of their keys."""
    files = [PROJECT / "dbt_project.yml", *PROJECT.glob("models/staging/*/*__sources.yml")]
    return _fingerprint(files)


def _fingerprint(files: Iterable[Path]) -> str:
    # bytes: which characters they are is not asked here
    texts = [
        f"{file.relative_to(PROJECT)}\n".encode() + file.read_bytes() for file in sorted(files)
    ]
    return hashlib.sha256(b"\n".join(texts)).hexdigest()[:16]
