"""What the columns of one table say, by their names, types and values."""

from collections.abc import Collection, Sequence

from flows.init.catalog import EARLIEST, TIMES, Catalog, Column, Table
from flows.init.contract import Wanted, singular
from flows.init.links import MOST
from flows.init.names import (
    LEAST,
    evidence,
    is_past,
    name_points,
    no_words,
    snake,
    time_beside,
    without_time,
    words_of,
)
from flows.init.values import (
    CERTAIN,
    EMPTY,
    FILLED,
    GUESS,
    LIKELY,
    ROW,
    Value,
    bare_value,
    convert,
    counted,
    first_number,
    plain_type,
    quoted_words,
    told_of,
)

# as many people may belong to a business, but not to a customer
MANY = 20
# a column with more distinct values is no status and no kind
FEW_WORDS = 12
# dates without which a row counts all the same, although they are required
KEPT = ("ordered_at",)
# a larger share of rows is most of them
HALF = 0.5
# how a text begins that is a date
A_DATE = "^(19|20)[0-9]{2}-?[01][0-9]-?[0-3][0-9]"
# words around the name of a kind or a flag
NO_KIND = ("id", "fk", "is", "rank", "flag", "mode")
# families of columns that hold words
WORDS = ("text", "enum")


class Columns:
    """Finds the column of a table that holds a value of ours."""

    def __init__(self, catalog: Catalog, zone: str | None) -> None:
        self.catalog = catalog
        # the time zone of dates that have none
        self.zone = zone

    def email(self, table: Table) -> Column | None:
        """Return the column with people's e-mail addresses."""
        found = self.first(table, evidence()["addresses"])
        return found if found and found.family == "text" and found.filled != 0 else None

    def is_filled(self, table: Table, name: str) -> bool:
        """Return whether nearly all rows have a value, as far as a probe has seen."""
        share = table.columns[name].filled
        return share is None or share >= MOST

    def distinct(self, table: Table, name: str) -> float | None:
        """Return how many distinct values each row has; None if there are few rows."""
        if table.probed <= MANY:
            return None
        share = self.catalog.share_distinct(table, table.columns[name])
        return 1 if share is None else share

    def plain(self, entity: str, table: Table, column: Wanted) -> Value | None:
        """Return the table's column with the most specific name; of equal ones, by type."""
        names = self.names(entity, column)
        salutations = evidence()["salutations"].get(column.name, [])
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
            if like in salutations and self._is_salutation(table, found, column):
                continue
            # filled before empty, whole names before parts
            order = (found.filled != 0, points >= LEAST, -names.index(like), fit)
            points += fit + (EMPTY if found.filled == 0 else FILLED)
            reason = f"{told_of(found, like)}{note}"
            if found.family == "date":
                sql, more, asked = _with_time(table, found, sql)
                reason, todo = reason + more, f"{todo} {asked}".strip()
            if best_order is None or order > best_order:
                best_order = order
                best = Value(
                    *(sql, reason, points, todo, plain_type(found.type)),
                    is_empty=found.filled == 0,
                )
        return best if best and best.points >= GUESS else None

    def doubt_part(self, table: Table, column: Wanted, value: Value | None) -> None:
        """Ask about a total that may be a part of it: the price of one piece, a subtotal."""
        if value is None or column.name != "total_amount":
            return
        own = value.reason.partition(":")[0]
        known = evidence()["children"]["total_amount"]
        quantity = first_number(table, known["quantity"])
        if snake(own) in known["price"] and quantity:
            value.sql = f"{value.sql} * {ROW}{quantity.quoted}"
            value.reason += f"; times {quantity.name}"
            asked = f"is {own} that of one piece?"
        elif "sub" in words_of(own):
            asked = "a subtotal: are discounts, tax and shipping in it?"
        else:
            return
        value.doubt(asked)

    def doubt_sparse(self, table: Table, column: Wanted, value: Value | None) -> None:
        """Doubt a date that some rows lack if they are then left out, such as a check-in."""
        own = value.reason.partition(":")[0] if value else ""
        is_free = column.is_optional or column.is_nullable or column.name in KEPT
        if value is None or own not in table.columns or is_free or column.type not in TIMES:
            return
        if not self.is_filled(table, own):
            value.doubt("rows without it are left out: is there another date for them?")

    def _is_salutation(self, table: Table, column: Column, wanted: Wanted) -> bool:
        """Return whether a title stands before names: most rows have none, or one of few."""
        if self.put_together(table, wanted) or (column.filled or 1) < HALF:
            return True
        words = self.catalog.words(table, column)
        return words is not None and sum(words.values()) > max(MANY, len(words) / HALF)

    def names(self, entity: str, column: Wanted) -> list[str]:
        """Return the names that a column may have, the most specific first."""
        stem = f"{singular(entity)}_"
        columns = evidence()["columns"]
        listed = columns.get(f"{entity}.{column.name}") or columns.get(column.name, [])
        plain = [column.name]
        if column.name.startswith(stem):
            plain.append(column.name.removeprefix(stem))
        return [*plain, *(name for name in listed if name not in plain)]

    def boolean(self, table: Table, column: Wanted) -> Value | None:
        """Return a yes or no, from a flag of the table that means it or its opposite."""
        known = evidence()["booleans"].get(column.name)
        if column.type != "boolean":
            return None
        known = known or {"says": [column.name], "opposite": [], "otherwise": "false"}
        for key, is_yes in (("says", True), ("opposite", False)):
            for name in known[key]:
                found = self.mark(table, name)
                if found is None:
                    continue
                condition = self.is_set(table, found)
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

    def is_set(self, table: Table, column: Column) -> str | None:
        """Return SQL that says whether a flag is set, or None if the column is no flag.

        A flag is a boolean, a moment, a number or a letter: 1 or Y.
        """
        row = f"{ROW}{column.quoted}"
        if column.family == "boolean":
            return row
        if column.family in TIMES:
            return None if column.is_everywhere else f"{row} is not null"
        if column.family not in ("integer", "text", "bit"):
            return None
        words = self.catalog.words(table, column)
        if column.family == "integer":
            # a large number is a moment
            is_flag = words is None or all(
                word in ("0", "1") or int(word) > EARLIEST for word in words
            )
            return f"{row} != 0" if is_flag else None
        words = words or {}
        meant = evidence()["flags"]
        allowed = meant["yes"] + (meant["beside_n"] if {*words} & {"N", "n"} else [])
        yes = [word for word in words if word.lower() in allowed]
        no = [word.lower() for word in words if word.lower() in meant["no"]]
        if not words or len(yes) + len(no) < len(words):
            return None
        row = f"{row}::text" if column.family == "bit" else row
        # a yes that no row has may be any word
        other = f"lower({row}) not in ({quoted_words(dict.fromkeys([*no_words(), *no]))})"
        return f"{row} in ({quoted_words(yes)})" if yes else other

    def is_not_set(self, table: Table, column: Column) -> str | None:
        """Return SQL that says whether a flag is not set, or None if the column is no flag."""
        condition = self.is_set(table, column)
        if condition is None or column.family in TIMES:
            return condition and f"{ROW}{column.quoted} is null"
        is_bare = column.family == "boolean"
        return f"{condition if is_bare else f'({condition})'} is not true"

    def left(self, table: Table) -> list[tuple[str, str]]:
        """Return conditions for rows that are neither deleted nor cancelled, with columns."""
        cancelled = evidence()["told_by_times"]["order_status"]["CANCELLED"]
        found = [self.mark(table, name) for name in [*evidence()["deleted"], *cancelled]]
        conditions = [
            (self.is_not_set(table, one), one.name)
            for one in {one.name: one for one in found if one}.values()
        ]
        return [(sql, name) for sql, name in conditions if sql]

    def texts_of_dates(self, table: Table) -> list[str]:
        """Return the texts that are dates in all rows, such as 20260131."""
        return [
            f"{column.name} ({column.type})"
            for column in table.columns.values()
            if column.family == "text"
            and self.catalog.share_of(
                table, f"{column.quoted} ~ '{A_DATE}'", f"{column.quoted} != ''"
            )
            == 1
        ]

    def family_name(self, table: Table, column: Wanted) -> Value | None:
        """Return the name beside a first name, which is then the last one."""
        first, last = (
            self.first(table, names) for names in evidence()["parts"]["customer_name"]
        )
        is_beside = column.name == "family_name" and first and last
        return bare_value(last, LIKELY, "named like a name") if is_beside and last else None

    def put_together(self, table: Table, column: Wanted) -> Value | None:
        """Return a value that several columns give together: a name from its parts."""
        parts = evidence()["parts"].get(column.name)
        if not parts:
            return None
        found = [self.first(table, names) for names in parts]
        if not all(found):
            return None
        columns = [f"{ROW}{part.quoted}" for part in found if part]
        named = ", ".join(part.name for part in found if part)
        return Value(f"concat_ws(' ', {', '.join(columns)})", f"{named}: concatenated", 75)

    def filled_up(self, table: Table, column: Wanted, value: Value | None) -> Value | None:
        """Return a value that few rows have, completed from its parts: company, else name.

        A name that is itself a part of them is not the whole name.
        """
        together = self.put_together(table, column)
        own = value.reason.partition(":")[0] if value else ""
        if value and together and value.sql in together.sql:
            return together
        if not value or value.is_empty or not together or self.is_filled(table, own):
            return value
        return Value(
            f"coalesce(nullif({value.sql}, ''), {together.sql})",
            f"{value.reason}; else {together.reason}",
            value.points,
        )

    def kinds(self, table: Table, used: Collection[str] = ()) -> list[str]:
        """Return the columns that tell rows of several kinds apart, with their words."""
        kinds, flags = set(evidence()["kinds"]["columns"]), set(evidence()["kinds"]["flags"])
        said = []
        for column in table.columns.values():
            own = [singular(word) for word in words_of(column.name)]
            own = [word for word in own if word not in NO_KIND]
            is_kind = own and own[-1] in kinds
            link = table.link_of(column.name)
            is_flag = not link and own and set(own) <= flags
            if not (is_kind or is_flag) or column.quoted in used or column.name in table.key:
                continue
            is_text = not is_kind and column.family == "text"
            if is_text and self.is_set(table, column) is None:
                continue
            there = self.words_in(table, column)
            if 1 < len(there) <= FEW_WORDS:
                said.append(f"{column.name} ({counted(there)})")
        return said

    def words_in(self, table: Table, column: Column) -> dict[str, int]:
        """Return the words that rows have in a column or, if it is a key, behind it."""
        words: dict[str, int] | None = None
        if link := table.link_of(column.name):
            if label := self.label(self.catalog.tables[link.to]):
                words = self.catalog.used_words(table, link, label)
        else:
            words = self.catalog.words(table, column)
        return {word: count for word, count in (words or {}).items() if count}

    def like_statuses(self, table: Table, least: int = LEAST) -> list[Column]:
        """Return the columns that are named like a status, the best first.

        least: the points of their names, fewer where ship_state and new_status may count.
        """
        named = evidence()["columns"]["order_status"]
        names = [f"{name}{end}" for end in ("", "_id", "_code") for name in named]
        points = {
            column.name: name_points(column, table, names, is_time=False)[0]
            for column in table.columns.values()
            if column.family in ("text", "enum", "integer", "numeric")
        }
        found = [table.columns[name] for name, had in points.items() if had >= least]
        return sorted(
            (one for one in found if one.name not in table.key),
            key=lambda one: -points[one.name],
        )

    def label(self, holder: Table) -> Column | None:
        """Return the column of a lookup table that holds its word."""
        texts = (c for c in holder.columns.values() if c.family in WORDS)
        return self.named_label(holder) or next(texts, None)

    def named_label(self, holder: Table) -> Column | None:
        """Return the column that is named like a word; the key only if there is no other."""
        named = (self.exact(holder, name) for name in evidence()["labels"])
        found = [one for one in named if one and one.family in WORDS]
        return next(
            (one for one in found if one.name not in holder.key), next(iter(found), None)
        )

    def exact(self, table: Table, name: str) -> Column | None:
        """Return the column with exactly this name, in snake case."""
        return next((c for c in table.columns.values() if snake(c.name) == name), None)

    def mark(self, table: Table, name: str) -> Column | None:
        """Return the column of a name, of which a moment may have another end: closed_on."""
        found = self.exact(table, name)
        if found or not name.endswith("_at"):
            return found
        wanted = tuple(name.split("_")[:-1])
        return next(
            (
                column
                for column in table.columns.values()
                if column.is_time and without_time(words_of(column.name)) == wanted
            ),
            None,
        )

    def first(self, table: Table, names: Sequence[str]) -> Column | None:
        """Return the column with the first of these names that the table has."""
        found = (self.mark(table, name) for name in names)
        return next((column for column in found if column), None)


def _with_time(table: Table, date: Column, sql: str) -> tuple[str, str, str]:
    """Return SQL of a date with the time of day beside it, a note and a question."""
    beside = time_beside(table, date)
    if beside is None:
        times = [column.name for column in table.columns.values() if column.family == "time"]
        is_moment = f"{ROW}{date.quoted}::timestamp" in sql
        asked = f"is its time of day {' or '.join(times)}?" if times and is_moment else ""
        return sql, "", asked
    if beside.family == "text":
        return sql, "", f"{beside.name} is a text: add its time of day"
    time = f"{ROW}{beside.quoted}"
    if beside.is_nullable:
        time = f"coalesce({time}, time '00:00')"
    sql = sql.replace(f"{ROW}{date.quoted}::timestamp", f"({ROW}{date.quoted} + {time})")
    return sql, f", with {beside.name}", ""
