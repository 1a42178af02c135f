"""Links that no foreign key declares: columns named like the key of another table."""

from collections.abc import Iterator

from flows.init.catalog import PATIENCE_FOR_VIEWS, Catalog, Column, Link, Table
from flows.init.contract import singular
from flows.init.names import bare_words, evidence, is_copy, key_stem, singulars_of, snake

# families of keys, and the share of values that must be keys of the other table, unless the
# name is sure
KEY_FAMILIES, MOST = ("integer", "numeric", "text", "uuid"), 0.9


def add_implied_links(catalog: Catalog) -> None:
    """Add links that no foreign key declares: columns named like the key of another table."""
    named: dict[str, list[tuple[Table, str]]] = {}
    for table in catalog.tables.values():
        outer = {own for link in table.links for own in link.columns}
        for key in dict.fromkeys((*table.key, *table.unique)) or _likely_key(catalog, table):
            if key in outer:
                continue
            ones = singulars_of(catalog, table)
            # customer, customer_id, and for other keys customer_record_id
            meant = {*ones, *(f"{one}_{snake(key)}" for one in ones)}
            if key_stem(snake(key)):
                meant.add(snake(key))
            for name in meant:
                named.setdefault(name, []).append((table, key))
    implied = {
        relation: list(_implied(catalog, table, named))
        for relation, table in catalog.tables.items()
    }
    for relation, links in implied.items():
        catalog.tables[relation].links += links


def _likely_key(catalog: Catalog, table: Table) -> list[str]:
    """Return the column that is the key of a table without one: a view, a foreign table."""
    is_late = table.is_view and catalog.spent > PATIENCE_FOR_VIEWS / 2
    if not table.probed or is_late:
        # leave the time for the views that an input reads
        return []
    names = {"id", *(f"{one}_id" for one in singulars_of(catalog, table))}
    return [
        column.name
        for column in table.columns.values()
        if snake(column.name) in names
        and column.family in KEY_FAMILIES
        and catalog.share_distinct(table, column) == 1
    ][:1]


def _implied(
    catalog: Catalog, table: Table, named: dict[str, list[tuple[Table, str]]]
) -> Iterator[Link]:
    """Yield the links of a table. named: tables and keys by the names that lead to them."""
    # a part of a longer key, such as its business, may be a link by itself
    linked = {link.columns[0] for link in table.links if not link.columns[1:]}
    own = singulars_of(catalog, table)
    for column in table.columns.values():
        name = "_".join(bare_words(column, table))
        stem = key_stem(name)
        # a column named after its own table is its key, not a link
        is_own = any(stem == one or stem.endswith(f"_{one}") for one in own)
        if column.name in linked or is_own or column.family not in KEY_FAMILIES:
            continue
        candidates = []
        names = {singular(stem or name), name}
        if column.family == "integer" and name in evidence()["columns"]["order_status"]:
            # the status of an order may be a row of order_status
            names |= {f"{one}_{name.removeprefix('current_')}" for one in own}
        for other, key in (pair for one in sorted(names) for pair in named.get(one, [])):
            families = {column.family, other.columns[key].family}
            is_alike = len(families) == 1
            is_of_key = key in other.key
            is_known = any(
                link.to == other.relation and column.name in link.columns
                for link in table.links
            )
            others = tuple(part for part in other.key if is_of_key and part != key)
            if (
                other is not table
                and not is_known
                and (is_alike or "text" in families <= {*KEY_FAMILIES})
                and all(part in table.columns and part != column.name for part in others)
            ):
                link = Link(
                    (*others, column.name),
                    other.relation,
                    (*others, key),
                    is_declared=False,
                    is_cast=not is_alike,
                )
                is_far = other.schema != table.schema
                ids = singulars_of(catalog, other)
                is_same = bool(stem) and any(singular(stem).endswith(one) for one in ids)
                is_id = is_of_key or snake(key) in ("id", name)
                rank = (not is_alike, is_far, not is_same, not is_of_key, not is_id)
                candidates.append((rank, link))
        if not candidates and stem in evidence()["people"]["roles"]:
            # the last of all ranks, so that the rows must bear it out
            candidates = [((True,) * 5, link) for link in _of_role(catalog, table, column)]
        # prefer the same type and schema, then a name after the table rather than after its
        # key, then the key; if several are equally good, add none
        best = min((rank for rank, _ in candidates), default=None)
        alike = list(dict.fromkeys(link for rank, link in candidates if rank == best))
        there = [catalog.tables[link.to] for link in alike]
        if there and all(is_copy(there[0], other) for other in there[1:]):
            # of copies in several schemas, the one with the most rows
            link = max(alike, key=lambda link: catalog.tables[link.to].size)
            is_sure = name.endswith("_id") and best is not None and not (best[0] or best[-1])
            if _holds(catalog, table, link, is_sure=is_sure):
                yield link


def _of_role(catalog: Catalog, table: Table, column: Column) -> Iterator[Link]:
    """Yield links from a role to the people who may have it: customer_id to users."""
    for one in evidence()["people"]["tables"]:
        for other in catalog.tables.values():
            is_one = one in singulars_of(catalog, other) and other is not table
            if not is_one or other.schema != table.schema or len(other.key) != 1:
                continue
            if other.columns[other.key[0]].family == column.family:
                yield Link((column.name,), other.relation, other.key, is_declared=False)


def _holds(catalog: Catalog, table: Table, link: Link, *, is_sure: bool) -> bool:
    """Return whether the rows of a table bear out a link that only its name suggests."""
    other, column = catalog.tables[link.to], table.columns[link.columns[-1]]
    # without a word for key in its name, a column of 0 and 1 may be a flag
    none = ("", "0") if key_stem(snake(column.name)) else ("",)
    share = catalog.share_found(table, column, other, other.columns[link.to_columns[-1]], none)
    if is_sure:
        return share is None or share > 0
    return share is not None and share >= MOST
