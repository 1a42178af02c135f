"""Compare the inputs of a system with their contract, column by column.

Everything happens in pg_temp in the caller's transaction, so nothing stays. The contract is
the inputs' yml, from which the staging views are also made.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from flows.database import Connection, one_line, rows
from flows.project import IS_OF_USER, OUR_PROJECT, read_yaml

OURS = "customer_health"
WRONG, LOOK = "wrong", "look"

# types that dbt treats as the same when it compares a staging view with its contract
SAME_TYPES = {"varchar": "text", "bpchar": "text", "name": "text", "int2": "int4"}
# staging casts any of these to its own type
NUMBERS = {"int2", "int4", "int8", "numeric", "float4", "float8"}

# an input with more rows than LARGEST is counted by its first SAMPLE rows
LARGEST, SAMPLE = 3_000_000, 1_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth a look, and what to do about it."""

    level: str
    input: str
    column: str | None
    problem: str
    todo: str

    def line(self) -> str:
        """Return the finding as one line."""
        where = f"{self.input}.{self.column}" if self.column else self.input
        # values of rows may contain line breaks
        return " ".join(f"{where}: {self.problem}; {self.todo}".split())


@dataclass
class Input:
    """An input as mapped, what its yml requires, and what was found."""

    name: str
    system: str
    # the path of its file, for people
    path: str
    select: str
    staging: str
    columns: dict[str, dict[str, Any]]
    # by column, the setting with its type
    settings: dict[str, str]
    meta: dict[str, Any]
    # columns that somebody has looked at and found right
    looked_at: list[str]
    of_any_type: list[str]
    # whether it is our input because the user's project has none of this name
    is_default: bool = False
    is_parent: bool = False
    # the columns that it gives, with their types in words
    given: dict[str, str] = field(default_factory=dict)
    is_read: bool = False
    # whether it has the required columns with the right types
    is_sound: bool = False
    is_sample: bool = False
    rows: int = 0
    nulls: dict[str, int] = field(default_factory=dict)
    words: dict[str, dict[str, int]] = field(default_factory=dict)
    left_out: dict[str, dict[str, Any]] = field(default_factory=dict)
    unused: dict[str, list[str]] = field(default_factory=dict)
    watched: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def entity(self) -> str:
        """The name of its rows, such as orders."""
        return self.name.partition("__")[2]

    @property
    def key(self) -> list[str]:
        """The columns that identify its rows."""
        found: list[str] = self.meta["key"]
        return found

    def find(self, level: str, column: str | None, problem: str, todo: str) -> None:
        """Note a finding, unless somebody has already looked at that column."""
        if level == LOOK and column in self.looked_at:
            return
        self.findings.append(Finding(level, self.name, column, problem, todo))

    def null_share(self) -> dict[str, float]:
        """Return the share of NULL in the columns that contain NULL."""
        return {name: round(count / self.rows, 4) for name, count in self.nulls.items()}

    def lacking(self) -> list[str]:
        """Return the optional columns that it does not give."""
        return [
            name
            for name, column in self.columns.items()
            if self.is_read
            and name not in self.given
            and column["config"]["meta"].get("optional")
        ]

    def report(self) -> dict[str, Any]:
        """Return what was found, for programs."""
        return {
            "input": self.name,
            "system": self.system,
            "file": self.path,
            "rows": self.rows,
            "is_sample": self.is_sample,
            "columns": self.given,
            "optional_columns_lacking": self.lacking(),
            "null_share": self.null_share(),
            "words": self.words,
            "left_out": self.left_out,
            "unused_columns": self.unused,
            "changes_noticed_by": self.watched,
        }


def quoted(*names: str) -> str:
    """Return a name as SQL."""
    return sql.Identifier(*names).as_string(None)


def temporary(name: str) -> str:
    """Return the name of a temporary relation, as it appears in the compiled models."""
    return quoted("pg_temp", name)


def raw(name: str) -> str:
    """Return the name of the view that holds the bare select of an input."""
    return temporary(f"mapped_{name}")


def whole(name: str) -> str:
    """Return the name of the view of an input with all columns of its yml."""
    return temporary(f"whole_{name}")


