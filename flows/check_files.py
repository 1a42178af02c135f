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
COMMENT = re.compile(r"\s*(--|#)")
FOLDERS, SUFFIXES = ("models", "seeds", "macros"), (".sql", ".yml", ".yaml", ".csv")
SHOWN = 320


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
                yield from ((of, finding) for finding in questions_of(file, path))


def questions_of(file: Path, path: Path) -> Iterator[Finding]:
    """Yield each TODO of one file, with the lines on which a comment goes on."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        if found := OPEN.search(line):
            asked = " ".join([found[1].strip(), *_further(lines, number)]).strip()
            asked = f"{asked[:SHOWN]} ..." if len(asked) > SHOWN else asked
            yield Finding(
                LOOK,
                f"{path}:{number}",
                None,
                f"TODO is left{': ' if asked else ''}{asked.removesuffix('.')}",
                "decide, then delete the word TODO",
            )


def _further(lines: Sequence[str], number: int) -> Iterator[str]:
    """Yield the rest of a question that a comment continues on its next lines."""
    mark = COMMENT.match(lines[number - 1])
    for line in lines[number:]:
        there = COMMENT.match(line)
        if mark is None or there is None or there[1] != mark[1] or OPEN.search(line):
            return
        yield line[there.end() :].strip()
