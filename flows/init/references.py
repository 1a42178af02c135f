"""Keys of rows, and values that a row takes from other rows through links."""

from collections.abc import Iterator
from typing import Any

from flows.init.catalog import Column, Link, Table
from flows.init.columns import FEW_WORDS, HALF
from flows.init.contract import Entity, Wanted, singular
from flows.init.links import MOST
from flows.init.names import (
    PARTLY,
    evidence,
    key_stem,
    name_points,
    name_rank,
    one_of,
    rank_of_table,
    singulars_of,
    snake,
    words_of,
)
from flows.init.tables import Tables, is_of_staff
from flows.init.values import (
    CERTAIN,
    COLUMN,
    FILLED,
    FROM,
    GUESS,
    LIKELY,
    ROW,
    TO,
    TYPE,
    Join,
    Value,
    bare_value,
    convert,
    counted,
    plain_type,
    sum_of_rows,
    told_of,
)

# columns that number the versions of a row
VERSIONS = ("version", "revision")
# the place of a link among several: see _rank
Rank = tuple[bool, int, int, int]
# points of a value of the latest order
OF_LAST = 80


class References:
    """Finds the key of a row, and keys and values of the rows that it is linked with."""

    def __init__(self, tables: Tables) -> None:
        self.catalog = tables.catalog
        self.contract = tables.contract
        self.columns = tables.columns
        self.tables = tables

    def key(self, entity: Entity) -> Value | None:
        """Return the key of an entity's rows."""
        name = self.tables.through.get(entity.name, entity.name)
        table = self.tables.chosen.get(name)
        if table is None or entity.key is None:
            return None
        if self.tables.people_by and name == "customers":
            return Value(
                f"lower({ROW}{self.tables.people_by.quoted})",
                f"{told_of(self.tables.people_by)}; no table has one row per customer",
                LIKELY,
                type="text",
            )
        tenants = self.tables.chosen.get(self.tables.tenants)
        leads_to_tenant = {
            column
            for link in table.links
            if tenants and link.to == tenants.relation and table is not tenants
            for column in link.columns
        }
        own = [name for name in table.key if name not in leads_to_tenant]
        if len(own) > 1:
            wanted = (entity.key, f"{one_of(table.name)}_id", "id")
            own = [name for name in (*own, *table.unique) if snake(name) in wanted][:1] or own
        if not own:
            named = self.columns.exact(table, "id") or self.columns.exact(
                table, f"{one_of(table.name)}_id"
            )
            if named is None:
                return None
            return bare_value(named, GUESS, "named like a key, but the table has none")
        if len(own) == 1:
            key = table.columns[own[0]]
            is_alone = own[0] in table.unique or set(table.key) <= {*own, *leads_to_tenant}
            points, reason = (
                (CERTAIN, "key of the table")
                if is_alone
                else (LIKELY, "part of the key, and named like an id")
            )
            return bare_value(key, points, reason)
        together = " || '-' || ".join(f"{ROW}{table.columns[n].quoted}::text" for n in own)
        reason = f"{', '.join(own)}: key of the table, concatenated"
        return Value(together, reason, LIKELY, type="text")

    def is_needed(self, entity: Entity) -> bool:
        """Return whether other inputs require this key, as bookings require a location."""
        return entity.name in evidence()["seldom"] and any(
            column.name == entity.key and not column.is_optional
            for other in self.contract.values()
            if other is not entity and other.name not in self.tables.through
            for column in other.columns.values()
        )

    def key_column(self, entity: Entity) -> str | None:
        """Return the key column of an entity, or None if the key is not a single column."""
        key, table = self.key(entity), self.tables.chosen.get(entity.name)
        if key is None or table is None:
            return None
        return next(
            (c.name for c in table.columns.values() if key.sql == ROW + c.quoted), None
        )

    def entity_of(self, column: Wanted) -> Entity | None:
        """Return the entity whose key a column holds."""
        return next(
            (
                entity
                for entity in self.contract.values()
                if entity.key == column.name and entity.name not in self.tables.through
            ),
            None,
        )

    def reference(  # noqa: PLR0911 - the first that fits
        self, table: Table, alias: str, target: Entity | None, column: Wanted
    ) -> Value | None:
        """Return the key of another entity's row that a row belongs to."""
        if target is None:
            return None
        there = self.tables.chosen.get(target.name)
        is_tenant = target.key == target.tenant
        if there is None and is_tenant:
            points = CERTAIN if self.tables.is_one_business() else GUESS
            return Value("1", "one business", points, type="integer")
        if there is table:
            return self.key(target)
        if there is None and self.is_needed(target) and not column.is_optional:
            return Value("'main'", f"no table of {target.name}, so each business has one",
                         CERTAIN, type="text")  # fmt: skip
        if there is None:
            return None
        is_beside = there is not self.tables.chosen.get(self.tables.anchor)
        if self.tables.people_by and target.name == "customers" and is_beside:
            return self._person(table, there)
        ways = self.tables.ways(target.name, table, there)
        key = self.key(target)
        if not ways or key is None:
            return None
        names = [column.name, *evidence()["columns"].get(column.name, [])]

        def last(way: list[Link]) -> tuple[bool, Rank, bool]:
            # then one that holds the key itself
            return (
                self._is_last(table, way, is_tenant=is_tenant),
                self._rank(table, way[0], target, names),
                there.columns[way[-1].to_columns[-1]].quoted != key.sql.replace(ROW, ""),
            )

        ways.sort(key=last)
        value = self._along(table, alias, ways[0], key, there)
        self._doubt_people(value, ways[0], table, target)
        if ways[1:]:
            self._doubt(value, ways, is_told=last(ways[0]) != last(ways[1]))
        self._doubt_missing(value, ways[0], table, target, column)
        return value

    def _is_last(self, table: Table, way: list[Link], *, is_tenant: bool) -> bool:
        """Return whether a longer path is worse than others, whatever its name.

        A booking need not be at the customer's usual location, and one without a customer
        must not lose its business.
        """
        people = self.tables.chosen.get("customers")
        if not is_tenant:
            return bool(people and way[0].to == people.relation and way[1:])
        inputs = {one.relation for one in self.tables.chosen.values()}
        is_full = table.columns[way[0].columns[-1]].filled == 1
        return bool(way[1:]) and not (is_full and way[0].to in inputs)

    def candidates(self, table: Table, target: Entity) -> list[str]:
        """Return the columns that may be the key of another entity's row, for a question."""
        there = self.tables.chosen.get(target.name)
        if there is None or there is table:
            return []
        synonyms = evidence()["tables"][self.tables.system][target.name]
        keys = {snake(name) for name in there.key}
        # the customer's id inside its document, or a key inside any
        inside = [
            f"{column.name} ->> '{key}'"
            for column in table.columns.values()
            if column.family == "json"
            for key in self.catalog.keys(table, column)
            if any(
                singular(key_stem(snake(name)).split("_")[-1]) in synonyms
                for name in (key, f"{column.name}_{key}")
            )
        ]
        return inside + [
            column.name
            for column in table.columns.values()
            if column.name not in table.key
            and (
                snake(column.name) in keys - {"id"}
                or singular(key_stem(snake(column.name)).split("_")[-1]) in synonyms
            )
        ]

    def _doubt_missing(
        self, value: Value, way: list[Link], table: Table, target: Entity, column: Wanted
    ) -> None:
        """Ask about rows that lead nowhere, such as those of guests: they are left out."""
        if column.is_optional or column.is_nullable:
            return
        sparse = self.tables.sparse(table, way)
        there, own = sparse or (table, table.columns[way[0].columns[-1]])
        # a row without a business is lost, even if it needs no customer
        is_lost = target.key == target.tenant and own.filled not in (None, 1)
        share, told = own.filled or 0, f"have no {own.name}"
        if sparse is None and not is_lost:
            if way[0].is_declared:
                return
            # guests may have the number 0
            share = self.catalog.share_led(table, way[0]) or 1
            told = f"have a {own.name} that {way[0].to} does not have"
            if share >= MOST:
                return
        email = self.columns.email(table) if target.name == "customers" else None
        whose = "where do they belong?"
        if email and (email.filled or 0) > share:
            whose = f"does {email.name} tell whose they are?"
        value.doubt(
            f"{(1 - share) * 100:.0f} % of {there.relation} {told}, and such rows"
            f" are left out: {whose}"
        )

    def _rank(self, table: Table, link: Link, target: Entity, names: list[str]) -> Rank:
        """Return the place of a link: filled, then best named, with as few words as can be."""
        own = link.columns[-1]
        is_empty = table.columns[own].filled == 0
        # c_bpartner_id before bill_bpartner_id, if that is the key there
        words = len(words_of(own)) - (own in link.to_columns)
        return is_empty, name_rank(own, names), self._role(own, target), words

    def _doubt(self, value: Value, ways: list[list[Link]], *, is_told: bool) -> None:
        """Name the next of several paths, and ask if no name tells which is meant."""
        other = next(link for link in ways[1] if link not in ways[0]).columns[-1]
        value.points -= 15
        value.reason += f"; {other} leads there, too"
        if not is_told and not ways[0][1:]:
            value.points = GUESS
            value.todo = f"is it this one, or {other}?"

    def _doubt_people(
        self, value: Value, way: list[Link], table: Table, target: Entity
    ) -> None:
        """Ask about a customer who may be a doctor, or whom a table of roles tells."""
        if target.name == "customers" and any(map(is_of_staff, way)):
            value.points = GUESS
            value.todo = "is this the customer? It is named like a member of staff"
        if target.name != "customers" or not way[1:]:
            return
        both = {table.relation, way[-1].to}
        for other in self.catalog.tables.values():
            is_used = other in self.tables.chosen.values()
            if both <= {link.to for link in other.links} and other.probed and not is_used:
                value.points = GUESS
                value.todo = f"or does {other.relation} tell the customer?"

    def _role(self, name: str, target: Entity) -> int:
        """Return which of the names of an entity a link has, such as the customer of users."""
        own = {singular(word) for word in words_of(name)}
        synonyms: list[str] = evidence()["tables"][self.tables.system][target.name]
        ranks = [rank for rank, one in enumerate(synonyms) if own >= set(one.split("_"))]
        return min(ranks, default=len(synonyms))

    def _along(
        self, table: Table, alias: str, way: list[Link], key: Value, there: Table
    ) -> Value:
        """Return the key at the end of a path, with the joins that lead there."""
        joins: list[Join] = []
        prefix, at = ROW, table
        read = COLUMN.findall(key.sql)
        parts = [name for name, column in there.columns.items() if column.quoted in read]
        pairs = dict(zip(way[-1].to_columns, way[-1].columns, strict=True))
        # the last link may hold the key itself; if not, one more join is needed
        is_held = set(parts) <= set(pairs)
        steps = way[:-1] if is_held else way
        for link in steps:
            to = self.catalog.tables[link.to]
            name = self.tables.alias(to, {alias, *(join.alias for join in joins)})
            condition = self.tables.condition(prefix, at, link, f"{name}.")
            joins.append(Join(name, to.relation, condition))
            prefix, at = f"{name}.", to
        owns = {
            there.columns[name].quoted: at.columns[pairs[name] if is_held else name].quoted
            for name in parts
        }
        taken = at.columns[pairs[parts[0]]] if is_held and len(parts) == 1 else None
        is_sure = all(link.is_declared for link in way)
        told = " -> ".join(f"{', '.join(link.columns)} -> {link.to}" for link in way)
        points = (95 if is_sure else 75) - 10 * (len(way) - 1)
        keys = f"{len(way)} foreign keys" if way[1:] else "foreign key"
        return Value(
            COLUMN.sub(lambda found: f"{prefix}{owns[found[1]]}", key.sql),
            f"{told}: {keys if is_sure else f'{keys} by name, not all declared'}",
            points,
            type=plain_type(taken.type) if taken else key.type,
            joins=joins,
        )

    def of_last(self, table: Table, target: Entity, column: Wanted) -> Value | None:
        """Return a customer's value from its latest order, if its own table has none."""
        anchor = self.tables.chosen.get(self.tables.anchor)
        there = self.tables.chosen.get(target.name)
        if there is None or anchor is None or anchor is table or self.tables.people_by:
            return None
        listed = evidence()["columns"]
        names = [column.name, *listed.get(f"customers.{column.name}", [])]
        ways = [way for way in self.tables.ways(target.name, anchor, there) if not way[1:]]

        def last(way: list[Link]) -> Rank:
            return self._rank(anchor, way[0], target, names)

        ways.sort(key=last)
        people = self.contract["customers"]
        back = min(
            (way[0] for way in self.tables.paths(anchor, table) if not way[1:]),
            key=lambda link: self._rank(anchor, link, people, [str(people.key)]),
            default=None,
        )
        when = self.columns.plain(
            self.tables.anchor, anchor, self.contract[self.tables.anchor].columns["ordered_at"]
        )
        if not (ways and back and when):
            return None
        moment = when.reason.partition(":")[0]
        moment = anchor.columns[moment].quoted
        condition = self.tables.condition(f"{self.tables.anchor}.", anchor, back, ROW)
        own = anchor.columns[ways[0][0].columns[-1]]
        order = [f"{self.tables.anchor}.{moment} desc nulls last"]
        order += [
            f"{self.tables.anchor}.{anchor.columns[name].quoted} desc" for name in anchor.key
        ]
        value = Value(
            f"(\n    select {self.tables.anchor}.{own.quoted}\n"
            f"    from {FROM}{anchor.relation}{TO} as {self.tables.anchor}\n"
            f"    where {condition}\n"
            f"    order by {', '.join(order)}\n    limit 1\n)",
            f"{own.name} of the latest row in {anchor.relation}; the table itself has none",
            OF_LAST,
            type=plain_type(own.type),
        )
        if ways[1:]:
            self._doubt(value, ways, is_told=last(ways[0]) != last(ways[1]))
        return value

    def one_key_away(
        self, entity: Entity, table: Table, alias: str, column: Wanted
    ) -> Value | None:
        """Return a column of a table that the row references, or of several.

        The fullest comes first, and for customers what fewest of them share. If not all rows
        have it, the others fill it up: a booking is of a slot or of an event.
        """

        def order(pair: tuple[str, Value]) -> tuple[float, float]:
            distinct = self.columns.distinct(table, pair[0]) or 0
            is_theirs = entity.name == "customers"
            return -distinct * is_theirs, -(table.columns[pair[0]].filled or 1)

        found = sorted(self._ways_to_value(entity, table, alias, column), key=order)
        if not found:
            return None
        own, value = found[0]
        others = [
            other
            for _, other in found[1:]
            if not {join.alias for join in other.joins} & {join.alias for join in value.joins}
        ]
        if others and not self.columns.is_filled(table, own):
            values = [value, *others]
            sqls = [one.sql for one in values]
            if column.type == "text":
                sqls = [f"nullif({sql}, '')" for sql in sqls]
            return Value(
                f"coalesce({', '.join(sqls)})",
                "; else ".join(one.reason for one in values),
                min(one.points for one in values),
                next((one.todo for one in values if one.todo), ""),
                joins=[join for one in values for join in one.joins],
            )
        if others:
            value.reason += f"; {found[1][0]} leads to one, too"
        return value

    def _ways_to_value(
        self, entity: Entity, table: Table, alias: str, column: Wanted
    ) -> Iterator[tuple[str, Value]]:
        """Yield the columns that lead to a value in another table, each with the value."""
        if column.name not in evidence()["one_key_away"]:
            return
        for link in table.links:
            there = self.catalog.tables[link.to]
            # the rows of another input have their own names and dates
            if there in self.tables.chosen.values():
                continue
            # many customers have one branch, and its name is not theirs
            own = link.columns[-1]
            is_theirs = entity.name == "customers" and column.type == "text"
            is_shared = is_theirs and (
                (self.columns.distinct(table, own) or 1) <= HALF
                or ({*evidence()["no_business"]} - {"address", "user"})
                & {*words_of(one_of(there.name))}
            )
            if is_shared or table.columns[own].filled == 0:
                continue
            found = self.columns.plain(entity.name, there, column)
            found = found or self.columns.boolean(there, column)
            found = self.columns.filled_up(there, column, found)
            if not found or found.points <= PARTLY + TYPE + FILLED:
                # a last_name is only a part of the name
                found = self.columns.put_together(there, column) or found
            if one_of(there.name).endswith(column.name):
                word = self.columns.first(there, evidence()["lookups"].get(column.name, []))
                is_word = word and word.family == "text" and self._is_code(there, word, column)
                found = bare_value(word, CERTAIN) if word and is_word else found
            # only if the whole name matches
            if not found or found.points <= PARTLY + TYPE + FILLED:
                continue
            name = self.tables.alias(there, {alias})
            condition = self.tables.condition(ROW, table, link, f"{name}.")
            value = Value(
                found.sql.replace(ROW, f"{name}."),
                f"{', '.join(link.columns)} -> {link.to}.{found.reason}, through a key",
                found.points - 10,
                found.todo,
                joins=[Join(name, there.relation, condition)],
            )
            ended = " or ".join(mark for _, mark in self.columns.left(there))
            if column.name == "start_at" and ended:
                value.doubt(f"do rows count whose {one_of(there.name)} has {ended}?")
            yield own, value

    def _is_code(self, table: Table, column: Column, wanted: Wanted) -> bool:
        """Return whether the values are codes: a name may be US Dollar, or Eastern Time."""
        if wanted.name == "time_zone":
            zones = self.catalog.words(table, column)
            return bool(zones) and all(map(self.catalog.knows_zone, zones or ()))
        if snake(column.name) != "name":
            return True
        return self.catalog.share_of(table, f"{column.quoted} ~ '^[A-Z]{{3}}$'", "true") == 1

    def behind(self, entity: Entity, table: Table, alias: str, column: Wanted) -> Value | None:
        """Return a value from a row's children: the sum of items, the last arrival."""
        known = evidence()["children"].get(column.name)
        if not known or entity.name != self.tables.anchor:
            return None
        for rank_wanted, synonym in enumerate(known["tables"]):
            for child in self.catalog.tables.values():
                rank, _ = rank_of_table(child, [synonym], self.catalog)
                if rank is None or child is table:
                    continue
                links = self.to_parent(child, table, alias)
                if not links:
                    continue
                tables, condition, told, behind = links
                name = self.tables.alias(child, {alias})
                # a table of links may have the quantity
                read = [(child, name)]
                read += [
                    (self.catalog.tables[join.relation], join.alias) for join in behind[:-1]
                ]
                value = (
                    sum_of_rows(read, known, self.catalog)
                    if "price" in known
                    else _moment(child, name, known, self.columns.zone)
                )
                if value:
                    sql, reason, todo = value
                    more, told_more = self._that_count(table, read)
                    condition, reason = condition + more, reason + told_more
                    todo = f"{todo} {self._which_count(read)}".strip()
                    return Value(
                        f"(\n    select {sql}\n    from {tables}\n    where {condition}\n)",
                        f"{child.relation}, {told}: {reason}",
                        75 - rank_wanted,
                        todo,
                        behind=behind,
                    )
        return None

    def _that_count(self, table: Table, read: list[tuple[Table, str]]) -> tuple[str, str]:
        """Return the conditions for children that count, and why: of the row's version, left.

        read: their table and one of links, each with its alias.
        """
        condition, reason, marks = "", "", []
        for one, its in read:
            if versions := self._versions(table, one):
                own, theirs = versions
                condition += f"\n        and {its}.{theirs.quoted} = {ROW}{own.quoted}"
                reason += f"; of the same {own.name}"
            for is_left, mark in self.columns.left(one):
                condition += f"\n        and {is_left.replace(ROW, f'{its}.')}"
                marks.append(mark)
        if marks:
            reason += f"; none with {' or '.join(dict.fromkeys(marks))}"
        return condition, reason

    def _which_count(self, read: list[tuple[Table, str]]) -> str:
        """Ask which children count if they are of several kinds, or some are not done.

        A parcel may be cancelled, or bring goods back.
        """
        said = []
        words: dict[str, list[str]] = evidence()["words"]["order_status"]
        done = {like for word in ("SHIPPED", "DELIVERED") for like in words[word]}
        for one, _ in read:
            for column in self.columns.like_statuses(one)[:1]:
                there = self.columns.words_in(one, column)
                if 1 < len(there) <= FEW_WORDS and not {snake(word) for word in there} <= done:
                    said.append(f"{column.name} ({counted(there)})")
            said += [kind for kind in self.columns.kinds(one) if kind not in said]
        return f"do all such rows count? They differ in {'; '.join(said)}" if said else ""

    def _versions(self, table: Table, child: Table) -> tuple[Column, Column] | None:
        """Return the columns that tell which version of a row its children belong to.

        Most columns of that name only count changes, for locks.
        """
        own, theirs = (
            next((c for c in one.columns.values() if snake(c.name) in VERSIONS), None)
            for one in (table, child)
        )
        link = next((link for link in child.links if link.to == table.relation), None)
        if not (own and theirs and link) or own.family != theirs.family:
            return None
        share = self.catalog.share_of_version(child, link, theirs, own)
        return (own, theirs) if share is not None and share >= MOST else None

    def to_parent(
        self, child: Table, parent: Table, alias: str
    ) -> tuple[str, str, str, list[Join]] | None:
        """Return how to find a row's children: by their foreign key, or by a link table."""
        name = self.tables.alias(child, {alias})
        ones = singulars_of(self.catalog, parent)

        def order(link: Link) -> tuple[bool, bool]:
            own = link.columns[-1]
            return child.columns[own].filled == 0, key_stem(snake(own)) not in ones

        # not the order that a parcel brings back
        own = [link for link in child.links if link.to == parent.relation]
        if own:
            link = min(own, key=order)
            condition = self.tables.condition(f"{name}.", child, link, ROW)
            return (
                f"{FROM}{child.relation}{TO} as {name}",
                condition,
                f"by {', '.join(link.columns)}",
                [Join(name, child.relation, condition)],
            )
        for between in self.catalog.tables.values():
            up = next((link for link in between.links if link.to == parent.relation), None)
            down = next((link for link in between.links if link.to == child.relation), None)
            if up and down and between not in self.tables.chosen.values():
                through = self.tables.alias(between, {alias, name})
                to_parent = self.tables.condition(f"{through}.", between, up, ROW)
                to_child = self.tables.condition(f"{through}.", between, down, f"{name}.")
                tables = (
                    f"{FROM}{between.relation}{TO} as {through}\n    inner join"
                    f" {FROM}{child.relation}{TO} as {name}\n        on {to_child}"
                )
                return (
                    tables,
                    to_parent,
                    f"by {between.relation}",
                    [
                        Join(through, between.relation, to_parent),
                        Join(name, child.relation, to_child),
                    ],
                )
        return None

    def _person(self, table: Table, people: Table) -> Value | None:
        """Return the customer of a row, from the rows that list its people."""
        anchor = self.tables.chosen[self.tables.anchor]
        back = next((way[0] for way in self.tables.paths(people, anchor) if not way[1:]), None)
        if back is None or self.tables.people_by is None:
            return None
        name, changed = "people", "those"
        if table is anchor:
            own = {to: f"{ROW}{anchor.columns[to].quoted}" for to in back.to_columns}
        else:
            way = next((w[0] for w in self.tables.paths(table, anchor) if not w[1:]), None)
            if way is None:
                return None
            own = {
                to: f"{ROW}{table.columns[mine].quoted}"
                for mine, to in zip(way.columns, way.to_columns, strict=True)
            }
        condition, of_changed = (
            " and ".join(
                f"{alias}.{people.columns[theirs].quoted} = {own[to]}"
                for theirs, to in zip(back.columns, back.to_columns, strict=True)
            )
            for alias in (name, changed)
        )
        return Value(
            f"(\n    select min(lower({name}.{self.tables.people_by.quoted}))\n"
            f"    from {FROM}{people.relation}{TO} as {name}\n    where {condition}\n)",
            f"{people.relation}.{self.tables.people_by.name}: no table has one row per"
            " customer",
            LIKELY,
            "if a row has several people, the first in the alphabet counts: is that right?",
            type="text",
            # if a person is added or removed, the row may belong to another one
            behind=[Join(changed, people.relation, of_changed)],
        )


def _moment(
    child: Table, name: str, known: dict[str, Any], zone: str | None
) -> tuple[str, str, str] | None:
    """Return when the last parcel arrived, once all have: SQL, reason, TODO."""
    best: tuple[int, Column] | None = None
    for column in child.columns.values():
        if column.is_time:
            points, _ = name_points(column, child, known["moment"], is_time=True)
            if points and (best is None or points > best[0]):
                best = points, column
    if best is None:
        return None
    column = best[1]
    wanted = Wanted("delivered_at", "timestamptz", "", is_optional=False, description="")
    converted = convert(column, wanted, zone)
    if converted is None:
        return None
    moment = converted[0].replace(ROW, f"{name}.")
    return (
        f"case when bool_and({name}.{column.quoted} is not null) then max({moment}) end",
        f"{told_of(column)}; the latest, once all rows have one",
        converted[1],
    )
