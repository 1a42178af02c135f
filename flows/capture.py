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
from psycopg.types.json import Jsonb

from flows import dbt, systems
from flows.database import (
    Connection,
    connect,
    environment,
    install,
    reading,
    rows,
    with_short_lock,
)
from flows.detach import detached_since, in_words
from flows.errors import WrongArgument
from flows.installed import gap, is_empty
from flows.progress import Progress
from flows.project import PROJECT
from flows.schemas import ANALYTICS, OPERATIONS, OURS

EVENTS = {
    "insert": "referencing new table as new_rows",
    "update": "referencing old table as old_rows new table as new_rows",
    "delete": "referencing old table as old_rows",
    "truncate": "",
}
# what the triggers call, one for each table; others may have functions of such names, too
FUNCTIONS = f"""
    select oid::regprocedure::text as name from pg_proc
    where
        pronamespace = '{OPERATIONS}'::regnamespace and starts_with(proname, 'capture_')
        and position('Note the keys that a statement' in obj_description(oid, 'pg_proc')) > 0
"""
NAME_BYTES = 63
# a table that a source names: what it is, and where rows arrive that fire no trigger of it
TARGET = f"""
    select
        array(
            select attname::text from pg_attribute
            where attrelid = pg_class.oid and attnum > 0 and not attisdropped
        ) as columns,
        case pg_class.relkind
            when 'v' then 'a view'
            when 'm' then 'a materialized view'
            when 'f' then 'a foreign table'
        end as other_than_table,
        (
            select min(inhparent::regclass::text) from pg_inherits
            where inhrelid = pg_class.oid
        ) as part_of,
        exists (
            select from pg_subscription_rel
            where srrelid in (select member_id from {OPERATIONS}.family_of(%(relation)s))
        ) as is_replicated
    from pg_class
    where oid = to_regclass(%(relation)s)
"""
MEMBERS = f"""
    select
        member_id::regclass::text as relation,
        is_source,
        relkind = 'f' as is_foreign,
        -- who may put triggers, and who may say when they fire
        has_table_privilege(member_id, 'trigger') as is_ours_to_watch,
        pg_has_role(relowner, 'usage') as is_ours
    from {OPERATIONS}.family_of(%(relation)s)
    inner join pg_class on member_id = pg_class.oid
    order by is_source desc, member_id::regclass::text
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


@dataclass(frozen=True)
class Table:
    """A source table, all that is captured of it, and what its triggers do not see."""

    relation: str
    # system, source and the parts of the key, for each source that reads the table
    captures: list[dict[str, str]]
    members: list[dict[str, Any]]
    # why it can have no triggers, or which rows fire none; '' where that is no question
    cannot: str = ""
    misses: str = ""

    @property
    def watched_by(self) -> str:
        """What tells of its changes."""
        if self.cannot:
            return "updated_at"
        return "both" if self.misses else "triggers"

    @property
    def function(self) -> str:
        """What its triggers call: a name that no other table has, however long theirs are."""
        own = hashlib.sha256(self.relation.encode()).hexdigest()[:12]
        plain = self.relation.replace('"', "").encode()
        room = NAME_BYTES - len(f"capture__{own}")
        return f"capture_{plain[:room].decode(errors='ignore')}_{own}"

    def trigger(self, event: str, member: dict[str, Any]) -> str:
        """Name a trigger; a partition may be a source, too, and have its own."""
        name = f"{OURS}_{event}"
        return name if member["is_source"] else f"{name}_{self.function[-12:]}"


def install_triggers(progress: Progress) -> None:
    """Put the triggers on every source table; those that are there are put anew.

    The next refresh is a full one: what was changed before nobody has noticed. All tables are
    looked at before the first is touched.
    """
    with with_queue() as connection:
        tables = _tables(connection)
        mapping = _mapping()
        for table in tables:
            _refuse_foreign(connection, table)
        # all tables, before any has triggers: refreshes are full ones until all have theirs
        with connection.transaction():
            connection.execute(f"delete from {OPERATIONS}.captured_tables")
            for table in tables:
                for capture in table.captures:
                    connection.execute(
                        f"insert into {OPERATIONS}.captured_tables"
                        " (system, source_name, relation, mapping, function_name, watched_by)"
                        " values (%s, %s, %s, 'none yet', %s, %s)",
                        (
                            capture["system"],
                            capture["source"],
                            table.relation,
                            table.function,
                            table.watched_by,
                        ),
                    )
        for table in tables:
            _install(connection, table, progress)
        _drop_triggers(connection, keep=tables)
        connection.execute(f"update {OPERATIONS}.captured_tables set mapping = %s", (mapping,))
        for system in {c["system"] for table in tables for c in table.captures}:
            connection.execute(
                f"insert into {OPERATIONS}.changed_keys (system, kind)"
                " values (%s, 'everything')",
                (system,),
            )


def remove_triggers(progress: Progress) -> None:
    """Take the triggers off again, wherever they are."""
    if not is_here():
        progress.say("no table is captured")
        return
    with with_queue() as connection:
        connection.execute(f"delete from {OPERATIONS}.captured_tables")
        _drop_triggers(connection, keep=[])
    progress.say("no table is captured: updated_at tells the hourly refresh what changed")


def print_capture(progress: Progress) -> None:
    """Print which tables are captured, and how many keys wait."""
    with reading(as_login=True) as connection:
        if missing := gap(connection, "operations.sql", "capture.sql"):
            progress.say(missing)
            return
        progress.table(
            "Captured tables",
            rows(
                connection,
                "select system, source_name as source, relation, case when not is_captured"
                " then 'triggers are missing' else 'by ' || replace(watched_by, 'both',"
                " 'triggers and updated_at') end as captured,"
                # daily partitions may be many
                " concat_ws(', ', variadic unwatched[:3])"
                " || case when cardinality(unwatched) > 3"
                " then ' and ' || (cardinality(unwatched) - 3)::text || ' more' else '' end"
                " as parts_without_triggers"
                f" from {OPERATIONS}.capture_status order by 1, 2, 3",
            ),
        )
        progress.table(
            "Changes waiting",
            rows(
                connection,
                "select system, kind, count(distinct (tenant, key, starts_at)) as keys,"
                " min(noticed_at)::timestamptz(0)::text as since"
                f" from {OPERATIONS}.changed_keys group by system, kind order by 1, 2",
            ),
        )
        progress.table(
            "Errors of the triggers, which the application did not notice: the last 10",
            rows(
                connection,
                "select created_at::timestamptz(0)::text as at, relation, error"
                f" from {OPERATIONS}.hook_errors where hook = 'capture'"
                " order by error_id desc limit 10",
            ),
        )
        if since := detached_since(connection):
            progress.say(in_words(since))


def is_here() -> bool:
    """Return whether there is anything to remove; asking makes nothing."""
    with reading(as_login=True) as connection:
        return not is_empty(connection)


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
    connection.execute(f"update {OPERATIONS}.changed_keys set claimed_by = %s", (logid,))
    return _scope(connection, as_of, rules)


def fingerprint_of_rules() -> str:
    """Return a fingerprint of all that decides what a number means."""
    return _fingerprint({file for pattern in RULES for file in PROJECT.glob(pattern)})


def missing_relations(connection: Connection) -> list[str]:
    """Return what the last refresh of all has made, and somebody has dropped since."""
    # what is made with a model; the trigger's function where the sources' yml says `hook:`
    routines = [f"{OPERATIONS}.after_orders_created(text[])"]
    [hook] = rows(connection, f"select to_regclass('{OPERATIONS}.hooked_tables') as tables")
    if hook["tables"] and rows(connection, f"select from {OPERATIONS}.hooked_tables limit 1"):
        routines.append(f"{OPERATIONS}.after_order_created()")
    return [
        row["relation"]
        for row in rows(
            connection,
            f"""
            with made as (
                select jsonb_array_elements_text(payload -> 'relations') as relation
                from (
                    select payload from {OPERATIONS}.application_logs
                    where payload ? 'relations' order by log_id desc limit 1
                ) as last
            )

            select relation from made where to_regclass(relation) is null
            union all
            select routine
            from made
            cross join unnest(%(routines)s::text[]) as routine
            where
                made.relation = '"{OPERATIONS}"."order_facts"'
                and to_regprocedure(routine) is null
            order by 1
            """,
            {"routines": routines},
        )
    ]


def _scope(connection: Connection, as_of: datetime, rules: str) -> Scope:
    last = _last_published(connection)
    because = _rebuilt_because(connection, last, as_of, rules)
    if because or last is None:
        return Scope(full_because=because or "there was no refresh yet")
    [capture] = rows(
        connection,
        "select count(*) as tables, count(*) filter (where is_captured) as captured,"
        " count(*) filter (where mapping = %(mapping)s) as mapped,"
        " bool_or(watched_by != 'triggers') as asks_updated_at,"
        f" (select count(*) from {OPERATIONS}.changed_keys where kind = 'everything') as lost"
        f" from {OPERATIONS}.capture_status",
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
        is_noticed = capture["tables"] and not capture["asks_updated_at"]
        since = None if is_noticed else last["began_at"] - OVERLAP
        return Scope(changed_since=since)
    return Scope(full_because=because)


def _rebuilt_because(
    connection: Connection, last: dict[str, Any] | None, as_of: datetime, rules: str
) -> str | None:
    """Return why what the last refresh has left is nothing to go on from, or None."""
    if since := detached_since(connection):
        return f"our views were detached {since:%Y-%m-%d %H:%M:%S %Z}"
    if missing := missing_relations(connection):
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        name = missing[0].replace('"', "")
        return f"{name}{more} of ours {'are' if more else 'is'} missing"
    if last is None:
        return None
    if last["rules"] != rules:
        return "the rules are other ones than those of the last refresh"
    if last["as_of"] > as_of:
        return f"the marts hold {last['as_of']:%Y-%m-%d %H:%M:%S %Z}"
    return None


def _last_published(connection: Connection) -> dict[str, Any] | None:
    """Return the run whose rows the marts of all hourly systems hold, or None."""
    runs = []
    for system in systems.hourly():
        log = f"{OPERATIONS}.{system}_publications"
        clock = systems.registry()[system].tenants
        [there] = rows(
            connection,
            f"select to_regclass('{log}') as log, to_regclass('{ANALYTICS}.{clock}') as clock",
        )
        if None in there.values():
            return None
        runs += rows(
            connection,
            "select application_logs.created_at as began_at, payload ->> 'rules' as rules,"
            f" greatest(log.as_of, (select max(as_of) from {ANALYTICS}."
            f"{clock})) as as_of"
            f" from {log} as log inner join {OPERATIONS}.application_logs"
            " on log.run_id = application_logs.logid order by log_id desc limit 1",
        )
    if len(runs) < len(systems.hourly()):
        return None
    rules = {run["rules"] for run in runs}
    return {
        "began_at": min(run["began_at"] for run in runs),
        "as_of": max(run["as_of"] for run in runs),
        "rules": rules.pop() if len(rules) == 1 else None,
    }


def _refuse_foreign(connection: Connection, table: Table) -> None:
    """Raise WrongArgument when a function or a trigger of our name is somebody else's."""
    ours = [function["name"] for function in rows(connection, FUNCTIONS)]
    for thing in rows(
        connection,
        "select format('function %%s', oid::regprocedure) as name from pg_proc"
        f" where pronamespace = '{OPERATIONS}'::regnamespace and proname = %(function)s"
        " and oid::regprocedure::text != all(%(ours)s)"
        " union all"
        " select format('trigger %%s on %%s', tgname, tgrelid::regclass) from pg_trigger"
        " where tgrelid = any(%(members)s::regclass[]) and tgname = any(%(triggers)s)"
        " and tgfoid::regprocedure::text != all(%(ours)s)",
        {
            "function": table.function,
            "ours": ours,
            "members": [member["relation"] for member in table.members],
            "triggers": [
                table.trigger(event, member) for event in EVENTS for member in table.members
            ],
        },
    ):
        raise WrongArgument(
            f"capture: {thing['name']} is not ours, and has a name that we need; rename it"
        )


