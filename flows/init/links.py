"""Links that no foreign key declares: columns named like the key of another table."""

from collections.abc import Iterator

from flows.init.catalog import Catalog, Link, Table
from flows.init.contract import singular
from flows.init.names import key_stem, singulars_of, snake

# families of keys, and the share of values that must be keys of the other table, unless the
# name is sure
KEY_FAMILIES, MOST = ("integer", "numeric", "text", "uuid"), 0.9


def add_implied_links(catalog: Catalog) -> None:
    """Add links that no foreign key declares: columns named like the key of another table."""
    implied = {
        relation: list(_implied(catalog, table)) for relation, table in catalog.tables.items()
    }
    for relation, links in implied.items():
        catalog.tables[relation].links += links


def _implied(catalog: Catalog, table: Table) -> Iterator[Link]:
    linked = {column for link in table.links for column in link.columns}
    own = singulars_of(catalog, table)
    for column in table.columns.values():
        name = snake(column.name)
        stem = key_stem(name)
        # a column named after its own table is its key, not a link
        is_own = any(stem == one or stem.endswith(f"_{one}") for one in own)
        if column.name in linked or is_own or column.family not in KEY_FAMILIES:
            continue
        candidates = []
        for other in catalog.tables.values():
            if other is table or not other.key:
                continue
            ids = singulars_of(catalog, other)
            outer = {own for link in other.links for own in link.columns}
            for key in other.key:
                theirs = snake(key)
                is_named = singular(stem or name) in ids or (
                    bool(key_stem(theirs)) and name == theirs
                )
                others = tuple(part for part in other.key if part != key)
                if (
                    is_named
                    and key not in outer
                    and other.columns[key].family == column.family
                    and all(part in table.columns for part in others)
                ):
                    link = Link(
                        (*others, column.name),
                        other.relation,
                        (*others, key),
                        is_declared=False,
                    )
                    is_far = other.schema != table.schema
                    is_same = bool(stem) and any(singular(stem).endswith(one) for one in ids)
                    candidates.append((is_far, not is_same, link))
        # prefer the same schema, then a name after the table rather than after its key; if
        # several are equally good, add none
        best = min((candidate[:2] for candidate in candidates), default=None)
        alike = [link for *rank, link in candidates if tuple(rank) == best]
        if len(alike) == 1 and _holds(catalog, table, alike[0], is_sure=name.endswith("_id")):
            yield alike[0]


def _holds(catalog: Catalog, table: Table, link: Link, *, is_sure: bool) -> bool:
    """Return whether the rows of a table bear out a link that only its name suggests."""
    other, column = catalog.tables[link.to], table.columns[link.columns[-1]]
    # without a word for key in its name, a column of 0 and 1 may be a flag
    none = ("", "0") if key_stem(snake(column.name)) else ("",)
    share = catalog.share_found(table, column, other, other.columns[link.to_columns[-1]], none)
    if is_sure:
        return share is None or share > 0
    return share is not None and share >= MOST
