"""The tables that inputs read: columns that no input uses, and how changes are noticed.

See flows/check_inputs.py.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from flows.capture import current_mapping
from flows.check_inputs import (
    LARGEST,
    LOOK,
    SAMPLE,
    Input,
    noted,
    quoted,
    raw,
    staging_of,
)
from flows.database import Connection, rows
from flows.init.proposal import FEW_WORDS, evidence
from flows.schemas import OPERATIONS
from flows.watched import relations_of, telling_relations

# a column named so says that a row does not count, if it is filled or true
AGAINST = {
    *("deleted", "archived", "removed", "discarded", "trashed", "purged", "anonymized"),
    *("void", "voided", "canceled", "cancelled", "revoked", "rejected", "expired"),
    *("hidden", "disabled", "inactive", "suspended", "banned", "blocked", "draft"),
    *("merged", "duplicate", "superseded"),
    *("test", "testing", "demo", "sandbox", "fake", "spam"),
}
# ... or that it does, if it is true
FOR = {"active", "enabled", "valid", "visible", "live", "published"}

# inputs whose rows are customers
OF_PEOPLE = {"customers", "accounts"}


def look_at_tables(connection: Connection, inputs: list[Input]) -> list[dict[str, Any]]:
    """Note columns of the tables that inputs read which no input uses, if they tell much.

    Of a table that several read the first of them is named. Returns the tables.
    """
    readers = {one.name: one for one in inputs if one.is_read}
    tables = rows(
        connection,
        """
        with reads as (
            select
                name,
                pg_depend.refobjid as relation,
                -- 0 for the table as such, which is always named
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
            -- a row of the same table
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
            -- of a row that is read whole, as JSON, say, no column is known
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
            with noted(one, f"mend {one.path}"), connection.transaction():
                note_filled(connection, one, row)
                if one.entity in OF_PEOPLE:
                    note_families(connection, one, row)
    return tables


def sampled(table: dict[str, Any]) -> str:
    """Return what to select from to look at a table: of a large one a sample."""
    limit = f" limit {SAMPLE}" if table["reltuples"] > LARGEST else ""
    return f"{quoted(table['nspname'], table['relname'])}{limit}"


def note_filled(connection: Connection, one: Input, table: dict[str, Any]) -> None:
    """Note the columns of a table that say of some rows that they do not count."""
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
                f" {found['all rows']} rows {condition}",
                f"if such rows do not count, say so in {one.path}; if they do,"
                f" `{{{{ config(meta={{'looked_at': ['{name}']}}) }}}}` there ends this line",
            )


def note_families(connection: Connection, one: Input, table: dict[str, Any]) -> None:
    """Note customers that belong to another one of their table, as contacts to a company."""
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
                f"{table['relation']}.{name} leads {found['others']} rows to another row of"
                " the table, and is not used: each of them counts as a customer of its own",
                f"if they are people of one, give its key in {one.path} and where orders name"
                f" them; if not, `{{{{ config(meta={{'looked_at': ['{name}']}}) }}}}` there"
                " ends this line",
            )


def note_constants(
    connection: Connection, inputs: list[Input], tables: list[dict[str, Any]]
) -> None:
    """Note a status that is the same for all rows, though an unused column may say it."""
    by_relation = {table["relation"]: table for table in tables}
    for one in inputs:
        for name, constant in constants(connection, one) if one.is_read else ():
            allowed = one.columns[name]["config"]["meta"].get("allowed")
            for table in by_relation.values():
                if one.name not in table["readers"] or name in one.looked_at:
                    continue
                with noted(one, f"mend {one.path}"), connection.transaction():
                    for column, words in few_words(connection, table, is_named=not allowed):
                        said = ", ".join(f"{word!r} {count}" for word, count in words.items())
                        one.find(
                            LOOK,
                            name,
                            f"is {constant} in all rows, and {table['relation']}.{column},"
                            f" which no input uses, has few words: {said}",
                            f"if they say it, use them in {one.path}"
                            + (f", as {', '.join(allowed)}" if allowed else "")
                            + f"; if not, `{{{{ config(meta={{'looked_at': ['{name}']}}) }}}}`"
                            " there ends this line",
                        )


