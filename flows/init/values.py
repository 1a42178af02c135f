"""Values that an input may take from a column, and how they are converted."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.init.catalog import Catalog, Column, Table
from flows.init.contract import Entity, Wanted
from flows.init.names import (
    CENTS,
    FEW,
    IN_UTC,
    evidence,
    own_snake,
    rank_of_table,
    snake,
    words_of,
)

# marks a column of the row itself, until it is known whether it needs the table's alias
ROW = "\0"
# such a column in SQL
COLUMN = re.compile(rf'{ROW}("(?:[^"]|"")+"|\w+)')
# enclose a relation that dbt's source() replaces
FROM, TO = "\1", "\2"
CERTAIN, LIKELY, GUESS = 85, 65, 40
# points of a column: for a type that needs no cast; for values; for having none
TYPE, FILLED, EMPTY = 15, 10, -10
# the question about a date without a time zone
ZONE_OF_DATE = "the column has no time zone: is UTC right?"
NUMBERS = ("integer", "numeric", "float", "money")


@dataclass(frozen=True)
class Join:
    """A table joined by a key, so with at most one row."""

    alias: str
    relation: str
    condition: str


@dataclass
class Value:
    """What an input gives for one column, and why."""

    sql: str
    reason: str
    points: int
    # the question for a person; '' if there is none
    todo: str = ""
    type: str = ""
    # True if it is a column that no row fills
    is_empty: bool = False
    # joined tables, each reached from the one before
    joins: list[Join] = field(default_factory=list)
    # tables that reference the row, nearest first: what a scalar subquery reads
    behind: list[Join] = field(default_factory=list)

    @property
    def confidence(self) -> str:
        """How sure the value is, in a word."""
        if self.points >= CERTAIN:
            return "certain"
        if self.points >= LIKELY:
            return "likely"
        return "guess"

    def doubt(self, asked: str) -> None:
        """Make it a guess, with one more question."""
        self.points, self.todo = GUESS, f"{self.todo} {asked}".strip()


@dataclass
class Input:
    """One proposed input."""

    entity: Entity
    # None: no table looks like it
    table: Table | None
    alias: str
    reason: str
    values: dict[str, Value | None] = field(default_factory=dict)
    # conditions with their reasons
    where: list[tuple[str, str]] = field(default_factory=list)
    # set if customers have no table: see _people
    group_by: list[str] = field(default_factory=list)
    # questions about the rows, for a person
    todos: list[str] = field(default_factory=list)
    # what to say instead of "no column found", by column
    left_out: dict[str, str] = field(default_factory=dict)
    # columns that may hold a value that was not found, by its name
    candidates: dict[str, list[str]] = field(default_factory=dict)


def told_of(column: Column, like: str = "") -> str:
    """Return what is known about a column."""
    told = [f"{column.name}: named like {like}" if like and like != own_snake(column.name) else
            f"{column.name}: name matches"]  # fmt: skip
    told.append(column.type)
    if column.filled is not None:
        told.append(f"{column.filled * 100:.0f} % filled")
    return ", ".join(told)


def asked_of_all(column: Column) -> str:
    """Ask about a date of an end that all rows have; what follows is for a yes."""
    return (
        f"all rows that were read have {column.name}: does a date such as 9999-12-31 stand for"
        " none? If so"
    )


def bare_value(column: Column, points: int, reason: str = "") -> Value:
    """Return the value of a column of the row itself, as it is."""
    told = told_of(column).replace("name matches", reason) if reason else told_of(column)
    return Value(f"{ROW}{column.quoted}", told, points, type=plain_type(column.type))


def plain_type(type_name: str) -> str:
    """Return a type as the settings name it."""
    return "text" if type_name.startswith("character varying") else type_name


def convert(  # noqa: C901, PLR0912, PLR0915 - a table of types
    column: Column, wanted: Wanted, zone: str | None
) -> tuple[str, str, int, str] | None:
    """Return a column cast to a type: SQL, TODO, points, note; None if that is impossible.

    If a number may be in cents or in whole units, the TODO asks which.
    """
    row, family, kind = f"{ROW}{column.quoted}", column.family, wanted.type
    name = snake(column.name)
    is_cents = name.endswith(CENTS)
    is_utc = bool({*IN_UTC} & {*words_of(column.name)})
    where = "UTC" if is_utc else zone or "UTC"
    todo_zone = "" if zone or is_utc else ZONE_OF_DATE
    todo_cents = "whole numbers: cents or whole units?"
    todo = todo_cents if wanted.is_money and column.is_whole and not is_cents else ""
    found: tuple[str, str, int, str] | None = None
    match kind, family:
        case "text", "text":
            found = row, "", TYPE, ""
        case "text", "enum":
            found = f"{row}::text", "", TYPE, ", as text"
        case "text", "integer" | "uuid" if wanted.name.endswith("_id"):
            found = f"{row}::text", "", TYPE, ", as text"
        case ("timestamptz", "timestamptz") | ("date", "date") | ("jsonb", "json" | "jsonb"):
            is_cast = kind == "jsonb" and column.type != "jsonb"
            found = f"{row}::jsonb" if is_cast else row, "", TYPE, ""
        case "timestamptz", "tstzrange" if wanted.name == "start_at":
            found = f"lower({row})", "", TYPE, ", its beginning"
        case "timestamptz", "timestamp":
            found = f"{row} at time zone '{where}'", todo_zone, TYPE - 3, ""
        case "timestamptz", "date":
            found = f"{row}::timestamp at time zone '{where}'", todo_zone, TYPE - 6, ""
        case "timestamptz", "integer" if column.per_second:
            parts = "" if column.per_second == 1 else f" / {column.per_second}.0"
            sql = f"to_timestamp(nullif({row}, 0){parts})"
            found = sql, "", TYPE - 3, ", since 1970"
        case "date", "timestamp":
            found = f"{row}::date", "", TYPE - 3, ", without its time"
        case "date", "timestamptz":
            sql = f"({row} at time zone '{where}')::date"
            found = sql, todo_zone, TYPE - 3, ", without its time"
        case "boolean", "boolean" if snake(column.name) == wanted.name:
            sql = f"coalesce({row}, false)" if column.is_nullable else row
            found = (row if wanted.is_optional else sql), "", TYPE, ""
        case "numeric", "numeric":
            found = row, todo, TYPE, ""
            if is_cents:
                found = f"{row} / 100.0", "", TYPE, ", from cents"
        case "numeric", "integer":
            if is_cents:
                found = f"{row} / 100.0", "", TYPE, ", from cents"
            else:
                found = f"{row}::numeric", todo, TYPE - 5, ""
        case "numeric", "float":
            found = (
                f"round({row}::numeric, 2)",
                "",
                TYPE - 3,
                ", rounded, because it is a float",
            )
        case "numeric", "money":
            found = f"{row}::numeric", "", TYPE - 3, ""
        case "bigint", "integer":
            sql = row if column.type == "bigint" else f"{row}::bigint"
            found = sql, todo, TYPE if is_cents else TYPE - 5, ""
        case "bigint", "numeric" | "float" | "money":
            sql = row if family == "numeric" else f"{row}::numeric"
            if is_cents:
                found = f"round({sql})::bigint", "", TYPE - 3, ""
            else:
                found = f"round({sql} * 100)::bigint", todo, TYPE - 3, ", to cents"
        case "integer", "integer":
            found = row if column.type == "integer" else f"{row}::integer", "", TYPE, ""
        case "integer", "numeric" | "float":
            found = f"round({row})::integer", "", TYPE - 5, ", rounded"
    return found


def translated(  # noqa: PLR0913, PLR0917 - what the words may mean
    row: str,
    column: Column,
    words: dict[str, int] | None,
    ours: dict[str, list[str]],
    doubtful: dict[str, dict[str, str]],
    labels: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """Return SQL that translates the application's words into ours, and a TODO.

    Unknown words stay as they are. labels: what people read instead of these words.
    """
    labels = labels or {}
    as_text = row if column.family == "text" else f"{row}::text"
    allowed = ", ".join(ours)
    if words is None:
        return as_text, f"the values could not be listed: translate them into {allowed}"
    if not words:
        return as_text, f"no values yet: translate them into {allowed}"
    if set(words) <= set(ours):
        return as_text, ""
    for function, change in (("upper", str.upper), ("lower", str.lower)):
        if {change(word) for word in words} <= set(ours):
            return f"{function}({as_text})", ""
    known = {like: word for word, likes in ours.items() for like in [*likes, snake(word)]}
    unsure = {
        like: (word, asked)
        for word, likes in doubtful.items()
        for like, asked in likes.items()
    }
    names = _without_shared(
        {word: words_of(labels.get(word, word)) for word in words}, {*known, *unsure}
    )
    lines = []
    for word, count in words.items():
        literal = "'" + word.replace("'", "''") + "'"
        rows = f"{count} rows" if count != 1 else "1 row"
        if word in labels:
            rows += f", {quoted_words([labels[word]])}"
        name = _alike(names[word], {*known, *unsure})
        if name in unsure:
            said, asked = unsure[name]
            lines.append(
                f"when {as_text} = {literal} then '{said}'  -- {rows} (guess). TODO {asked}"
            )
        elif name not in known:
            lines.append(
                f"when {as_text} = {literal} then {literal}"
                f"  -- TODO {rows}: which of {allowed}?"
            )
        else:
            lines.append(f"when {as_text} = {literal} then '{known[name]}'  -- {rows}")
    lines.append(f"else {as_text}  -- unknown, so check reports it")
    return "case\n    " + "\n    ".join(lines) + "\nend", ""


def _alike(name: str, known: set[str]) -> str:
    """Return a word as we know it: booking_confirmed, patient_canceled; or as it is."""
    parts = name.replace("canceled", "cancelled").split("_")
    rows = set(evidence()["rows"])
    forms = [
        name,
        "_".join(parts),
        f"cancelled_by_{'_'.join(part for part in parts if part not in ('cancelled', 'by'))}",
        "_".join(part for part in parts if part not in rows),
    ]
    is_by = "cancelled" in parts
    return next(
        (
            form
            for form in forms
            if form in known and (is_by or not form.startswith("cancelled_by"))
        ),
        name,
    )


def _without_shared(names: Mapping[str, tuple[str, ...]], known: set[str]) -> dict[str, str]:
    """Return words in snake case, without what most begin with: wc- in wc-completed."""
    first = [name[0] for name in names.values() if name[1:]]
    shared = next((one for one in first if first.count(one) * 2 > len(names)), None)
    found = {word: "_".join(name) for word, name in names.items()}
    if shared is None or len(names) < FEW:
        return found
    shorter = {
        word: name[1:] if name[1:] and name[0] == shared and found[word] not in known else name
        for word, name in names.items()
    }
    return _without_shared(shorter, known) if shorter != names else found


def quoted_words(words: Iterable[str]) -> str:
    """Return words in quotes, each on one line, with commas between them."""
    return ", ".join(f"'{' '.join(word.split())}'" for word in words)


def counted(words: Mapping[str, int]) -> str:
    """Return words in quotes, each with its number of rows."""
    return ", ".join(f"{quoted_words([word])} {count}" for word, count in words.items())


def doubtful_words(name: str) -> dict[str, dict[str, str]]:
    """Return the words that may mean something else, by ours, each with a question."""
    found: dict[str, dict[str, str]] = evidence()["doubtful"].get(name, {})
    return found


def meanings(
    name: str, ours: dict[str, list[str]], table: Table, catalog: Catalog
) -> tuple[dict[str, list[str]], dict[str, dict[str, str]]]:
    """Return our words with their synonyms in a table, and the doubtful ones.

    Some are not in doubt there, because of the table's name: an open invoice.
    """
    known = evidence()["clear_in"].get(name, {})
    if not known or rank_of_table(table, known["tables"], catalog)[0] is None:
        return ours, doubtful_words(name)
    clear: dict[str, list[str]] = known["words"]
    sure = {like for likes in clear.values() for like in likes}
    return (
        {word: [*likes, *clear.get(word, [])] for word, likes in ours.items()},
        {
            word: {like: asked for like, asked in likes.items() if like not in sure}
            for word, likes in doubtful_words(name).items()
        },
    )


def sum_of_rows(  # noqa: C901 - prices and quantities, or totals
    read: Sequence[tuple[Table, str]],
    known: dict[str, Any],
    catalog: Catalog,
) -> tuple[str, str, str] | None:
    """Return the sum of a row's items: SQL, reason, TODO.

    read: the table of items, then one of links to it if there is one, each with its alias.
    """
    holders: dict[str, str] = {}

    def first(names: Sequence[str], tables: Sequence[tuple[Table, str]]) -> Column | None:
        for table, name in tables:
            if column := first_number(table, names):
                holders[column.name] = name
                return column
        return None

    def number(column: Column) -> str:
        cast = "::numeric" if column.family in ("float", "money") else ""
        return f"{holders[column.name]}.{column.quoted}{cast}"

    whole = first(known["amount"], read[:1])
    discount = first(known["discount"], read[:1])
    price = first(known["price"], read[:1])
    quantity = first(known["quantity"], read)
    money = price if price and quantity else whole or price
    if money is None:
        return None
    used, terms, todo = [money.name], [number(money)], ""
    if quantity and money is price:
        used.append(quantity.name)
        terms.append(number(quantity))
        if discount:
            part = f"{discount.quoted}::numeric"
            is_share = f"{part} > 0 and {part} < 1"
            if catalog.share_of(read[0][0], is_share, f"{part} != 0") in (None, 1):
                used.append(f"(1 - {discount.name})")
                terms.append(f"(1 - {number(discount)})")
            else:
                todo = f"without {discount.name}: is it an amount, or per cent?"
        elif other := _other_discount(read[0][0]):
            todo = f"without {other.name}: is it an amount, or per cent?"
    summed = "\n        * ".join(terms)
    is_cents = snake(money.name).endswith(CENTS)
    summed = f"sum(\n        {summed}\n    )" if "\n" in summed else f"sum({summed})"
    if is_cents:
        summed = f"{summed} / 100.0"
    if money.is_whole and not is_cents:
        todo = f"whole numbers: cents or whole units? {todo}".strip()
    if money is price and not quantity:
        todo = f"{todo} no quantity was found: is each row one piece?".strip()
    reason = f"sum of {' * '.join(used)}"
    return f"round({summed}, 2)", reason, todo


def _other_discount(table: Table) -> Column | None:
    """Return a discount whose name says more: discount_percent, discount_amount."""
    return next(
        (
            column
            for column in table.columns.values()
            if "discount" in words_of(column.name)
            and column.family in NUMBERS
            and column.filled != 0
            and not table.link_of(column.name)
        ),
        None,
    )


def first_number(table: Table, names: Sequence[str]) -> Column | None:
    """Return the column with the first of these names that holds numbers."""
    for asked in names:
        for column in table.columns.values():
            is_one = snake(column.name) == asked and column.family in NUMBERS
            if is_one and column.filled != 0:
                return column
    return None


def relations_of(value: Value) -> list[str]:
    """Return the tables that a value reads besides its own row's."""
    joined = [join.relation for join in [*value.joins, *value.behind]]
    return joined + [piece.partition(TO)[0] for piece in value.sql.split(FROM)[1:]]


def columns_of_row(values: Iterable[Value | None]) -> set[str]:
    """Return the columns of the row itself that values read, quoted."""
    return {one for value in values if value for one in COLUMN.findall(value.sql)}


def as_lookups(given: Input) -> None:
    """Replace joins by scalar subqueries: the write-back can update only one table."""
    for value in given.values.values():
        if value and value.joins:
            first, *others = value.joins
            more = "".join(
                f"\n    inner join {FROM}{join.relation}{TO} as {join.alias}\n"
                f"        on {join.condition}"
                for join in others
            )
            value.sql = (
                f"(\n    select {value.sql}\n    from {FROM}{first.relation}{TO} as"
                f" {first.alias}{more}\n    where {first.condition}\n)"
            )
            value.joins = []


def renamed(sql: str, alias: str, new: str) -> str:
    """Return SQL with another alias; a schema or an alias that ends like it keeps its name."""
    return re.sub(rf'(?<![\w".])(?<!join )(?<!from ){re.escape(alias)}\.', f"{new}.", sql)


def in_lines(parts: Sequence[str]) -> str:
    """Return the parts of an expression, one per line."""
    return ",\n    ".join(parts)
