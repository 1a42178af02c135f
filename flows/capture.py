"""The triggers that note changed keys in the change queue: install, remove, show."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

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
from flows.fingerprints import current_mapping
from flows.installed import gap, is_empty
from flows.lookups import slow_lookups
from flows.progress import Progress, count_of
from flows.run_log import check_maker
from flows.schemas import OPERATIONS, OURS
from flows.watched import oid_of, shows_changes

EVENTS = {
    "insert": "referencing new table as new_rows",
    "update": "referencing old table as old_rows new table as new_rows",
    "delete": "referencing old table as old_rows",
    "truncate": "",
}
# the functions that the triggers call, one for each table; the comment tells ours from others
# with such a name
FUNCTIONS = f"""
    select oid::regprocedure::text as name from pg_proc
    where
        pronamespace = '{OPERATIONS}'::regnamespace and starts_with(proname::text, 'capture_')
        and position('Note the keys that a statement' in obj_description(oid, 'pg_proc')) > 0
"""
NAME_BYTES = 63
# a table that a source names: its kind, and whether rows can arrive without firing its
# triggers
TARGET = f"""
    select
        array(
            select attname::text from pg_attribute
            where attrelid = pg_class.oid and attnum > 0 and not attisdropped
            order by attnum
        ) as columns,
        -- virtual columns have no value when a trigger fires
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
        -- the percentage of its pages that holds about SAMPLE rows
        case
            when pg_class.relkind in ('r', 'p', 'm')
                then least(100, 100.0 * {SAMPLE} / greatest(reltuples, 1))::real
        end as sampled_pct
    from pg_class
    where oid = %(oid)s
"""
MEMBERS = f"""
    select
        member_id as oid,
        member_id::regclass::text as relation,
        is_source,
        relkind = 'f' as is_foreign,
        -- whether we may create triggers, and whether we may enable them always
        has_table_privilege(member_id, 'trigger') as is_ours_to_watch,
        pg_has_role(relowner, 'usage') as is_ours
    from {OPERATIONS}.family_of(%(relation)s)
    inner join pg_class on member_id = pg_class.oid
    order by is_source desc, member_id::regclass::text
"""
OLD_TRIGGERS = (
    "the vars, the sources' yml or the version have changed since the last complete `capture"
    " install`"
)
# source_name of a table that no source names
NO_SOURCE = "(no source)"


@dataclass(frozen=True)
class Table:
    """A source table, the keys captured from it, and the changes that its triggers miss."""

    relation: str
    # one entry for each source and key: system, source and the parts of the key
    captures: list[dict[str, Any]]
    members: list[dict[str, Any]]
    # why it can have no triggers, or which rows fire none; '' if neither applies
    cannot: str = ""
    misses: str = ""
    sampled_pct: float | None = None
    # whether an input takes its updated_at from this table, not from a joined one
    tells: bool = True

    @property
    def watched_by(self) -> str:
        """What shows its changes."""
        if self.cannot:
            return "updated_at" if self.tells else "nothing"
        return "both" if self.misses and self.tells else "triggers"

    @property
    def function(self) -> str:
        """The name of its trigger function, unique even if table names are long."""
        own = hashlib.sha256(self.relation.encode()).hexdigest()[:12]
        plain = self.relation.replace('"', "").encode()
        room = NAME_BYTES - len(f"capture__{own}")
        return f"capture_{plain[:room].decode(errors='ignore')}_{own}"

    def trigger(self, event: str, member: dict[str, Any]) -> str:
        """Return a trigger's name; a partition that is also a source has its own triggers."""
        name = f"{OURS}_{event}"
        return name if member["is_source"] else f"{name}_{self.function[-12:]}"


@dataclass(frozen=True)
class Survey:
    """The tables that the inputs read, and how each is watched."""

    captured: list[Table]
    # tables without triggers: system, source, relation and watched_by
    others: list[dict[str, str]]
    # tables that nothing watches, one phrase each
    gaps: list[str]


