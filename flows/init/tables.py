"""Which table holds the rows of which input, and how tables are linked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from flows.init.catalog import Column, Link, Table
from flows.init.columns import HALF, MANY, Columns
from flows.init.contract import Entity, singular
from flows.init.links import MOST
from flows.init.names import (
    evidence,
    is_copy,
    key_stem,
    one_of,
    own_snake,
    rank_of_table,
    snake,
    words_of,
)
from flows.progress import count_of

# points of a table: for its name, its columns, its link to the system's main table; the
# least that a table needs
TABLE_NAME, TABLE_COLUMNS, TABLE_LINK, TABLE_ENOUGH = 60, 20, 20, 50
# points that another schema, a view and a table without rows cost
ELSEWHERE, VIEW, NO_ROWS = 15, 10, 20
# of copies, those with so many points less are as good
NEAR = 10
# how many schemas a question names
MOST_COPIES = 3
# how many foreign keys may lie between a row and a value; one more to its business
FARTHEST = 2


class Tables:
    """The tables of one system, chosen by points."""

    def __init__(
        self,
        columns: Columns,
        system: str,
        contract: dict[str, Entity],
        named: Mapping[str, Table | None],
    ) -> None:
        self.catalog = columns.catalog
        self.columns = columns
        self.system = system
        self.contract = contract
        # tables that --table names, by input; None: there is no such table
        self.named = named
        self.through: dict[str, str] = evidence()["written_through"]
        # by input
        self.chosen: dict[str, Table] = {}
        self.reasons: dict[str, str] = {}
        # what to ask about a column that seems to lead to a named table, by input and column
        self.asked_links: dict[tuple[str, str], str] = {}
        # the e-mail column that identifies customers who have no table
        self.people_by: Column | None = None
        self._choose()

    @property
    def anchor(self) -> str:
        """The system's main entity."""
        return str(evidence()["systems"][self.system][0])

    @property
    def missing(self) -> list[str]:
        """The tables that the system needs and that were not found."""
        return [name for name in evidence()["systems"][self.system] if name not in self.chosen]

    def is_bill_of(self, rows: Table) -> bool:
        """Return whether the main table has the bills of other rows, such as bookings."""
        anchor = self.chosen.get(self.anchor)
        if anchor is None or anchor is rows or self.anchor in self.named:
            return False
        bills = evidence()["clear_in"]["order_status"]["tables"]
        return rank_of_table(anchor, bills, self.catalog)[0] is not None and any(
            link.to == rows.relation and self.columns.is_filled(anchor, link.columns[-1])
            for link in anchor.links
        )

    @property
    def is_loose(self) -> bool:
        """Whether nothing in the main table tells the customer."""
        anchor, people = (self.chosen.get(name) for name in (self.anchor, "customers"))
        if anchor is None or people is None or anchor is people or self.people_by:
            return False
        is_named = {self.anchor, "customers"} & {*self.named}
        return not is_named and not self.paths(anchor, people)

    def _choose(self) -> None:
        names: dict[str, list[str]] = evidence()["tables"][self.system]
        self.chosen = {name: table for name, table in self.named.items() if table}
        self.reasons = dict.fromkeys(self.chosen, "named by --table")
        for name in [name for name in names if name not in self.named]:
            if name != self.anchor and self.anchor not in self.chosen:
                return
            found = []
            for table in self.catalog.tables.values():
                if table in self.chosen.values():
                    continue
                points, reason = self._points(name, names[name], table)
                if name == "customers" and self._is_above(table, names[name]):
                    points -= TABLE_LINK
                if points >= TABLE_ENOUGH:
                    found.append((points, table, reason))
            if found:
                most, best, _ = max(found, key=lambda one: one[0])
                # of copies in several schemas, one whose foreign keys are declared (a backup
                # or a history has none), then the one with the most rows
                _, self.chosen[name], self.reasons[name] = max(
                    (
                        one
                        for one in found
                        if one[1] is best or (is_copy(best, one[1]) and most - one[0] < NEAR)
                    ),
                    key=lambda one: (
                        any(link.is_declared for link in one[1].links),
                        one[1].size,
                        one[0],
                    ),
                )
            elif name == "customers":
                self._choose_addresses()
        self._link_named()
        customers = self.chosen.get("customers")
        anchor = self.chosen.get(self.anchor)
        self._choose_members()
        if (
            customers
            and anchor
            and customers is not anchor
            and not self.paths(anchor, customers)
            and self.paths(customers, anchor)
        ):
            self.people_by = self.columns.email(customers)

    def _link_named(self) -> None:
        """Link other tables to one that a person has named, by columns named for its key.

        The names alone are no evidence, so the rows must bear them out.
        """
        for name, there in self.named.items():
            wanted = self.contract[name].key
            if there is None or wanted is None or len(there.key) != 1:
                continue
            key = there.columns[there.key[0]]
            for entity, table in self.chosen.items():
                if wanted not in self.contract[entity].columns or self.paths(table, there, 1):
                    continue
                for like in self.columns.names(entity, self.contract[entity].columns[wanted]):
                    own = self.columns.exact(table, like)
                    if own is None or table is there or own.family != key.family:
                        continue
                    share = self.catalog.share_found(table, own, there, key, ("", "0"))
                    if share is not None and share >= MOST:
                        link = Link((own.name,), there.relation, there.key, is_declared=False)
                        table.links.append(link)
                    elif share:
                        self.asked_links[entity, wanted] = (
                            f"{share * 100:.0f} % of the values of {own.name} are keys of"
                            f" {there.relation}: is it the link?"
                        )

    def _choose_addresses(self) -> None:
        """Without a table of customers, take the addresses or phones of those who ordered."""
        anchor = self.chosen[self.anchor]
        names = [*evidence()["addresses"], *evidence()["phones"]]
        found = [
            column
            for column in (self.columns.exact(anchor, name) for name in names)
            if column and column.family == "text" and column.filled != 0
        ]
        sure = (column for column in found if self.columns.is_filled(anchor, column.name))
        self.people_by = next(sure, None) or max(
            found, key=lambda column: column.filled or 0, default=None
        )
        if self.people_by:
            self.chosen["customers"] = anchor
            self.reasons["customers"] = "no table lists customers, so each address is one"
            if key_stem(snake(self.people_by.name)) or "phone" in words_of(
                self.people_by.name
            ):
                self.reasons["customers"] = "no table lists customers, so each number is one"

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
        fitting = [column for column in wanted if self.columns.plain(name, table, column)]
        if name == self.anchor and not fitting:
            # a matching name alone does not switch a system on
            return 0, ""
        telling = evidence()["telling"].get(name, [])
        if telling and rank and not any(column.name in telling for column in fitting):
            # any shop has customers
            return 0, ""
        points += TABLE_COLUMNS * len(fitting) / len(wanted) if wanted else 0
        reasons = [f"{said} {synonyms[rank]}"]
        if fitting:
            reasons.append(f"has {len(fitting)} of {len(wanted)} expected columns")
        linked = self._linked(name, table)
        if name == "customers" and self._is_far(table):
            # the order's own address is nearer than the owner of what was ordered
            return 0, ""
        if linked:
            points += TABLE_LINK
            reasons.append(linked)
        elif self.anchor in self.chosen and name in self._only_linked:
            # without a link, no row of it belongs to anything
            return 0, ""
        elif name == "customers":
            points -= TABLE_LINK
        return points - self._cost(table), ", ".join(reasons)

    def _is_far(self, table: Table) -> bool:
        """Return whether orders lead to a table by what they share, and have an address each.

        Not by a cart, which each order has for itself.
        """
        anchor = self.chosen[self.anchor]
        ways = self.paths(anchor, table)
        is_behind = ways and ways[0][1:] and not self._is_own(anchor, ways[0][0])
        return bool(is_behind and self.columns.email(anchor))

    def _cost(self, table: Table) -> int:
        """Return the points that it costs to be a view, without rows, or elsewhere."""
        anchor = self.chosen.get(self.anchor)
        is_far = anchor is not None and anchor.schema != table.schema
        is_empty = not (table.probed or table.hides_rows) and self.catalog.has_rows
        return VIEW * table.is_view + NO_ROWS * is_empty + ELSEWHERE * is_far

    def _rank_of_links(self, table: Table, synonyms: Sequence[str]) -> int | None:
        """Return which synonym the main table's links have for a table: customer_id."""
        anchor = self.chosen.get(self.anchor)
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
        businesses = self.chosen.get(self.tenants)
        is_beside = name not in ("sales_reps", "locations")
        if businesses and not is_beside and not self.paths(table, businesses, FARTHEST + 1):
            # without its business, a row would be left out
            return ""
        found = list(self.chosen.items())
        if is_tenant:
            # only a link from these shows that each belongs to a business
            hang_on = ("customers", "users", "accounts")
            found = [pair for pair in found if pair[0] in hang_on]
        for entity, there in found:
            if is_tenant and entity == "users" and self._members(there, table):
                return f"a table of members links {entity} to it"
            ways = self.ways(name, there, table)
            if is_tenant:
                ways = [
                    way
                    for way in ways
                    if not self.sparse(there, way)
                    # a row for each customer is a part of the customer
                    and (entity != "customers" or way[1:] or not self._is_own(there, way[0]))
                ]
            if ways:
                return f"{entity} link to it"
            if not is_tenant and is_beside and self.paths(table, there):
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

    def ways(self, name: str, table: Table, target: Table) -> list[list[Link]]:
        """Return the paths of links from a table to that of an entity."""
        # a payment may be that of an invoice of a booking
        is_far = name == self.tenants or (
            name == "customers" and table is self.chosen.get("payments")
        )
        ways = self.paths(table, target, FARTHEST + is_far)
        if name == "customers":
            # a doctor and a patient may be rows of one table
            others = self.paths(table, target, FARTHEST + is_far, is_of_staff)
            return others or ways
        if name != "sales_reps":
            return ways
        # a column that each customer has for itself is its own login
        return [
            way
            for way in ways
            if not self._is_own(self.catalog.tables[way[-2].to] if way[1:] else table, way[-1])
        ]

    def sparse(self, table: Table, way: list[Link]) -> tuple[Table, Column] | None:
        """Return the first column on a path of links that many rows lack."""
        at = [table, *(self.catalog.tables[link.to] for link in way)]
        return next(
            (
                (there, there.columns[link.columns[-1]])
                for there, link in zip(at, way, strict=False)
                if not self.columns.is_filled(there, link.columns[-1])
            ),
            None,
        )

    def _is_own(self, table: Table, link: Link) -> bool:
        """Return whether most rows have a row of another table for themselves."""
        own = link.columns[-1]
        return own in table.unique or (self.columns.distinct(table, own) or 0) > HALF

    @cached_property
    def copies(self) -> dict[str, dict[str, Table]]:
        """Copies with rows of the main table and others beside it, by schema and input.

        The schemas of several services may share a table, but not the main one. If a person
        has named it, nothing is open.
        """
        anchor = self.chosen.get(self.anchor)
        if anchor is None or self.anchor in self.named:
            return {}
        found: dict[str, dict[str, Table]] = {}
        for name, table in self.chosen.items():
            for other in self.catalog.tables.values():
                has_rows = other.size or other.hides_rows or not table.size
                if has_rows and not other.is_view and is_copy(table, other):
                    found.setdefault(other.schema, {})[name] = other
        return {schema: tables for schema, tables in found.items() if self.anchor in tables}

    @cached_property
    def asked_of_copies(self) -> str:
        """What to ask about copies, which may be a backup or other businesses; or ''."""
        copies, name = self.copies, self.anchor
        if not copies:
            return ""
        taken = self.chosen[name]
        schemas = sorted(copies, key=lambda schema: -copies[schema][name].size)
        counted = [f"{schema} ({_rows(copies[schema][name])})" for schema in schemas]
        if len(counted) > MOST_COPIES:
            counted = [*counted[:MOST_COPIES], f"{len(counted) - MOST_COPIES} more"]
        tables = " ".join(
            f"--table {one}={other.schema}.{other.name}"
            for one, other in copies[schemas[0]].items()
        )
        businesses = evidence()["tables"][self.system][self.tenants]
        listed = [
            other.relation
            for other in self.catalog.tables.values()
            if other.probed > 1
            and other.schema not in {*copies, taken.schema}
            and rank_of_table(other, businesses, self.catalog)[0] is not None
        ]
        by = f" ({' or '.join(listed)} may list them)" if listed else ""
        return (
            f"{taken.relation} ({_rows(taken)}) is used, but the same table is also in"
            f" {' and '.join(counted)}. If it is the wrong one, init again with {tables}. If"
            f" each schema is a business of its own{by}, init a project for each, with a"
            " schema_prefix of its own"
        )

    @property
    def _only_linked(self) -> tuple[str, ...]:
        """The entities whose tables must be linked with those found before."""
        return (self.tenants, "sales_reps", "locations", "engagements")

    def _choose_members(self) -> None:
        """Take the members of businesses as the users if these belong to none."""
        users, businesses = (self.chosen.get(name) for name in ("users", self.tenants))
        if users is None or businesses is None or "users" in self.named:
            return
        members = self._members(users, businesses)
        if members and not self.paths(users, businesses, FARTHEST + 1):
            self.chosen["users"] = members
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
        anchor = self.chosen.get(self.anchor)
        others = [self.catalog.tables[link.to] for link in anchor.links] if anchor else []
        return any(
            table.probed * MANY <= other.probed
            and any(link.to == table.relation for link in other.links)
            and rank_of_table(other, people, self.catalog)[0] is not None
            for other in others
            if other is not table
        )

    def paths(
        self,
        table: Table,
        target: Table,
        most: int = FARTHEST,
        without: Callable[[Link], bool] = lambda _: False,
    ) -> list[list[Link]]:
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
                    and not without(link)
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
            if name not in {*self.chosen, *self.through, *evidence()["seldom"]}
            and entity.key != entity.tenant
        ]

    @property
    def tenants(self) -> str:
        """The entity whose rows are the tenants."""
        return next(name for name, e in self.contract.items() if e.key == e.tenant)

    def alias(self, table: Table, taken: Iterable[str]) -> str:
        """Return the alias of a table in a query."""
        for entity, there in self.chosen.items():
            if there is table and entity not in taken:
                return entity
        name = own_snake(table.name)
        while name in taken:
            name += "_too"
        return f'"{name}"' if name in self.catalog.reserved or name[0].isdigit() else name

    def hidden(self) -> list[Table]:
        """Return the used tables, and those named like businesses, with hidden rows."""
        businesses = evidence()["tables"][self.system][self.tenants]
        return [
            table
            for table in self.catalog.tables.values()
            if table.hides_rows
            and (
                table in self.chosen.values()
                or rank_of_table(table, businesses, self.catalog)[0] is not None
            )
        ]

    def is_one_business(self) -> bool:
        """Return whether nothing suggests that there are several businesses."""
        return not (self.shared() or self.copies or self.hidden())

    def condition(self, row: str, table: Table, link: Link, other: str) -> str:
        """Return the condition of a link; row and other stand before the columns."""
        there = self.catalog.tables[link.to]
        casts = [""] * (len(link.columns) - 1) + ["::text" if link.is_cast else ""]
        return " and ".join(
            f"{row}{table.columns[own].quoted}{cast} = {other}{there.columns[to].quoted}{cast}"
            for own, to, cast in zip(link.columns, link.to_columns, casts, strict=True)
        )

    def shared(self) -> str:
        """Ask whether something under a name that we do not know is a business, or ''.

        That is an unused table that the customers and another input link to, one named like
        businesses that orders of shared customers link to, or a column.
        """
        chosen = {table.relation for table in self.chosen.values()}
        people = self.chosen.get("customers")
        if people is None:
            return ""
        elsewhere = set(evidence()["no_business"])

        def is_by_people(link: Link) -> bool:
            return link.to == people.relation

        linked = [
            link.to.replace('"', "")
            for link in people.links
            if link.to not in chosen
            and self.columns.is_filled(people, link.columns[-1])
            and not self._is_own(people, link)
            and not elsewhere & {*words_of(one_of(self.catalog.tables[link.to].name))}
            # 0: never analyzed
            and self.catalog.tables[link.to].estimate != 1
            and any(
                # a booking is of a session, which is of a class, which is of a gym
                self.paths(table, self.catalog.tables[link.to], FARTHEST + 1, is_by_people)
                for table in self.chosen.values()
                if table is not people
            )
        ]
        again = f"a business of its own? If so, init again with --table {self.tenants}="
        if linked:
            named = " or ".join(dict.fromkeys(linked))
            return f"several tables link to {named}: is each of its rows {again}{linked[0]}"
        synonyms = evidence()["tables"][self.system][self.tenants]
        anchor = self.chosen[self.anchor]
        for there in self.catalog.tables.values():
            is_named = rank_of_table(there, synonyms, self.catalog)[0] is not None
            if (
                is_named
                and (there.probed > 1 or there.hides_rows)
                and any(
                    way[0].to != people.relation
                    and anchor.columns[way[0].columns[-1]].filled != 0
                    for way in self.paths(anchor, there)
                    if there.relation not in chosen
                )
            ):
                to = there.relation
                asked = f"{self.anchor} link to {to}: is each of its rows {again}{to}"
                if not self.paths(people, there, FARTHEST + 1):
                    asked += (
                        f"; no column of {people.relation} leads there, so say in the input of"
                        " customers where each belongs: without it, they are left out"
                    )
                return asked
        marked = " and ".join(self._marked(people))
        return marked and (
            f"customers and {self.anchor} have {marked}: is each of its values a business of"
            " its own? If so, use it as the tenant in every input"
        )

    def _marked(self, people: Table) -> list[str]:
        """Return columns of customers and orders that name a business without a table."""
        anchor = self.chosen[self.anchor]
        synonyms = evidence()["tables"][self.system][self.tenants]
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


def is_of_staff(link: Link) -> bool:
    """Return whether a link is named after who works on a row: doctor_id, created_by."""
    members = [key_stem(name) for name in evidence()["columns"]["team_member_id"]]
    own = snake(link.columns[-1])
    stem = key_stem(own) or own
    return any(
        stem == one or stem.endswith(f"_{one}") for one in [*members, *evidence()["staff"]]
    )


def _rows(table: Table) -> str:
    return "rows hidden" if table.hides_rows else count_of(table.size, "row")
