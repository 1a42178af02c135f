"""Match tables and columns of an application with our inputs, by points.

evidence.yml says what names mean, the contract of the inputs what they need; the modules here
only compare: Tables chooses tables, Columns, References and Statuses find their values, and
Proposal puts the inputs together. Every proposed value says why it was chosen, and how sure
that is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flows.init.catalog import TIMES, Catalog, Column, Table
from flows.init.columns import FEW_WORDS, HALF, Columns
from flows.init.contract import Entity, Wanted, our_settings
from flows.init.links import MOST
from flows.init.names import (
    LEAST,
    evidence,
    is_part,
    is_past,
    key_stem,
    may_be_answer,
    name_points,
    one_of,
    own_snake,
    rank_of_table,
    snake,
    without_time,
    words_of,
)
from flows.init.references import References
from flows.init.statuses import NO_STATUS, Statuses
from flows.init.tables import Tables
from flows.init.values import (
    CERTAIN,
    FROM,
    GUESS,
    LIKELY,
    ROW,
    Input,
    Value,
    as_lookups,
    asked_of_all,
    bare_value,
    columns_of_row,
    convert,
    counted,
    first_number,
    in_lines,
    quoted_words,
    relations_of,
    told_of,
)

# columns and values that a question names
MOST_NAMED, SHOWN = 10, 4
# the share of dates in the future that may be mistakes
A_FEW_WRONG = 0.01
# types of periods, which have a beginning
RANGES = ("tstzrange", "tsrange", "daterange")
# what may use the column that answers a question
NO_ANSWERS = ("updated_at", "created_at")
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
        self.contract = contract
        self.columns = Columns(catalog, zone)
        self.tables = Tables(self.columns, system, contract, named)
        self.references = References(self.tables)
        self.statuses = Statuses(self.tables)

    def inputs(self) -> list[Input]:
        """Return all inputs of the system."""
        return [self._input(entity) for entity in self.contract.values()]

    def types(self) -> dict[str, str]:
        """Return the type of each id by the name of its setting."""
        types: dict[str, set[str]] = {}
        for entity in self.contract.values():
            if entity.name in self.tables.through or entity.key is None:
                continue
            var = entity.columns[entity.key].type_var
            key = self.references.key(entity)
            if key:
                types.setdefault(var, set()).add(key.type)
                there = self.tables.chosen[entity.name]
                if any(
                    link.is_cast and link.to == there.relation
                    for table in self.tables.chosen.values()
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
        is_written = entity.name in self.tables.through
        name = self.tables.through.get(entity.name, entity.name)
        table = self.tables.chosen.get(name)
        alias = name
        given = Input(entity, table, alias, self.tables.reasons.get(name, ""))
        if table is None:
            if entity.key == entity.tenant:
                self._one_business(given)
            elif self.references.is_needed(entity):
                self._one_for_each_business(given)
            return given
        for column in entity.columns.values():
            if is_written and column.is_optional:
                # the write-back can update only a plain column
                given.values[column.name] = self._written(given, table, column)
            else:
                given.values[column.name] = self._value(entity, table, alias, column)
        self._cast_ids(given)
        self._doubt_moments(given)
        self._fill_newest(given, table)
        self._leave_out_deleted(given, table)
        if is_written:
            as_lookups(given)
        else:
            self._ask(given, table)
        if self.tables.people_by and name == "customers":
            self._people(given)
        self._doubt_hidden(given, table)
        return given

    def _doubt_hidden(self, given: Input, table: Table) -> None:
        """Call nothing certain if row security hides rows that it depends on."""
        for value in given.values.values():
            read = {table.relation, *relations_of(value)} if value else set()
            if value and any(self.catalog.tables[one].hides_rows for one in read):
                value.points = min(value.points, LIKELY)
        if table.hides_rows and given.entity.name not in self.tables.through:
            given.todos.append(
                f"row security hides rows of {table.relation} from this login, so nothing"
                " could be tested: grant it bypassrls, then run init again"
            )

    def _written(self, given: Input, table: Table, column: Wanted) -> Value | None:
        """Return a column that the write-back may overwrite: it is empty or has our words.

        The application may have a column of the same name with a meaning of its own.
        """
        found = self.columns.exact(table, column.name)
        if found is None:
            return None
        ours: dict[str, list[str]] = evidence()["written_words"]
        words = self.catalog.every_word(table, found, FEW_WORDS)
        counted = dict.fromkeys(found.labels, 0) | (words or {})
        if column.name in ours:
            allowed = [*ours[column.name]]
            if column.name == "account_type":
                allowed += our_settings()["protected_account_types"]
            is_ours = set(words or ()) <= {*allowed} and (
                not found.labels or bool({*found.labels} & {*allowed})
            )
            wanted = f"other words than {', '.join(ours[column.name])}"
        else:
            # they are ours if the status beside them is
            beside = evidence()["written_with"]
            status = given.values.get(beside)
            is_ours = not words or bool(status and not status.is_empty)
            wanted = f"values, and {beside} is not ours"
        if words is not None and is_ours and not table.hides_rows:
            value = bare_value(found, CERTAIN)
            value.is_empty = not words
            return value
        if words is None or table.hides_rows:
            wanted = "values that could not be read"
        shown = ", ".join(
            f"{quoted_words([word])}{f' {count}' if count else ''}"
            for word, count in [*counted.items()][:SHOWN]
        )
        given.left_out[column.name] = (
            f"nothing is written there, because {found.name} has {wanted}"
            f"{f' ({shown})' if shown else ''}: may they be overwritten? If so, name it here"
        )
        return None

    def _leave_out_deleted(self, given: Input, table: Table) -> None:
        """Leave deleted rows out; deleted customers are closed, so that their orders count."""
        # updated_at may be the latest of all dates
        used = _used(given, without=("updated_at",))
        closed = given.values.get("is_closed")
        for name in evidence()["deleted"]:
            gone = self.columns.mark(table, name)
            if gone is None or gone.quoted in used:
                continue
            condition = self.columns.is_set(table, gone)
            is_archived = "archived" in words_of(name)
            if condition is None:
                is_written = given.entity.name in self.tables.through
                if gone.is_everywhere and not (is_archived or is_written):
                    given.todos.append(f"{asked_of_all(gone)}, {_without(given, gone)}")
                continue
            if closed:
                if gone.is_nullable and gone.family not in TIMES:
                    condition = f"coalesce({condition}, false)"
                reason = told_of(gone)
                if closed.sql != evidence()["booleans"]["is_closed"]["otherwise"]:
                    condition = f"({closed.sql} or {condition})"
                    reason = f"{closed.reason}; {reason}"
                closed.sql, closed.reason, closed.points = condition, reason, LIKELY
                continue
            is_left = self.columns.is_not_set(table, gone) or ""
            active = given.values.get("is_active")
            if active and given.entity.key == given.entity.tenant:
                # the rows of a business that is left out would be reported, each by itself
                is_alone = active.sql == evidence()["booleans"]["is_active"]["otherwise"]
                active.sql = is_left if is_alone else f"{active.sql} and {is_left}"
                active.reason = f"{'' if is_alone else f'{active.reason}; '}{told_of(gone)}"
                active.points = LIKELY
                continue
            self._leave_out(given, table, gone, is_left, is_archived=is_archived)

    def _leave_out(
        self, given: Input, table: Table, gone: Column, is_left: str, *, is_archived: bool
    ) -> None:
        """Leave deleted rows out, but ask about archived ones, and keep archived accounts."""
        if "archived_at" in given.entity.columns:
            self._archive(given, table, gone)
        elif is_archived:
            # they may be finished, and the history
            given.todos.append(
                f"do archived rows count ({told_of(gone)})? If not, add `where {is_left}`"
            )
        else:
            given.where.append(
                (is_left, f"{told_of(gone)}; if it is set, the row counts as deleted")
            )

    def _archive(self, given: Input, table: Table, gone: Column) -> None:
        """Let deleted rows be archived, so that what belongs to them is not left out."""
        column, known = given.entity.columns["archived_at"], given.values.get("archived_at")
        converted, points = convert(gone, column, self.columns.zone), LIKELY
        moments = [given.values.get(name) for name in ("updated_at", "created_at")]
        changed = next((one for one in moments if one and not one.is_empty), None)
        if converted:
            sql, asked, *_ = converted
        elif changed:
            # a flag
            is_gone, points = self.columns.is_set(table, gone), GUESS
            sql = f"case when {is_gone} then {changed.sql} end"
            asked = f"{gone.name} does not say when: is it {changed.reason.partition(':')[0]}?"
        else:
            given.todos.append(
                f"rows with {gone.name} are read like others ({told_of(gone)}): when were they"
                " archived? Return that as archived_at"
            )
            return
        if known:
            known.sql, known.points = f"coalesce({known.sql}, {sql})", points
            known.reason += f"; else {told_of(gone)}"
            known.todo = f"{known.todo} {asked}".strip()
        else:
            given.values["archived_at"] = Value(sql, told_of(gone), points, asked)

    def _ask(self, given: Input, table: Table) -> None:
        """Ask about rows and values that only a person can know."""
        entity = given.entity
        # updated_at may be the latest of all dates
        used = _used(given, without=("updated_at",))
        asked = self._may_be_others(entity, table, used)
        anchor = self.tables.anchor
        if entity.name == "customers" and anchor in self.tables.chosen and not asked:
            asked = self._may_be_same(table)
        shared = self._share_shared(table) if entity.key == entity.tenant else None
        if shared is not None and shared < MOST:
            agreed = [
                other.relation
                for other in map(self.catalog.tables.__getitem__, self._links_of_anchor())
                if other.size > 1 and (self._share_shared(other) or 0) >= MOST
            ]
            either = " or ".join(f"--table {entity.name}={one}" for one in [*agreed, "none"])
            asked = (
                f"{anchor} and their customers often name different rows of"
                f" {table.relation}, and such {anchor} would be left out: is each of its rows"
                f" a business of its own? If not, init again with {either}"
            )
        about_copies = self.tables.asked_of_copies if entity.name == anchor else ""
        given.todos += [one for one in (asked, about_copies) if one]
        alike = [
            other.relation
            for other in self.catalog.tables.values()
            if entity.name in evidence()["kinds"]["inputs"]
            and other.probed
            and not other.is_view
            and is_part(table, other)
        ]
        if alike:
            given.todos.append(
                f"are the rows of {', '.join(alike)} {entity.name}, too? They have nearly the"
                " same columns. If so, read them as well, with `union all`"
            )
        self._ask_other_types(given, table)
        if "refunded_cents" in given.values and not given.values["refunded_cents"]:
            self._ask_refunds(given, table)
        for name, value in given.values.items():
            column = entity.columns[name]
            if value is None and not column.is_optional:
                # when a row was created may be when it was ordered
                left = used if name == "delivered_at" else _used(given, without=NO_ANSWERS)
                given.candidates[name] = self._candidates(entity, table, column, left)
                if name == "delivered_at" and not given.candidates[name]:
                    # the next best date
                    ordered = given.values.get("ordered_at")
                    own = ordered.reason.partition(":")[0] if ordered else ""
                    given.candidates[name] = [own] if own in table.columns else []
            elif value and not column.is_optional:
                is_constant = value.sql.startswith("'")
                others = self._inside(entity, table, column) if is_constant else []
                if value.reason.startswith(NO_STATUS):
                    others += self._in_history(table)
                asked = f"or is it {' or '.join(others)}?" if others else ""
                value.todo = f"{value.todo} {asked}".strip()

    def _may_be_same(self, people: Table) -> str:
        """Ask what tells who ordered if nearly every order has a customer of its own."""
        anchor = self.tables.chosen[self.tables.anchor]
        ways = self.tables.paths(anchor, people, 1)
        if not ways or (self.columns.distinct(anchor, ways[0][0].columns[-1]) or 0) < MOST:
            return ""
        emails = evidence()["columns"]["email_address"]
        said = " or ".join(
            column.name
            for column in people.columns.values()
            if (key_stem(snake(column.name)) or snake(column.name) in emails)
            and not people.link_of(column.name)
            and 0 < (self.columns.distinct(people, column.name) or 1) < MOST
        )
        return (
            f"nearly all {self.tables.anchor} have a customer row of their own: does {said}"
            " say which rows are the same customer?"
            if said
            else ""
        )

    def _links_of_anchor(self) -> list[str]:
        """Return the tables that the rows of the main table link to, without their people."""
        anchor = self.tables.chosen[self.tables.anchor]
        people = self.tables.chosen.get("customers")
        return list(
            dict.fromkeys(
                link.to for link in anchor.links if not people or link.to != people.relation
            )
        )

    def _share_shared(self, tenants: Table) -> float | None:
        """Return the share of orders that are of the same tenant as their customers."""
        anchor, people = (
            self.tables.chosen.get(self.tables.anchor),
            self.tables.chosen.get("customers"),
        )
        if anchor is None or people is None:
            return None
        ways = (
            self.tables.paths(anchor, people, 1),
            self.tables.paths(anchor, tenants, 1),
            self.tables.paths(people, tenants, 1),
        )
        if not all(ways):
            return None
        to_people, own, theirs = (way[0][0] for way in ways)
        return self.catalog.share_same(anchor, own.columns[-1], to_people, theirs.columns[-1])

    def _doubt_moments(self, given: Input) -> None:
        """Doubt a delivery that is only planned, and an order that begins when it ends."""
        placed = ("SUBMITTED", "CONFIRMED")
        self._doubt_moment(
            *(given, "delivered_at", "is not null", ("DRAFT", *placed)),
            "orders that are not delivered have it, too: is it only planned?",
            "nearly all have it, and no status says which were delivered: is it a plan?",
        )
        self._doubt_future(given)
        self._doubt_moment(
            *(given, "ordered_at", "is null", (*placed, "SHIPPED")),
            "most orders under way have none: is it when they were completed?",
        )

    def _doubt_future(self, given: Input) -> None:
        """Doubt a delivery that is later than tomorrow in some rows."""
        value = given.values.get("delivered_at")
        if given.table is None or value is None or value.joins or FROM in value.sql:
            return
        if value.points > GUESS and self._share_ahead(given.table, value.sql):
            value.doubt("some dates are in the future: is it only planned?")

    def _share_ahead(self, table: Table, sql: str) -> float:
        """Return the share of moments that are later than tomorrow."""
        moment = sql.replace(ROW, "")
        is_later = f"{moment} > now() + interval '1 day'"
        return self.catalog.share_of(table, is_later, f"{moment} is not null") or 0

    def _doubt_moment(  # noqa: PLR0913, PLR0917 - a date, its test and what to ask
        self,
        given: Input,
        name: str,
        test: str,
        words: Sequence[str],
        asked: str,
        of_unknown: str = "",
    ) -> None:
        """Doubt a date if a test is true of most orders whose status is one of some words.

        of_unknown: what to ask if it is true of nearly all whose status nobody knows.
        """
        value, status = given.values.get(name), given.values.get("order_status")
        if given.table is None or value is None or status is None:
            return
        if value.joins or status.joins or FROM in f"{value.sql}{status.sql}":
            return
        is_so = f"{value.sql} {test}".replace(ROW, "")
        are_these = f"{status.sql} in ({quoted_words(words)})".replace(ROW, "")
        share = self.catalog.share_of(given.table, is_so, are_these)
        if share is not None and share > HALF:
            value.doubt(asked)
        elif share is None and of_unknown:
            known = evidence()["words"]["order_status"]
            are_others = f"{status.sql} not in ({quoted_words(known)})".replace(ROW, "")
            if status.reason.startswith(NO_STATUS):
                are_others = "true"
            share = self.catalog.share_of(given.table, is_so, are_others)
            if share is not None and share >= MOST:
                value.doubt(of_unknown)

    def _value(self, entity: Entity, table: Table, alias: str, column: Wanted) -> Value | None:
        """Return the value for a column of an input, or None."""
        if column.name == entity.key:
            return self.references.key(entity)
        if column.name == entity.tenant:
            return self.references.reference(
                table, alias, self.references.entity_of(column), column
            )
        target = self.references.entity_of(column)
        if target and column.type_var:
            found_there = self.references.reference(table, alias, target, column)
            if found_there or entity.name != "customers":
                return found_there
            return self.references.of_last(table, target, column)
        is_status = self.statuses.our_words(entity, column) is not None
        value = (
            self.statuses.words(entity, table, alias, column)
            if is_status
            else self.columns.plain(entity.name, table, column)
        )
        value = value or self.columns.boolean(table, column)
        value = self.columns.filled_up(table, column, value)
        self.columns.doubt_part(table, column, value)
        if value is None or value.points < LIKELY or value.is_empty:
            for other in (
                self.columns.put_together(table, column),
                self.columns.family_name(table, column),
                self.references.behind(entity, table, alias, column),
                self.references.one_key_away(entity, table, alias, column),
                self.statuses.of_table(entity, table, column),
                self._otherwise(entity, table, column),
            ):
                is_weak = value is None or value.points < LIKELY or value.is_empty
                if other and (value is None or (is_weak and other.points >= LIKELY)):
                    value = other
        self.columns.doubt_sparse(table, column, value)
        if value and column.is_optional and value.points < LIKELY:
            return None
        if value:
            self._complete(entity, table, column, value)
        return value

    def _complete(self, entity: Entity, table: Table, column: Wanted, value: Value) -> None:
        """Fill a value up for rows that have none, and ask about what nobody knows."""
        if column.name == "time_zone":
            if not column.is_optional:
                self._fill_zone(table, value)
            self._doubt_zone(table, value)
        elif column.name == "updated_at":
            self._fill_changed(entity, table, value)

    def _fill_changed(self, entity: Entity, table: Table, value: Value) -> None:
        """Let a row that has never changed have its creation, for hourly refreshes."""
        own = table.columns.get(value.reason.partition(":")[0])
        wanted = entity.columns.get("created_at")
        made = self.columns.plain(entity.name, table, wanted) if wanted else None
        if own and made and own.filled not in (None, 1) and made.sql != value.sql:
            value.sql = f"coalesce({value.sql}, {made.sql})"
            value.reason += f"; else {made.reason}"
            value.points = min(value.points, made.points)

    def _doubt_zone(self, table: Table, value: Value) -> None:
        """Ask about time zones of another system, such as those of Rails or Windows."""
        own = table.columns.get(value.reason.partition(":")[0])
        words = self.catalog.words(table, own) if own else None
        unknown = [word for word in words or {} if word and not self.catalog.knows_zone(word)]
        if unknown:
            value.doubt(f"PostgreSQL does not know {quoted_words(unknown[:SHOWN])}")

    def _fill_zone(self, table: Table, value: Value) -> None:
        """Let a business without a time zone of its own have the one of --time-zone."""
        own = value.reason.partition(":")[0]
        if own in table.columns and table.columns[own].filled not in (None, 1):
            zone = self._zone()
            value.sql = f"coalesce(nullif({value.sql}, ''), {zone.sql})"
            value.reason, value.todo = f"{value.reason}; else {zone.reason}", zone.todo
            value.points = min(value.points, zone.points)

    def _otherwise(  # noqa: PLR0911 - the first that fits
        self, entity: Entity, table: Table, column: Wanted
    ) -> Value | None:
        """Return a substitute for a column that was not found."""
        known = evidence()["booleans"].get(column.name)
        if known and column.type == "boolean":
            todo = "" if column.is_optional else self.statuses.may_say(table)
            return Value(known["otherwise"], "no column found, so a constant", 60, todo)
        if column.name == "time_zone" and not column.is_optional:
            return self._zone()
        if column.name == f"{entity.tenant.removesuffix('_id')}_slug":
            named = self.columns.plain(entity.name, table, entity.columns[column.name.replace(
                "_slug", "_name")])  # fmt: skip
            if named:
                return Value(
                    f"lower(replace({named.sql}, ' ', '-'))",
                    f"derived from {named.reason}",
                    LIKELY,
                )
            if key := self.references.key(entity):
                return Value(f"{key.sql}::text", "no name found, so the key", LIKELY)
        if self.statuses.our_words(entity, column) and not column.is_optional:
            told = evidence()["told_by_times"].get(column.name)
            return self.statuses.told_by_times(entity, table, column, told or {})
        if column.name == "location_name" and (key := self.references.key(entity)):
            kind = one_of(table.name).replace("_", " ").capitalize()
            reason = "no column found, so made from the key"
            return Value(f"'{kind} ' || {key.sql}::text", reason, LIKELY)
        return None

    def _fill_newest(self, given: Input, table: Table) -> None:
        """Without a column for the last change, take the latest date of a row that is past."""
        entity, column = given.entity, given.entity.columns.get("updated_at")
        value = given.values.get("updated_at")
        if column is None or entity.name not in evidence()["newest_of_row"]:
            return
        if value and not value.is_empty:
            return
        delivered = given.values.get("delivered_at")
        planned = columns_of_row(
            [delivered] if delivered and delivered.points <= GUESS else []
        )
        deleted = [self.columns.mark(table, name) for name in evidence()["deleted"]]
        times = {
            one.name: converted
            for one in table.columns.values()
            if one.is_time
            and is_past(one.name)
            and one not in deleted
            and one.quoted not in planned
            and (converted := convert(one, column, self.columns.zone))
        }
        ahead = [
            name
            for name, (sql, *_) in times.items()
            if self._share_ahead(table, sql) > A_FEW_WRONG
        ]
        for name in ahead:
            del times[name]
        if times:
            sqls = [converted[0] for converted in times.values()]
            todo = next((asked for _, asked, *_ in times.values() if asked), "")
            if ahead:
                todo += f" without {', '.join(ahead)}, often in the future: is it a plan?"
            sql = sqls[0] if len(sqls) == 1 else f"greatest(\n    {in_lines(sqls)}\n)"
            reason = f"{', '.join(times)}: the latest date in the row"
            given.values["updated_at"] = Value(sql, reason, LIKELY, todo.strip())

    def _inside(self, entity: Entity, table: Table, wanted: Wanted) -> list[str]:
        """Return the keys of documents in a row whose names fit."""
        names = self.columns.names(entity.name, wanted)
        is_time = wanted.type in ("timestamptz", "date")
        return [
            f"{column.name} ->> '{key}'"
            for column in table.columns.values()
            if column.family in ("json", "jsonb")
            for key in self.catalog.keys(table, column)
            if name_points(replace(column, name=key), table, names, is_time=is_time)[0]
            >= LEAST
        ]

    def _logins(self, table: Table) -> list[str]:
        """Return the moments of rows that say when somebody was there, for a question."""
        people = {table.relation, *(link.to for link in table.links)}
        return [
            f"the latest {other.name}.{column.name}"
            for other in self.catalog.tables.values()
            if {"login", "logins", "session", "sessions", "signin"} & {*words_of(other.name)}
            and any(link.to in people for link in other.links)
            for column in other.columns.values()
            if column.is_time and may_be_answer(column) and is_past(column.name)
        ]

    def _ask_other_types(self, given: Input, table: Table) -> None:
        """Ask about a column that has the right name, but another type or other keys."""
        for (of, name), asked in self.tables.asked_links.items():
            if of == given.entity.name and not given.values.get(name):
                if given.entity.columns[name].is_optional:
                    given.left_out[name] = asked
                else:
                    # the column itself stays, without a value
                    given.todos.append(asked)
        for name, value in given.values.items():
            column = given.entity.columns[name]
            found = self.columns.exact(table, name)
            if value or not column.is_optional or column.type_var or name in given.left_out:
                continue
            if found and found.filled and found.family != "boolean":
                words = self.columns.words_in(table, found)
                shown = f": {counted(words)}" if 0 < len(words) <= FEW_WORDS else ""
                given.left_out[name] = (
                    f"{found.name} is {found.type}{shown}: what does it mean?"
                )

    def _ask_refunds(self, given: Input, table: Table) -> None:
        """Ask whether rows of another table say what was paid back."""
        known = evidence()["children"]["refunded_cents"]
        for other in self.catalog.tables.values():
            is_child = any(link.to == table.relation for link in other.links)
            is_named = rank_of_table(other, known["tables"], self.catalog)[0] is not None
            if is_child and is_named and not other.is_view and other.probed:
                amount = first_number(other, known["amount"])
                given.left_out["refunded_cents"] = (
                    f"{other.relation} has rows of these payments: is it the sum of"
                    f" {amount.name if amount else 'their amounts'}, in cents?"
                )
                return

    def _in_history(self, table: Table) -> list[str]:
        """Return the statuses in tables that say what happened to a row, for a question."""
        return [
            f"the newest {other.name}.{column.name}"
            for other in self.catalog.tables.values()
            if {*words_of(other.name)} & {*evidence()["histories"]}
            and any(link.to == table.relation for link in other.links)
            for column in self.columns.like_statuses(other, least=1)[:1]
        ]

    def _candidates(
        self, entity: Entity, table: Table, wanted: Wanted, used: set[str]
    ) -> list[str]:
        """Return the unused columns that may hold a value that was not found, for a question.

        First those with a fitting name, but a type that nothing is known to convert.
        """
        families: tuple[str, ...] = TIMES if wanted.type in ("timestamptz", "date") else ()
        if wanted.type in ("numeric", "bigint"):
            families = ("numeric", "float", "money", "integer")
        if target := self.references.entity_of(wanted):
            return self.references.candidates(table, target)
        found = [
            column.name
            for column in table.columns.values()
            if (column.is_time if families == TIMES else column.family in families)
            and column.quoted not in used
            and column.name not in table.key
            and not table.link_of(column.name)
            and not key_stem(snake(column.name))
            and may_be_answer(column)
            and not (
                families != TIMES
                and column.family == "integer"
                and self.columns.is_set(table, column)
            )
        ]
        names = self.columns.names(entity.name, wanted)
        alike = [
            f"{column.name} ({column.type})"
            for column in table.columns.values()
            if column.name not in found
            and column.quoted not in used
            and name_points(column, table, names, is_time=bool(families == TIMES))[0] >= LEAST
        ]
        found = [*self._inside(entity, table, wanted), *alike, *found]
        if wanted.name == "start_at":
            found += [
                f"lower({column.name})"
                for column in table.columns.values()
                if column.family in RANGES and column.quoted not in used
            ]
        if families != TIMES:
            return found[:MOST_NAMED]
        # the row that this one belongs to, such as the session of a booking
        found += [
            f"{there.name}.{column.name}"
            for there in (
                self.catalog.tables[to]
                for to in dict.fromkeys(link.to for link in table.links)
            )
            if wanted.name == "start_at" and there not in self.tables.chosen.values()
            for column in there.columns.values()
            if column.family in TIMES and may_be_answer(column)
        ]
        if wanted.name == "last_login_at":
            found = self._logins(table) + found
        found = found or self.columns.texts_of_dates(table)
        # a row beside this one, such as its operational data
        of_row = {*evidence()["columns"]["created_at"], *evidence()["columns"]["updated_at"]}
        for other in self.catalog.tables.values():
            if other in self.tables.chosen.values() or other.is_view:
                continue
            is_child = any(link.to == table.relation for link in other.links)
            if is_child or (
                self._is_parcel(other) and self.references.to_parent(other, table, "")
            ):
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

    def _may_be_others(self, entity: Entity, table: Table, used: set[str]) -> str:
        """Ask whether all rows count if a column tells rows of several kinds apart.

        A refund may be a row among the orders, a supplier one among the customers.
        """
        is_of_kinds = entity.name in evidence()["kinds"]["inputs"]
        said = self.columns.kinds(table, used) if is_of_kinds else []
        said += self._cancelled(entity, table, used)
        if not said:
            return ""
        return (
            f"do all rows count as {entity.name.replace('_', ' ')}?"
            f" There are several kinds: {'; '.join(said)}. If not, add a `where`"
        )

    def _cancelled(self, entity: Entity, table: Table, used: set[str]) -> list[str]:
        """Return a status that no column takes, if some of its words mean void or a draft."""
        words = evidence()["words"]["order_status"]
        if any(name.endswith("status") for name in entity.columns):
            return []
        for column in self.columns.like_statuses(table)[:1]:
            there = self.columns.words_in(table, column)
            gone = {*words["CANCELLED"], *words["DRAFT"]} & {snake(word) for word in there}
            if column.quoted not in used and gone and 1 < len(there) <= FEW_WORDS:
                return [f"{column.name} ({counted(there)})"]
        return []

    def _zone(self) -> Value:
        if self.columns.zone:
            return Value(f"'{self.columns.zone}'", "from --time-zone", GUESS)
        return Value("'UTC'", "no column found", GUESS, ZONE_OF_BUSINESS)

    def _one_for_each_business(self, given: Input) -> None:
        """Give each business one row of an entity that has no table."""
        business = self.contract[self.tables.tenants]
        given.table = self.tables.chosen.get(business.name)
        given.alias = business.name
        given.reason = f"no table looks like {given.entity.name}, so each business has one"
        for name in given.entity.columns:
            value = None
            if name == given.entity.key:
                value = Value("'main'", "the only one", CERTAIN, type="text")
            elif name == given.entity.tenant and given.table:
                value = self.references.key(business)
            elif name == given.entity.tenant:
                value = Value("1", "one business", CERTAIN, type="integer")
            given.values[name] = value
        self._cast_ids(given)
        if given.table:
            self._doubt_hidden(given, given.table)

    def _one_business(self, given: Input) -> None:
        """Give the single tenant of a database that holds one business."""
        given.reason = "no table lists several businesses, so the database holds one"
        if self.tables.copies:
            schema = self.tables.chosen[self.tables.anchor].schema
            given.reason = f"taken as one business: the tables of the schema {schema}"
        named, whose = own_snake(self.catalog.database), "database"
        anchor = (
            self.tables.chosen[self.tables.anchor].schema
            if self.tables.anchor in self.tables.chosen
            else "public"
        )
        if anchor != "public":
            named, whose = own_snake(anchor), "schema"
        sayings: dict[str, Value | None] = {
            "_id": self._the_one(),
            "_slug": Value(f"'{named.replace('_', '-')}'", f"from the {whose}'s name", LIKELY),
            "_name": Value(
                f"'{named.replace('_', ' ').title()}'", f"from the {whose}'s name", LIKELY
            ),
            "time_zone": self._zone(),
            "is_active": Value(
                "true",
                "the only business",
                CERTAIN if self.tables.is_one_business() else LIKELY,
            ),
        }
        for name in given.entity.columns:
            given.values[name] = next(
                (value for end, value in sayings.items() if name.endswith(end)), None
            )

    def _the_one(self) -> Value:
        """Give the key of the only business, with a question if there may be several."""
        shared = self.tables.shared()
        if self.tables.is_one_business():
            reason = "one business; no table suggests several"
            return Value("1", reason, LIKELY, type="integer")
        reason = "one business"
        if self.tables.copies:
            reason = "one business, although other schemas have the same tables"
        elif self.tables.hidden() and not shared:
            reason = "one business, although row security may hide others"
        return Value("1", reason, GUESS, shared, type="integer")

    def _people(self, given: Input) -> None:
        """Group the rows with the same e-mail address into one customer."""
        key = given.values.get(given.entity.key or "")
        tenant = given.values.get(given.entity.tenant)
        if key is None or self.tables.people_by is None:
            return
        given.where.append(
            (
                f"{ROW}{self.tables.people_by.quoted} is not null",
                "rows without it name no customer",
            )
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

    def _cast_ids(self, given: Input) -> None:
        """Cast ids to the type of their setting."""
        types = self.types()
        for name, value in given.values.items():
            var = given.entity.columns[name].type_var
            if value and var and value.type and value.type != types[var]:
                value.sql = f"{value.sql}::{types[var]}"
                value.type = types[var]


def _used(given: Input, without: Sequence[str]) -> set[str]:
    """Return the columns of the row that the values of an input use, except some values."""
    return columns_of_row(value for name, value in given.values.items() if name not in without)


def _without(given: Input, gone: Column) -> str:
    """Return how to leave out deleted rows if a later date stands for none."""
    is_left = f"coalesce({gone.quoted} > now(), true)"
    if "is_closed" in given.values:
        return f"return `not {is_left}` as is_closed"
    if given.entity.key == given.entity.tenant:
        return f"return `{is_left}` as is_active"
    return f"add `where {is_left}`"