def install_triggers(progress: Progress, *, allow_gaps: bool = False) -> None:
    """Create or replace the triggers on every source table.

    The next refresh is a full one, because nothing recorded earlier changes. All tables are
    checked before the first is changed. Raises WrongArgument on Citus and, unless allow_gaps
    is set, if nothing watches a table that is read or if keys differ from those of the inputs.
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
            raise WrongArgument(f"capture: {'; '.join(doubts)} (--allow-gaps installs anyway)")
        warnings = [*doubts, *slow_lines(connection, tables)]
        for line in [*(f"warning: {warning}" for warning in warnings), *found.remarks]:
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
        # list all tables before any has triggers: until all have them, every refresh is a full
        # one
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
        # from now on an hourly refresh trusts the triggers, after all that came before
        with connection.transaction():
            connection.execute(
                f"update {OPERATIONS}.captured_tables set mapping = %s", (mapping,)
            )
            for system in sorted({c["system"] for table in tables for c in table.captures}):
                connection.execute(
                    f"insert into {OPERATIONS}.changed_keys (system, kind)"
                    " values (%s, 'everything')",
                    (system,),
                )
        _print_tables(connection, progress)


def remove_triggers(progress: Progress) -> None:
    """Drop the triggers on all tables."""
    if not is_here():
        progress.say("no table has our triggers")
        return
    with with_queue() as connection:
        _refuse_of_others(connection)
        _drop_triggers(connection, keep=[])
        # last, so that a trigger that remains is still listed
        connection.execute(f"delete from {OPERATIONS}.captured_tables")
    progress.say("no table has our triggers: the hourly refresh relies on updated_at")


def print_capture(progress: Progress) -> None:
    """Print which tables are captured, and how many keys are waiting."""
    with reading(as_login=True) as connection:
        # a newer version may miss objects that it adds
        if missing := gap(connection, "operations.sql", "capture.sql"):
            progress.say(missing)
        else:
            _print_tables(connection, progress)
        if _are_old(connection):
            progress.say(
                f"{OLD_TRIGGERS}: every hourly refresh is a full refresh until you run it"
                " again"
            )
        if missing:
            return
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
            "Last 10 errors of the triggers, which the application did not see",
            rows(
                connection,
                "select created_at::timestamptz(0)::text as at, relation, error"
                f" from {OPERATIONS}.hook_errors where hook = 'capture'"
                " order by error_id desc limit 10",
            ),
        )
        if since := detached_since(connection):
            progress.say(in_words(since))


def _are_old(connection: Connection) -> bool:
    """Return whether triggers are those of another mapping or version."""
    tables = f"{OPERATIONS}.captured_tables"
    [there] = rows(connection, f"select to_regclass('{tables}') as it")
    return bool(
        there["it"]
        and rows(
            connection,
            f"select from {tables} where mapping != %(mapping)s limit 1",
            {"mapping": current_mapping()},
        )
    )


def is_here() -> bool:
    """Return whether there is anything to remove; create nothing."""
    with reading(as_login=True) as connection:
        return not is_empty(connection)


def _print_tables(connection: Connection, progress: Progress) -> None:
    """Print the tables that the inputs read, and how each is watched."""
    progress.table(
        "Captured tables",
        rows(
            connection,
            """
            select
                system, source_name as source, replace(relation, '"', '') as relation,
                case
                    -- before the next refresh, the view of an older version lacks it
                    when to_jsonb(listed) ->> 'refused_owner' is not null
                        then 'by no trigger: ' || (to_jsonb(listed) ->> 'refused_owner')
                        || ', which owns them, may not write to the queue'
                    when not is_captured then 'triggers are missing or were switched off'
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
            f" from {OPERATIONS}.capture_status as listed order by 1, 2, 3",
        ),
    )
    for table in unlisted_tables(connection):
        how = (
            "updated_at only"
            if _is_told(connection, table)
            else "nothing: its changes wait for the nightly refresh"
        )
        progress.say(f"{table['relation']}, read by {table['inputs']}, is watched by {how}")


def unlisted_tables(connection: Connection) -> list[dict[str, Any]]:
    """Return the tables that inputs read and `capture install` has not listed."""
    return rows(
        connection,
        "select relation, string_agg(distinct input_name, ', ') as inputs,"
        " array_agg(distinct system) as systems"
        f" from {OPERATIONS}.unlisted_tables(array("
        f"select member_id from {OPERATIONS}.captured_tables"
        f" cross join {OPERATIONS}.family_of(relation) where member_id is not null"
        ")) group by relation order by relation",
    )


