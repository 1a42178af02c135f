"""Check the tables that inputs read: unused columns, and how changes are noticed.

See flows/check_inputs.py.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import psycopg

from flows.check_inputs import (
    LARGEST,
    LOOK,
    SAMPLE,
    Finding,
    Input,
    noted,
    quoted,
    raw,
    staging_of,
)
from flows.database import Connection, rows
from flows.fingerprints import current_mapping
from flows.init.columns import FEW_WORDS
from flows.init.names import evidence, no_words, words_of
from flows.lookups import slow_lookups
from flows.progress import count_of
from flows.schemas import OPERATIONS
from flows.watched import oid_of, output_of, relations_of, relations_of_updated_at

# a filled or true column with such a name says that a row does not count
AGAINST = {
    *("deleted", "archived", "removed", "discarded", "trashed", "purged", "anonymized"),
    *("void", "voided", "canceled", "cancelled", "revoked", "rejected", "expired"),
    *("hidden", "disabled", "inactive", "suspended", "banned", "blocked", "draft"),
    *("merged", "duplicate", "superseded", "refunded"),
    *("test", "testing", "demo", "sandbox", "fake", "spam"),
}
# a true column with such a name says that a row counts
FOR = {"active", "enabled", "valid", "visible", "live", "livemode", "published"}

# inputs whose rows are customers
OF_PEOPLE = {"customers", "accounts"}


def look_at_tables(connection: Connection, inputs: list[Input]) -> list[dict[str, Any]]:
    """Note unused columns that may matter, in the tables that inputs read.

    If several inputs read a table, the first one gets the finding. Returns the tables.
    """
    readers = {one.name: one for one in inputs if one.is_read}
    tables = rows(
        connection,
        """
        with reads as (
            select
                name,
                pg_depend.refobjid as relation,
                -- 0 for the table itself, which is always listed
                pg_depend.refobjsubid as attnum
            from unnest(%(names)s::text[]) as name
            inner join pg_rewrite
                on ev_class = ('pg_temp.' || quote_ident('mapped_' || name))::regclass
            inner join pg_depend
                on
                    pg_depend.classid = 'pg_rewrite'::regclass
                    and pg_depend.objid = pg_rewrite.oid
                    and pg_depend.refclassid = 'pg_class'::regclass
                    and pg_depend.refobjid != ev_class
        )

        select
            first.name,
            pg_class.oid::regclass::text as relation,
            pg_class.relname,
            pg_namespace.nspname,
            pg_class.reltuples,
            (
                select array_agg(distinct reads.name) from reads
                where reads.relation = pg_class.oid
            ) as readers,
            array_agg(
                jsonb_build_array(attname, typname, typcategory, leads_to) order by attnum
            ) as unused
        from (
            select distinct name, relation from reads
        ) as first
        inner join pg_class on first.relation = pg_class.oid
        inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
        inner join pg_attribute
            on pg_class.oid = attrelid and attnum > 0 and not attisdropped
        inner join pg_type on atttypid = pg_type.oid
        left join lateral (
            -- only links to the same table
            select min(referenced.attname) as leads_to
            from pg_constraint
            inner join pg_attribute as referenced
                on confrelid = referenced.attrelid and confkey = array[referenced.attnum]
            where
                contype = 'f' and conrelid = pg_class.oid and confrelid = conrelid
                and conkey = array[pg_attribute.attnum]
        ) as foreign_key on true
        where
            pg_class.relkind in ('r', 'p', 'v', 'm', 'f')
            and has_column_privilege(pg_class.oid, attnum, 'select')
            and not exists (
                select from reads
                where
                    reads.relation = pg_class.oid
                    and reads.attnum = pg_attribute.attnum
            )
            -- if a row is read whole, for example as JSON, the columns are unknown
            and exists (
                select from reads where reads.relation = pg_class.oid and reads.attnum > 0
            )
        group by first.name, pg_class.oid, pg_namespace.nspname
        order by min(array_position(%(names)s::text[], first.name)), 2
        """,
        {"names": list(readers)},
    )
    told = set()
    for row in tables:
        one = readers[row["name"]]
        if row["relation"] not in told:
            told.add(row["relation"])
            one.unused[row["relation"]] = [name for name, *_ in row["unused"]]
            with noted(one, f"fix {one.path}"), connection.transaction():
                note_filled(connection, one, row)
                if one.entity in OF_PEOPLE:
                    note_families(connection, one, row)
    return tables


def sampled(table: dict[str, Any]) -> str:
    """Return the from clause for a look at a table, with a limit for a large one."""
    limit = f" limit {SAMPLE}" if table["reltuples"] > LARGEST else ""
    return f"{quoted(table['nspname'], table['relname'])}{limit}"


def note_filled(connection: Connection, one: Input, table: dict[str, Any]) -> None:
    """Note unused columns that may mark rows that do not count."""
    telling = {
        name: condition
        for name, kind, category, _ in table["unused"]
        if (condition := says_no(name, kind, category))
    }
    if not telling:
        return
    counts = ", ".join(
        f"count(*) filter (where {condition}) as {quoted(name)}"
        for name, condition in telling.items()
    )
    columns = ", ".join(quoted(name) for name in telling)
    [found] = rows(
        connection,
        f"select count(*) as {quoted('all rows')}, {counts} from (select {columns}"
        f" from {sampled(table)}) as read",
    )
    for name, condition in telling.items():
        if found[name] and name not in one.looked_at:
            one.find(
                LOOK,
                None,
                f"{table['relation']}.{name} is not used, and in {found[name]} of"
                f" {count_of(found['all rows'], 'row')} {condition}",
                f"if such rows do not count, filter them in {one.path}; if they do, put"
                f" `{{{{ config(meta={{'looked_at': ['{name}']}}) }}}}` there to silence this"
                " line",
            )


def note_families(connection: Connection, one: Input, table: dict[str, Any]) -> None:
    """Note customers that belong to another customer, as contacts belong to a company."""
    for name, _, _, leads_to in table["unused"]:
        if leads_to is None or name in one.looked_at:
            continue
        [found] = rows(
            connection,
            f"select count(*) as {quoted('others')} from ("
            f"select {quoted(name)} as leads, {quoted(leads_to)} as key"
            f" from {sampled(table)}) as read where leads != key",
        )
        if found["others"]:
            one.find(
                LOOK,
                None,
                f"{table['relation']}.{name} links {count_of(found['others'], 'row')} to"
                " another row of the table and is not used: each of them counts as a separate"
                " customer",
                f"if they are people of one customer, use its key in {one.path} and in the"
                f" orders; if not, put `{{{{ config(meta={{'looked_at': ['{name}']}}) }}}}`"
                " there to silence this line",
            )


def note_constants(
    connection: Connection, inputs: list[Input], tables: list[dict[str, Any]]
) -> None:
    """Note a status that is constant although an unused column may hold it."""
    by_relation = {table["relation"]: table for table in tables}
    for one in inputs:
        for name, constant in constants(connection, one) if one.is_read else ():
            allowed = one.columns[name]["config"]["meta"].get("allowed")
            for table in by_relation.values():
                if one.name not in table["readers"] or name in one.looked_at:
                    continue
                with noted(one, f"fix {one.path}"), connection.transaction():
                    for column, words in few_words(connection, table, is_named=not allowed):
                        said = ", ".join(f"{word!r} {count}" for word, count in words.items())
                        one.find(
                            LOOK,
                            name,
                            f"is {constant} in all rows, and {table['relation']}.{column},"
                            f" which no input uses, has few distinct values: {said}",
                            f"if they are the status, use them in {one.path}"
                            + (f", mapped to {', '.join(allowed)}" if allowed else "")
                            + "; if not, put"
                            f" `{{{{ config(meta={{'looked_at': ['{name}']}}) }}}}`"
                            " there to silence this line",
                        )


def constants(connection: Connection, one: Input) -> Iterator[tuple[str, str]]:
    """Yield the status columns of an input that have one value for all rows."""
    for name, column in one.columns.items():
        meta = column["config"]["meta"]
        is_status = "allowed" in meta or name == "is_closed"
        if not is_status or meta.get("optional") or name not in one.given:
            continue
        [plan] = rows(
            connection,
            f"explain (verbose, format json) select {quoted(name)} from {raw(one.name)}",
        )
        # columns begin with a relation name, and expressions do not look like constants
        given = output_of(plan["QUERY PLAN"][0]["Plan"])
        values = {column.partition("::")[0] for column in given}
        value = values.pop()
        if values:
            continue
        if value in ("NULL", "true", "false") or value.startswith("'"):
            yield name, value


def few_words(
    connection: Connection, table: dict[str, Any], *, is_named: bool
) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield unused columns with few distinct values, which may be a status.

    is_named: only columns named like a status, of any type.
    """
    known = evidence()
    # the state of a customer is part of an address
    named = set(known["columns"]["order_status"]) - ({"state"} if is_named else set())
    named |= {f"{name}_{end}" for name in named for end in ("id", "code")}
    for name, _, category, _ in table["unused"]:
        is_text = category in ("S", "E") and not set(known["no_status"]) & set(words_of(name))
        if not ("_".join(words_of(name)) in named or (is_text and not is_named)):
            continue
        found = rows(
            connection,
            f"select {quoted(name)}::text as word, count(*) from (select {quoted(name)}"
            f" from {sampled(table)}) as read"
            f" where {quoted(name)} is not null group by 1 order by 2 desc, 1"
            f" limit {FEW_WORDS + 1}",
        )
        words = {row["word"]: row["count"] for row in found}
        # columns of names and notes rarely repeat a value
        if 1 < len(words) <= FEW_WORDS and (
            category == "E" or sum(words.values()) > len(words)
        ):
            yield name, words


