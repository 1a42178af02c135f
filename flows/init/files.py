"""Render the files of a user's project."""

import json
import textwrap
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from string import Template
from typing import Any

from flows import systems
from flows.captured_keys import NOTHING
from flows.init.catalog import Catalog
from flows.init.contract import Entity, our_settings
from flows.init.names import evidence, own_snake
from flows.init.proposal import Proposal
from flows.init.values import FROM, ROW, TO, Input, Join, Value, renamed

TEMPLATES = Path(__file__).parent / "templates"
WIDTH = 100
# signs that dbt would interpret in the application's names and words
JINJA = ("{{", "}}", "{%", "%}", "{#", "#}")
# description of a table that inputs only join
BESIDE = "Joined to look up details."
# columns of an input whose names differ from the part of the key that they hold
PARTS = {"location": "location_id", "starts_at": "start_at"}


def template(file: str, **values: str) -> str:
    """Return a file of templates/, filled with these values."""
    text = (TEMPLATES / file).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def project_file(name: str, chosen: Sequence[str], settings: dict[str, Any]) -> str:
    """Return dbt_project.yml: what differs from our settings, and nothing else."""
    folders = ""
    for system in chosen:
        folders += (
            f"    {system}:\n      +tags: [{system}]\n      +schema: analytics_internal\n"
        )
        if system == "orders":
            folders += (
                "      inputs:\n        # lets the write-back update this view once the roles"
                " are installed\n        input_orders__customer_statuses:\n"
                '          +post-hook: "{{ customer_health.secure(this) }}"\n'
            )
    differing = "".join(
        f"  {key}: {json.dumps(value)}\n" for key, value in sorted(settings.items())
    )
    return template(
        "dbt_project.yml",
        name=name,
        folders=folders.rstrip("\n"),
        vars=f"vars:\n{differing}".rstrip("\n") if differing else "# vars: your settings",
    )


def settings_of(proposals: dict[str, Proposal], off: Iterable[str]) -> dict[str, Any]:
    """Return the vars that differ from our defaults."""
    defaults = our_settings()
    settings: dict[str, Any] = {f"{system}_enabled": False for system in off}
    for proposal in proposals.values():
        settings |= proposal.types()
    return {key: value for key, value in settings.items() if defaults.get(key) != value}


