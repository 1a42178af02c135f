"""Find out which tables an input reads, and which its updated_at covers."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

from flows.database import Connection, rows

# names in the catalog: to_regclass() and casts fail in a schema that the login may not use,
# even if a view gives it what is there
FOUND = """
    select pg_class.oid
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    where
        case (parse_ident(%(name)s))[1]
            when 'pg_temp' then pg_namespace.oid = pg_my_temp_schema()
            else nspname = (parse_ident(%(name)s))[1]::name
        end
        and relname = (parse_ident(%(name)s))[2]::name
"""
READS = """
    with recursive reads as (
        select %(view)s::oid as relation

        union distinct

        select pg_depend.refobjid
        from reads
        inner join pg_class on reads.relation = pg_class.oid and relkind = 'v'
        inner join pg_rewrite on ev_class = reads.relation
        inner join pg_depend
            on
                classid = 'pg_rewrite'::regclass
                and objid = pg_rewrite.oid
                and refclassid = 'pg_class'::regclass
    )

    select reads.relation as oid, reads.relation::regclass::text as name
    from reads
    inner join pg_class on reads.relation = pg_class.oid
    where relkind in ('r', 'p', 'f', 'm')
    order by 2
"""
# the planner may name a partition where an input reads the whole table
NAMED = """
    with recursive named as (
        select pg_class.oid
        from pg_class
        inner join pg_namespace on relnamespace = pg_namespace.oid
        where nspname || '.' || relname = any(%(named)s)

        union distinct

        select inhparent from named inner join pg_inherits on inhrelid = named.oid
    )

    select oid from named where oid = any(%(relations)s::oid[])
"""


def oid_of(connection: Connection, name: str) -> int | None:
    """Return the oid of a relation with its schema in its name, or None if it does not exist.

    It needs no right on the schema.
    """
    found = rows(connection, FOUND, {"name": name})
    return found[0]["oid"] if found else None


def relations_of(connection: Connection, view: int | None) -> dict[int, str]:
    """Return the tables that a view reads, directly or through views; for a table, itself.

    By oid their names.
    """
    return {row["oid"]: row["name"] for row in rows(connection, READS, {"view": view})}


def relations_of_updated_at(
    connection: Connection, view: str, relations: Iterable[int]
) -> set[int]:
    """Return the tables that updated_at comes from; other joined tables change unseen.

    Taken from the query plan; if the plan names none, all tables count.
    """
    [plan] = rows(connection, f"explain (verbose, format json) select updated_at from {view}")
    top = plan["QUERY PLAN"][0]["Plan"]
    columns = output_of(top)
    if all(column.startswith("NULL::") for column in columns):
        return set()
    given = " ".join(columns).replace('"', "")
    named = {
        f"{node['Schema']}.{node['Relation Name']}"
        for node, within in _nodes(top)
        if "Relation Name" in node
        and any(_is_in(name, given) for name in (f"{node['Alias']}.", *within))
    }
    found = rows(connection, NAMED, {"relations": list(relations), "named": list(named)})
    return {row["oid"] for row in found} or set(relations)


def shows_changes(connection: Connection, relation: int | None, views: Iterable[str]) -> bool:
    """Return whether updated_at of one of these inputs shows changes of a table or view.

    Also True if that cannot be known, because the input is not built or may not be read.
    """
    ours = relations_of(connection, relation).keys()
    for view in views:
        built = oid_of(connection, view)
        if built is None:
            return True
        if not rows(
            connection,
            "select from pg_attribute where attrelid = %(view)s and attname = 'updated_at'",
            {"view": built},
        ):
            continue
        try:
            with connection.transaction():
                read = relations_of(connection, built)
                if ours & relations_of_updated_at(connection, view, read):
                    return True
        except psycopg.errors.InsufficientPrivilege:
            return True
    return False


def output_of(plan: dict[str, Any]) -> list[str]:
    """Return the columns that a plan gives; for a partitioned table or a union, all parts'."""
    if "Output" in plan:
        return list(plan["Output"])
    parts = [part for part in plan["Plans"] if part["Parent Relationship"] == "Member"]
    return [column for part in parts for column in output_of(part)]


def _is_in(name: str, given: str) -> bool:
    """Return whether a plan's output has an alias or a subquery's name, as a whole word."""
    return re.search(rf"(?<![\w$]){re.escape(name)}(?!(?<=\d)\d)", given) is not None


def _nodes(plan: dict[str, Any], within: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield the nodes of a plan, each with the names of the subqueries that contain it."""
    yield plan, within
    for part in plan.get("Plans", []):
        # "SubPlan 1", "InitPlan 2"; before PostgreSQL 17 "InitPlan 2 (returns $1)"
        name, _, returns = part.get("Subplan Name", "").partition(" (returns ")
        called = returns.removesuffix(")").split(",") if returns else [f"{name})"]
        yield from _nodes(part, (*within, *called) if name else within)
