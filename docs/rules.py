"""`PYTHONPATH=. python docs/rules.py`: write docs/rules.md anew, from the rules' words.

The words are doc blocks beside the models, `_*__rules.md`. Their numbers are those of the
settings and seeds; their examples are unit tests, so that an example that no longer holds is a
test that fails. docs/site.py puts the same words into the site. Needs no database.
"""

import csv
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from jinja2 import Environment, StrictUndefined

PROJECT = Path(__file__).resolve().parent.parent
DOCUMENT = PROJECT / "docs" / "rules.md"

Row = dict[str, Any]


def table(heading: list[str], rows: list[list[str]]) -> str:
    """Return a table of Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def seed_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a seed."""
    with (PROJECT / "seeds" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def seed_table(name: str, *columns: str) -> str:
    """Return a seed, or these columns of it, as a table of Markdown."""
    rows = seed_rows(name)
    shown = columns or tuple(rows[0])
    return table(list(shown), [[row[column] for column in shown] for row in rows])


@cache
def unit_tests() -> dict[str, Row]:
    """Return the unit tests by their names."""
    return {
        test["name"]: test
        for file in sorted(PROJECT.glob("models/**/*__unit_tests.yml"))
        for test in yaml.safe_load(file.read_bytes())["unit_tests"]
    }


def given_rows(test: Row, name: str) -> list[Row]:
    """Return the rows that a unit test gives to an input of its model."""
    [rows] = [one["rows"] for one in test["given"] if one["input"] == f"ref('{name}')"]
    found: list[Row] = rows
    return found


def example(name: str, key: str, *columns: str, only: str = "") -> str:
    """Return what a unit test expects as a table of Markdown.

    A column is one that is expected, or `input.column`, one that is given, of the row that has
    the same key; `words = column` says what stands above it. `only` keeps the rows with
    certain values in a column: `column = one or another`.
    """
    test = unit_tests()[name]
    keys = key.split(", ")
    sources = [column.rpartition(" = ")[2] for column in columns]
    kept, _, values = only.partition(" = ")

    def value(row: Row, source: str) -> object:
        of, _, column = source.rpartition(".")
        if not of:
            return row[column]
        [found] = [
            given
            for given in given_rows(test, of)
            if all(given[k] == row[k] for k in keys if k in given)
        ]
        return found[column]

    rows = [
        [shown(value(row, source)) for source in sources]
        for row in test["expect"]["rows"]
        if not only or str(row[kept]) in values.split(" or ")
    ]
    if only and len(rows) < len(values.split(" or ")):
        raise ValueError(f"unit test {name}: not every row of {only!r} is expected")
    heads = [column.rpartition(" = ")[0] or f"`{column}`" for column in columns]
    return table(heads, rows)


def shown(value: object) -> str:
    """Return a value as a reader expects it in a cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "" if value is None else " ".join(str(value).split())
    # zeros that only say which scale the SQL has
    return re.sub(r"^(-?\d+)(\.0+|(\.\d*?)0+)$", r"\1\3", text)


def words(
    page: Callable[[str], str], document: Callable[[str], str]
) -> dict[str, Callable[..., object]]:
    """Return what the words may ask for; what is not there is an error."""
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    [thresholds] = [
        row for row in seed_rows("risk_thresholds") if row["tenant_slug"] == "default"
    ]
    return {
        "var": lambda name: settings[name],
        "percent": lambda name: f"{100 * settings[name]:g}%",
        "threshold": lambda name: thresholds[name],
        "seed": seed_table,
        "example": example,
        "page": page,
        "document": document,
    }


def render(blocks: dict[str, str], name: str, asked: dict[str, Callable[..., object]]) -> str:
    """Return a doc block, with the blocks in it that it asks for."""
    # other marks than dbt's, which would look for these words itself
    jinja = Environment(
        variable_start_string="[[",
        variable_end_string="]]",
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown
    )

    def block(name: str) -> str:
        return jinja.from_string(blocks[name]).render(**asked, block=block)

    return block(name)


def blocks_of_files() -> dict[str, str]:
    """Return the doc blocks of the project by their names."""
    mark = re.compile(r"\{% docs (\w+) %\}\n(.*?)\n\{% enddocs %\}", re.DOTALL)
    return {
        name: text
        for file in sorted(PROJECT.glob("models/**/*.md"))
        for name, text in mark.findall(file.read_text(encoding="utf-8"))
    }


def link(name: str) -> str:
    """Return a link to what says what a model or seed holds."""
    for pattern in (f"models/**/{name}.yml", f"models/**/{name}.sql", f"seeds/{name}.csv"):
        for file in PROJECT.glob(pattern):
            return f"[`{name}`](../{file.relative_to(PROJECT).as_posix()})"
    raise ValueError(f"no model or seed is called {name}")


def page() -> str:
    """Return the page."""
    asked = words(link, lambda name: f"[{name}]({name})")
    return render(blocks_of_files(), "rules_page", asked) + "\n"


def main() -> int:
    """Write the page."""
    DOCUMENT.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
