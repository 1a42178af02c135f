"""Read and test the keys of `meta: capture`, and compare them with those of the inputs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from flows.database import Connection, one_line, rows
from flows.progress import count_of
from flows.schemas import OPERATIONS

# number of rows of a table whose keys are compared with those of the inputs
SAMPLE = 1000
KEY_PARTS = ("tenant", "customer", "location", "starts_at")
# other entries of a capture: which rows have a key, and where to look it up
HELPERS = ("where", "joins")
# the value in the sources' yml for a table that nothing needs to watch
NOTHING = "none"
# the parts of the key by kind
PARTS_OF_KIND = {
    "customer": ("tenant", "customer"),
    "location": ("tenant", "location"),
    "location_day": ("tenant", "location"),
    "tenant": ("tenant",),
}
# the type of a key part, and whether it is looked up, that is, read from another table or
# computed by a user's function, which may read anything
PROBED = """
    select
        format_type(atttypid, null) as type,
        exists (
            select from pg_rewrite
            inner join pg_depend
                on classid = 'pg_rewrite'::regclass and objid = pg_rewrite.oid
            where
                ev_class = attrelid
                and (
                    refclassid = 'pg_proc'::regclass
                    or (
                        refclassid = 'pg_class'::regclass
                        and refobjid not in (attrelid, 'pg_temp.rows_of_it'::regclass)
                    )
                )
        ) as looks_up
    from pg_attribute
    where attrelid = 'pg_temp.probe'::regclass and attnum = 1
"""
# the search path of the triggers, and a limit on waiting for a locked table
AS_A_TRIGGER = "set local search_path = pg_catalog, pg_temp; set local lock_timeout = '5s'"
PLAIN_NAME = re.compile(r"[^\W\d]\w*")
WHERE_TO_SAY = "`meta: capture` of the sources' yml"


@dataclass
class Comparison:
    """What `capture install` has found out about the keys of the tables."""

    # what is wrong, and what is worth a look
    doubts: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def captures_of(
    connection: Connection, source: dict[str, Any], found: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the captures of a source, with the parts that are looked up, and what is wrong.

    PostgreSQL evaluates them with the search path of the triggers, on an empty table with the
    columns that a trigger sees.
    """
    whose = f"{source['relation']}: {WHERE_TO_SAY}"
    allowed = [part for part in KEY_PARTS if part in source["key"]]
    given = source["capture"]
    entries = given if isinstance(given, list) and given else [given]
    captures, wrong = [], []
    if not allowed:
        return [], [f"{whose}: system {source['system']} has no keys, so remove it"]
    for entry in entries:
        if not isinstance(entry, dict):
            wrong.append(
                f"{whose} is {entry!r}; it must be {NOTHING}, a mapping with"
                f" {', '.join(allowed)}, or a list of such mappings"
            )
            continue
        if misfit := _misfit(entry, allowed):
            wrong.append(f"{whose} {misfit}")
            continue
        capture = {name: str(text) for name, text in entry.items()}
        with connection.transaction(force_rollback=True):
            connection.execute(AS_A_TRIGGER)
            try:
                looked_up, misfits = _probe(connection, source["relation"], found, capture)
            except psycopg.errors.InsufficientPrivilege as error:
                looked_up, misfits = [], [one_line(error)]
        wrong += [f"{whose}: {misfit}" for misfit in misfits]
        captures.append(
            {
                **capture,
                "looked_up": looked_up,
                "system": source["system"],
                "source": source["source"],
                "inputs": source["inputs"],
                "key": source["key"],
            }
        )
    return captures, wrong


def _misfit(entry: dict[str, Any], allowed: Sequence[str]) -> str | None:
    """Return what is wrong with the entries of a key, before PostgreSQL is asked."""
    if unknown := [str(name) for name in entry if name not in (*allowed, *HELPERS)]:
        return (
            f"has the unknown entry {', '.join(unknown)}; allowed are"
            f" {', '.join((*allowed, *HELPERS))}"
        )
    for name, text in entry.items():
        if isinstance(text, bool) or not isinstance(text, str | int) or not str(text).strip():
            return f"has {name}: {text!r}, which must be SQL"
    if "tenant" not in entry:
        return "has no tenant, which every key needs"
    if "starts_at" in entry and "location" not in entry:
        return "has starts_at without location"
    return None