def look_at(connection: Connection, source: dict[str, Any]) -> dict[str, Any]:
    """Return what the table of a source is, for those who want to put triggers on it.

    Columns, members (the table and all that is part of it), and why it can have no triggers
    (cannot), or why not all rows that are written fire them (misses). Raises WrongArgument
    when it is not there.
    """
    found = rows(connection, TARGET, {"relation": source["relation"]})
    if not found:
        name, _, table = source["source"].partition(".")
        raise WrongArgument(
            f"{source['relation']} is not there: the vars {name}_schema and"
            f" {name}_{table}_table of dbt_project.yml name it, or the sources' yml in"
            " models/<system>/inputs"
        )
    members = rows(connection, MEMBERS, {"relation": source["relation"]})
    foreign = [member["relation"] for member in members if member["is_foreign"]]
    kind, whole = found[0]["other_than_table"], found[0]["part_of"]
    cannot = misses = ""
    if kind:
        cannot = f"is {kind}, which can have no such triggers"
    elif foreign:
        # with triggers that look at rows, statements that reach a foreign table would fail
        cannot = f"has a part, {foreign[0]}, that is a foreign table, so no such triggers"
    elif found[0]["is_replicated"]:
        misses = "is replicated into, which fires no trigger of a statement"
    elif whole:
        misses = f"is a part of {whole}, whose statements fire none of its triggers"
    return {**found[0], "members": members, "cannot": cannot, "misses": misses}