def says_no(name: str, kind: str, category: str) -> str | None:
    """Return the condition under which a column marks a row as not counting, or None."""
    words = set(words_of(name))
    if kind == "bool":
        if words & AGAINST:
            return quoted(name)
        return f"not {quoted(name)}" if words & FOR else None
    if not words & AGAINST:
        return None
    if category == "N":
        return f"{quoted(name)}{'::numeric' if kind == 'money' else ''} != 0"
    if category == "S":
        no = ", ".join(f"'{word}'" for word in no_words())
        # who, or why, is no flag
        is_flag = not words & {"by", "reason", "note", "notes", "comment"}
        return f"lower({quoted(name)}) not in ({no})" if is_flag else f"{quoted(name)} != ''"
    return f"{quoted(name)} is not null"


def look_at_watch(
    connection: Connection, inputs: list[Input], asked: set[str], decided: list[str]
) -> None:
    """Note how each table that inputs read is watched for changes.

    asked: the staging views whose updated_at an hourly refresh reads. decided: the tables
    whose changes may wait for the nightly refresh, by the sources' yml.
    """
    triggers = watched_by_triggers(connection)
    on_purpose = {
        oid
        for relation in decided
        for oid in relations_of(connection, oid_of(connection, relation))
    }
    for one in inputs:
        if not one.is_read or staging_of(one.name) not in asked:
            continue
        tells = "updated_at" in one.given and one.nulls.get("updated_at", -1) != one.rows
        relations = relations_of(connection, oid_of(connection, raw(one.name)))
        telling = (
            relations_of_updated_at(connection, raw(one.name), relations) if tells else set()
        )
        for oid, relation in relations.items():
            otherwise = "nothing" if triggers is not None else "triggers, perhaps"
            how = (triggers or {}).get(oid) or ("updated_at" if oid in telling else otherwise)
            is_meant = how == "nothing" and oid in on_purpose
            one.watched[relation] = "the nightly refresh, as its yml says" if is_meant else how
        lacking = one.nulls.get("updated_at")
        if lacking and "updated_at" in one.watched.values():
            one.find(
                LOOK,
                "updated_at",
                f"is NULL in {lacking} of {count_of(one.rows, 'row')}: an hourly refresh does"
                " not see when such a row is inserted",
                f"use `coalesce(updated_at, created_at)` in {one.path}, or run"
                " `customer-health capture install`",
            )
        if alone := [name for name, how in one.watched.items() if how == "nothing"]:
            one.find(
                LOOK,
                None,
                f"nothing shows changes in {', '.join(alone)}, so they wait for the nightly"
                " refresh",
                f"give updated_at in {one.path}, or run `customer-health capture install`",
            )


