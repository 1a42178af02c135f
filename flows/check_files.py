"""Find the questions that `init` or the author left open in a user's project.

See flows/check_inputs.py.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from flows import systems
from flows.check_inputs import LOOK, Finding
from flows.project import IS_OF_USER, PROJECT

OPEN = re.compile(r"\bTODO\b[: ]*(.*)")
FOLDERS, SUFFIXES = ("models", "seeds", "macros"), (".sql", ".yml", ".yaml", ".csv")
SHOWN = 80


def open_questions(names: Sequence[str]) -> Iterator[tuple[str, Finding]]:
    """Yield each TODO in the files of these systems, with the system that reports it.

    The first system reports TODOs in files of no system.
    """
    if not IS_OF_USER:
        return
    for folder in FOLDERS:
        for file in sorted((PROJECT / folder).rglob("*")):
            if file.suffix not in SUFFIXES or not file.is_file():
                continue
            path = file.relative_to(PROJECT)
            of = path.parts[1] if path.parts[1] in systems.registry() else names[0]
            if of in names:
                yield from ((of, finding) for finding in _of_file(file, path))


def _of_file(file: Path, path: Path) -> Iterator[Finding]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        if found := OPEN.search(line):
            asked = found[1].strip()
            asked = f"{asked[:SHOWN]} ..." if len(asked) > SHOWN else asked
            yield Finding(
                LOOK,
                f"{path}:{number}",
                None,
                f"TODO is left{': ' if asked else ''}{asked}",
                "decide, then delete the word TODO",
            )