def _tables(connection: Connection) -> list[Table]:
    """Return the tables that the sources name, each once, or raise for all that do not fit."""
    wrong = []
    tables: dict[str, Table] = {}
    for source in dbt.sources(environment(connection)):
        if not source["capture"]:
            continue
        try:
            found = look_at(connection, source)
        except WrongArgument as missing:
            wrong.append(str(missing))
            continue
        key, misnamed = _key(connection, source, found["columns"])
        wrong += misnamed
        names = {"system": source["system"], "source": source["source"]}
        if table := tables.get(source["relation"]):
            table.captures.append(names | key)
            continue
        tables[source["relation"]] = Table(
            relation=source["relation"],
            captures=[names | key],
            members=found["members"],
            cannot=found["cannot"],
            misses=found["misses"],
        )
        if not found["cannot"]:
            wrong += [
                f"{member['relation']} takes no trigger of {connection.info.user}: its owner"
                " can grant TRIGGER on it"
                for member in found["members"]
                if not member["is_ours_to_watch"]
            ]
    if wrong:
        raise WrongArgument(f"capture: {'; '.join(wrong)}")
    return list(tables.values())


def _install(connection: Connection, table: Table, progress: Progress) -> None:
    """Put the triggers on a table and on all that is part of it, and say which cannot."""
    if table.cannot or table.misses:
        progress.say(
            f"{table.relation} {table.cannot or table.misses}: its updated_at is asked, and"
            " what that does not tell waits for the nightly refresh"
        )
    if table.cannot:
        return
    connection.execute(
        f"call {OPERATIONS}.make_capture_function(%s, %s, %s)",
        (table.function, table.relation, Jsonb(table.captures)),
    )
    for member in table.members:
        with_short_lock(connection, partial(_put_triggers, connection, table, member))
    parts = len(table.members) - 1
    progress.say(
        f"captured: {table.relation}" + (f" and {parts} parts of it" if parts else "")
    )