class Rendered:
    """The files of one system."""

    def __init__(
        self,
        proposal: Proposal,
        catalog: Catalog,
        others: Iterable[str],
        schema_of: dict[str, str],
    ) -> None:
        self.proposal = proposal
        self.system = proposal.tables.system
        self.catalog = catalog
        # schemas that other systems also read: dbt needs a source name per system
        self.shared = set(others)
        # by source, of all systems: its schema
        self.schema_of = schema_of
        self.read: dict[str, str] = {}
        # by table: the input that reads it, and the inputs that join it, with the joins that
        # lead there
        self.captured: dict[str, Input] = {}
        self.beside: dict[str, list[tuple[Input, list[Join]]]] = {}
        # tables whose changes wait for the nightly refresh
        self.decides_nothing: set[str] = set()
        self.texts = {
            f"{given.entity.model}.sql": self._input(given) for given in proposal.inputs()
        }

    def files(self) -> dict[str, str]:
        """Return all files of the system by name."""
        return self.texts | {f"_{self.system}__sources.yml": self._sources()}

    # sources

    def source_of(self, relation: str) -> tuple[str, str]:
        """Return the names of a table in dbt: source and table."""
        table = self.catalog.tables[relation]
        name = table.schema
        if name == "public":
            name = "app" if self.catalog.database == "postgres" else self.catalog.database
        name = own_snake(name)
        if name in systems.registry():
            name = f"{name}_app"
        if table.schema in self.shared:
            name = f"{name}_{self.system}"
        # another schema may have the name that public gets
        names = (name if number == 1 else f"{name}_{number}" for number in count(1))
        schema = table.schema
        source = next(one for one in names if self.schema_of.setdefault(one, schema) == schema)
        return source, _plain(table.name)

    def _sources(self) -> str:
        by_source: dict[str, list[str]] = {}
        for relation in self.read:
            by_source.setdefault(self.source_of(relation)[0], []).append(relation)
        lines = [
            "# The tables that the inputs in this folder read. `capture` is the key of a",
            "# row, for the triggers of `capture install`: SQL over the row, whose alias is",
            "# `changed`, in the form that the input returns. `hook` is the key of an",
            "# order, for `hook install`.",
        ]
        if not by_source:
            return "\n".join([*lines, "sources: []", ""])
        lines.append("sources:")
        for name, relations in by_source.items():
            schema = self.catalog.tables[relations[0]].schema
            lines += [
                f"  - name: {name}",
                f"    description: Tables that the {self.system} system reads.",
                f"    schema: {_yaml(schema)}",
                "    tables:",
            ]
            for relation in relations:
                lines += self._table(relation)
        return "\n".join([*lines, ""])

    def _table(self, relation: str) -> list[str]:
        table = self.catalog.tables[relation]
        name = self.source_of(relation)[1]
        lines = [f"      - name: {name}"]
        if name != table.name:
            lines.append(f"        identifier: {_yaml(table.name)}")
        lines.append(f"        description: {_yaml(self.read[relation])}")
        captures = self._captures(relation)
        if not captures and relation in self.decides_nothing:
            lines.append(f"        config: {{meta: {{capture: {NOTHING}}}}}")
        elif captures:
            lines += ["        config:", "          meta:", "            capture:"]
        for capture in captures:
            # a single capture needs no list
            first, then = ("- ", "  ") if captures[1:] else ("", "")
            for part, sql in capture.items():
                lines.append(f"              {first}{part}: {_yaml(sql)}")
                first = then
        entity = self.captured[relation].entity if relation in self.captured else None
        if entity and entity.hook and (own := self.proposal.references.key_column(entity)):
            lines.append(f"            hook: {{order: {_yaml(own)}}}")
        return lines

    def _captures(self, relation: str) -> list[dict[str, str]]:
        """Return which keys a changed row of a table affects."""
        found = []
        if given := self.captured.get(relation):
            found.append(self._of_own(given))
        for given, chain in self.beside.get(relation, []):
            found.append(self._of_readers(given, chain))
        return [
            capture
            for number, capture in enumerate(found)
            if capture and capture not in found[:number]
        ]

    def _of_own(self, given: Input) -> dict[str, str]:
        """Return the key of a row of an input's own table."""
        parts = self._parts(given)
        joins = _joins_of(parts)
        looks_up = joins or any(FROM in value.sql for value in parts.values())
        row = "changed." if looks_up else ""
        written = [
            f"left join {join.relation} as {join.alias} on {join.condition}" for join in joins
        ]
        return self._as_keys(given, row) | (
            {"joins": " ".join(written).replace(ROW, row)} if written else {}
        )

    def _of_readers(self, given: Input, chain: list[Join]) -> dict[str, str]:
        """Return the keys of the rows that join a row of another table.

        Nothing if that table, or one on the way, gives the same keys by itself: finding the
        rows would only cost the application's statement time.
        """
        if given.table is None or self._is_known(given, chain[0]):
            return {}
        nearest = [*chain[:-1], Join(given.alias, given.table.relation, "")]
        steps = []
        for number, join in enumerate(reversed(chain)):
            to = chain[-2 - number] if number + 1 < len(chain) else nearest[-1]
            steps.append((to, join.condition))
        alias = chain[-1].alias
        written = [f"join {to.relation} as {to.alias} on {on}" for to, on in steps]
        others = [join for join in _joins_of(self._parts(given)) if join not in chain]
        written += [f"left join {j.relation} as {j.alias} on {j.condition}" for j in others]
        (first, condition), *rest = steps
        more = "".join(f" join {to.relation} as {to.alias} on {on}" for to, on in rest)
        capture = self._as_keys(given, f"{given.alias}.") | {
            "joins": " ".join(written),
            # only rows that an input reads
            "where": f"exists (select from {first.relation} as {first.alias}{more}"
            f" where {condition})",
        }
        return {
            part: renamed(sql.replace(ROW, f"{given.alias}."), alias, "changed")
            for part, sql in capture.items()
        }

    def _is_known(self, given: Input, nearest: Join) -> bool:
        """Return whether the rows of a joined table have the keys of the rows that join it."""
        if (other := self.captured.get(nearest.relation)) is None:
            return False
        row = f"{given.alias}."
        same: dict[str, str] = {}
        for equation in nearest.condition.replace(ROW, row).split(" and "):
            left, _, right = equation.partition(" = ")
            same |= {left: right, right: left}
        keys = {part: same.get(sql, sql) for part, sql in self._as_keys(given, row).items()}
        return keys == self._as_keys(other, f"{nearest.alias}.")

    def _parts(self, given: Input) -> dict[str, Value]:
        """Return the parts of a row's key; if one is unknown, only tenant and customer."""
        entity, names = given.entity, {"tenant": given.entity.tenant, **PARTS}
        customers = self.proposal.contract.get("customers")
        if customers and customers.key:
            names["customer"] = customers.key
        found = {part: given.values.get(names[part]) for part in entity.capture}
        known = {part: value for part, value in found.items() if value}
        return known if len(known) == len(found) else {
            part: value for part, value in known.items() if part in ("tenant", "customer")
        }  # fmt: skip

    def _as_keys(self, given: Input, row: str) -> dict[str, str]:
        """Return the parts as SQL; a number becomes a quoted constant."""
        keys = {}
        for part, value in self._parts(given).items():
            sql = value.sql.replace(FROM, "").replace(TO, "").replace(ROW, row)
            keys[part] = f"'{sql}'" if sql.isdecimal() else " ".join(sql.split())
        return keys

    def _note(self, given: Input, joins: list[Join]) -> None:
        """Note which tables an input reads, and whose changes affect its keys."""
        if given.table is None:
            return
        entity = given.entity
        if self.read.get(given.table.relation, BESIDE) == BESIDE:
            self.read[given.table.relation] = entity.description
        if entity.capture and self._parts(given):
            self._note_captures(given, given.table.relation)
        others = [join.relation for join in joins]
        for value in given.values.values():
            others += _relations(value.sql) if value else []
        if entity.decides_nothing:
            self.decides_nothing |= {given.table.relation, *others}
        for relation in others:
            self.read.setdefault(relation, BESIDE)

    def _note_captures(self, given: Input, relation: str) -> None:
        """Note whose keys a changed row of an input's table, or of a joined one, affects."""
        # customers may be the addresses in the orders
        if given.entity.name == self.proposal.tables.anchor:
            self.captured[relation] = given
        self.captured.setdefault(relation, given)
        for value in given.values.values():
            chain: list[Join] = []
            for join in (value.joins or value.behind) if value else []:
                # one that is reached from the row itself begins another chain
                is_first = value is not None and value.joins and ROW in join.condition
                chain = [join] if is_first else [*chain, join]
                way = given, chain
                ways = self.beside.setdefault(join.relation, [])
                if "customer" in given.entity.capture and way not in ways:
                    ways.append(way)

    # inputs

    def _input(self, given: Input) -> str:
        entity = given.entity
        head = []
        if given.table is None:
            if not given.values:
                return self._no_rows(entity)
            head.append(_comment(f"{given.reason[:1].upper()}{given.reason[1:]}."))
        else:
            head.append(_comment(f"{given.table.relation}: {given.reason}"))
            for todo in given.todos:
                head += textwrap.wrap(
                    _comment(f"TODO {todo}"),
                    WIDTH,
                    subsequent_indent="-- ",
                    break_on_hyphens=False,
                )
        if entity.name in self.proposal.tables.through:
            head += [
                "-- The write-back updates this view: keep it a plain select from one table,",
                "-- with the seven columns and no cast, whatever their types. Without them,",
                "-- nothing is written back: see docs/bring_your_own_database.md.",
            ]
        joins = _merge_joins(given)
        self._note(given, joins)
        needs_alias = bool(joins) or any(
            value and FROM in value.sql for value in given.values.values()
        )
        row = f"{given.alias}." if needs_alias else ""
        lines = [*head, "select", *self._select_list(given)]
        if given.table is not None:
            alias = f" as {given.alias}" if needs_alias else ""
            lines.append(f"from {FROM}{given.table.relation}{TO}{alias}")
        for join in joins:
            lines.append(f"left join {FROM}{join.relation}{TO} as {join.alias}")
            lines.append(f"    on {join.condition}")
        if given.where:
            lines.append("where")
            for number, (condition, reason) in enumerate(given.where):
                lines.append(f"    {_comment(reason)}")
                lines.append(f"    {'and ' if number else ''}{condition}")
        if given.group_by:
            lines.append("group by")
            lines.append(",\n".join(f"    {sql}" for sql in given.group_by))
        text = "\n".join([*lines, ""]).replace(ROW, row)
        return self._with_sources(text)

    def _no_rows(self, entity: Entity) -> str:
        wanted = [column for column in entity.columns.values() if not column.is_optional]
        types = self.proposal.types()
        columns = ",\n".join(
            f"    null::{types.get(column.type_var, column.type)} as {column.name}"
            for column in wanted
        )
        rows = f"{entity.description[:1].lower()}{entity.description[1:].rstrip('.')}"
        said = f"-- No table looks like one with {rows},\n-- so this input has no rows.\n"
        if entity.name not in evidence()["seldom"]:
            said = f"-- TODO Is there a table with {rows}?\n-- Until then, no rows.\n"
        return f"{said}select\n{columns}\nwhere false\n"

    def _select_list(self, asked: Input) -> list[str]:
        entity, values = asked.entity, asked.values
        given = [
            n for n, value in values.items() if value or not entity.columns[n].is_optional
        ]
        lines, left_out = [], []
        for name, value in values.items():
            column = entity.columns[name]
            comma = "" if name == given[-1] else ","
            if value is None and name in asked.left_out:
                # below the others, so that no other comment follows a question
                said = _comment(
                    f"TODO {name} ({column.type}, optional): {asked.left_out[name]}"
                )
                wrapped = textwrap.wrap(said.removeprefix("-- "), WIDTH - 7)
                left_out += [f"    -- {line}" for line in wrapped]
            elif value is None and column.is_optional:
                lines.append(f"    -- {name} ({column.type}, optional): no column found")
            elif value is None:
                kind = self.proposal.types().get(column.type_var, column.type)
                said = f"TODO no column found for: {column.loss}"
                if candidates := asked.candidates.get(name):
                    said += f". Is it one of {', '.join(candidates)}?"
                lines += _one(f"null::{kind}", name, comma, said)
            else:
                todo = f". TODO {value.todo}" if value.todo else ""
                lines += _one(
                    value.sql, name, comma, f"{value.reason} ({value.confidence}){todo}"
                )
        return lines + left_out

    def _with_sources(self, text: str) -> str:
        """Read tables by dbt's source(), and keep dbt from rendering the rest as Jinja."""
        before, *pieces = text.split(FROM)
        written = [_raw(before)]
        for piece in pieces:
            relation, _, rest = piece.partition(TO)
            source, name = self.source_of(relation)
            written.append(f"{{{{ source('{source}', '{name}') }}}}{_raw(rest)}")
        return "".join(written)


