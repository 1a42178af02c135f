"""Find the lookups of a trigger that no index serves: the application's statement waits.

PostgreSQL itself says so: its plan for the keys of one changed row, with every way but an
index switched off.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flows.captured_keys import AS_A_TRIGGER, KEY_PARTS
from flows.database import Connection, rows

ONLY_BY_INDEX = "; ".join(
    f"set local enable_{way} = off"
    for way in ("seqscan", "hashjoin", "mergejoin", "material", "memoize", "hashagg")
)
PLAIN = re.compile(r'"(?:[^"]|"")+"|\w+')
# one side of an equation: anything with at most one level of brackets
SIDE = r"([^()]*(?:\([^()]*\)[^()]*)*)"
EQUATION = re.compile(rf"\({SIDE} = {SIDE}\)")
# the alias of a column, or the parameter of a subquery
REFERENCE = re.compile(r'("(?:[^"]|"")+"|[^\W\d]\w*)\.|\$\d')
# the table that a plan reads, or the whole that it is a part of
WHOLE = """
    with recursive wholes as (
        select pg_class.oid
        from pg_class
        inner join pg_namespace on relnamespace = pg_namespace.oid
        where nspname = %(schema)s and relname = %(name)s

        union

        select inhparent from wholes inner join pg_inherits on inhrelid = wholes.oid
    )

    select format('%%I.%%I', nspname, relname) as name, relkind = 'p' as has_parts
    from wholes
    inner join pg_class on wholes.oid = pg_class.oid
    inner join pg_namespace on relnamespace = pg_namespace.oid
    where not exists (select from pg_inherits where inhrelid = wholes.oid)
    order by 1
    limit 1
"""


@dataclass(frozen=True)
class Lookup:
    """A table that a trigger searches without an index."""

    table: str
    # what its rows are found by, as an index would have it
    columns: tuple[str, ...]
    has_parts: bool

    def problem(self, relation: str) -> str:
        """Return which statements of the application get slower."""
        return (
            f"every insert, update and delete of {relation} waits while our trigger searches"
            f" {self.table} by {', '.join(self.columns)}, which no index of it begins with"
        )

    def remedy(self) -> str:
        """Return what helps."""
        # PostgreSQL builds an index of a table with partitions only in one go
        how = "" if self.has_parts else "concurrently "
        return f"`create index {how}on {self.table} ({', '.join(self.columns)})` helps"


def slow_lookups(
    connection: Connection, relation: str, capture: Mapping[str, Any]
) -> list[Lookup]:
    """Return the tables that the key of a row is searched in without an index."""
    parts = ", ".join(f"({capture[part]}\n)" for part in KEY_PARTS if part in capture)
    where = f"where ({capture['where']}\n)" if "where" in capture else ""
    with connection.transaction(force_rollback=True):
        connection.execute(f"{AS_A_TRIGGER}; {ONLY_BY_INDEX}".encode())
        connection.execute(
            f"create temp table rows_of_it as select * from {relation} with no data".encode()
        )
        [plan] = rows(
            connection,
            "explain (verbose, format json) with changed as not materialized"
            # one row, like most statements
            " (select * from pg_temp.rows_of_it limit 1)"
            f" select {parts} from changed {capture.get('joins', '')} {where}",
        )
    found = []
    for node, conditions in _found_by(plan["QUERY PLAN"][0]["Plan"]):
        if node.get("Relation Name", "rows_of_it") == "rows_of_it":
            continue
        own = _names(node["Alias"])
        if any(_serves(connection, node["Schema"], scan, own) for scan in _nodes(node)):
            continue
        columns = dict.fromkeys(
            column for condition in conditions for column in _columns(condition, own)
        )
        # a table that is read whole for every row, such as one of settings, needs none
        if columns:
            [whole] = rows(
                connection, WHOLE, {"schema": node["Schema"], "name": node["Relation Name"]}
            )
            found.append(Lookup(whole["name"], tuple(columns), whole["has_parts"]))
    return list(dict.fromkeys(found))


def _found_by(
    plan: dict[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Yield the nodes of a plan, each with the conditions by which its rows are found."""
    own = (plan.get(kind, "") for kind in ("Filter", "Index Cond", "Recheck Cond"))
    yield plan, (*above, *own)
    for part in plan.get("Plans", []):
        # for each row of the outer part, the rows of the inner one are searched
        is_searched = part.get("Parent Relationship") == "Inner"
        joined = (plan.get("Join Filter", ""),) if is_searched else ()
        yield from _found_by(part, (*above, *joined))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a node and what belongs to it, such as the scans of its indexes."""
    yield plan
    for part in plan.get("Plans", []):
        # the scan of another table, in a filter
        if "Relation Name" not in part:
            yield from _nodes(part)


def _names(alias: str) -> set[str]:
    """Return how conditions name a relation; those of a part may name the whole."""
    whole = re.sub(r"_\d+$", "", alias)
    return {name for one in (alias, whole) for name in (one, f'"{one}"')}


def _serves(connection: Connection, schema: str, scan: dict[str, Any], own: set[str]) -> bool:
    """Return whether a scan finds the rows of others by the first column of an index."""
    condition = scan.get("Index Cond", "")
    if not _refers_to_others(condition, own):
        return False
    [index] = rows(
        connection,
        "select pg_get_indexdef(pg_class.oid, 1, true) as leads from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where nspname = %(schema)s and relname = %(index)s",
        {"schema": schema, "index": scan["Index Name"]},
    )
    leads = index["leads"]
    # PostgreSQL writes an expression in more than one way
    return not PLAIN.fullmatch(leads) or any(
        re.search(rf"(?<![\w\"]){re.escape(name)}\.{re.escape(leads)}(?![\w\"])", condition)
        for name in own
    )


def _refers_to_others(text: str, own: set[str]) -> bool:
    return any(found[1] not in own for found in REFERENCE.finditer(text))


def _refers_to(text: str, own: set[str]) -> bool:
    return any(found[1] in own for found in REFERENCE.finditer(text))


def _columns(condition: str, own: set[str]) -> Iterator[str]:
    """Yield what a condition compares with others' columns, without the alias."""
    for sides in EQUATION.findall(condition):
        for side, other in (sides, sides[::-1]):
            # with columns of the table on both sides, no index finds its rows
            is_found = _refers_to(side, own) and not _refers_to(other, own)
            if is_found and not _refers_to_others(side, own) and _refers_to_others(other, own):
                bare = REFERENCE.sub("", side)
                yield bare if PLAIN.fullmatch(bare) else f"({bare})"
