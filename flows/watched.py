"""Find out which tables an input reads, and which its updated_at covers."""

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

from flows.database import Connection, rows

READS = """
    with recursive reads as (
        select to_regclass(%(view)s)::oid as relation

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

    select reads.relation::regclass::text as relation
    from reads
    inner join pg_class on reads.relation = pg_class.oid
    where relkind in ('r', 'p', 'f', 'm')
    order by 1
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

    select relation
    from unnest(%(relations)s::text[]) as relation
    inner join named on named.oid = relation::regclass
"""


def relations_of(connection: Connection, view: str) -> list[str]:
    """Return the tables that a view reads, directly or through views; for a table, itself."""
    return [row["relation"] for row in rows(connection, READS, {"view": view})]


def relations_of_updated_at(
    connection: Connection, view: str, relations: list[str]
) -> set[str]:
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
        and (f"{node['Alias']}." in given or any(name in given for name in within))
    }
    found = rows(connection, NAMED, {"relations": relations, "named": list(named)})
    return {row["relation"] for row in found} or set(relations)


def shows_changes(connection: Connection, relation: str, views: Iterable[str]) -> bool:
    """Return whether updated_at of one of these inputs shows changes of a table or view.

    Also True if that cannot be known, because the input is not built or may not be read.
    """
    ours = set(relations_of(connection, relation))
    for view in views:
        [there] = rows(
            connection,
            "select to_regclass(%(view)s) is not null as is_built, exists ("
            "select from pg_attribute where attrelid = to_regclass(%(view)s)"
            " and attname = 'updated_at') as has_it",
            {"view": view},
        )
        if not there["is_built"]:
            return True
        if not there["has_it"]:
            continue
        try:
            with connection.transaction():
                read = relations_of(connection, view)
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


def _nodes(plan: dict[str, Any], within: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield the nodes of a plan, each with the names of the subqueries that contain it."""
    yield plan, within
    for part in plan.get("Plans", []):
        # "SubPlan 1", "InitPlan 2"; before PostgreSQL 17 "InitPlan 2 (returns $1)"
        name, _, returns = part.get("Subplan Name", "").partition(" (returns ")
        called = returns.removesuffix(")").split(",") if returns else [f"{name})"]
        yield from _nodes(part, (*within, *called) if name else within)