def constants(connection: Connection, one: Input) -> Iterator[tuple[str, str]]:
    """Yield the columns of an input that say how a row stands, and are one value for all."""
    for name, column in one.columns.items():
        meta = column["config"]["meta"]
        is_status = "allowed" in meta or name == "is_closed"
        if not is_status or meta.get("optional") or name not in one.given:
            continue
        [plan] = rows(
            connection,
            f"explain (verbose, format json) select {quoted(name)} from {raw(one.name)}",
        )
        [given] = plan["QUERY PLAN"][0]["Plan"]["Output"]
        # a column has a name before it, and what is computed begins otherwise
        value = given.partition("::")[0]
        if value in ("NULL", "true", "false") or value.startswith("'"):
            yield name, value


def few_words(
    connection: Connection, table: dict[str, Any], *, is_named: bool
) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the unused columns of a table whose few words may say how a row stands.

    is_named: only those that are named like a status, though a number says it.
    """
    known = evidence()
    # the state of somebody who has an address is a place
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
        # names and notes have hardly two rows alike
        if 1 < len(words) <= FEW_WORDS and (
            category == "E" or sum(words.values()) > len(words)
        ):
            yield name, words


def says_no(name: str, kind: str, category: str) -> str | None:
    """Return the condition by which a column says that a row does not count, if it can."""
    words = set(words_of(name))
    if kind == "bool":
        if words & AGAINST:
            return quoted(name)
        return f"not {quoted(name)}" if words & FOR else None
    if not words & AGAINST:
        return None
    if category == "N":
        return f"{quoted(name)} != 0"
    if category == "S":
        return f"{quoted(name)} != ''"
    return f"{quoted(name)} is not null"


def words_of(name: str) -> list[str]:
    """Return the words of a column's name, deleted_at or deletedAt."""
    apart = "".join(
        f"_{letter}" if letter.isupper() and not name[place - 1 : place].isupper() else letter
        for place, letter in enumerate(name)
    )
    return apart.lower().replace("-", "_").replace(" ", "_").split("_")


def look_at_watch(
    connection: Connection, inputs: list[Input], asked: set[str], decided: list[str]
) -> None:
    """Note how each table that inputs read is watched for changes.

    asked are the staging views whose updated_at an hourly refresh asks, decided the tables
    that the sources' yml lets wait for the night.
    """
    triggers = watched_by_triggers(connection)
    on_purpose = {name for relation in decided for name in relations_of(connection, relation)}
    for one in inputs:
        if not one.is_read or staging_of(one.name) not in asked:
            continue
        tells = "updated_at" in one.given and one.nulls.get("updated_at", -1) != one.rows
        relations = relations_of(connection, raw(one.name))
        telling = telling_relations(connection, raw(one.name), relations) if tells else set()
        for relation in relations:
            otherwise = "nothing" if triggers is not None else "triggers, perhaps"
            how = (triggers or {}).get(relation) or (
                "updated_at" if relation in telling else otherwise
            )
            is_meant = how == "nothing" and relation in on_purpose
            one.watched[relation] = "the night, as its yml says" if is_meant else how
        if alone := [name for name, how in one.watched.items() if how == "nothing"]:
            one.find(
                LOOK,
                None,
                f"nothing tells of changes in {', '.join(alone)}, which wait for the nightly"
                " refresh",
                f"give updated_at in {one.path}, or `customer-health capture install`",
            )


def watched_by_triggers(connection: Connection) -> dict[str, str] | None:
    """Return the tables that `capture install` has looked at, and how they are watched.

    None where this login may not know.
    """
    found = of_capture(
        connection,
        "select to_regclass(relation)::text as relation, min(case"
        " when not is_captured then 'nothing'"
        " when watched_by = 'both' then 'triggers and updated_at'"
        " else watched_by end) as how"
        f" from {OPERATIONS}.capture_status where to_regclass(relation) is not null"
        " group by 1",
    )
    return None if found is None else {row["relation"]: row["how"] for row in found}


def has_old_triggers(connection: Connection, system: str) -> bool:
    """Return whether triggers are not those that `capture install` would put now."""
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
    """Return what `capture install` has noted; None where this login may not know."""
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
