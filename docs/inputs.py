"""`PYTHONPATH=. python docs/inputs.py`: write docs/inputs.md anew, from the inputs' yml.

That is where the inputs are described, for dbt, for `customer-health check` and for people.
Needs no database.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from flows import systems
from flows.project import OUR_PROJECT

DOCUMENT = OUR_PROJECT / "docs" / "inputs.md"

BEGINNING = """\
# Inputs

This page lists the columns that this project needs from your tables, system by system. An
input is a plain select in `models/<system>/inputs/` that gives your columns these names.
`demo/operational_schema.sql` shows the tables that the demo's inputs read.
`customer-health check` says whether your inputs return what the rules need
([check.md](check.md)).

- **required**: without the column, a refresh does not start. **may be NULL**: the column is
  required, but its value may be NULL, which has a meaning. **optional**: the column may be
  missing; it then counts as NULL.
- A row with NULL in a required column is left out. It is kept, without the value, if that
  column is `ordered_at`, `total_amount`, `current_value`, `target_value` or `ticket_status`.
- If the type is a setting, set it to the type of your ids, for example
  `orders_customer_id_type: bigint` ([settings.md](settings.md)); for `char(n)`, to `bpchar`.
  For any other type, cast in the input. `numeric` accepts any number. `text` accepts any text
  type except an enum; cast an enum with `::text`.
- A row with a word that is not allowed is left out and listed in
  `operations.quarantined_rows`. In an optional column, such a word counts as NULL.
- A row with a date outside 1970 to 2200 or an infinite date is also left out. An account, a
  goal or a campaign is kept and only its date ignored, unless it is `created_at` or
  `updated_at`.
- The key identifies a row. If several rows have the same key, the newest counts.
- Columns of bookings are named as in Square's API, for example `square_customer_id`. Your
  bookings need not come from Square.
- If you have no data for an input that may be empty, end its select with
  `where false`.

<!-- docs/inputs.py writes this page from the yml in models/<system>/inputs -->
"""


def contracts(system: str) -> list[dict[str, Any]]:
    """Return what the yml of a system says of its inputs."""
    file = OUR_PROJECT / "models" / system / "inputs" / f"_{system}_inputs__models.yml"
    found: list[dict[str, Any]] = yaml.safe_load(file.read_bytes())["models"]
    return found


def meta(of: dict[str, Any]) -> dict[str, Any]:
    """Return the meta of an input, or of a column."""
    found: dict[str, Any] = of.get("config", {}).get("meta", {})
    return found


def type_of(column: dict[str, Any]) -> str:
    """Return the type of a column, or the setting that has it."""
    text: str = column["data_type"]
    return f"setting `{text.split(chr(39))[1]}`" if "var(" in text else f"`{text}`"


def need_of(column: dict[str, Any]) -> str:
    """Return whether a column must be given."""
    if meta(column).get("optional"):
        return "optional"
    return "may be NULL" if meta(column).get("nullable") else "required"


def lines_of(contract: dict[str, Any]) -> Iterator[str]:
    """Yield the part of the page on one input."""
    about = meta(contract)
    yield f"### `{contract['name']}`"
    yield ""
    yield " ".join(contract["description"].split())
    said = [f"Key: {', '.join(f'`{column}`' for column in about['key'])}."]
    if about.get("may_be_empty"):
        said.append("May be empty.")
    if switch := about.get("needs"):
        said.append(f"Not read where `{switch}` is false.")
    yield " ".join(said)
    yield ""
    yield "| column | type | needed | allowed words | what it is, and what it decides |"
    yield "| --- | --- | --- | --- | --- |"
    for column in contract["columns"]:
        words = ", ".join(f"`{word}`" for word in meta(column).get("allowed", []))
        description = " ".join(column["description"].split())
        yield (
            f"| `{column['name']}` | {type_of(column)} | {need_of(column)} | {words} |"
            f" {description} |"
        )
    yield ""


def page() -> str:
    """Return the page."""
    lines = [BEGINNING]
    for system in systems.registry():
        lines += [f"## {system}", ""]
        for contract in contracts(system):
            lines += lines_of(contract)
    return "\n".join(lines).rstrip() + "\n"


def main(document: Path = DOCUMENT) -> int:
    """Write the page."""
    document.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