def _put_triggers(connection: Connection, table: Table, member: dict[str, Any]) -> None:
    for event, transition in EVENTS.items():
        name = sql.Identifier(table.trigger(event, member))
        relation = sql.SQL(member["relation"])
        connection.execute(
            sql.SQL(
                "create or replace trigger {name} after {event} on {relation} {transition}"
                " for each statement execute function {function}()"
            ).format(
                name=name,
                event=sql.SQL(event),
                relation=relation,
                transition=sql.SQL(transition),
                function=sql.Identifier(OPERATIONS, table.function),
            )
        )
        # else a session that loads rows as a replica, as many loaders do, fires none
        if member["is_ours"]:
            connection.execute(
                sql.SQL("alter table only {} enable always trigger {}").format(relation, name)
            )


def _drop_triggers(connection: Connection, keep: list[Table]) -> None:
    """Take all triggers and functions away, but those of these tables."""
    kept = [
        sql.Identifier(OPERATIONS, table.function).as_string(connection) + "()"
        for table in keep
        if not table.cannot
    ]
    functions = [
        function["name"]
        for function in rows(
            connection,
            f"{FUNCTIONS} and oid != all(%(kept)s::text[]::regprocedure[])",
            {"kept": kept},
        )
    ]
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
        with_short_lock(connection, partial(connection.execute, drop))
    for function in functions:
        connection.execute(f"drop function {function}".encode())


def _key(
    connection: Connection, source: dict[str, Any], columns: list[str]
) -> tuple[dict[str, str], list[str]]:
    """Return the SQL of the parts of a row's key, and what is wrong with them.

    A part is a column, a constant, or nothing.
    """
    key, wrong = {}, []
    for part in KEY_PARTS:
        name = str(source["capture"].get(part, ""))
        if constant := CONSTANT.fullmatch(name):
            key[part] = sql.Literal(constant[1]).as_string(connection)
        elif name and name not in columns:
            wrong.append(
                f"{source['relation']} has no column {name}, which the sources' yml in"
                f" models/<system>/inputs names as the {part} of its rows"
            )
        else:
            key[part] = sql.Identifier(name).as_string(connection) if name else ""
    return key, wrong


def _mapping() -> str:
    """Return a fingerprint of what names the tables and the columns of their keys."""
    files = [PROJECT / "dbt_project.yml", *PROJECT.glob("models/*/inputs/*__sources.yml")]
    return _fingerprint(files)


def _fingerprint(files: Iterable[Path]) -> str:
    # bytes: which characters they are is not asked here
    texts = [
        f"{file.relative_to(PROJECT)}\n".encode() + file.read_bytes() for file in sorted(files)
    ]
    return hashlib.sha256(b"\n".join(texts)).hexdigest()[:16]