@contextmanager
def with_queue() -> Iterator[Connection]:
    """Connect as the login, which owns the sources, with the change queue installed.

    Other commands that install or remove triggers wait until the connection closes.
    """
    with connect(as_login=True) as connection:
        rows(connection, f"select pg_advisory_lock(hashtext('{OURS} triggers'))")
        install(connection, "operations.sql")
        install(connection, "capture.sql")
        yield connection


def _refuse_foreign(connection: Connection, table: Table) -> None:
    """Raise WrongArgument if a function or trigger with our name is not ours."""
    ours = [function["name"] for function in rows(connection, FUNCTIONS)]
    for thing in rows(
        connection,
        "select format('function %%s', oid::regprocedure) as name from pg_proc"
        f" where pronamespace = '{OPERATIONS}'::regnamespace and proname = %(function)s"
        " and oid::regprocedure::text != all(%(ours)s)"
        " union all"
        " select format('trigger %%s on %%s', tgname, tgrelid::regclass) from pg_trigger"
        " where tgrelid = any(%(members)s::oid[]) and tgname = any(%(triggers)s)"
        " and tgfoid::regprocedure::text != all(%(ours)s)",
        {
            "function": table.function,
            "ours": ours,
            "members": [member["oid"] for member in table.members],
            "triggers": [
                table.trigger(event, member) for event in EVENTS for member in table.members
            ],
        },
    ):
        raise WrongArgument(
            f"capture: {thing['name']} is not ours but has a name that we need; rename it"
        )


def _refuse_of_others(connection: Connection) -> None:
    """Raise Infrastructure if the login may not drop or replace the installed triggers."""
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
            f"capture: {owned['by']} owns {function['name']} and its triggers: run this"
            f" command as {owned['by']} or a member of that role"
        )


def look_at(connection: Connection, source: dict[str, Any]) -> dict[str, Any]:
    """Return what a caller needs to know to put triggers on the table of a source.

    That is: oid, columns, members (the table and its partitions or children), cannot (why it
    can have no triggers) and misses (why some written rows do not fire them). Raises
    WrongArgument if the table does not exist.
    """
    oid = oid_of(connection, source["relation"])
    found = rows(connection, TARGET, {"oid": oid, "relation": source["relation"]})
    if not found:
        name, _, table = source["source"].partition(".")
        raise WrongArgument(
            f"{source['relation']} does not exist: set the vars {name}_schema and"
            f" {name}_{table}_table in dbt_project.yml, or the name in the sources' yml of"
            " models/<system>/inputs"
        )
    members = rows(connection, MEMBERS, {"relation": source["relation"]})
    foreign = [member["relation"] for member in members if member["is_foreign"]]
    kind, whole = found[0]["other_than_table"], found[0]["part_of"]
    cannot = misses = ""
    if kind:
        cannot = f"is {kind}, which cannot have these triggers"
    elif foreign:
        # with transition tables, statements that reach a foreign table would fail
        cannot = (
            f"has the foreign table {foreign[0]} as a part, so it cannot have these triggers"
        )
    elif found[0]["is_replicated"]:
        misses = "is filled by a subscription, which fires no statement triggers"
    elif whole:
        misses = f"is a part of {whole}: statements on the whole do not fire its triggers"
    return {
        **found[0],
        "oid": oid,
        "members": members,
        "cannot": cannot,
        "misses": misses,
    }