def look_at_lookups(
    connection: Connection, system: str, sources: list[dict[str, Any]]
) -> list[Finding]:
    """Return what makes the application wait for the installed triggers of a system."""
    triggers = watched_by_triggers(connection) or {}
    found = []
    for source in sources:
        given = source["capture"]
        if "triggers" not in triggers.get(oid_of(connection, source["relation"]) or 0, ""):
            continue
        for capture in given if isinstance(given, list) else [given]:
            # what is wrong with the key itself, `capture install` says
            if not isinstance(capture, dict):
                continue
            with suppress(psycopg.Error):
                found += [
                    Finding(
                        LOOK,
                        system,
                        None,
                        lookup.problem(source["relation"].replace('"', "")),
                        lookup.remedy(),
                    )
                    for lookup in slow_lookups(connection, source["relation"], capture)
                ]
    return list(dict.fromkeys(found))


def watched_by_triggers(connection: Connection) -> dict[int, str] | None:
    """Return the tables that `capture install` has listed, by oid, and how they are watched.

    None if this login may not read that.
    """
    found = of_capture(
        connection,
        "select relation, min(case"
        " when not is_captured then 'nothing'"
        " when watched_by = 'both' then 'triggers and updated_at'"
        " else watched_by end) as how"
        f" from {OPERATIONS}.capture_status group by 1",
    )
    if found is None:
        return None
    return {
        oid: row["how"]
        for row in found
        if (oid := oid_of(connection, row["relation"])) is not None
    }


def has_old_triggers(connection: Connection, system: str) -> bool:
    """Return whether the triggers differ from those that `capture install` would create."""
    found = of_capture(
        connection,
        f"select from {OPERATIONS}.capture_status where system = %(system)s"
        " and mapping != %(mapping)s limit 1",
        {"system": system, "mapping": current_mapping()},
    )
    return bool(found)


def of_capture(
    connection: Connection, query: str, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]] | None:
    """Return what `capture install` has stored; None if this login may not read it."""
    if not rows(
        connection,
        "select from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid"
        f" where nspname = '{OPERATIONS}' and relname = 'capture_status'",
    ):
        return []
    try:
        with connection.transaction():
            return rows(connection, query, parameters)
    except psycopg.errors.InsufficientPrivilege:
        return None
