"""`PYTHONPATH=. python docs/lineage.py`: draw the pictures of docs/architecture.md anew.

One picture a system: every model is a dot, from the sources on the left to what people see on
the right; sources, marts and what is beside them have their names. What is gray is of all
systems. Needs no database, only what `dbt parse` finds.
"""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any

from flows import dbt, systems
from flows.errors import Infrastructure
from flows.project import OUR_PROJECT

FOLDER = OUR_PROJECT / "docs"
COLORS = ("#2563a8", "#0f7f6c", "#8a5a00", "#8b3fa0", "#a8324a", "#3f6f1f")
SHARED = "all"
SYSTEMS = {**dict(zip(systems.registry(), cycle(COLORS), strict=False)), SHARED: "#5b6470"}
LAYERS = ("source", "inputs", "staging", "rules", "published", "marts", "beside")
TITLES = {
    "source": "sources",
    "inputs": "inputs",
    "staging": "staging",
    "rules": "rules",
    "published": "at once",
    "marts": "marts",
    "beside": "sync · operations · metrics",
}
NAMED = ("source", "marts", "beside")
# in pixels: the picture, a row, a letter of a name, and the room around a name
WIDTH, TOP, ROW, LETTER, ROOM = 900, 52, 15, 6.7, 10
# how far a layer is from the one before, and a step of the rules from the step before, in
# parts of what the names leave
GAPS = {"inputs": 4, "staging": 4, "rules": 4, "published": 4, "marts": 5, "beside": 6}
STEP = 2


@dataclass
class Dot:
    """One relation, where it stands and what it reads."""

    key: str
    name: str
    layer: str
    system: str
    parents: list[str] = field(default_factory=list)
    column: int = 0
    x: float = 0
    y: float = 0


Dots = dict[str, Dot]


def manifest() -> dict[str, Any]:
    """Return what dbt knows of the project."""
    nowhere = {"PGHOST": "nowhere", "PGDATABASE": "none"}
    with tempfile.TemporaryDirectory() as folder:
        done = dbt.command(nowhere, "parse", "--quiet", "--target-path", folder)
        if done.returncode:
            raise Infrastructure(f"dbt: {done.stdout.strip()}")
        found: dict[str, Any] = json.loads(Path(folder, "manifest.json").read_text())
    return found


def find_dots(found: dict[str, Any]) -> Dots:
    """Return sources and models, each with its layer and system."""
    models = {k: n for k, n in found["nodes"].items() if n["resource_type"] == "model"}
    dots: Dots = {}
    for key, node in models.items():
        if node["config"]["materialized"] == "publication":
            layer = "published"
        else:
            folder = node["fqn"][2]
            layer = folder if folder in LAYERS else "beside"
        parents = [
            parent
            for parent in found["parent_map"][key]
            if parent in models or parent in found["sources"]
        ]
        tags = [system for system in SYSTEMS if system in node["tags"]]
        dots[key] = Dot(key, node["name"], layer, tags[0] if tags else "", parents)
    for key, source in found["sources"].items():
        [system] = {dots[child].system for child in found["child_map"][key] if child in dots}
        dots[key] = Dot(key, source["name"], "source", system)
    for key in models:
        dots[key].system = system_of(dots[key], dots)
    return dots


def system_of(dot: Dot, dots: Dots) -> str:
    """Return the system that a model is tagged with, or else the one that it reads."""
    if dot.system:
        return dot.system
    read = {system_of(dots[parent], dots) for parent in dot.parents}
    return read.pop() if len(read) == 1 else SHARED


def of_system(system: str, dots: Dots) -> Dots:
    """Return the dots of a system, and those of all systems that it reads or that read it."""
    own = {key for key, dot in dots.items() if dot.system == system}
    wanted = set(own)
    new = own
    while new:
        # what is read, back to the inputs
        new = {
            parent
            for key in new
            for parent in dots[key].parents
            if dots[parent].system == SHARED
        } - wanted
        wanted |= new
    wanted |= {
        key
        for key, dot in dots.items()
        if dot.system == SHARED and own.intersection(dot.parents)
    }
    return {
        key: Dot(key, dot.name, dot.layer, dot.system, [p for p in dot.parents if p in wanted])
        for key, dot in dots.items()
        if key in wanted
    }