def _survey(connection: Connection) -> Survey:
    """Return the tables that inputs read, each once; raise one error for all problems."""
    wrong: list[str] = []
    gaps: list[str] = []
    others: list[dict[str, str]] = []
    tables: dict[str, Table] = {}
    listed: list[int] = []
    for source in dbt.sources(environment(connection)):
        is_hourly = systems.registry()[source["system"]].is_hourly
        if not (source["capture"] is not None or is_hourly):
            continue
        try:
            found = look_at(connection, source)
        except WrongArgument as missing:
            wrong.append(str(missing))
            continue
        listed += [member["oid"] for member in found["members"]]
        names = {"system": source["system"], "source": source["source"]}
        if source["capture"] in (None, NOTHING):
            if source["capture"] is None:
                gaps.append(_gap(source["relation"], ", ".join(map(plain, source["inputs"]))))
            tells = source["capture"] is None and shows_changes(
                connection, found["oid"], source["inputs"]
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
            tells=shows_changes(connection, found["oid"], source["inputs"])
            if found["cannot"] or found["misses"]
            else True,
        )
        if not found["cannot"]:
            wrong += [
                f"{connection.info.user} may not create triggers on {member['relation']}: its"
                " owner can grant TRIGGER on it"
                for member in found["members"]
                if not member["is_ours_to_watch"]
            ]
    if wrong:
        raise WrongArgument(f"capture: {'; '.join(wrong)}")
    if not tables:
        raise WrongArgument(
            "capture: nothing to install, since no table that the inputs read has a key in"
            f" {WHERE_TO_SAY}; the hourly refresh relies on updated_at"
        )
    survey = Survey(list(tables.values()), others, gaps)
    _add_unlisted(connection, survey, listed)
    return survey


def _add_unlisted(connection: Connection, survey: Survey, listed: list[int]) -> None:
    """Add the tables that built inputs read without a source."""
    for unlisted in rows(
        connection,
        "select system, relation, string_agg(distinct input_name, ', ') as inputs"
        f" from {OPERATIONS}.unlisted_tables(%(listed)s::oid[])"
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
    """Return whether updated_at shows changes of a table that no source names."""
    views = rows(
        connection,
        # in whatever schema they are
        "select format('%%I.%%I', nspname, relname) as name from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind = 'v' and relname = any(%(names)s)",
        {"names": unlisted["inputs"].split(", ")},
    )
    table = oid_of(connection, unlisted["relation"])
    return shows_changes(connection, table, [view["name"] for view in views])


def _gap(relation: str, readers: str) -> str:
    return (
        f"{relation} is read by {readers}, and nothing watches it: give it a key in"
        f" {WHERE_TO_SAY}, or `capture: {NOTHING}` if its changes may wait for the nightly"
        " refresh"
    )


def slow_lines(connection: Connection, tables: Iterable[Table]) -> list[str]:
    """Return a line for each lookup of a trigger that no index serves."""
    found = []
    for table in tables:
        if table.cannot:
            continue
        name = table.relation.replace('"', "")
        for capture in table.captures:
            found += [
                f"{lookup.problem(name)}; {lookup.remedy()}"
                for lookup in slow_lookups(connection, table.relation, capture)
            ]
    return list(dict.fromkeys(found))


def _install(connection: Connection, table: Table, progress: Progress) -> None:
    """Put the triggers on a table and its parts, and print what they miss."""
    if table.cannot or table.misses:
        rest = (
            "changes that updated_at does not show"
            if table.tells
            else "updated_at does not show its changes either, so they"
        )
        progress.say(
            f"{table.relation} {table.cannot or table.misses}: {rest} wait for the nightly"
            " refresh"
        )
    if table.cannot:
        return
    connection.execute(
        f"call {OPERATIONS}.make_capture_function(%s, %s, %s)",
        (table.function, table.relation, Jsonb(table.captures)),
    )
    for member in table.members:
        put = partial(_put_triggers, connection, table, member)
        with_short_lock(connection, put, [member["oid"]])
    parts = len(table.members) - 1
    progress.say(
        f"captured: {table.relation}"
        + (f" and {count_of(parts, 'part')} of it" if parts else "")
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
        # otherwise sessions with session_replication_role = replica, used by many loaders,
        # fire none
        if member["is_ours"]:
            connection.execute(
                sql.SQL("alter table only {} enable always trigger {}").format(relation, name)
            )


def _drop_triggers(connection: Connection, keep: list[Table]) -> None:
    """Drop all triggers and functions except those of these tables."""
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
        drop_with_triggers(connection, function["name"])


def drop_with_triggers(connection: Connection, function: str) -> None:
    """Drop a function and its triggers, which otherwise only the table's owner may drop."""
    tables = rows(
        connection,
        "select distinct tgrelid as oid from pg_trigger"
        " where tgfoid = %(function)s::regprocedure",
        {"function": function},
    )
    drop = f"drop function {function} cascade".encode()
    with_short_lock(
        connection, partial(connection.execute, drop), [table["oid"] for table in tables]
    )
