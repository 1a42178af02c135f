"""Match tables and columns of an application with our inputs, by points.

evidence.yml says what names mean, the contract of the inputs what they need; this module
only compares. Every proposed value says why it was chosen, and how sure that is.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flows.init.catalog import EARLIEST, TIMES, Catalog, Column, Link, Table
from flows.init.contract import Entity, Wanted, singular
from flows.init.links import MOST
from flows.init.names import (
    LEAST,
    PARTLY,
    evidence,
    is_past,
    key_stem,
    may_be_answer,
    name_points,
    name_rank,
    one_of,
    rank_of_table,
    snake,
    time_beside,
    without_time,
    words_of,
)
from flows.init.values import (
    CERTAIN,
    EMPTY,
    FILLED,
    FROM,
    GUESS,
    LIKELY,
    ROW,
    TO,
    TYPE,
    Input,
    Join,
    Value,
    as_lookups,
    bare_value,
    convert,
    doubtful_words,
    in_lines,
    plain_type,
    quoted_words,
    sum_of_rows,
    told_of,
    translated,
)

# points of a table: for its name, its columns, its link to the system's main table; the
# least that a table needs
TABLE_NAME, TABLE_COLUMNS, TABLE_LINK, TABLE_ENOUGH = 60, 20, 20, 50
# points that another schema, a view and a table without rows cost
ELSEWHERE, VIEW, NO_ROWS = 15, 10, 20
# how many foreign keys may lie between a row and a value; one more to its business
FARTHEST = 2
# as many people may belong to a business, but not to a customer
MANY = 20
# a larger share of rows is most of them
HALF = 0.5
# columns that a question names
MOST_NAMED = 10
# a column with more distinct values is not a status, nor a number with so few
FEW_WORDS, FEW_CODES = 12, 2
# a column of the row itself in SQL
COLUMN = re.compile(rf'{ROW}("(?:[^"]|"")+"|\w+)')
# the question about the time zone of a business
ZONE_OF_BUSINESS = "which time zone is it in?"


class Proposal:
    """The proposal for one system."""

    def __init__(
        self,
        catalog: Catalog,
        system: str,
        contract: dict[str, Entity],
        zone: str | None,
        named: Mapping[str, Table | None],
    ) -> None:
        self.catalog = catalog
        self.system = system
        self.contract = contract
        self.zone = zone
        self.through: dict[str, str] = evidence()["written_through"]
        self.tables: dict[str, Table] = {}
        self.reasons: dict[str, str] = {}
        # tables that --table names, by input; None: there is no such table
        self.named = named
        # the e-mail column that identifies customers who have no table: see _people
        self.people_by: Column | None = None
        self._choose()

    # which tables

    @property
    def anchor(self) -> str:
        """The system's main entity."""
        return str(evidence()["systems"][self.system][0])

    @property
    def missing(self) -> list[str]:
        """The tables that the system needs and that were not found."""
        return [name for name in evidence()["systems"][self.system] if name not in self.tables]

    def _choose(self) -> None:
        names: dict[str, list[str]] = evidence()["tables"][self.system]
        self.tables = {name: table for name, table in self.named.items() if table}
        self.reasons = dict.fromkeys(self.tables, "named by --table")
        for name in [name for name in names if name not in self.named]:
            if name != self.anchor and self.anchor not in self.tables:
                return
            best = None
            for table in self.catalog.tables.values():
                if table in self.tables.values():
                    continue
                points, reason = self._points(name, names[name], table)
                if name == "customers" and self._is_above(table, names[name]):
                    points -= TABLE_LINK
                if points >= TABLE_ENOUGH and (best is None or points > best[0]):
                    best = points, table, reason
            if best:
                self.tables[name], self.reasons[name] = best[1], best[2]
            elif name == "customers":
                self._choose_addresses()
        customers = self.tables.get("customers")
        anchor = self.tables.get(self.anchor)
        self._choose_members()
        if (
            customers
            and anchor
            and customers is not anchor
            and not self._paths(anchor, customers)
            and self._paths(customers, anchor)
        ):
            self.people_by = self._email(customers)

    def _choose_addresses(self) -> None:
        """Without a table of customers, take the e-mail addresses of those who ordered."""
        anchor = self.tables[self.anchor]
        self.people_by = self._email(anchor)
        if self.people_by:
            self.tables["customers"] = anchor
            self.reasons["customers"] = "no table lists customers, so each address is one"

    def _email(self, table: Table) -> Column | None:
        """Return the column with people's e-mail addresses."""
        found = self._first(table, evidence()["addresses"])
        return found if found and found.family == "text" and found.filled != 0 else None

    def _points(self, name: str, synonyms: Sequence[str], table: Table) -> tuple[float, str]:
        """Return how well a table matches an entity, and why."""
        rank, part = rank_of_table(table, synonyms, self.catalog)
        said = "named like"
        if rank is None:
            rank, part, said = self._rank_of_links(table, synonyms), True, "links name it"
        if rank is None:
            return 0, ""
        points = TABLE_NAME * (1 - 0.04 * rank) * (0.85 if part else 1)
        wanted = [
            column
            for column in self.contract[name].columns.values()
            if not column.name.endswith("_id")
        ]
        fitting = [column for column in wanted if self._plain(name, table, column)]
        if name == self.anchor and not fitting:
            # a matching name alone does not switch a system on
            return 0, ""
        points += TABLE_COLUMNS * len(fitting) / len(wanted) if wanted else 0
        reasons = [f"{said} {synonyms[rank]}"]
        if fitting:
            reasons.append(f"has {len(fitting)} of {len(wanted)} expected columns")
        linked = self._linked(name, table)
        if linked:
            points += TABLE_LINK
            reasons.append(linked)
        elif self.anchor in self.tables and name in self._only_linked:
            # without a link, no row of it belongs to anything
            return 0, ""
        elif name == "customers":
            points -= TABLE_LINK
        return points - self._cost(table), ", ".join(reasons)

    def _cost(self, table: Table) -> int:
        """Return the points that it costs to be a view, without rows, or elsewhere."""
        anchor = self.tables.get(self.anchor)
        is_far = anchor is not None and anchor.schema != table.schema
        is_empty = not table.probed and self.catalog.has_rows
        return VIEW * table.is_view + NO_ROWS * is_empty + ELSEWHERE * is_far

    def _rank_of_links(self, table: Table, synonyms: Sequence[str]) -> int | None:
        """Return which synonym the main table's links have for a table: customer_id."""
        anchor = self.tables.get(self.anchor)
        stems = [
            key_stem(snake(link.columns[-1]))
            for link in (anchor.links if anchor else [])
            if link.to == table.relation
        ]
        ranks = [rank for rank, synonym in enumerate(synonyms) if synonym in stems]
        return min(ranks, default=None)

    def _linked(self, name: str, table: Table) -> str:
        """Return how a table links to those found before, or ''."""
        if name == self.anchor:
            return self._linked_people(table)
        is_tenant = name in ("tenants", "organizations")
        businesses = self.tables.get(self._tenants)
        is_beside = name not in ("sales_reps", "locations")
        if businesses and not is_beside and not self._paths(table, businesses, FARTHEST + 1):
            # without its business, a row would be left out
            return ""
        found = list(self.tables.items())
        if is_tenant:
            # only a link from these shows that each belongs to a business
            hang_on = ("customers", "users", "accounts")
            found = [pair for pair in found if pair[0] in hang_on]
        for entity, there in found:
            if is_tenant and entity == "users" and self._members(there, table):
                return f"a table of members links {entity} to it"
            ways = self._ways(name, there, table)
            if is_tenant:
                ways = [
                    way
                    for way in ways
                    if self._is_filled(there, way[0].columns[-1])
                    # a row for each customer is a part of the customer
                    and (entity != "customers" or way[1:] or not self._is_own(there, way[0]))
                ]
            if ways:
                return f"{entity} link to it"
            if not is_tenant and is_beside and self._paths(table, there):
                return f"it links to {entity}"
        return ""

    def _linked_people(self, table: Table) -> str:
        """Return how a table links to one named like customers, or ''."""
        people = evidence()["tables"][self.system].get("customers", [])
        for link in table.links:
            other = self.catalog.tables[link.to]
            if rank_of_table(other, people, self.catalog)[0] is not None:
                return f"{', '.join(link.columns)} links to {other.relation}"
        return ""

    def _ways(self, name: str, table: Table, target: Table) -> list[list[Link]]:
        """Return the paths of links from a table to that of an entity."""
        ways = self._paths(table, target, FARTHEST + (name == self._tenants))
        if name != "sales_reps":
            return ways
        # a column that each customer has for itself is its own login
        return [way for way in ways if way[1:] or not self._is_own(table, way[0])]

    def _is_own(self, table: Table, link: Link) -> bool:
        """Return whether most of many rows have a row of another table for themselves."""
        return (self._distinct(table, link.columns[-1]) or 0) > HALF

    @property
    def _only_linked(self) -> tuple[str, ...]:
        """The entities whose tables must be linked with those found before."""
        return (self._tenants, "sales_reps", "locations", "engagements")

    def _is_filled(self, table: Table, name: str) -> bool:
        """Return whether nearly all rows have a value, as far as a probe has seen."""
        share = table.columns[name].filled
        return share is None or share >= MOST

    def _distinct(self, table: Table, name: str) -> float | None:
        """Return how many distinct values each row has; None if there are few rows."""
        if table.probed <= MANY:
            return None
        share = self.catalog.share_distinct(table, table.columns[name])
        return 1 if share is None else share

    def _choose_members(self) -> None:
        """Take the members of businesses as the users if these belong to none."""
        users, businesses = (self.tables.get(name) for name in ("users", self._tenants))
        if users is None or businesses is None or "users" in self.named:
            return
        members = self._members(users, businesses)
        if members and not self._paths(users, businesses, FARTHEST + 1):
            self.tables["users"] = members
            self.reasons["users"] = (
                f"says which rows of {users.relation} belong to {businesses.relation}"
            )

    def _members(self, users: Table, businesses: Table) -> Table | None:
        """Return the table that says which users belong to which business, or None."""
        both = {one_of(users.name).split("_")[-1], one_of(businesses.name).split("_")[-1]}
        for table in self.catalog.tables.values():
            own = {singular(word) for word in words_of(table.name)}
            is_named = both <= own or {"member", "membership"} & own
            if is_named and {users.relation, businesses.relation} <= {
                link.to for link in table.links
            }:
                return table
        return None

    def _is_above(self, table: Table, people: Sequence[str]) -> bool:
        """Return whether many other possible customers belong to a row: an ERP's client."""
        anchor = self.tables.get(self.anchor)
        others = [self.catalog.tables[link.to] for link in anchor.links] if anchor else []
        return any(
            table.probed * MANY <= other.probed
            and any(link.to == table.relation for link in other.links)
            and rank_of_table(other, people, self.catalog)[0] is not None
            for other in others
            if other is not table
        )

    def _paths(self, table: Table, target: Table, most: int = FARTHEST) -> list[list[Link]]:
        """Return the shortest paths of links from a table to another, the surest first."""
        ways: list[list[Link]] = [[]]
        for _ in range(most):
            longer = []
            for way in ways:
                at = self.catalog.tables[way[-1].to] if way else table
                longer += [
                    [*way, link]
                    for link in at.links
                    if link.to not in {table.relation, *(step.to for step in way)}
                ]
            if found := [way for way in longer if way[-1].to == target.relation]:
                return sorted(found, key=lambda way: sum(not link.is_declared for link in way))
            ways = longer
        return []

    def without_rows(self) -> list[str]:
        """Return the inputs without a table that most applications have."""
        return [
            name
            for name, entity in self.contract.items()
            if name not in {*self.tables, *self.through, *evidence()["seldom"]}
            and entity.key != entity.tenant
        ]

    # which columns

    def inputs(self) -> list[Input]:
        """Return all inputs of the system."""
        return [self._input(entity) for entity in self.contract.values()]

    def types(self) -> dict[str, str]:
        """Return the type of each id by the name of its setting."""
        types: dict[str, set[str]] = {}
        for entity in self.contract.values():
            if entity.name in self.through or entity.key is None:
                continue
            var = entity.columns[entity.key].type_var
            key = self._key(entity)
            if key:
                types.setdefault(var, set()).add(key.type)
                there = self.tables[entity.name]
                if any(
                    link.is_cast and link.to == there.relation
                    for table in self.tables.values()
                    for link in table.links
                ):
                    types[var].add("text")
            elif entity.key == entity.tenant:
                types.setdefault(var, set()).add("integer")
        found = {}
        for entity in self.contract.values():
            for column in entity.columns.values():
                if column.type_var:
                    kinds = types.get(column.type_var, {column.type})
                    found[column.type_var] = min(kinds) if len(kinds) == 1 else "text"
        return found

    def _input(self, entity: Entity) -> Input:
        is_written = entity.name in self.through
        name = self.through.get(entity.name, entity.name)
        table = self.tables.get(name)
        alias = name
        given = Input(entity, table, alias, self.reasons.get(name, ""))
        if table is None:
            if entity.key == entity.tenant:
                self._one_business(given)
            elif self._is_needed(entity):
                self._one_for_each_business(given)
            return given
        for column in entity.columns.values():
            given.values[column.name] = self._value(entity, table, alias, column)
        self._cast_ids(given)
        self._doubt_planned(given)
        self._leave_out_deleted(given, table)
        if is_written:
            as_lookups(given)
        else:
            self._ask(given, table)
        if self.people_by and name == "customers":
            self._people(given)
        return given

    def _leave_out_deleted(self, given: Input, table: Table) -> None:
        """Leave deleted rows out; deleted customers are closed, so that their orders count."""
        used = " ".join(value.sql for value in given.values.values() if value)
        closed = given.values.get("is_closed")
        for name in evidence()["deleted"]:
            gone = self._exact(table, name)
            condition = self._is_set(table, gone) if gone else None
            if gone is None or condition is None or gone.quoted in used:
                continue
            if closed:
                if gone.is_nullable and gone.family not in TIMES:
                    condition = f"coalesce({condition}, false)"
                reason = told_of(gone)
                if closed.sql != evidence()["booleans"]["is_closed"]["otherwise"]:
                    condition = f"({closed.sql} or {condition})"
                    reason = f"{closed.reason}; {reason}"
                closed.sql, closed.reason = condition, reason
                closed.points, closed.todo = LIKELY, ""
                continue
            if gone.family in TIMES:
                is_left = f"{ROW}{gone.quoted} is null"
            elif gone.family == "boolean":
                is_left = f"{condition} is not true"
            else:
                is_left = f"({condition}) is not true"
            given.where.append(
                (is_left, f"{told_of(gone)}; if it is set, the row counts as deleted")
            )

    def _ask(self, given: Input, table: Table) -> None:
        """Ask about rows and values that only a person can know."""
        entity = given.entity
        # updated_at may be the latest of all dates
        used = " ".join(
            value.sql for name, value in given.values.items() if value and name != "updated_at"
        )
        given.todo = self._may_be_others(entity, table, used)
        if entity.name == "customers" and self.anchor in self.tables and not given.todo:
            given.todo = self._may_be_same(table)
        if entity.key == entity.tenant and self._differs_by_row(table):
            given.todo = (
                f"{self.anchor} and their customers often name different rows of"
                f" {table.relation}, and such {self.anchor} would be left out: is each of its"
                " rows a business of its own?"
            )
        for name, value in given.values.items():
            column = entity.columns[name]
            if value is None and not column.is_optional:
                given.candidates[name] = self._candidates(entity, table, column, used)
                if name == "delivered_at" and not given.candidates[name]:
                    # the next best date
                    ordered = given.values.get("ordered_at")
                    own = ordered.reason.partition(":")[0] if ordered else ""
                    given.candidates[name] = [own] if own in table.columns else []

    def _may_be_same(self, people: Table) -> str:
        """Ask what tells who ordered if nearly every order has a customer of its own."""
        anchor = self.tables[self.anchor]
        ways = self._paths(anchor, people, 1)
        if not ways or (self._distinct(anchor, ways[0][0].columns[-1]) or 0) < MOST:
            return ""
        emails = evidence()["columns"]["email_address"]
        said = " or ".join(
            column.name
            for column in people.columns.values()
            if (key_stem(snake(column.name)) or snake(column.name) in emails)
            and not people.link_of(column.name)
            and 0 < (self._distinct(people, column.name) or 1) < MOST
        )
        return (
            f"nearly all {self.anchor} have a customer row of their own: does {said} say which"
            " rows are the same customer?"
            if said
            else ""
        )

    def _differs_by_row(self, tenants: Table) -> bool:
        """Return whether orders are often of another tenant than their customers."""
        anchor, people = self.tables.get(self.anchor), self.tables.get("customers")
        if anchor is None or people is None:
            return False
        ways = (
            self._paths(anchor, people, 1),
            self._paths(anchor, tenants, 1),
            self._paths(people, tenants, 1),
        )
        if not all(ways):
            return False
        to_people, own, theirs = (way[0][0] for way in ways)
        share = self.catalog.share_same(anchor, own.columns[-1], to_people, theirs.columns[-1])
        return share is not None and share < MOST

    def _doubt_planned(self, given: Input) -> None:
        """Doubt a date of delivery that rows have before they are delivered."""
        delivered, status = given.values.get("delivered_at"), given.values.get("order_status")
        if given.table is None or delivered is None or status is None:
            return
        if delivered.joins or status.joins or FROM in f"{delivered.sql}{status.sql}":
            return
        share = self.catalog.share_of(
            given.table,
            f"{delivered.sql} is not null".replace(ROW, ""),
            f"{status.sql} in ('DRAFT', 'SUBMITTED')".replace(ROW, ""),
        )
        if share is not None and share > HALF:
            delivered.points = GUESS
            delivered.todo = "orders that are not delivered have it, too: is it only planned?"

    def _value(  # noqa: PLR0911 - the first that fits
        self, entity: Entity, table: Table, alias: str, column: Wanted
    ) -> Value | None:
        """Return the value for a column of an input, or None."""
        if column.name == entity.key:
            return self._key(entity)
        if column.name == entity.tenant:
            return self._reference(table, alias, self._entity_of(column), column)
        # the write-back can update only a plain column
        if entity.name in self.through and column.is_optional:
            found = self._exact(table, column.name)
            return bare_value(found, CERTAIN) if found else None
        target = self._entity_of(column)
        if target and column.type_var:
            found_there = self._reference(table, alias, target, column)
            if found_there or entity.name != "customers":
                return found_there
            return self._of_last(table, target)
        is_status = self._ours(entity, column) is not None
        value = (
            self._words(entity, table, alias, column)
            if is_status
            else self._plain(entity.name, table, column)
        )
        value = value or self._boolean(table, column)
        value = self._filled_up(table, column, value)
        if value is None or value.points < LIKELY or value.is_empty:
            for other in (
                self._put_together(table, column),
                self._behind(entity, table, alias, column),
                self._one_key_away(entity, table, alias, column),
                self._otherwise(entity, table, column),
            ):
                is_weak = value is None or value.points < LIKELY or value.is_empty
                if other and (value is None or (is_weak and other.points >= LIKELY)):
                    value = other
        if value and column.is_optional and value.points < LIKELY:
            return None
        return value

    def _key(self, entity: Entity) -> Value | None:
        """Return the key of an entity's rows."""
        name = self.through.get(entity.name, entity.name)
        table = self.tables.get(name)
        if table is None or entity.key is None:
            return None
        if self.people_by and name == "customers":
            return Value(
                f"lower({ROW}{self.people_by.quoted})",
                f"{told_of(self.people_by)}; no table has one row per customer",
                LIKELY,
                type="text",
            )
        tenants = self.tables.get(self._tenants)
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
            named = self._exact(table, "id") or self._exact(table, f"{one_of(table.name)}_id")
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

    def _is_needed(self, entity: Entity) -> bool:
        """Return whether other inputs require this key, as bookings require a location."""
        return entity.name in evidence()["seldom"] and any(
            column.name == entity.key and not column.is_optional
            for other in self.contract.values()
            if other is not entity and other.name not in self.through
            for column in other.columns.values()
        )

    def key_column(self, entity: Entity) -> str | None:
        """Return the key column of an entity, or None if the key is not a single column."""
        key, table = self._key(entity), self.tables.get(entity.name)
        if key is None or table is None:
            return None
        return next(
            (c.name for c in table.columns.values() if key.sql == ROW + c.quoted), None
        )

    @property
    def _tenants(self) -> str:
        """The entity whose rows are the tenants."""
        return next(name for name, e in self.contract.items() if e.key == e.tenant)

    def _entity_of(self, column: Wanted) -> Entity | None:
        """Return the entity whose key a column holds."""
        return next(
            (
                entity
                for entity in self.contract.values()
                if entity.key == column.name and entity.name not in self.through
            ),
            None,
        )

    def _reference(  # noqa: PLR0911 - the first that fits
        self, table: Table, alias: str, target: Entity | None, column: Wanted
    ) -> Value | None:
        """Return the key of another entity's row that a row belongs to."""
        if target is None:
            return None
        there = self.tables.get(target.name)
        is_tenant = target.key == target.tenant
        if there is None and is_tenant:
            points = GUESS if self._shared() else CERTAIN
            return Value("1", "one business", points, type="integer")
        if there is table:
            return self._key(target)
        if there is None and self._is_needed(target) and not column.is_optional:
            return Value("'main'", f"no table of {target.name}, so each business has one",
                         CERTAIN, type="text")  # fmt: skip
        if there is None:
            return None
        is_beside = there is not self.tables.get(self.anchor)
        if self.people_by and target.name == "customers" and is_beside:
            return self._person(table, there)
        ways = self._ways(target.name, table, there)
        key = self._key(target)
        if not ways or key is None:
            return None
        names = [column.name, *evidence()["columns"].get(column.name, [])]
        customers = self.tables.get("customers")

        def last(way: list[Link]) -> tuple[bool, bool, int, int, int, bool]:
            # a path through the customer comes last: a booking need not be at the customer's
            # usual location; of several links, the best-named column comes first, with as few
            # other words as possible, then one that holds the key itself
            by_customer = not is_tenant and customers and way[0].to == customers.relation
            own = way[0].columns[-1]
            return (
                bool(by_customer and way[1:]),
                table.columns[own].filled == 0,
                name_rank(own, names),
                self._role(own, target),
                len(words_of(own)),
                there.columns[way[-1].to_columns[-1]].quoted != key.sql.replace(ROW, ""),
            )

        ways.sort(key=last)
        value = self._along(table, alias, ways[0], key, there)
        if ways[1:]:
            self._doubt(value, ways, is_told=last(ways[0]) != last(ways[1]))
        return value

    def _doubt(self, value: Value, ways: list[list[Link]], *, is_told: bool) -> None:
        """Name the next of several paths, and ask if no name tells which is meant."""
        other = next(link for link in ways[1] if link not in ways[0]).columns[-1]
        value.points -= 15
        value.reason += f"; {other} leads there, too"
        if not is_told and not ways[0][1:]:
            value.points = GUESS
            value.todo = f"is it this one, or {other}?"

    def _role(self, name: str, target: Entity) -> int:
        """Return which of the names of an entity a link has, such as the customer of users."""
        own = {singular(word) for word in words_of(name)}
        synonyms: list[str] = evidence()["tables"][self.system][target.name]
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
            name = self._alias(to, {alias, *(join.alias for join in joins)})
            condition = self._on(prefix, at, link, f"{name}.")
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

    def _alias(self, table: Table, taken: Iterable[str]) -> str:
        """Return the alias of a table in a query."""
        for entity, there in self.tables.items():
            if there is table and entity not in taken:
                return entity
        name = snake(table.name)
        while name in taken:
            name += "_too"
        return f'"{name}"' if name in self.catalog.reserved or name[0].isdigit() else name

    def _of_last(self, table: Table, target: Entity) -> Value | None:
        """Return a customer's value from its latest order, if its own table has none."""
        anchor = self.tables.get(self.anchor)
        there = self.tables.get(target.name)
        if there is None or anchor is None or anchor is table or self.people_by:
            return None
        to_target = next((way[0] for way in self._paths(anchor, there) if not way[1:]), None)
        back = next((way[0] for way in self._paths(anchor, table) if not way[1:]), None)
        when = self._plain(
            self.anchor, anchor, self.contract[self.anchor].columns["ordered_at"]
        )
        if not (to_target and back and when):
            return None
        moment = when.reason.partition(":")[0]
        moment = anchor.columns[moment].quoted
        condition = self._on(f"{self.anchor}.", anchor, back, ROW)
        own = anchor.columns[to_target.columns[-1]]
        order = [f"{self.anchor}.{moment} desc nulls last"]
        order += [f"{self.anchor}.{anchor.columns[name].quoted} desc" for name in anchor.key]
        return Value(
            f"(\n    select {self.anchor}.{own.quoted}\n"
            f"    from {FROM}{anchor.relation}{TO} as {self.anchor}\n"
            f"    where {condition}\n"
            f"    order by {', '.join(order)}\n    limit 1\n)",
            f"{own.name} of the latest row in {anchor.relation}; the table itself has none",
            LIKELY,
            type=plain_type(own.type),
        )

    def _plain(self, entity: str, table: Table, column: Wanted) -> Value | None:
        """Return the table's column with the most specific name; of equal ones, by type."""
        names = self._names(entity, column)
        best: Value | None = None
        best_order: tuple[bool, bool, int, int] | None = None
        for found in table.columns.values():
            # a foreign key is an id, not a value
            if table.link_of(found.name) and not column.name.endswith("_id"):
                continue
            converted = convert(found, column, self.zone)
            # a planned date is not that of the delivery
            is_ahead = column.name == "delivered_at" and not is_past(found.name)
            if converted is None or is_ahead:
                continue
            sql, todo, fit, note = converted
            is_time = found.is_time and column.type in ("timestamptz", "date")
            points, like = name_points(found, table, names, is_time=is_time)
            if not points:
                continue
            # filled before empty, whole names before parts
            order = (found.filled != 0, points >= LEAST, -names.index(like), fit)
            points += fit + (EMPTY if found.filled == 0 else FILLED)
            reason = f"{told_of(found, like)}{note}"
            beside = time_beside(table, found) if found.family == "date" else None
            if beside and beside.family == "text":
                todo = f"{todo} {beside.name} is a text: add its time of day".strip()
            elif beside:
                time = f"{ROW}{beside.quoted}"
                if beside.is_nullable:
                    time = f"coalesce({time}, time '00:00')"
                sql = sql.replace(
                    f"{ROW}{found.quoted}::timestamp", f"({ROW}{found.quoted} + {time})"
                )
                reason += f", with {beside.name}"
            if best_order is None or order > best_order:
                best_order = order
                best = Value(
                    *(sql, reason, points, todo, plain_type(found.type)),
                    is_empty=found.filled == 0,
                )
        return best if best and best.points >= GUESS else None

    def _names(self, entity: str, column: Wanted) -> list[str]:
        """Return the names that a column may have, the most specific first."""
        stem = f"{singular(entity)}_"
        columns = evidence()["columns"]
        listed = columns.get(f"{entity}.{column.name}") or columns.get(column.name, [])
        plain = [column.name]
        if column.name.startswith(stem):
            plain.append(column.name.removeprefix(stem))
        return [*plain, *(name for name in listed if name not in plain)]

    def _boolean(self, table: Table, column: Wanted) -> Value | None:
        known = evidence()["booleans"].get(column.name)
        if column.type != "boolean":
            return None
        known = known or {"says": [column.name], "opposite": [], "otherwise": "false"}
        for key, is_yes in (("says", True), ("opposite", False)):
            for name in known[key]:
                found = self._exact(table, name)
                if found is None:
                    continue
                condition = self._is_set(table, found)
                if condition is None:
                    continue
                if found.family in TIMES:
                    sql = condition if is_yes else f"{ROW}{found.quoted} is null"
                elif found.family == "boolean":
                    sql = condition if is_yes else f"not {condition}"
                else:
                    sql = condition if is_yes else f"not ({condition})"
                if found.is_nullable and found.family not in TIMES:
                    sql = f"coalesce({sql}, {known['otherwise']})"
                points = CERTAIN if found.name == column.name else 75
                meant = "" if is_yes else ", negated"
                return Value(sql, f"{told_of(found)}{meant}", points)
        return None

    def _is_set(self, table: Table, column: Column) -> str | None:
        """Return SQL that says whether a flag is set, or None if the column is no flag.

        A flag is a boolean, a moment, a number or a letter: 1 or Y.
        """
        row = f"{ROW}{column.quoted}"
        if column.family == "boolean":
            return row
        if column.family in TIMES:
            return f"{row} is not null"
        if column.family not in ("integer", "text", "bit"):
            return None
        words = self.catalog.words(table, column)
        if column.family == "integer":
            # a large number is a moment
            is_flag = words is None or all(
                word in ("0", "1") or int(word) > EARLIEST for word in words
            )
            return f"{row} != 0" if is_flag else None
        meant = evidence()["flags"]
        yes = [word for word in words or {} if word.lower() in meant["yes"]]
        no = [word for word in words or {} if word.lower() in meant["no"]]
        if not words or len(yes) + len(no) < len(words):
            return None
        known = yes or [meant["yes"][0]]
        return f"{row}::text in ({quoted_words(known)})" if column.family == "bit" else (
            f"{row} in ({quoted_words(known)})"
        )  # fmt: skip

    def _put_together(self, table: Table, column: Wanted) -> Value | None:
        parts = evidence()["parts"].get(column.name)
        if not parts:
            return None
        found = [self._first(table, names) for names in parts]
        if not all(found):
            return None
        columns = [f"{ROW}{part.quoted}" for part in found if part]
        named = ", ".join(part.name for part in found if part)
        return Value(f"concat_ws(' ', {', '.join(columns)})", f"{named}: concatenated", 75)

    def _filled_up(self, table: Table, column: Wanted, value: Value | None) -> Value | None:
        """Return a value that few rows have, completed from its parts: company, else name."""
        together = self._put_together(table, column)
        own = value.reason.partition(":")[0] if value else ""
        if not value or value.is_empty or not together or self._is_filled(table, own):
            return value
        return Value(
            f"coalesce(nullif({value.sql}, ''), {together.sql})",
            f"{value.reason}; else {together.reason}",
            value.points,
        )

    def _one_key_away(
        self, entity: Entity, table: Table, alias: str, column: Wanted
    ) -> Value | None:
        """Return a column of a table that the row references."""
        if column.name not in evidence()["one_key_away"]:
            return None
        for link in table.links:
            there = self.catalog.tables[link.to]
            # the rows of another input have their own names and dates
            if there in self.tables.values():
                continue
            # many customers have one branch, and its name is not theirs
            own = link.columns[-1]
            is_theirs = entity.name == "customers" and column.type == "text"
            is_shared = is_theirs and (self._distinct(table, own) or 1) <= HALF
            if is_shared or table.columns[own].filled == 0:
                continue
            found = self._plain(entity.name, there, column)
            found = found or self._put_together(there, column)
            if one_of(there.name).endswith(column.name):
                word = self._first(there, evidence()["lookups"].get(column.name, []))
                found = bare_value(word, CERTAIN) if word and word.family == "text" else found
            # only if the whole name matches
            if not found or found.points <= PARTLY + TYPE + FILLED:
                continue
            name = self._alias(there, {alias})
            condition = self._on(ROW, table, link, f"{name}.")
            return Value(
                found.sql.replace(ROW, f"{name}."),
                f"{', '.join(link.columns)} -> {link.to}.{found.reason}, through a key",
                found.points - 10,
                found.todo,
                joins=[Join(name, there.relation, condition)],
            )
        return None

    def _behind(
        self, entity: Entity, table: Table, alias: str, column: Wanted
    ) -> Value | None:
        """Return a value from a row's children: the sum of items, the last arrival."""
        known = evidence()["children"].get(column.name)
        if not known or entity.name != self.anchor:
            return None
        for rank_wanted, synonym in enumerate(known["tables"]):
            for child in self.catalog.tables.values():
                rank, _ = rank_of_table(child, [synonym], self.catalog)
                if rank is None or child is table:
                    continue
                links = self._to_parent(child, table, alias)
                if not links:
                    continue
                tables, condition, told, behind = links
                name = self._alias(child, {alias})
                value = sum_of_rows(child, name, known) if "price" in known else _moment(
                    self, child, name, known
                )  # fmt: skip
                if value:
                    sql, reason, todo = value
                    return Value(
                        f"(\n    select {sql}\n    from {tables}\n    where {condition}\n)",
                        f"{child.relation}, {told}: {reason}",
                        75 - rank_wanted,
                        todo,
                        behind=behind,
                    )
        return None

    def _to_parent(
        self, child: Table, parent: Table, alias: str
    ) -> tuple[str, str, str, list[Join]] | None:
        """Return how to find a row's children: by their foreign key, or by a link table."""
        name = self._alias(child, {alias})
        for link in child.links:
            if link.to == parent.relation:
                condition = self._on(f"{name}.", child, link, ROW)
                return (
                    f"{FROM}{child.relation}{TO} as {name}",
                    condition,
                    f"by {', '.join(link.columns)}",
                    [Join(name, child.relation, condition)],
                )
        for between in self.catalog.tables.values():
            up = next((link for link in between.links if link.to == parent.relation), None)
            down = next((link for link in between.links if link.to == child.relation), None)
            if up and down and between not in self.tables.values():
                through = self._alias(between, {alias, name})
                to_parent = self._on(f"{through}.", between, up, ROW)
                to_child = self._on(f"{through}.", between, down, f"{name}.")
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

    def _on(self, row: str, table: Table, link: Link, other: str) -> str:
        """Return the condition of a link; row and other stand before the columns."""
        there = self.catalog.tables[link.to]
        casts = [""] * (len(link.columns) - 1) + ["::text" if link.is_cast else ""]
        return " and ".join(
            f"{row}{table.columns[own].quoted}{cast} = {other}{there.columns[to].quoted}{cast}"
            for own, to, cast in zip(link.columns, link.to_columns, casts, strict=True)
        )

    def _otherwise(  # noqa: PLR0911 - the first that fits
        self, entity: Entity, table: Table, column: Wanted
    ) -> Value | None:
        """Return a substitute for a column that was not found."""
        known = evidence()["booleans"].get(column.name)
        if known and column.type == "boolean":
            todo = "" if column.is_optional else self._may_say(table)
            return Value(known["otherwise"], "no column found, so a constant", 60, todo)
        if column.name == "time_zone" and not column.is_optional:
            return self._zone()
        if column.name == f"{entity.tenant.removesuffix('_id')}_slug":
            named = self._plain(entity.name, table, entity.columns[column.name.replace(
                "_slug", "_name")])  # fmt: skip
            if named:
                return Value(
                    f"lower(replace({named.sql}, ' ', '-'))",
                    f"derived from {named.reason}",
                    LIKELY,
                )
            if key := self._key(entity):
                return Value(f"{key.sql}::text", "no name found, so the key", LIKELY)
        if self._ours(entity, column) and not column.is_optional:
            told = evidence()["told_by_times"].get(column.name)
            return self._told_by_times(entity, table, column, told or {})
        if column.name == "location_name" and (key := self._key(entity)):
            kind = one_of(table.name).replace("_", " ").capitalize()
            reason = "no column found, so made from the key"
            return Value(f"'{kind} ' || {key.sql}::text", reason, LIKELY)
        if column.name == "updated_at" and entity.name in evidence()["newest_of_row"]:
            times = [
                c
                for c in table.columns.values()
                if c.is_time and is_past(c.name) and snake(c.name) not in evidence()["deleted"]
            ]
            values = [convert(c, column, self.zone) for c in times]
            sqls = [value[0] for value in values if value]
            if sqls:
                named_all = ", ".join(c.name for c in times)
                todo = next((v[1] for v in values if v and v[1]), "")
                sql = sqls[0] if len(sqls) == 1 else f"greatest(\n    {in_lines(sqls)}\n)"
                return Value(sql, f"{named_all}: the latest date in the row", LIKELY, todo)
        return None

    def _told_by_times(
        self, entity: Entity, table: Table, column: Wanted, told: dict[str, Any]
    ) -> Value | None:
        lines, named = [], []
        otherwise = told.get("otherwise", "")
        for word, names in told.items():
            if word in ("otherwise", "else"):
                continue
            if isinstance(names, str):
                moment = self._plain(entity.name, table, entity.columns[names])
                found = None
                if moment:
                    found = table.columns[moment.reason.partition(":")[0]]
            else:
                found = self._first(table, names)
            if found:
                row = f"{ROW}{found.quoted}"
                is_so = self._is_set(table, found) or f"{row} is not null"
                lines.append(f"when {is_so} then '{word}'")
                named.append(found.name)
                if word == otherwise:
                    otherwise = told["else"]
        if not lines:
            return self._of_few_words(entity, table, column) or (
                Value(f"'{otherwise}'", "no status column found, so a constant", GUESS)
                if otherwise
                else None
            )
        reason = f"no status column found, so derived from {', '.join(named)}"
        lines.append(f"else '{otherwise}'")
        return Value("case\n    " + "\n    ".join(lines) + "\nend", reason, LIKELY)

    def _of_few_words(self, entity: Entity, table: Table, column: Wanted) -> Value | None:
        """Return a column with few distinct values as a possible status, with a question.

        The column with the largest share of known status words wins. A constant would count
        every row, and nobody would notice.
        """
        ours = self._ours(entity, column) or {}
        known = _known_words(ours, column)
        found = self._with_few_words(table, self._taken(entity, table, column))
        if not found:
            return None
        name, words = max(
            found.items(),
            # of several equal ones, the first
            key=lambda pair: (
                sum(snake(word) in known for word in pair[1]) / len(pair[1]),
                table.columns[pair[0]].family != "integer",
            ),
        )
        others = "".join(
            f", or {other} ({quoted_words(words)})"
            for other, words in found.items()
            if other != name
        )
        which = table.columns[name]
        sql, _ = translated(
            f"{ROW}{which.quoted}", which, words, ours, doubtful_words(column.name)
        )
        return Value(
            sql,
            f"{name}: no column is named like a status, but this one has few distinct values"
            f" ({quoted_words(words)})",
            GUESS,
            f"is this the status{others}? If none is, use a constant",
        )

    def _may_say(self, table: Table) -> str:
        """Ask whether a status column shows a yes or no that has no column of its own."""
        # the state of a customer is part of an address
        names = [name for name in evidence()["columns"]["order_status"] if name != "state"]
        found = self._with_few_words(
            table,
            {
                name
                for name, column in table.columns.items()
                if name_points(column, table, names, is_time=False)[0] < LEAST
            },
        )
        said = ", or ".join(f"{name} ({quoted_words(words)})" for name, words in found.items())
        return f"can it be derived from {said}?" if said else ""

    def _candidates(
        self, entity: Entity, table: Table, wanted: Wanted, used: str
    ) -> list[str]:
        """Return the unused columns that may hold a value that was not found, for a question.

        First those with a fitting name, but a type that nothing is known to convert.
        """
        families: tuple[str, ...] = TIMES if wanted.type in ("timestamptz", "date") else ()
        if wanted.type in ("numeric", "bigint"):
            families = ("numeric", "float", "money", "integer")
        found = [
            column.name
            for column in table.columns.values()
            if column.family in families
            and column.quoted not in used
            and column.name not in table.key
            and not table.link_of(column.name)
            and not key_stem(snake(column.name))
            and may_be_answer(column)
            and not (column.family == "integer" and self._is_set(table, column))
        ]
        names = self._names(entity.name, wanted)
        alike = [
            f"{column.name} ({column.type})"
            for column in table.columns.values()
            if column.name not in found
            and column.quoted not in used
            and name_points(column, table, names, is_time=bool(families == TIMES))[0] >= LEAST
        ]
        found = [*alike, *found]
        if families != TIMES:
            return found[:MOST_NAMED]
        # a row beside this one, such as its operational data
        of_row = {*evidence()["columns"]["created_at"], *evidence()["columns"]["updated_at"]}
        for other in self.catalog.tables.values():
            if other in self.tables.values() or other.is_view:
                continue
            is_child = any(link.to == table.relation for link in other.links)
            if is_child or (self._is_parcel(other) and self._to_parent(other, table, "")):
                found += [
                    f"{other.name}.{column.name}"
                    for column in other.columns.values()
                    if column.family in families
                    and may_be_answer(column)
                    and (
                        "_".join(without_time(words_of(column.name))) not in of_row
                        or self._is_parcel(other)
                        or {*words_of(other.name)} & {*evidence()["histories"]}
                    )
                ]
        return found[:MOST_NAMED]

    def _is_parcel(self, table: Table) -> bool:
        """Return whether a table is named like one of parcels, whose row is the moment."""
        parcels = evidence()["children"]["delivered_at"]["tables"]
        return rank_of_table(table, parcels, self.catalog)[0] is not None

    def _may_be_others(self, entity: Entity, table: Table, used: str) -> str:
        """Ask whether all rows count if a column tells rows of several kinds apart.

        A refund may be a row among the orders, a supplier one among the customers.
        """
        if entity.name not in evidence()["kinds"]["inputs"]:
            return ""
        kinds, flags = set(evidence()["kinds"]["columns"]), set(evidence()["kinds"]["flags"])
        said = []
        for column in table.columns.values():
            own = [singular(word) for word in words_of(column.name)]
            own = [word for word in own if word not in ("id", "fk", "is", "rank", "flag")]
            is_kind = own and own[-1] in kinds
            link = table.link_of(column.name)
            is_flag = not link and own and set(own) <= flags
            if not (is_kind or is_flag) or column.quoted in used or column.name in table.key:
                continue
            holder, label = table, column
            if link:
                holder = self.catalog.tables[link.to]
                if (found := self._label(holder)) is None:
                    continue
                label = found
            is_text = not is_kind and column.family == "text"
            if is_text and self._is_set(table, column) is None:
                continue
            words = self.catalog.words(holder, label) or {}
            there = {word: count for word, count in words.items() if count}
            if 1 < len(there) <= FEW_WORDS:
                counted = ", ".join(
                    f"{quoted_words([word])}{'' if link else f' {count}'}"
                    for word, count in there.items()
                )
                said.append(f"{column.name} ({counted})")
        if not said:
            return ""
        return (
            f"do all rows count as {entity.name.replace('_', ' ')}?"
            f" There are several kinds: {'; '.join(said)}. If not, add a `where`"
        )

    def _taken(self, entity: Entity, table: Table, column: Wanted) -> set[str]:
        """Return the columns of a table that other columns of the input use."""
        taken = set()
        for other in entity.columns.values():
            value = None if other is column else self._plain(entity.name, table, other)
            taken |= {value.reason.partition(":")[0]} if value else set()
        return taken

    def _with_few_words(self, table: Table, taken: set[str]) -> dict[str, dict[str, int]]:
        """Return the columns that may be a status, with their distinct values."""
        elsewhere = set(evidence()["no_status"])
        found = {}
        for name, column in table.columns.items():
            is_other = name in taken or name in table.key or table.link_of(name)
            if is_other or column.is_time or column.family not in ("text", "enum", "integer"):
                continue
            if elsewhere & set(words_of(name)):
                continue
            words = self.catalog.words(table, column) or {}
            # names and notes rarely repeat a value, and one value tells nothing
            are_few = 1 < len(words) <= FEW_WORDS and sum(words.values()) > len(words)
            if column.family == "integer":
                # neither a flag nor an id
                is_code = not self._is_set(table, column) and words_of(name)[-1:] != ("id",)
                are_few = are_few and is_code and len(words) > FEW_CODES
            if column.labels or are_few:
                found[name] = words
        return found

    def _ours(self, entity: Entity, column: Wanted) -> dict[str, list[str]] | None:
        """Return the allowed words of a column, each with its synonyms."""
        words = evidence()["words"]
        ours: dict[str, list[str]] | None = words.get(f"{entity.name}.{column.name}")
        return ours or words.get(column.name)

    def _words(self, entity: Entity, table: Table, alias: str, column: Wanted) -> Value | None:
        """Return a status column, with its words translated into ours."""
        ours = self._ours(entity, column)
        if ours is None:
            return None
        # also a foreign key of a lookup table
        names = [
            f"{name}{end}"
            for end in ("", "_id", "_code")
            for name in self._names(entity.name, column)
        ]
        best: tuple[int, Column, str] | None = None
        for found in table.columns.values():
            if found.family not in ("text", "enum", "integer") or found.name in table.key:
                continue
            points, like = name_points(found, table, names, is_time=False)
            if points and (best is None or points > best[0]):
                best = points, found, like
        if best is None:
            return None
        points, found, like = best
        holder, row, joins = table, f"{ROW}{found.quoted}", []
        if (link := table.link_of(found.name)) is not None:
            holder = self.catalog.tables[link.to]
            if labels := self._translations(holder, link.to_columns[-1]):
                words = self.catalog.words(table, found)
                sql, todo = translated(
                    row, found, words, ours, doubtful_words(column.name), labels
                )
                return Value(sql, told_of(found, like), points + TYPE + FILLED, todo)
            label = self._label(holder)
            if label is None:
                return None
            name = self._alias(holder, {alias})
            condition = self._on(ROW, table, link, f"{name}.")
            joins = [Join(name, holder.relation, condition)]
            found, row = label, f"{name}.{label.quoted}"
        words = self.catalog.words(holder, found)
        known = _known_words(ours, column)
        is_doubtful = points < LEAST and found.family != "integer"
        if is_doubtful and words and not any(snake(word) in known for word in words):
            # the state of an address
            return None
        sql, todo = translated(row, found, words, ours, doubtful_words(column.name))
        return Value(sql, told_of(found, like), points + TYPE + FILLED, todo, joins=joins)

    def _translations(self, holder: Table, key: str) -> dict[str, str]:
        """Return the words of a lookup table that has none itself, from one with languages."""
        if self._first(holder, evidence()["labels"]):
            return {}
        for table in self.catalog.tables.values():
            label = self._first(table, evidence()["labels"])
            for link in table.links:
                is_named = one_of(table.name).startswith(f"{one_of(holder.name)}_")
                is_of_it = (link.to, link.to_columns) == (holder.relation, (key,))
                if label and is_named and is_of_it:
                    return self.catalog.labels(table, link.columns[-1], label)
        return {}

    def _label(self, holder: Table) -> Column | None:
        """Return the column of a lookup table that holds its word."""
        known = self._first(holder, evidence()["labels"])
        texts = (c for c in holder.columns.values() if c.family in ("text", "enum"))
        return known or next(texts, None)

    def _zone(self) -> Value:
        if self.zone:
            return Value(f"'{self.zone}'", "from --time-zone", GUESS)
        return Value("'UTC'", "no column found", GUESS, ZONE_OF_BUSINESS)

    def _one_for_each_business(self, given: Input) -> None:
        """Give each business one row of an entity that has no table."""
        business = self.contract[self._tenants]
        given.table = self.tables.get(business.name)
        given.alias = business.name
        given.reason = f"no table looks like {given.entity.name}, so each business has one"
        for name in given.entity.columns:
            value = None
            if name == given.entity.key:
                value = Value("'main'", "the only one", CERTAIN, type="text")
            elif name == given.entity.tenant and given.table:
                value = self._key(business)
            elif name == given.entity.tenant:
                value = Value("1", "one business", CERTAIN, type="integer")
            given.values[name] = value
        self._cast_ids(given)

    def _one_business(self, given: Input) -> None:
        """Give the single tenant of a database that holds one business."""
        given.reason = "no table lists several businesses, so the database holds one"
        named, whose = snake(self.catalog.database), "database"
        anchor = self.tables[self.anchor].schema if self.anchor in self.tables else "public"
        if anchor != "public":
            named, whose = snake(anchor), "schema"
        sayings: dict[str, Value | None] = {
            "_id": self._the_one(),
            "_slug": Value(f"'{named.replace('_', '-')}'", f"from the {whose}'s name", LIKELY),
            "_name": Value(
                f"'{named.replace('_', ' ').title()}'", f"from the {whose}'s name", LIKELY
            ),
            "time_zone": self._zone(),
            "is_active": Value("true", "the only business", CERTAIN),
        }
        for name in given.entity.columns:
            given.values[name] = next(
                (value for end, value in sayings.items() if name.endswith(end)), None
            )

    def _the_one(self) -> Value:
        """Give the key of the only business, with a question if there may be several."""
        if shared := self._shared():
            return Value(
                "1",
                "one business",
                GUESS,
                shared,
                type="integer",
            )
        return Value("1", "one business; no table suggests several", LIKELY, type="integer")

    def _shared(self) -> str:
        """Ask whether something under a name that we do not know is a business, or ''.

        That is an unused table that the customers and another input link to, one named like
        businesses that orders of shared customers link to, or a column.
        """
        chosen = {table.relation for table in self.tables.values()}
        people = self.tables.get("customers")
        if people is None:
            return ""
        linked = [
            link.to.replace('"', "")
            for link in people.links
            if link.to not in chosen
            and self._is_filled(people, link.columns[-1])
            and not self._is_own(people, link)
            # 0: never analyzed
            and self.catalog.tables[link.to].estimate != 1
            and any(
                other.to == link.to
                for table in self.tables.values()
                if table is not people
                for other in table.links
            )
        ]
        again = f"a business of its own? If so, init again with --table {self._tenants}="
        if linked:
            named = " or ".join(dict.fromkeys(linked))
            return f"several tables link to {named}: is each of its rows {again}{linked[0]}"
        synonyms = evidence()["tables"][self.system][self._tenants]
        for link in self.tables[self.anchor].links:
            there = self.catalog.tables[link.to]
            is_named = rank_of_table(there, synonyms, self.catalog)[0] is not None
            if is_named and there.probed > 1 and link.to not in chosen:
                return f"{self.anchor} link to {link.to}: is each of its rows {again}{link.to}"
        marked = " and ".join(self._marked(people))
        return marked and (
            f"customers and {self.anchor} have {marked}: is each of its values a business of"
            " its own? If so, use it as the tenant in every input"
        )

    def _marked(self, people: Table) -> list[str]:
        """Return columns of customers and orders that name a business without a table."""
        anchor = self.tables[self.anchor]
        synonyms = evidence()["tables"][self.system][self._tenants]
        found = []
        for column in people.columns.values():
            name = snake(column.name)
            if (
                column.name in anchor.columns
                and singular(key_stem(name) or name) in synonyms
                and not people.link_of(column.name)
            ):
                words = self.catalog.words(people, column)
                if words is None or len(words) > 1:
                    found.append(column.name)
        return found

    # customers who have no table of their own

    def _person(self, table: Table, people: Table) -> Value | None:
        """Return the customer of a row, from the rows that list its people."""
        anchor = self.tables[self.anchor]
        back = next((way[0] for way in self._paths(people, anchor) if not way[1:]), None)
        if back is None or self.people_by is None:
            return None
        name, changed = "people", "those"
        if table is anchor:
            own = {to: f"{ROW}{anchor.columns[to].quoted}" for to in back.to_columns}
        else:
            way = next((w[0] for w in self._paths(table, anchor) if not w[1:]), None)
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
            f"(\n    select min(lower({name}.{self.people_by.quoted}))\n"
            f"    from {FROM}{people.relation}{TO} as {name}\n    where {condition}\n)",
            f"{people.relation}.{self.people_by.name}: no table has one row per customer",
            LIKELY,
            "if a row has several people, the first in the alphabet counts: is that right?",
            type="text",
            # if a person is added or removed, the row may belong to another one
            behind=[Join(changed, people.relation, of_changed)],
        )

    def _people(self, given: Input) -> None:
        """Group the rows with the same e-mail address into one customer."""
        key = given.values.get(given.entity.key or "")
        tenant = given.values.get(given.entity.tenant)
        if key is None or self.people_by is None:
            return
        given.where.append(
            (f"{ROW}{self.people_by.quoted} is not null", "rows without it name no customer")
        )
        for name, value in given.values.items():
            if value and name not in (given.entity.key, given.entity.tenant):
                function = "min" if name == "created_at" else "max"
                if given.entity.columns[name].type == "boolean":
                    function = "bool_and"
                value.sql = f"{function}({value.sql})"
        given.group_by = [key.sql]
        if tenant and (ROW in tenant.sql or tenant.joins):
            given.group_by.insert(0, tenant.sql)

    # small helpers

    def _exact(self, table: Table, name: str) -> Column | None:
        return next((c for c in table.columns.values() if snake(c.name) == name), None)

    def _first(self, table: Table, names: Sequence[str]) -> Column | None:
        found = (self._exact(table, name) for name in names)
        return next((column for column in found if column), None)

    def _cast_ids(self, given: Input) -> None:
        """Cast ids to the type of their setting."""
        types = self.types()
        for name, value in given.values.items():
            var = given.entity.columns[name].type_var
            if value and var and value.type and value.type != types[var]:
                value.sql = f"{value.sql}::{types[var]}"
                value.type = types[var]


def _known_words(ours: dict[str, list[str]], column: Wanted) -> set[str]:
    """Return the words of a status that we know, in snake case."""
    doubtful = doubtful_words(column.name)
    likes = [like for likes in [*ours.values(), *doubtful.values()] for like in likes]
    return {*likes, *map(snake, ours)}


def _moment(
    proposal: Proposal, child: Table, name: str, known: dict[str, Any]
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
    converted = convert(column, wanted, proposal.zone)
    if converted is None:
        return None
    moment = converted[0].replace(ROW, f"{name}.")
    return (
        f"case when bool_and({name}.{column.quoted} is not null) then max({moment}) end",
        f"{told_of(column)}; the latest, once all rows have one",
        converted[1],
    )
