"""Read what a database holds, from its catalog and by cheap probes; change nothing.

Everything happens in one transaction that is read-only.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from flows.database import Connection, one_line, rows

# limits of a probe, to spare the application's database: rows read, values that are compared
# with keys, distinct values, time
LOOKED_AT = 20_000
# stands for the rows that a probe reads; no text in PostgreSQL has it
ROWS = "\0"
# after a probe that took too long
FEW_ROWS = 500
# fewer numbers may have no decimals by chance
MANY_NUMBERS = 50
COMPARED = 200
MOST_WORDS = 30
PATIENCE = "3s"
# seconds for all probes of views, which may take long to compute
PATIENCE_FOR_VIEWS = 20

# families of dates and moments; moments that are numbers: seconds since 1970, thousandths,
# millionths, from 1979 to 2128
TIMES = ("timestamptz", "timestamp", "date")
UNITS, EARLIEST, LATEST = (1, 1000, 1_000_000), 300_000_000, 5_000_000_000

FAMILIES = {
    "boolean": "boolean",
    "date": "date",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time without time zone": "time",
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "numeric": "numeric",
    "money": "money",
    "real": "float",
    "double precision": "float",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "json",
    "text": "text",
    "character varying": "text",
    "character": "text",
    "citext": "text",
    "bit": "bit",
}


@dataclass(frozen=True)
class Column:
    """One column, with the result of a probe of its rows."""

    name: str
    quoted: str
    # as given by format_type; for a domain the base type
    type: str
    family: str
    is_nullable: bool
    comment: str
    # labels of an enum or of a check, in their order
    labels: tuple[str, ...]
    # share of probed rows with a value; None if there were no rows
    filled: float | None = None
    # the largest number in the probed rows
    highest: int | None = None
    # whether no number in many probed rows has decimals, and not all are 0
    has_only_whole: bool = False

    @property
    def per_second(self) -> int | None:
        """How many units a second has if the numbers are moments since 1970, or None."""
        high = self.highest or 0
        return next((unit for unit in UNITS if EARLIEST <= high / unit <= LATEST), None)

    @property
    def is_whole(self) -> bool:
        """Whether it holds numbers without decimals, by its type or by all of many rows."""
        is_by_type = self.family == "integer" or self.type.endswith(",0)")
        return is_by_type or (self.type == "numeric" and self.has_only_whole)

    @property
    def is_time(self) -> bool:
        """Whether the values are dates or moments."""
        return self.family in TIMES or self.per_second is not None

    @property
    def is_everywhere(self) -> bool:
        """Whether all rows that were read have a date, so that it may stand for none."""
        return self.family in TIMES and self.filled == 1


@dataclass(frozen=True)
class Link:
    """A foreign key to another table, or columns that look like one."""

    columns: tuple[str, ...]
    to: str
    to_columns: tuple[str, ...]
    is_declared: bool
    # True if the last columns have types that only compare as text
    is_cast: bool = False


@dataclass
class Table:
    """One table or view."""

    schema: str
    name: str
    # quoted, with its schema
    relation: str
    is_view: bool
    comment: str
    estimate: int
    columns: dict[str, Column]
    # columns of the primary key, or else of the first unique key
    key: tuple[str, ...]
    # columns that are unique by themselves
    unique: tuple[str, ...] = ()
    links: list[Link] = field(default_factory=list)
    # whether row security hides rows from this login, so that no probe can read any
    hides_rows: bool = False
    # whether its rows are elsewhere
    is_foreign: bool = False
    # rows that a probe has read
    probed: int = 0

    @property
    def size(self) -> int:
        """The number of rows, as far as it is known."""
        return max(self.estimate, self.probed)

    def link_of(self, column: str) -> Link | None:
        """Return the link that a column is the last part of."""
        return next((link for link in self.links if link.columns[-1] == column), None)


@dataclass
class Catalog:
    """All tables that belong neither to us nor to PostgreSQL, by relation."""

    database: str
    tables: dict[str, Table]
    # reserved words of PostgreSQL
    reserved: frozenset[str]
    # schemas that the login may not read, with the number of their tables
    closed: dict[str, int]
    connection: Connection
    # what could not be read of a table, by relation
    unread: dict[str, str] = field(default_factory=dict)
    # seconds that probes of views have taken, and views for which no time was left
    spent: float = 0
    skipped: set[str] = field(default_factory=set)
    # what the name of each table may mean, by relation: see names.singulars_of
    singulars: dict[str, set[str]] = field(default_factory=dict)

    @property
    def has_rows(self) -> bool:
        """Whether any probe has read a row."""
        return any(table.probed for table in self.tables.values())

    def words(
        self, table: Table, column: Column, *, of_all: bool = False
    ) -> dict[str, int] | None:
        """Return the words of a column with their counts, or None.

        None means that there are too many, or that they could not be read. Labels without
        rows have a count of 0. of_all: of all rows, if there is time.
        """
        counts: dict[str, int] = dict.fromkeys(column.labels, 0)
        look = self._look_at_all if of_all else self._look_at_first
        found = look(
            table,
            f"select word, count(*) as rows from (select {column.quoted}::text as word"
            f" from {ROWS}) as read where word is not null"
            f' group by word order by count(*) desc, word collate "C" limit {MOST_WORDS + 1}',
        )
        if not counts and (found is None or len(found) > MOST_WORDS):
            return None
        return counts | {str(row["word"]): int(row["rows"]) for row in found or []}

    def keys(self, table: Table, column: Column) -> list[str]:
        """Return the keys of the documents in a column, as far as a probe has seen."""
        found = self._look(
            table,
            f"select distinct key from (select {column.quoted}::jsonb as document"
            f" from {table.relation} limit {COMPARED}) as looked_at cross join lateral"
            " jsonb_object_keys(case jsonb_typeof(document) when 'object' then document end)"
            " as key order by key",
        )
        return [str(row["key"]) for row in found or []]

    def used_words(self, table: Table, link: Link, label: Column) -> dict[str, int] | None:
        """Return the words of a lookup table, with the number of rows that use each.

        A large one has words of other things, too: of those, only the ones in use.
        """
        holder = self.tables[link.to]
        used = self.words(table, table.columns[link.columns[-1]], of_all=True)
        if used is None:
            return self.words(holder, label)
        labels = self.labels(holder, link.to_columns[-1], label)
        words = dict.fromkeys(labels.values(), 0) if len(labels) <= MOST_WORDS else {}
        for key, count in used.items():
            if key in labels:
                words[labels[key]] = words.get(labels[key], 0) + count
        return dict(sorted(words.items(), key=lambda pair: (-pair[1], pair[0])))

    def tried(self, table: Table, query: str) -> list[dict[str, Any]] | psycopg.Error:
        """Return the rows of a probe of a table, or why it fails.

        A view that has taken too long once is not read again, nor any after a while.
        """
        if not table.is_view:
            return _tried(self.connection, query)
        if table.relation in self.unread or self.spent > PATIENCE_FOR_VIEWS:
            if table.relation not in self.unread:
                self.skipped.add(table.relation)
            return psycopg.errors.QueryCanceled("no time was left")
        began = time.monotonic()
        found = _tried(self.connection, query)
        self.spent += time.monotonic() - began
        if isinstance(found, psycopg.errors.QueryCanceled):
            self.unread[table.relation] = one_line(found)
        return found

    def _look(self, table: Table, query: str) -> list[dict[str, Any]] | None:
        """Return the rows of a probe of a table, or None if it fails."""
        found = self.tried(table, query)
        return None if isinstance(found, psycopg.Error) else found

    def _look_at_first(self, table: Table, query: str) -> list[dict[str, Any]] | None:
        """Return what a query of ROWS gives for the first rows of a table."""
        first = f"(select * from {table.relation} limit {LOOKED_AT}) as looked_at"
        return self._look(table, query.replace(ROWS, first))

    def _look_at_all(self, table: Table, query: str) -> list[dict[str, Any]] | None:
        """Return what a query of ROWS gives for all rows, or the first if that takes too long.

        Orders under way are the newest, and the first rows the oldest. Of a view, only the
        first: one that takes too long is not read again. Nor are all rows of another server.
        """
        if not (table.is_view or table.is_foreign):
            found = self.tried(table, query.replace(ROWS, table.relation))
            if not isinstance(found, psycopg.Error):
                return found
        return self._look_at_first(table, query)

    def every_word(self, table: Table, column: Column, most: int) -> dict[str, int] | None:
        """Return the most frequent words of all rows; None if they could not be read."""
        found = self.tried(
            table,
            f"select word, count(*) as rows from (select {column.quoted}::text as word"
            f" from {table.relation}) as looked_at where word != ''"
            f' group by word order by count(*) desc, word collate "C" limit {most}',
        )
        if isinstance(found, psycopg.Error):
            return None
        return {str(row["word"]): int(row["rows"]) for row in found}

    def labels(self, table: Table, key: str, label: Column) -> dict[str, str]:
        """Return one label for each key: of rows for several languages, the first."""
        quoted = table.columns[key].quoted
        parts = [table.columns[name].quoted for name in table.key if name != key]
        others = ", ".join([*parts, f"{label.quoted}::text"])
        found = self._look(
            table,
            f"select {quoted}::text as key,"
            f" (array_agg({label.quoted}::text order by {others}))[1] as label"
            f" from {table.relation} where {label.quoted} is not null group by {quoted}"
            f" limit {LOOKED_AT}",
        )
        return {str(row["key"]): str(row["label"]) for row in found or []}

    def share_of(self, table: Table, condition: str, among: str) -> float | None:
        """Return the share of rows among others for which a condition holds, or None."""
        found = self._look_at_all(
            table,
            f"select avg((is_so)::int)::float as share from (select {condition} as is_so"
            f" from {ROWS} where {among} limit {LOOKED_AT}) as among",
        )
        share: float | None = found[0]["share"] if found else None
        return share

    def share_distinct(self, table: Table, column: Column) -> float | None:
        """Return how many distinct values a column has for each row with a value."""
        return self._share(
            table,
            f"select count(distinct {column.quoted})::float"
            f" / nullif(count({column.quoted}), 0) as share"
            f" from (select * from {table.relation} limit {LOOKED_AT}) as looked_at",
        )

    def share_same(self, table: Table, own: str, link: Link, theirs: str) -> float | None:
        """Return the share of rows whose value is that of the row that they link to."""
        other = self.tables[link.to]
        joined = " and ".join(
            # types may differ
            f"looked_at.{table.columns[mine].quoted}::text"
            f" = other.{other.columns[to].quoted}::text"
            for mine, to in zip(link.columns, link.to_columns, strict=True)
        )
        return self._share(
            table,
            f"select avg((looked_at.{table.columns[own].quoted}::text"
            f" = other.{other.columns[theirs].quoted}::text)::int)::float as share"
            f" from (select * from {table.relation} limit {LOOKED_AT}) as looked_at"
            f" inner join {other.relation} as other on {joined}",
        )

    def share_led(self, table: Table, link: Link) -> float | None:
        """Return the share of rows with a value whose link leads to a row."""
        other, cast = self.tables[link.to], "::text" if link.is_cast else ""
        joined = " and ".join(
            f"other.{other.columns[to].quoted}{cast}"
            f" = looked_at.{table.columns[own].quoted}{cast}"
            for own, to in zip(link.columns, link.to_columns, strict=True)
        )
        own = table.columns[link.columns[-1]].quoted
        return self._share(
            table,
            f"select avg((exists (select from {other.relation} as other where {joined}))::int)"
            f"::float as share from (select * from {table.relation} limit {LOOKED_AT})"
            f" as looked_at where {own} is not null",
        )

    def share_of_version(
        self, child: Table, link: Link, theirs: Column, own: Column
    ) -> float | None:
        """Return the share of rows that have children with their own version number.

        None: no row has children with several.
        """
        parent = self.tables[link.to]
        joined = " and ".join(
            f"child.{child.columns[mine].quoted}::text"
            f" = parent.{parent.columns[to].quoted}::text"
            for mine, to in zip(link.columns, link.to_columns, strict=True)
        )
        keys = ", ".join(f"parent.{parent.columns[to].quoted}" for to in link.to_columns)
        return self._share(
            child,
            "select case when bool_or(are_several) then avg(has_own::int)::float end as share"
            f" from (select bool_or(child.{theirs.quoted} = parent.{own.quoted}) as has_own,"
            f" count(distinct child.{theirs.quoted}) > 1 as are_several"
            f" from (select * from {parent.relation} limit {LOOKED_AT}) as parent"
            f" inner join {child.relation} as child on {joined} group by {keys}) as counted",
        )

    def share_found(
        self, table: Table, column: Column, other: Table, key: Column, none: tuple[str, ...]
    ) -> float | None:
        """Return the share of a column's values that another table has; None if unknown.

        none: words that stand for no row of the other table.
        """
        excluded = ", ".join(f"'{word}'" for word in none)
        cast = "" if column.family == key.family else "::text"
        return self._share(
            table,
            f"select avg((exists (select from {other.relation} as other"
            f" where other.{key.quoted}{cast} = compared.value{cast}))::int)::float as share"
            f" from (select distinct {column.quoted} as value from (select {column.quoted}"
            f" from {table.relation} limit {LOOKED_AT}) as looked_at limit {COMPARED})"
            f" as compared where value::text not in ({excluded})",
        )

    def _share(self, table: Table, query: str) -> float | None:
        """Return the share that a probe computes; None if it read no rows or took too long."""
        found = self._look(table, query)
        share: float | None = found[0]["share"] if found else None
        return share

    def knows_zone(self, name: str) -> bool:
        """Return whether PostgreSQL has a time zone of this name, as far as it says."""
        return self._zones is None or name.lower() in self._zones

    @cached_property
    def _zones(self) -> set[str] | None:
        found = _tried(self.connection, "select lower(name) as name from pg_timezone_names")
        return None if isinstance(found, psycopg.Error) else {row["name"] for row in found}


@contextmanager
def read_only(connection: Connection) -> Iterator[Connection]:
    """Run a read-only transaction in which no query runs for long."""
    with connection.transaction(force_rollback=True):
        connection.execute("set transaction isolation level repeatable read, read only")
        connection.execute(f"set local statement_timeout = '{PATIENCE}'")
        yield connection


def read_catalog(connection: Connection) -> Catalog:
    """Read all tables that the login may read; count the others."""
    script = (Path(__file__).parent / "catalog.sql").read_text(encoding="utf-8")
    tables: dict[str, Table] = {}
    closed: dict[str, int] = {}
    for row in rows(connection, script):
        if not row["is_readable"]:
            closed[row["schema"]] = closed.get(row["schema"], 0) + 1
            continue
        columns = {
            column["name"]: Column(
                name=column["name"],
                quoted=column["quoted"],
                type=column["type"],
                family="enum" if column["is_enum"] else _family(column["type"]),
                is_nullable=column["is_nullable"],
                comment=column["comment"] or "",
                labels=tuple(column["labels"] or _literals(column["checks"])),
            )
            for column in row["columns"]
        }
        # a foreign key may be declared twice
        links = dict.fromkeys(
            Link(
                tuple(link["columns"]), link["to"], tuple(link["to_columns"]), is_declared=True
            )
            for link in row["links"]
        )
        tables[row["relation"]] = Table(
            schema=row["schema"],
            name=row["name"],
            relation=row["relation"],
            is_view=row["is_view"],
            comment=row["comment"] or "",
            estimate=row["estimate"],
            columns=columns,
            key=tuple(row["key"]),
            unique=tuple(row["unique_columns"]),
            links=list(links),
            hides_rows=row["hides_rows"],
            is_foreign=row["is_foreign"],
        )
    for table in tables.values():
        table.links = [link for link in table.links if link.to in tables]
    reserved = rows(
        connection, "select word from pg_get_keywords() where catcode in ('R', 'T')"
    )
    return Catalog(
        database=connection.info.dbname,
        tables=tables,
        reserved=frozenset(row["word"] for row in reserved),
        closed=closed,
        connection=connection,
    )


def look_at(catalog: Catalog, table: Table) -> None:
    """Find out which share of each column of a table is filled; '' is no value.

    A column of a table that cannot be read does not hide the others. What could not be read
    is noted.
    """
    columns = dict(enumerate(table.columns.values()))
    found = _counted(catalog, table, columns, LOOKED_AT)
    if isinstance(found, psycopg.Error):
        if "row-level security" in str(found):
            # a view may read such a table
            table.hides_rows = True
        elif isinstance(found, psycopg.errors.QueryCanceled) and not table.is_view:
            found = _counted(catalog, table, columns, FEW_ROWS)
        elif not table.is_view:
            found = _counted_singly(catalog, table, columns)
    if isinstance(found, psycopg.Error):
        catalog.unread[table.relation] = one_line(found)
        return
    if not found["all_rows"]:
        return
    table.probed = found["all_rows"]
    for number, (name, column) in enumerate(table.columns.items()):
        if f"c{number}" in found:
            share = found[f"c{number}"] / table.probed
            many = found[f"c{number}"] >= MANY_NUMBERS
            table.columns[name] = replace(
                column,
                filled=share,
                highest=found.get(f"m{number}"),
                has_only_whole=many and bool(found.get(f"w{number}")),
            )


def _counted(
    catalog: Catalog, table: Table, columns: dict[int, Column], most: int
) -> dict[str, Any] | psycopg.Error:
    """Count the rows and the values of some columns among the first rows."""
    counts = [
        f"count({_value(column)}) as c{number}"
        + (f", max({column.quoted}) as m{number}" if column.family == "integer" else "")
        + (
            f", bool_and({column.quoted} = trunc({column.quoted}))"
            f" and bool_or({column.quoted} != 0) as w{number}"
            if column.type == "numeric"
            else ""
        )
        for number, column in columns.items()
    ]
    found = catalog.tried(
        table,
        f"select {', '.join(['count(*) as all_rows', *counts])}"
        f" from (select * from {table.relation} limit {most}) as looked_at",
    )
    return found if isinstance(found, psycopg.Error) else found[0]


def _counted_singly(
    catalog: Catalog, table: Table, columns: dict[int, Column]
) -> dict[str, Any] | psycopg.Error:
    """Count the rows and the values of each column that can be read; note the others."""
    found = _counted(catalog, table, {}, LOOKED_AT)
    if isinstance(found, psycopg.Error):
        return found
    unread = {}
    for number, column in columns.items():
        one = _counted(catalog, table, {number: column}, LOOKED_AT)
        if isinstance(one, psycopg.Error):
            unread[column.name] = one_line(one)
        else:
            found |= one
    if unread:
        catalog.unread[table.relation] = f"{', '.join(unread)}: {next(iter(unread.values()))}"
    return found


def _value(column: Column) -> str:
    return f"nullif({column.quoted}, '')" if column.family == "text" else column.quoted


def _tried(connection: Connection, query: str) -> list[dict[str, Any]] | psycopg.Error:
    """Return the rows of a probe, or why it fails: a broken view, a missing right.

    Rolled back, so that its locks do not last: a server has few for thousands of tables.
    """
    try:
        with connection.transaction(force_rollback=True):
            return rows(connection, query)
    except psycopg.Error as error:
        # also what a function of a view raises
        if connection.closed:
            raise
        return error


def _family(type_name: str) -> str:
    """Return the family of a type, or its name if it has none."""
    if type_name.endswith("[]"):
        return type_name
    plain = " ".join(
        word.partition("(")[0] for word in type_name.split(" ") if not word.startswith("(")
    )
    # citext is in the schema of its extension
    plain = "citext" if plain.endswith(".citext") else plain
    return FAMILIES.get(plain, plain)


def _literals(checks: list[str] | None) -> list[str]:
    """Return the quoted words in the checks of one column.

    Split at the quotes, every second piece is a word. A doubled quote within a word leaves an
    empty piece between its halves.
    """
    found: list[str] = []
    for check in checks or []:
        pieces = check.split("'")
        for number in range(1, len(pieces), 2):
            if number > 1 and not pieces[number - 1]:
                found[-1] += f"'{pieces[number]}"
            else:
                found.append(pieces[number])
    return list(dict.fromkeys(found))
