"""`PYTHONPATH=. python docs/lineage.py`: draw the picture of docs/architecture.md anew.

Every model is a dot, from the sources on the left to what people see on the right, one band a
system; marts have their names. Needs no database, only what `dbt parse` finds.
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

PICTURE = OUR_PROJECT / "docs" / "lineage.svg"
COLORS = ("#2563a8", "#0f7f6c", "#8a5a00", "#8b3fa0", "#a8324a", "#3f6f1f")
SYSTEMS = {
    **{
        name: (name.capitalize(), color)
        for name, color in zip(systems.registry(), cycle(COLORS), strict=False)
    },
    "all": ("All systems", "#5b6470"),
}
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
LEFT, TOP, ROW, STEP, BAND = 104, 56, 11, 15, 26
GAPS = {"inputs": 56, "staging": 56, "rules": 56, "published": 52, "marts": 64, "beside": 258}
NAMES = 158


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


def manifest() -> dict[str, Any]:
    """Return what dbt knows of the project."""
    nowhere = {"PGHOST": "nowhere", "PGDATABASE": "none"}
    with tempfile.TemporaryDirectory() as folder:
        done = dbt.command(nowhere, "parse", "--quiet", "--target-path", folder)
        if done.returncode:
            raise Infrastructure(f"dbt: {done.stdout.strip()}")
        found: dict[str, Any] = json.loads(Path(folder, "manifest.json").read_text())
    return found


def find_dots(found: dict[str, Any]) -> dict[str, Dot]:
    """Return sources and models, each with its layer and system."""
    models = {k: n for k, n in found["nodes"].items() if n["resource_type"] == "model"}
    dots: dict[str, Dot] = {}
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


def system_of(dot: Dot, dots: dict[str, Dot]) -> str:
    """Return the system that a model is tagged with, or else the one that it reads."""
    if dot.system:
        return dot.system
    read = {system_of(dots[parent], dots) for parent in dot.parents}
    return read.pop() if len(read) == 1 else "all"


def place(dots: dict[str, Dot]) -> tuple[float, float, dict[str, float], dict[str, float]]:
    """Give every dot its place; return width, height, and where layers and bands begin."""
    steps = {dot.key: dot for dot in dots.values() if dot.layer == "rules"}

    def depth(key: str) -> int:
        above = [depth(parent) for parent in steps[key].parents if parent in steps]
        return 1 + max(above, default=-1)

    for key, dot in steps.items():
        dot.column = depth(key)
    deepest = max(dot.column for dot in steps.values())

    begins: dict[str, float] = {}
    x: float = LEFT
    for layer in LAYERS:
        x += GAPS.get(layer, 0)
        begins[layer] = x
        if layer == "rules":
            x += deepest * STEP
    bands: dict[str, float] = {}
    y: float = TOP
    for system in SYSTEMS:
        columns = defaultdict(list)
        for dot in dots.values():
            if dot.system == system:
                dot.x = begins[dot.layer] + dot.column * STEP
                columns[LAYERS.index(dot.layer), dot.column].append(dot)
        bands[system] = y
        height = (max(map(len, columns.values())) - 1) * ROW
        for column in sorted(columns):
            spread(columns[column], dots, y, height)
        y += height + BAND
    return begins["beside"] + NAMES, y - 4, begins, bands


def spread(column: list[Dot], dots: dict[str, Dot], top: float, height: float) -> None:
    """Stand the dots of a column one below the other, near what they read."""

    def middle(dot: Dot) -> tuple[float, str]:
        above = [dots[parent].y for parent in dot.parents if dots[parent].y]
        return (sum(above) / len(above) if above else top, dot.name)

    first = top + (height - (len(column) - 1) * ROW) / 2
    for row, dot in enumerate(sorted(column, key=middle)):
        dot.y = first + row * ROW


def lines(dots: dict[str, Dot]) -> Iterable[str]:
    """Yield a curve for each thing that is read."""
    for dot in dots.values():
        for parent in dot.parents:
            origin = dots[parent]
            colour = SYSTEMS[origin.system][1]
            # what stands in one column is joined by an arc on its left
            away = (dot.x - origin.x) / 2 or -9 - abs(dot.y - origin.y) / 9
            back = away if dot.x > origin.x else -away
            yield (
                f'<path d="M{origin.x:.0f} {origin.y:.1f}C{origin.x + away:.0f} {origin.y:.1f}'
                f' {dot.x - back:.0f} {dot.y:.1f} {dot.x:.0f} {dot.y:.1f}" stroke="{colour}"/>'
            )


def marks(dots: dict[str, Dot]) -> Iterable[str]:
    """Yield the dots, and the names of sources, marts and what is beside them."""
    for dot in dots.values():
        colour = SYSTEMS[dot.system][1]
        title = f"<title>{escape(dot.name)}</title>"
        if dot.layer == "published":
            yield (
                f'<rect x="{dot.x - 5:.0f}" y="{dot.y - 5:.1f}" width="10" height="10"'
                f' rx="2" fill="{colour}">{title}</rect>'
            )
        else:
            radius = 3.4 if dot.layer == "marts" else 2.5
            yield (
                f'<circle cx="{dot.x:.0f}" cy="{dot.y:.1f}" r="{radius}"'
                f' fill="{colour}">{title}</circle>'
            )
        if dot.layer in ("marts", "beside"):
            weight = ' class="mart"' if dot.layer == "marts" else ""
            yield (
                f'<text{weight} x="{dot.x + 8:.0f}" y="{dot.y + 3:.1f}">'
                f"{escape(dot.name)}</text>"
            )


def draw(dots: dict[str, Dot]) -> str:
    """Return the picture."""
    width, height, begins, bands = place(dots)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
            f' width="{width:.0f}" height="{height:.0f}" role="img"'
            ' aria-label="What reads what, from the sources to the marts">'
        ),
        (
            "<style>text{font:9px ui-monospace,Menlo,Consolas,monospace;fill:#4a5260;"
            "paint-order:stroke;stroke:#fff;stroke-width:2.5px}"
            ".mart{fill:#14181f}.head{font:600 11px system-ui,sans-serif;fill:#14181f}"
            ".band{font:600 12px system-ui,sans-serif}path{fill:none;"
            "stroke-opacity:.22}</style>"
        ),
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="10" fill="#fff"/>',
    ]
    for layer, x in begins.items():
        anchor = {"published": "middle", "beside": "end"}.get(layer, "start")
        at = {"published": x, "beside": width - 14}.get(layer, x - 4)
        parts.append(
            f'<text class="head" x="{at:.0f}" y="26" text-anchor="{anchor}">'
            f"{TITLES[layer]}</text>"
        )
    for system, (title, colour) in SYSTEMS.items():
        y = bands[system]
        parts.append(
            f'<text class="band" x="14" y="{y + 4:.0f}" style="fill:{colour}">{title}</text>'
        )
        if y > TOP:
            parts.append(
                f'<path d="M14 {y - BAND / 2:.0f}H{width - 14:.0f}" stroke="#000"'
                ' style="stroke-opacity:.08"/>'
            )
    return "\n".join([*parts, *lines(dots), *marks(dots), "</svg>\n"])


def main() -> int:
    """Draw the picture."""
    PICTURE.write_text(draw(find_dots(manifest())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