def place(dots: Dots) -> tuple[float, dict[str, float]]:
    """Give every dot its place; return the height, and where each layer begins."""
    steps = {dot.key: dot for dot in dots.values() if dot.layer == "rules"}

    def depth(key: str) -> int:
        above = [depth(parent) for parent in steps[key].parents if parent in steps]
        return 1 + max(above, default=-1)

    for key, dot in steps.items():
        dot.column = depth(key)
    deepest = max(dot.column for dot in steps.values())
    longest = {
        layer: max(len(dot.name) for dot in dots.values() if dot.layer == layer) * LETTER
        for layer in NAMED
    }
    free = WIDTH - sum(longest.values()) - 2 * ROOM * len(NAMED)
    part = free / (sum(GAPS.values()) + STEP * deepest)

    begins: dict[str, float] = {}
    x = 2 * ROOM + longest["source"]
    for layer in LAYERS:
        x += GAPS.get(layer, 0) * part
        begins[layer] = x
        if layer == "rules":
            x += deepest * STEP * part
        if layer == "marts":
            x += longest["marts"] + ROOM
    columns = defaultdict(list)
    for dot in dots.values():
        dot.x = begins[dot.layer] + dot.column * STEP * part
        columns[LAYERS.index(dot.layer), dot.column].append(dot)
    height = (max(map(len, columns.values())) - 1) * ROW
    for column in sorted(columns):
        spread(columns[column], dots, height)
    return TOP + height + 20, begins


def spread(column: list[Dot], dots: Dots, height: float) -> None:
    """Stand the dots of a column one below the other, near what they read."""

    def middle(dot: Dot) -> tuple[float, str]:
        above = [dots[parent].y for parent in dot.parents if dots[parent].y]
        return (sum(above) / len(above) if above else TOP, dot.name)

    first = TOP + (height - (len(column) - 1) * ROW) / 2
    for row, dot in enumerate(sorted(column, key=middle)):
        dot.y = first + row * ROW


def lines(dots: Dots) -> Iterable[str]:
    """Yield a curve for each thing that is read."""
    for dot in dots.values():
        for parent in dot.parents:
            origin = dots[parent]
            # what stands in one column is joined by an arc on its left
            away = (dot.x - origin.x) / 2 or -9 - abs(dot.y - origin.y) / 9
            back = away if dot.x > origin.x else -away
            yield (
                f'<path d="M{origin.x:.0f} {origin.y:.1f}C{origin.x + away:.0f} {origin.y:.1f}'
                f" {dot.x - back:.0f} {dot.y:.1f} {dot.x:.0f} {dot.y:.1f}"
                f'" stroke="{SYSTEMS[origin.system]}"/>'
            )


def marks(dots: Dots) -> Iterable[str]:
    """Yield the dots, and the names of sources, marts and what is beside them."""
    for dot in dots.values():
        color = SYSTEMS[dot.system]
        title = f"<title>{escape(dot.name)}</title>"
        if dot.layer == "published":
            yield (
                f'<rect x="{dot.x - 5:.0f}" y="{dot.y - 5:.1f}" width="10" height="10"'
                f' rx="2" fill="{color}">{title}</rect>'
            )
        else:
            radius = 3.6 if dot.layer == "marts" else 2.8
            yield (
                f'<circle cx="{dot.x:.0f}" cy="{dot.y:.1f}" r="{radius}"'
                f' fill="{color}">{title}</circle>'
            )
        if dot.layer in NAMED:
            kind = ' class="mart"' if dot.layer == "marts" else ""
            anchor, side = (' text-anchor="end"', -8) if dot.layer == "source" else ("", 8)
            yield (
                f'<text{kind} x="{dot.x + side:.0f}" y="{dot.y + 3.5:.1f}"{anchor}>'
                f"{escape(dot.name)}</text>"
            )


def draw(system: str, dots: Dots) -> str:
    """Return the picture of a system."""
    height, begins = place(dots)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}"'
            f' width="{WIDTH}" height="{height:.0f}" role="img"'
            f' aria-label="What reads what in {system}, from the sources to the marts">'
        ),
        (
            "<style>text{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#4a5260;"
            "paint-order:stroke;stroke:#fff;stroke-width:3px}"
            ".mart{fill:#14181f}.head{font:600 12px system-ui,sans-serif;fill:#14181f}"
            "path{fill:none;stroke-opacity:.25}</style>"
        ),
        f'<rect width="{WIDTH}" height="{height:.0f}" rx="10" fill="#fff"/>',
    ]
    for layer, x in begins.items():
        # heads of layers that stand close are apart in height
        y = 36 if layer in ("inputs", "rules", "marts") else 20
        anchor = {"source": "end", "marts": "start", "beside": "end"}.get(layer, "middle")
        at = {"source": x + 4, "marts": x - 4, "beside": WIDTH - ROOM}.get(layer, x)
        parts.append(
            f'<text class="head" x="{at:.0f}" y="{y}" text-anchor="{anchor}">'
            f"{TITLES[layer]}</text>"
        )
    return "\n".join([*parts, *lines(dots), *marks(dots), "</svg>\n"])


def pictures(found: dict[str, Any]) -> dict[Path, str]:
    """Return the pictures of all systems, by their files."""
    dots = find_dots(found)
    return {
        FOLDER / f"lineage_{system}.svg": draw(system, of_system(system, dots))
        for system in systems.registry()
    }


def main() -> int:
    """Draw the pictures."""
    for file, picture in pictures(manifest()).items():
        file.write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
