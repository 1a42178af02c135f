"""The change queue: what feeds it, and which of its keys a refresh takes."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from psycopg import sql
from psycopg.types.json import Jsonb

from flows import dbt, systems
from flows.captured_keys import NOTHING, SAMPLE, WHERE_TO_SAY, captures_of, compare, plain
from flows.citus import refuse_triggers_on_citus
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
from flows.errors import Infrastructure, WrongArgument
from flows.installed import gap, is_empty
from flows.progress import Progress
from flows.project import FLOWS, PROJECTS
from flows.run_log import check_maker
from flows.schemas import ANALYTICS, INTERNAL, OPERATIONS, OURS
from flows.watched import do_tell

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
            order by attnum
        ) as columns,
        -- those have no value yet when a trigger fires
        array(
            select attname::text from pg_attribute
            where
                attrelid = pg_class.oid and attnum > 0 and not attisdropped
                and attgenerated = 'v'
        ) as virtual_columns,
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
        ) as is_replicated,
        -- the percentage of its pages that has about so many rows
        case
            when pg_class.relkind in ('r', 'p', 'm')
                then least(100, 100.0 * {SAMPLE} / greatest(reltuples, 1))::real
        end as sampled_pct
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
OLD_TRIGGERS = (
    "the vars or the sources' yml that name tables and keys, or what this version makes of"
    " them, have changed since `capture install`, or it did not end"
)
# where no source has it
NO_SOURCE = "(no source)"
# a row that a slow transaction has stamped before the last refresh began
OVERLAP = timedelta(hours=1)
# what the rules are made of
RULES = ("dbt_project.yml", "models/**/*.sql", "macros/**/*.sql", "seeds/*.csv")
# but for secrets, which no number follows from
ENV_VAR = re.compile(rb"""\benv_var\s*\(\s*(?:var\s*=\s*)?[\\'"]+(?!DBT_ENV_SECRET)(\w+)""")
# what the triggers are made of: what names the tables and the columns of their keys (vars, and
# files), and what makes their functions, which another version may do otherwise
MAKES_FUNCTIONS = FLOWS / "sql" / "capture.sql"
NAMING_VARS = ("_schema", "_table", "_enabled")
NAMING_FILES = "models/**/*__sources.yml"


@dataclass(frozen=True)
class Scope:
    """Which keys a refresh recomputes, and why."""

    # of each system from when on updated_at tells what changed; empty where triggers notice it
    changed_since: dict[str, datetime] = field(default_factory=dict)
    # why an hourly refresh recomputes all keys; None when it need not
    full_because: str | None = None
    # tables that inputs read, though `capture install` has not listed them
    unlisted: tuple[str, ...] = ()
    # how many keys of each system and kind the refresh has claimed, and how many rows of
    # which table have none that was found
    keys: list[dict[str, Any]] = field(default_factory=list)
    not_found: list[dict[str, Any]] = field(default_factory=list)

    @property
    def claimed(self) -> list[dict[str, Any]]:
        """All that the refresh has claimed."""
        return self.keys + self.not_found


@dataclass(frozen=True)
class Table:
    """A source table, all that is captured of it, and what its triggers do not see."""

    relation: str
    # system, source and the parts of the key, for each source and key that the table serves
    captures: list[dict[str, Any]]
    members: list[dict[str, Any]]
    # why it can have no triggers, or which rows fire none; '' where that is no question
    cannot: str = ""
    misses: str = ""
    sampled_pct: float | None = None
    # whether the updated_at of an input is that of its rows, and not of those it is joined to
    tells: bool = True

    @property
    def watched_by(self) -> str:
        """What tells of its changes."""
        if self.cannot:
            return "updated_at" if self.tells else "nothing"
        return "both" if self.misses and self.tells else "triggers"

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


@dataclass(frozen=True)
class Survey:
    """What the inputs read, and how each table of it is to be watched."""

    captured: list[Table]
    # those without triggers: system, source, relation and watched_by
    others: list[dict[str, str]]
    # what nobody has said how to watch, a phrase each
    gaps: list[str]


def install_triggers(progress: Progress, *, allow_gaps: bool = False) -> None:
    """Put the triggers on every source table; those that are there are put anew.

    The next refresh is a full one: what was changed before nobody has noticed. All tables are
    looked at before the first is touched. Raises WrongArgument where a table is read that
    nothing watches, or where keys are not those of the inputs, unless allow_gaps; and on
    Citus.
    """
    refuse_triggers_on_citus("capture")
    with with_queue() as connection:
        check_maker(connection)
        survey = _survey(connection)
        tables = survey.captured
        mapping = current_mapping()
        for table in tables:
            _refuse_foreign(connection, table)
        _refuse_of_others(connection)
        found = compare(connection, tables)
        if (doubts := survey.gaps + found.doubts) and not allow_gaps:
            raise WrongArgument(
                f"capture: {'; '.join(doubts)} (--allow-gaps installs all the same)"
            )
        for line in [*(f"warning: {doubt}" for doubt in doubts), *found.remarks]:
            progress.say(line)
        listed = survey.others + [
            {
                "system": capture["system"],
                "source": capture["source"],
                "relation": table.relation,
                "function": table.function,
                "watched_by": table.watched_by,
            }
            for table in tables
            for capture in table.captures
        ]
        # all tables, before any has triggers: refreshes are full ones until all have theirs
        with connection.transaction():
            connection.execute(f"delete from {OPERATIONS}.captured_tables")
            for line_ in listed:
                connection.execute(
                    f"insert into {OPERATIONS}.captured_tables"
                    " (system, source_name, relation, mapping, function_name, watched_by)"
                    " values (%(system)s, %(source)s, %(relation)s, 'none yet', %(function)s,"
                    # a table may have several keys
                    " %(watched_by)s) on conflict do nothing",
                    {"function": "", **line_},
                )
        for table in tables:
            _install(connection, table, progress)
        _drop_triggers(connection, keep=tables)
        connection.execute(f"update {OPERATIONS}.captured_tables set mapping = %s", (mapping,))
        for system in sorted({c["system"] for table in tables for c in table.captures}):
            connection.execute(
                f"insert into {OPERATIONS}.changed_keys (system, kind)"
                " values (%s, 'everything')",
                (system,),
            )
        _print_tables(connection, progress)


def remove_triggers(progress: Progress) -> None:
    """Take the triggers off again, wherever they are."""
    if not is_here():
        progress.say("no table is captured")
        return
    with with_queue() as connection:
        _refuse_of_others(connection)
        _drop_triggers(connection, keep=[])
        # last: what is still there is listed until it is gone
        connection.execute(f"delete from {OPERATIONS}.captured_tables")
    progress.say("no table is captured: updated_at tells the hourly refresh what changed")


def print_capture(progress: Progress) -> None:
    """Print which tables are captured, and how many keys wait."""
    with reading(as_login=True) as connection:
        if missing := gap(connection, "operations.sql", "capture.sql"):
            progress.say(missing)
            return
        _print_tables(connection, progress)
        if rows(
            connection,
            f"select from {OPERATIONS}.captured_tables where mapping != %(mapping)s limit 1",
            {"mapping": current_mapping()},
        ):
            progress.say(f"{OLD_TRIGGERS}: until it is run every hourly refresh is a full one")
        progress.table(
            "Changes waiting",
            rows(
                connection,
                "select system, kind, count(distinct (tenant, key, starts_at)) as keys,"
                " min(noticed_at)::timestamptz(0)::text as since,"
                " replace(relation, '\"', '') as by_rows_without_key_of,"
                " sum(rows_count)::bigint as rows"
                f" from {OPERATIONS}.changed_keys group by system, kind, relation"
                " order by 1, 2, 5 nulls first",
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


def _print_tables(connection: Connection, progress: Progress) -> None:
    """Print what the inputs read, and how each table is watched."""
    progress.table(
        "Captured tables",
        rows(
            connection,
            """
            select
                system, source_name as source, replace(relation, '"', '') as relation,
                case
                    when not is_captured then 'triggers are missing'
                    when watched_by = 'both' then 'by triggers and updated_at'
                    when watched_by = 'nothing' then 'by no trigger, as its yml says'
                    else 'by ' || watched_by
                end as captured,
                -- daily partitions may be many
                concat_ws(', ', variadic unwatched[:3])
                || case when cardinality(unwatched) > 3
                then ' and ' || (cardinality(unwatched) - 3)::text || ' more' else '' end
                as parts_without_triggers
            """
            f" from {OPERATIONS}.capture_status order by 1, 2, 3",
        ),
    )
    for table in _unlisted(connection):
        how = (
            "updated_at only"
            if _is_told(connection, table)
            else "nothing: it waits for the nightly refresh"
        )
        progress.say(f"{table['relation']}, which {table['inputs']} read, is watched by {how}")


def _unlisted(connection: Connection) -> list[dict[str, Any]]:
    """Return the tables that inputs read and `capture install` has not listed."""
    return rows(
        connection,
        "select relation, string_agg(distinct input_name, ', ') as inputs"
        f" from {OPERATIONS}.unlisted_tables(array("
        f"select member_id from {OPERATIONS}.captured_tables"
        f" cross join {OPERATIONS}.family_of(relation) where member_id is not null"
        ")) group by relation order by relation",
    )


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
    claimed = rows(
        connection,
        "select system, kind, replace(relation, '\"', '') as relation,"
        " count(distinct (tenant, key, starts_at)) as keys,"
        " sum(rows_count)::bigint as rows_count, min(tenant) as tenant"
        f" from {OPERATIONS}.changed_keys where claimed_by = %(logid)s"
        " group by system, kind, relation order by 1, 2, 3 nulls first",
        {"logid": logid},
    )
    return replace(
        _scope(connection, as_of, rules),
        keys=[
            {"system": row["system"], "kind": row["kind"], "keys": row["keys"]}
            for row in claimed
            if row["relation"] is None
        ],
        not_found=[row for row in claimed if row["relation"] is not None],
    )


def say_scope(scope: Scope, progress: Progress) -> dict[str, Any]:
    """Say what of the queue is wider than the change was; return what the log keeps of it."""
    for lost in scope.not_found:
        asked = (
            "everything"
            if lost["kind"] == "everything"
            else f"all of tenant {lost['tenant']}"
            if lost["keys"] == 1
            else f"all of {lost['keys']} tenants"
        )
        progress.say(
            f"the key of {lost['rows_count']} changed rows of {lost['relation']} was not"
            f" found, so {asked} is recomputed in {lost['system']}"
        )
    for relation in scope.unlisted:
        progress.say(
            f"{relation} is read by an input and has no triggers, so updated_at is asked, and"
            " what that does not tell waits for the nightly refresh: `customer-health capture"
            " install` lists it"
        )
    return {
        name: value
        for name, value in (
            ("claimed_keys", scope.keys),
            ("keys_not_found", scope.not_found),
            ("unlisted_tables", list(scope.unlisted)),
        )
        if value
    }


def say_nobodys(scope: Scope, connection: Connection, progress: Progress) -> dict[str, Any]:
    """Say which of the claimed keys are of nobody; return what the log keeps of it."""
    nobodys = {}
    for system in sorted({row["system"] for row in scope.keys}):
        keys = f"{INTERNAL}.int_nobodys_keys__{system}"
        [there] = rows(connection, f"select to_regclass('{keys}') as keys")
        if there["keys"] is None:
            continue
        [found] = rows(
            connection,
            # the parts of a key that it has, in their order
            "select count(*) as keys, min((select string_agg(value, '/' order by place)"
            " from json_each_text(row_to_json(nobodys)) with ordinality"
            " as parts (name, value, place) where name != 'kind')) as example"
            f" from {keys} as nobodys",
        )
        if found["keys"]:
            nobodys[system] = found["keys"]
            progress.say(
                f"warning: {found['keys']} keys of the queue are nobody's in {system}, such as"
                f" {found['example']}: does {WHERE_TO_SAY} say the key as the input does?"
            )
    return {"keys_of_nobody": nobodys} if nobodys else {}


def fingerprint_of_files(patterns: Sequence[str] = RULES) -> str:
    """Return a fingerprint of files of the project, by default all that a number follows from.

    And of the variables of the environment that they name.
    """
    # bytes: which characters they are is not asked here
    texts = [
        f"{file.relative_to(folder)}\n".encode() + file.read_bytes()
        for folder in PROJECTS
        for pattern in patterns
        for file in sorted(folder.glob(pattern))
        if file.is_file()
    ]
    names = sorted({name.decode() for text in texts for name in ENV_VAR.findall(text)})
    return _fingerprint(
        [*texts, *(f"{name}={os.environ.get(name)}".encode() for name in names)]
    )


def missing_relations(connection: Connection) -> list[str]:
    """Return what the last refresh of all has made, and somebody has dropped since."""
    # what is made with a model; the trigger's function where the sources' yml says `hook:`
    facts = f'"{OPERATIONS}"."order_facts"'
    routines = {
        f"{OPERATIONS}.after_orders_created(text[])": facts,
        f"{ANALYTICS}.explain_risk_status(text,text)": (
            f'"{ANALYTICS}"."customer_status_changes"'
        ),
        f"{ANALYTICS}.explain_customer_analytics(text,text)": (
            f'"{ANALYTICS}"."customer_profiles"'
        ),
    }
    [hook] = rows(connection, f"select to_regclass('{OPERATIONS}.hooked_tables') as tables")
    if hook["tables"] and rows(connection, f"select from {OPERATIONS}.hooked_tables limit 1"):
        routines[f"{OPERATIONS}.after_order_created()"] = facts
    return [
        row["relation"]
        for row in rows(
            connection,
            """
            with made as (
                select unnest(%(made)s::text[]) as relation
            )

            select relation from made where to_regclass(relation) is null
            union all
            select routines.routine
            from made
            inner join unnest(%(makers)s::text[], %(routines)s::text[])
                as routines (maker, routine)
                on made.relation = routines.maker
            where to_regprocedure(routines.routine) is null
            order by 1
            """,
            {
                "makers": list(routines.values()),
                "routines": list(routines),
                "made": last_relations(connection),
            },
        )
    ]


def last_relations(connection: Connection) -> list[str]:
    """Return what the last full refresh that has passed its tests had made, or found made."""
    found = rows(
        connection,
        f"select payload -> 'relations' as made from {OPERATIONS}.application_logs"
        " where payload ? 'relations' order by log_id desc limit 1",
    )
    return list(found[0]["made"]) if found else []


def _scope(connection: Connection, as_of: datetime, rules: str) -> Scope:
    last = _last_published(connection)
    because = _rebuilt_because(connection, last, as_of, rules)
    if because or last is None:
        return Scope(full_because=because or "there was no refresh yet")
    [capture] = rows(
        connection,
        "with queue as (select relation, rows_count"
        f" from {OPERATIONS}.changed_keys where kind = 'everything')"
        " select count(*) as tables, count(*) filter (where is_captured) as captured,"
        " count(*) filter (where mapping = %(mapping)s) as mapped,"
        " bool_or(watched_by in ('updated_at', 'both')) as asks_updated_at,"
        " exists (select from queue where relation is null) as is_lost,"
        " (select sum(rows_count)::bigint from queue) as lost_rows"
        f" from {OPERATIONS}.capture_status",
        {"mapping": current_mapping()},
    )
    if capture["mapped"] < capture["tables"]:
        because = OLD_TRIGGERS
    elif capture["captured"] < capture["tables"]:
        because = "a captured table has lost its triggers"
    elif capture["is_lost"]:
        because = "a table was emptied, the triggers are new, or one of them has failed"
    elif capture["lost_rows"]:
        because = f"neither key nor tenant of {capture['lost_rows']} changed rows was found"
    else:
        unlisted = tuple(
            table["relation"] for table in _unlisted(connection) if capture["tables"]
        )
        is_noticed = capture["tables"] and not capture["asks_updated_at"] and not unlisted
        since = {
            system: began_at - OVERLAP
            for system, began_at in last["began_at"].items()
            if not is_noticed
        }
        return Scope(changed_since=since, unlisted=unlisted)
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
    reasons = {
        "a test has failed in the last refresh, whose rows may be wrong": last["has_failed"],
        "the rules are other ones than those of the last refresh": last["rules"] != rules,
        f"the marts hold {last['as_of']:%Y-%m-%d %H:%M:%S %Z}": last["as_of"] > as_of,
    }
    return next((reason for reason, is_so in reasons.items() if is_so), None)


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
            f"select '{system}' as system, logid, application_logs.created_at as began_at,"
            " status, payload ->> 'rules' as rules, payload -> 'systems' as systems,"
            f" greatest(log.as_of, (select max(as_of) from {ANALYTICS}."
            f"{clock})) as as_of"
            f" from {log} as log inner join {OPERATIONS}.application_logs"
            " on log.run_id = application_logs.logid order by log_id desc limit 1",
        )
    if len(runs) < len(systems.hourly()):
        return None
    rules = {run["rules"] for run in runs}
    # where a test before the publication had failed, its system would have an earlier run
    published = Counter(run["logid"] for run in runs)
    hourly = set(systems.hourly())
    return {
        "has_failed": any(
            run["status"] == "tests_failed"
            and published[run["logid"]] == len(hourly.intersection(run["systems"]))
            for run in runs
        ),
        "began_at": {run["system"]: run["began_at"] for run in runs},
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


def _refuse_of_others(connection: Connection) -> None:
    """Raise Infrastructure where the login may not drop, or replace, what is installed."""
    for function in rows(
        connection,
        f"{FUNCTIONS} and not pg_has_role(proowner, 'usage') order by 1",
    ):
        [owned] = rows(
            connection,
            "select pg_get_userbyid(proowner) as by from pg_proc"
            " where oid = %(function)s::regprocedure",
            {"function": function["name"]},
        )
        raise Infrastructure(
            f"capture: {function['name']} and its triggers are {owned['by']}'s, who has"
            f" installed them: run it as {owned['by']}, or as a member of that role"
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


def _survey(connection: Connection) -> Survey:
    """Return what the inputs read, each table once, or raise for all that does not fit."""
    wrong: list[str] = []
    gaps: list[str] = []
    others: list[dict[str, str]] = []
    tables: dict[str, Table] = {}
    listed: list[str] = []
    for source in dbt.sources(environment(connection)):
        is_hourly = systems.registry()[source["system"]].is_hourly
        if not (source["capture"] is not None or is_hourly):
            continue
        try:
            found = look_at(connection, source)
        except WrongArgument as missing:
            wrong.append(str(missing))
            continue
        listed += [member["relation"] for member in found["members"]]
        names = {"system": source["system"], "source": source["source"]}
        if source["capture"] in (None, NOTHING):
            if source["capture"] is None:
                gaps.append(_gap(source["relation"], ", ".join(map(plain, source["inputs"]))))
            tells = source["capture"] is None and do_tell(
                connection, source["relation"], source["inputs"]
            )
            watched_by = "updated_at" if tells else "nothing"
            others.append(names | {"relation": source["relation"], "watched_by": watched_by})
            continue
        captures, misfits = captures_of(connection, source, found)
        wrong += misfits
        if table := tables.get(source["relation"]):
            table.captures.extend(captures)
            continue
        tables[source["relation"]] = Table(
            relation=source["relation"],
            captures=captures,
            members=found["members"],
            cannot=found["cannot"],
            misses=found["misses"],
            sampled_pct=found["sampled_pct"],
            tells=do_tell(connection, source["relation"], source["inputs"])
            if found["cannot"] or found["misses"]
            else True,
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
    if not tables:
        raise WrongArgument(
            f"capture: no table that the inputs read has a key in {WHERE_TO_SAY}, so there is"
            " nothing to install: updated_at tells the hourly refresh what changed"
        )
    survey = Survey(list(tables.values()), others, gaps)
    _add_unlisted(connection, survey, listed)
    return survey


def _add_unlisted(connection: Connection, survey: Survey, listed: list[str]) -> None:
    """Add the tables that inputs read by no source, where the inputs are built."""
    for unlisted in rows(
        connection,
        "select system, relation, string_agg(distinct input_name, ', ') as inputs"
        f" from {OPERATIONS}.unlisted_tables(%(listed)s::text[]::regclass[]::oid[])"
        " group by system, relation order by system, relation",
        {"listed": listed},
    ):
        survey.gaps.append(
            _gap(unlisted["relation"], f"{unlisted['inputs']} without a source for it")
        )
        survey.others.append(
            {
                "system": unlisted["system"],
                "source": NO_SOURCE,
                "relation": unlisted["relation"],
                "watched_by": "updated_at" if _is_told(connection, unlisted) else "nothing",
            }
        )


def _is_told(connection: Connection, unlisted: dict[str, Any]) -> bool:
    """Return whether updated_at tells of changes in a table that no source names."""
    views = rows(
        connection,
        # wherever a project has built them
        "select oid::regclass::text as name from pg_class"
        " where relkind = 'v' and relname = any(%(names)s)",
        {"names": unlisted["inputs"].split(", ")},
    )
    return do_tell(connection, unlisted["relation"], [view["name"] for view in views])


def _gap(relation: str, readers: str) -> str:
    return (
        f"{relation} is read by {readers}, and nothing watches it: give it a key in"
        f" {WHERE_TO_SAY}, or `capture: {NOTHING}` where what changes there may wait for the"
        " nightly refresh"
    )


def _install(connection: Connection, table: Table, progress: Progress) -> None:
    """Put the triggers on a table and on all that is part of it, and say which cannot."""
    if table.cannot or table.misses:
        rest = (
            "its updated_at is asked, and what that does not tell"
            if table.tells
            else "no updated_at is that of its rows, so what this misses"
        )
        progress.say(
            f"{table.relation} {table.cannot or table.misses}: {rest} waits for the nightly"
            " refresh"
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
    for function in rows(
        connection,
        f"{FUNCTIONS} and oid != all(%(kept)s::text[]::regprocedure[])",
        {"kept": kept},
    ):
        # with its triggers, which by themselves only the owner of the table may drop
        drop = f"drop function {function['name']} cascade".encode()
        with_short_lock(connection, partial(connection.execute, drop))


def current_mapping(projects: Sequence[Path] = PROJECTS) -> str:
    """Return a fingerprint of what triggers would be made of now.

    In our project and in the one that takes it as a package.
    """
    texts = [MAKES_FUNCTIONS.read_bytes()]
    for folder in projects:
        settings = yaml.safe_load((folder / "dbt_project.yml").read_bytes()).get("vars") or {}
        texts.append(repr(sorted(_naming(settings))).encode())
        texts += [
            f"{file.relative_to(folder)}\n".encode() + file.read_bytes()
            for file in sorted(folder.glob(NAMING_FILES))
        ]
    return _fingerprint(texts)


def _naming(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the vars that name tables, those of a package in its own name, too."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", text) for inner, text in _naming(value))
        elif name.endswith(NAMING_VARS):
            yield name, str(value)


def _fingerprint(texts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(texts)).hexdigest()[:16]