def contracts(system: str) -> list[dict[str, Any]]:
    """Return the inputs in the yml of a system."""
    file = OUR_PROJECT / "models" / system / "inputs" / f"_{system}_inputs__models.yml"
    found: list[dict[str, Any]] = read_yaml(file)["models"]
    return found


def type_settings(contract: dict[str, Any]) -> dict[str, str]:
    """Return the settings with the types of columns, by column."""
    return {
        column["name"]: column["data_type"].split("'")[1]
        for column in contract["columns"]
        if "var('" in column["data_type"]
    }


def staging_of(name: str) -> str:
    """Return the name of the staging view of an input."""
    return f"stg_{name.removeprefix('input_')}"


def read_inputs(
    manifest: dict[str, Any], system: str, settings: dict[str, Any]
) -> list[Input]:
    """Return the inputs of a system in the order of its yml.

    If the user's project has an input of the same name, it replaces ours.
    """
    found = []
    for contract in contracts(system):
        name = contract["name"]
        ours = manifest["nodes"][f"model.{OURS}.{name}"]
        node = effective(manifest, name)
        meta = ours["config"]["meta"]
        staging = manifest["nodes"][f"model.{OURS}.{staging_of(name)}"]
        if not settings.get(meta.get("needs"), True):
            continue
        found.append(
            Input(
                name=name,
                system=system,
                path=node["original_file_path"],
                select=node["compiled_code"],
                staging=staging["compiled_code"],
                columns=ours["columns"],
                settings=type_settings(contract),
                meta=meta,
                looked_at=node["config"]["meta"].get("looked_at", []),
                of_any_type=staging["config"]["meta"].get("of_any_type", []),
                is_default=IS_OF_USER and node == ours,
            )
        )
    for one in found:
        one.is_parent = any(one.key[-1] in other.columns for other in found if other != one)
    return found