def _one(sql: str, name: str, comma: str, reason: str) -> list[str]:
    """Return one column, with its reason beside it, or above if the line is too long."""
    is_same = sql.replace(ROW, "") == name
    said = f"{sql}{'' if is_same else f' as {name}'}{comma}"
    said = textwrap.indent(said, "    ")
    comment = _comment(reason)
    if "\n" not in said and len(f"{said}  {comment}") <= WIDTH:
        return [f"{said}  {comment}"]
    wrapped = textwrap.wrap(comment.removeprefix("-- "), WIDTH - 7)
    return [*(f"    -- {line}" for line in wrapped), said]


def _merge_joins(given: Input) -> list[Join]:
    """Return the distinct joins of all columns, each with its own alias."""
    merged: dict[str, Join] = {}
    for value in given.values.values():
        for join in value.joins if value else []:
            there = merged.get(join.alias)
            if there and there != join and value:
                new = f"{join.alias}_too"
                value.sql = renamed(value.sql, join.alias, new)
                condition = renamed(join.condition, join.alias, new)
                merged.setdefault(new, Join(new, join.relation, condition))
            else:
                merged[join.alias] = join
    return list(merged.values())


def _joins_of(parts: dict[str, Value]) -> list[Join]:
    """Return the distinct joins that these parts of a key need."""
    joins = [join for value in parts.values() for join in value.joins]
    return list(dict.fromkeys(joins))


def _relations(sql: str) -> list[str]:
    return [piece.partition(TO)[0] for piece in sql.split(FROM)[1:]]


def _comment(text: str) -> str:
    """Return a text as a comment on one line, without Jinja."""
    for sign in JINJA:
        text = text.replace(sign, " ".join(sign))
    return f"-- {' '.join(text.split())}"


def _raw(text: str) -> str:
    """Keep dbt from reading names or words of the application as its own."""
    if any(sign in text for sign in JINJA):
        return f"{{% raw %}}{text}{{% endraw %}}"
    return text


def _plain(name: str) -> str:
    is_plain = name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit()
    return name if is_plain else own_snake(name)


def _yaml(text: str) -> str:
    """Return a text as a YAML scalar, quoted only if necessary."""
    is_plain = text.isascii() and text.replace("_", "a").isalnum() and text[0].isalpha()
    if is_plain and text.lower() not in ("true", "false", "null", "yes", "no", "on", "off"):
        return text
    return json.dumps(_raw(text), ensure_ascii=False)