def _probe(
    connection: Connection, relation: str, found: dict[str, Any], capture: dict[str, str]
) -> tuple[list[str], list[str]]:
    """Return the parts of a key that are looked up, and what is wrong with the key."""
    columns = [name for name in found["columns"] if name not in found["virtual_columns"]]
    connection.execute(
        sql.SQL("create temp table rows_of_it as select {} from {} with no data").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(relation)
        )
    )
    joins = capture.get("joins", "")
    asked = {
        "joins": ("null::text", joins),
        "where": ("null::text", f"where ({capture.get('where')}\n)"),
        **{part: (capture[part], joins) for part in KEY_PARTS if part in capture},
    }
    looked_up, wrong = [], []
    for name in [name for name in asked if name in capture]:
        try:
            answer = _ask(connection, *asked[name])
        except psycopg.errors.LockNotAvailable:
            raise
        except psycopg.Error as error:
            hint = _hint(connection, capture[name], found, error)
            wrong.append(f"{name} is {capture[name]}: {one_line(error)}{hint}")
            if name == "joins":
                # every part would fail with the same error
                break
            continue
        if misfit := _not_it(connection, name, capture[name], found, answer):
            wrong.append(f"{name} is {capture[name]}, {misfit}")
        if name in KEY_PARTS and joins:
            answer["looks_up"] = not _is_of_row(connection, capture[name])
        if answer["looks_up"] and name != "joins":
            looked_up.append(name)
    return looked_up, wrong


def _ask(connection: Connection, selected: str, rest: str) -> dict[str, Any]:
    """Return the type of an expression over a row, and whether it is looked up."""
    with connection.transaction(force_rollback=True):
        connection.execute(
            "create temp view probe as with changed as (select * from pg_temp.rows_of_it)"
            f" select ({selected}\n) as part from changed {rest}".encode()
        )
        # fails if we may not read what it reads
        connection.execute("select from pg_temp.probe limit 0")
        [answer] = rows(connection, PROBED)
        return answer


def _is_of_row(connection: Connection, part: str) -> bool:
    """Return whether a part needs neither a join nor a lookup."""
    try:
        return not _ask(connection, part, "")["looks_up"]
    except psycopg.ProgrammingError:
        return False


def _not_it(
    connection: Connection, name: str, text: str, found: dict[str, Any], answer: dict[str, Any]
) -> str | None:
    """Return why valid SQL is not what the author means, or None."""
    if name == "starts_at" and answer["type"] != "timestamp with time zone":
        return (
            f"a {answer['type']}; it must be a timestamp with time zone as in the input, such"
            " as (start_at at time zone 'Europe/Berlin')"
        )
    if text in found["columns"] and rows(
        connection,
        "select from pg_get_keywords() where word = lower(%(text)s) and catcode = 'R'",
        {"text": text},
    ):
        return f'which is an SQL keyword: write the column as "{text}", in double quotes'
    return None


def _hint(
    connection: Connection, text: str, found: dict[str, Any], error: psycopg.Error
) -> str:
    """Return advice for a name that PostgreSQL does not know."""
    text = text.removeprefix("changed.").strip()
    if text in found["virtual_columns"]:
        return "; it is a virtual generated column, so write its expression instead"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            f"; {connection.info.user} will own the trigger functions and must be allowed to"
            " read the tables that they look up"
        )
    if PLAIN_NAME.fullmatch(text):
        for column in found["columns"]:
            if column.lower() == text.lower():
                return f'; the column is "{column}", in double quotes: \'"{column}"\' in yml'
        return f"; the columns are {', '.join(found['columns'])}"
    if isinstance(
        error,
        psycopg.errors.UndefinedTable
        | psycopg.errors.UndefinedFunction
        | psycopg.errors.UndefinedObject,
    ):
        return (
            "; write tables, functions, types and operators that are not PostgreSQL's own"
            " with their schema: shop.orders, shop.slug(name), operator(public.=)"
        )
    return ""


def compare(connection: Connection, tables: Sequence[Any]) -> Comparison:
    """Compare the keys that triggers would record with those of the inputs, on a sample.

    Each of tables has relation, captures and sampled_pct.
    """
    found = Comparison()
    inputs: dict[str, list[str]] = {}
    for table in tables:
        for capture in table.captures:
            known = inputs.setdefault(capture["system"], [])
            known += [name for name in capture["inputs"] if name not in known]
    unbuilt = [
        system
        for system, names in inputs.items()
        if not any(_columns(connection, name) for name in names)
    ]
    if unbuilt:
        found.remarks.append(
            f"the inputs of {', '.join(unbuilt)} are not built yet: run `capture install`"
            " again after the first refresh to compare the keys; every refresh reports keys"
            " that match no row"
        )
    for table in tables:
        for capture in table.captures:
            if table.cannot:
                continue
            with connection.transaction(force_rollback=True):
                connection.execute(AS_A_TRIGGER)
                _compare_sample(connection, table, capture, inputs[capture["system"]], found)
    return found