def effective(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the node in force for an input's name."""
    nodes: list[dict[str, Any]] = [
        node
        for node in manifest["nodes"].values()
        if node["name"] == name and node["resource_type"] == "model"
    ]
    return min(nodes, key=lambda node: node["package_name"] == OURS)


@contextmanager
def noted(one: Input, todo: str) -> Iterator[None]:
    """Note a database error as a finding of this input, and continue."""
    try:
        yield
    except psycopg.Error as error:
        if not error.sqlstate:
            # the connection is gone
            raise
        one.find(WRONG, None, one_line(error), what_to_do(one, error) or todo)


def what_to_do(one: Input, error: psycopg.Error) -> str | None:
    """Return advice for a database error of an input, or None."""
    match error:
        case psycopg.errors.UndefinedTable() | psycopg.errors.InvalidSchemaName():
            if one.is_default:
                # for example an input that a new version has added
                return (
                    f"your project has no {one.name}, so our own input is read: write"
                    f" {one.path}, or set {one.system}_schema and the {one.system}_..._table"
                    " settings"
                )
            return (
                f"set {one.system}_schema and the {one.system}_..._table settings, or name"
                f" your table in {one.path}"
            )
        case psycopg.errors.UndefinedColumn():
            return f"use the name of your column in {one.path}"
        case psycopg.errors.InsufficientPrivilege():
            return (
                "grant the login select on it and usage on its schema; if it has policies,"
                " also bypassrls"
            )
    return None


def make_view(connection: Connection, one: Input) -> None:
    """Create the view of an input, and compare its columns with the yml.

    An input that cannot be read gets no rows.
    """
    with noted(one, f"fix {one.path}"), connection.transaction():
        connection.execute(f"create view {raw(one.name)} as {one.select}".encode())
        with connection.cursor() as cursor:
            # this also checks the rights
            cursor.execute(f"select * from {raw(one.name)} limit 0".encode())
            types = {column.name: column.type_code for column in cursor.description or ()}
        check_columns(connection, one, types)
        one.is_read = True
        one.is_sound = not one.findings
    if not one.is_read:
        one.given = {}
    listed = ", ".join(
        quoted(name) if name in one.given else f"null::{column['data_type']} as {quoted(name)}"
        for name, column in one.columns.items()
    )
    source = f"from {raw(one.name)}" if one.is_read else "where false"
    connection.execute(f"create view {whole(one.name)} as select {listed} {source}".encode())
    limit = ""
    if one.is_read and not one.is_parent and expected_rows(connection, one) > LARGEST:
        one.is_sample = True
        limit = f"limit {SAMPLE}"
    connection.execute(
        f"create view {temporary(one.name)}"
        f" as select * from {whole(one.name)} {limit}".encode()
    )


def expected_rows(connection: Connection, one: Input) -> int:
    """Return how many rows the planner expects."""
    [plan] = rows(connection, f"explain (format json) select from {raw(one.name)}")
    return int(plan["QUERY PLAN"][0]["Plan"]["Plan Rows"])


def check_columns(connection: Connection, one: Input, types: dict[str, int]) -> None:
    """Note columns that are missing, unknown, or of another type than in the yml."""
    wanted = {name: column["data_type"] for name, column in one.columns.items()}
    names = {
        row["oid"]: row
        for row in rows(
            connection,
            "select oid::bigint as oid, typname, format_type(oid, null) as words from pg_type"
            " where oid = any(%(given)s::oid[]) or oid = any(%(wanted)s::regtype[])",
            {"given": list(types.values()), "wanted": list(wanted.values())},
        )
    }
    by_words = {row["words"]: row["typname"] for row in names.values()}
    contract = {
        row["type"]: row["words"]
        for row in rows(
            connection,
            "select type, format_type(type::regtype, null) as words"
            " from unnest(%(wanted)s::text[]) as type",
            {"wanted": list(set(wanted.values()))},
        )
    }
    for name, column in one.columns.items():
        if name not in types and not column["config"]["meta"].get("optional"):
            one.find(
                WRONG,
                name,
                f"is missing but required ({wanted[name]})",
                f"add it to {one.path}: {' '.join(column['description'].split())}",
            )
    for name, type_code in types.items():
        if name not in wanted:
            one.find(
                WRONG,
                name,
                "is not a column of this input",
                f"remove it from {one.path}, or rename it to one of {', '.join(wanted)}",
            )
            continue
        one.given[name] = names[type_code]["words"]
        has, needs = names[type_code]["typname"], by_words[contract[wanted[name]]]
        is_same = is_same_type(has, needs)
        if name in one.settings and "bpchar" in (has, needs):
            # keys are compared as text, in which only one of both has blanks at the end
            is_same = has == needs
        if not is_same and name not in one.of_any_type:
            one.find(
                WRONG,
                name,
                f"is {one.given[name]}, must be {wanted[name]}",
                how_to_cast(one, name, wanted[name]),
            )


def is_same_type(given: str, wanted: str) -> bool:
    """Return whether dbt treats two column types as the same."""
    if wanted == "numeric":
        return given in NUMBERS
    return SAME_TYPES.get(given, given) == SAME_TYPES.get(wanted, wanted)


def how_to_cast(one: Input, column: str, wanted: str) -> str:
    """Return advice on how to fix the type of a column."""
    if setting := one.settings.get(column):
        # `character` alone is character(1)
        kind = "bpchar" if one.given[column] == "character" else one.given[column]
        return f"set `{setting}: {kind}` in the vars, or cast it in {one.path}"
    if one.given[column] == "timestamp without time zone":
        return (
            f"add its time zone in {one.path}, such as"
            f" `{column} at time zone 'Europe/Berlin' as {column}`"
        )
    if column.endswith("_cents"):
        return (
            f"in {one.path}, use `round(... * 100)::bigint as {column}` for amounts, or"
            f" `...::bigint as {column}` for cents"
        )
    return f"cast it in {one.path}: `...::{wanted} as {column}`"


def make_staging(connection: Connection, one: Input) -> bool:
    """Create the staging view of an input; return whether that was possible."""
    name = staging_of(one.name)
    before = list(one.findings)
    with noted(one, f"fix {one.path}"), connection.transaction():
        connection.execute(f"create view {temporary(name)} as {one.staging}".encode())
        return True
    if any(finding.level == WRONG for finding in before):
        # for example a wrong column type, which is already reported
        one.findings = before
    return False
