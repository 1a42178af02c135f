"""`python docs/site.py`: the documentation site, one file, in docs_site/index.html.

It is dbt's own, with an overview whose numbers are those of the settings and seeds: dbt puts
vars into descriptions, but not into doc blocks.
"""

import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from jinja2 import Environment, StrictUndefined

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from flows import dbt  # noqa: E402 - a script of a folder that is no package
from flows.database import connect, environment, use_environment  # noqa: E402
from flows.errors import Failure, Infrastructure  # noqa: E402

SITE = PROJECT / "docs_site"
OVERVIEW = "doc.customer_health.__overview__"

Manifest = dict[str, Any]


def seed_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a seed."""
    with (PROJECT / "seeds" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def seed_table(name: str, *columns: str) -> str:
    """Return a seed, or these columns of it, as a table of Markdown."""
    rows = seed_rows(name)
    shown = columns or tuple(rows[0])
    cells = [shown, ["---"] * len(shown), *([row[column] for column in shown] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def words(manifest: Manifest) -> dict[str, Callable[..., object]]:
    """Return what the overview may ask for; what is not there is an error."""
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    [thresholds] = [
        row for row in seed_rows("risk_thresholds") if row["tenant_slug"] == "default"
    ]
    pages = {
        node["name"]: f"#!/{node['resource_type']}/{key}"
        for kind in ("nodes", "exposures", "metrics")
        for key, node in manifest[kind].items()
        if node["resource_type"] in ("model", "seed", "exposure", "metric")
    }
    return {
        "var": lambda name: settings[name],
        "percent": lambda name: f"{100 * settings[name]:g} %",
        "threshold": lambda name: thresholds[name],
        "seed": seed_table,
        "page": lambda name: f"[`{name}`]({pages[name]})",
    }


def render_overview(manifest: Manifest) -> str:
    """Return the overview, with the pages of the systems in it."""
    asked = words(manifest)
    blocks = {
        doc["name"]: doc
        for doc in manifest["docs"].values()
        if doc["package_name"] == "customer_health"
    }
    # other marks than dbt's, which would look for these words itself
    jinja = Environment(
        variable_start_string="[[",
        variable_end_string="]]",
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown
    )

    def block(name: str) -> str:
        text = str(blocks[name]["block_contents"])
        return jinja.from_string(text).render(**asked, block=block)

    return block("__overview__")


def build(site: Path) -> None:
    """Let dbt generate the site, and put all of it into one file."""
    use_environment()
    with connect() as connection:
        database = environment(connection)
    done = dbt.command(
        database, "docs", "generate", "--static", "--quiet", "--target-path", str(site)
    )
    if done.returncode:
        raise Infrastructure(f"dbt: {done.stdout.strip()}")
    written = (site / "manifest.json").read_text()
    manifest = json.loads(written)
    manifest["docs"][OVERVIEW]["block_contents"] = render_overview(manifest)
    page = (site / "static_index.html").read_text()
    if written not in page:
        raise Infrastructure("dbt: the page of the site does not hold the manifest")
    index = page.replace(written, json.dumps(manifest), 1)
    shutil.rmtree(site)
    site.mkdir()
    (site / "index.html").write_text(index)


def main() -> int:
    """Build the site; every failure is one line on standard error."""
    try:
        build(SITE)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.exit_code
    print(f"open {SITE / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