def _compare_sample(
    connection: Connection,
    table: Any,
    capture: dict[str, Any],
    inputs: Sequence[str],
    found: Comparison,
) -> None:
    relation = table.relation.replace('"', "")
    [keys] = rows(
        connection,
        f"select {OPERATIONS}.keys_of_rows(%(capture)s, %(relation)s, true) as them",
        {"capture": Jsonb(capture), "relation": table.relation},
    )
    try:
        with connection.transaction():
            connection.execute(
                "create temp table sampled as with changed as materialized ("
                f"select * from {table.relation} tablesample system ({table.sampled_pct})"
                f" limit {SAMPLE}) select * from ({keys['them']}) as keys"
                " (system, kind, tenant, key, starts_at, relation, rows_count)".encode()
            )
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.Error as error:
        found.doubts.append(
            f"{relation}: the keys of its rows cannot be computed: {one_line(error)}"
        )
        return
    [seen] = rows(
        connection,
        f"select exists (select from {table.relation})"
        " and not exists (select from pg_temp.sampled) as is_blind",
    )
    if seen["is_blind"]:
        parts = ", ".join(f"{part}: {capture[part]}" for part in KEY_PARTS if part in capture)
        found.remarks.append(
            f"no row in a sample of {relation} has the key {parts}, so this key reports no"
            " changes"
            + (
                "; check its `where`: inside a subquery, write a column of the row as"
                " changed.<column>"
                if "where" in capture
                else ""
            )
        )
    for kind in rows(
        connection,
        "select kind, relation is not null as is_lost,"
        " sum(rows_count)::bigint as rows_count"
        " from pg_temp.sampled group by 1, 2 order by 1, 2",
    ):
        if kind["is_lost"]:
            asked = "everything" if kind["kind"] == "everything" else "its whole tenant"
            found.remarks.append(
                f"no key is found for {count_of(kind['rows_count'], 'row')} in a sample of"
                f" {relation}: a"
                f" change of such a row recomputes {asked}"
            )
            continue
        columns = [capture["key"][part] for part in PARTS_OF_KIND[kind["kind"]]]
        for names in (capture["inputs"], inputs):
            readers = [
                name for name in names if set(columns) <= set(_columns(connection, name))
            ]
            if readers:
                _compare_keys(connection, relation, kind["kind"], (readers, columns), found)
                break


def _compare_keys(
    connection: Connection,
    relation: str,
    kind: str,
    whose: tuple[Sequence[str], Sequence[str]],
    found: Comparison,
) -> None:
    readers, columns = whose
    tenant, key = (columns[0], columns[1] if columns[1:] else "''")
    given = " union all ".join(
        f"select format('%%s', {tenant}) as tenant, format('%%s', {key}) as key from {reader}"
        for reader in readers
    )
    others = f"""
        with given as ({given}),

        keys as (
            select distinct tenant, coalesce(key, '') as key
            from pg_temp.sampled where kind = %(kind)s and relation is null
        ),

        others as (
            select * from keys
            where not exists (
                select from given where given.tenant = keys.tenant and given.key = keys.key
            )
        )
    """
    [count] = rows(
        connection,
        others + "select count(*) as others, (select count(*) from keys) as keys from others",
        {"kind": kind},
    )
    if not count["others"]:
        return
    told = "concat_ws('/', {0}.tenant, nullif({0}.key, ''))"
    # ignores case, spaces and leading zeros, which mappings often remove; if no key fits at
    # all, any two keys serve as an example
    is_twin = " and ".join(
        f"ltrim(lower(btrim(others.{part})), '0') = ltrim(lower(btrim(given.{part})), '0')"
        for part in ("tenant", "key")
    )
    examples: list[dict[str, Any]] = []
    for condition in (is_twin, "true") if count["others"] == count["keys"] else (is_twin,):
        examples = examples or rows(
            connection,
            others
            + f"select {told.format('others')} as noted, {told.format('given')} as given"
            f" from others inner join given on {condition} limit 1",
            {"kind": kind},
        )
    names = " or ".join(map(plain, readers))
    if examples:
        found.doubts.append(
            f"{relation}: the triggers would record {kind} {examples[0]['noted']}, but {names}"
            f" has {examples[0]['given']}: write the key in {WHERE_TO_SAY} in the same form as"
            " the input"
        )
    elif count["others"] < count["keys"]:
        found.remarks.append(
            f"{count['others']} of {count['keys']} keys in a sample of {relation} are not in"
            f" {names}: the input leaves those rows out, or writes their keys in another form"
        )


def _columns(connection: Connection, relation: str) -> list[str]:
    """Return the columns of an input; empty before it is built."""
    found = rows(
        connection,
        "select attname::text as name from pg_attribute"
        " where attrelid = to_regclass(%(relation)s) and attnum > 0 and not attisdropped",
        {"relation": relation},
    )
    return [row["name"] for row in found]


def plain(relation: str) -> str:
    """Return the name of a relation without its schema and quotes."""
    return relation.rpartition(".")[2].strip('"')
