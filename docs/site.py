"""`python docs/site.py`: the documentation site, one file, in docs_site/index.html.

It is dbt's own, with an overview whose numbers are those of the settings and seeds: dbt puts
vars into descriptions, but not into doc blocks.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from docs import rules  # noqa: E402 - a script of a folder that is no package
from flows import dbt  # noqa: E402 - a script of a folder that is no package
from flows.database import connect, environment, use_environment  # noqa: E402
from flows.errors import Failure, Infrastructure  # noqa: E402

SITE = PROJECT / "docs_site"
OVERVIEW = "doc.customer_health.__overview__"

Manifest = dict[str, Any]


def render_overview(manifest: Manifest) -> str:
    """Return the overview, with the pages of the systems in it."""
    pages = {
        node["name"]: f"#!/{node['resource_type']}/{key}"
        for kind in ("nodes", "exposures", "metrics")
        for key, node in manifest[kind].items()
        if node["resource_type"] in ("model", "seed", "exposure", "metric")
    }
    blocks = {
        doc["name"]: str(doc["block_contents"])
        for doc in manifest["docs"].values()
        if doc["package_name"] == "customer_health"
    }
    asked = rules.words(
        lambda name: f"[`{name}`]({pages[name]})", lambda name: f"`docs/{name}`"
    )
    return rules.render(blocks, "__overview__", asked)


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
