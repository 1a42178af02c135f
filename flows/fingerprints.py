"""Fingerprints of the project's files: of those that numbers depend on, and the triggers."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from flows.project import FLOWS, PROJECTS, read_yaml

# the files that name the application's tables and their key columns
NAMING_FILES = "models/**/*__sources.yml"
# the files that the rules depend on
RULES = (
    *("dbt_project.yml", "models/**/*.sql", "macros/**/*.sql", "seeds/**/*.csv"),
    NAMING_FILES,
)
# except secrets, on which no number depends
ENV_VAR = re.compile(rb"""\benv_var\s*\(\s*(?:var\s*=\s*)?[\\'"]+(?!DBT_ENV_SECRET)(\w+)""")
# the triggers depend on the vars and files that name tables and key columns, and on the script
# that creates their functions
MAKES_FUNCTIONS = FLOWS / "sql" / "capture.sql"
NAMING_VARS = ("_schema", "_table", "_enabled")
# the folders that dbt parses
FOLDERS = ("models", "macros", "seeds", "tests", "analyses")


def fingerprint_of_files(patterns: Sequence[str] = RULES) -> str:
    """Return a fingerprint of project files, by default of all that numbers depend on.

    It includes the environment variables that they name.
    """
    # bytes, so that the encoding does not matter
    texts = [
        f"{file.relative_to(folder)}\n".encode() + file.read_bytes()
        for folder in PROJECTS
        for pattern in patterns
        for file in sorted(folder.glob(pattern))
        if file.is_file()
    ]
    names = sorted({name.decode() for text in texts for name in ENV_VAR.findall(text)})
    return _fingerprint(
        [*texts, *(f"{name}={os.environ.get(name)}".encode() for name in names)]
    )


def stamps_of_files() -> set[tuple[Path, int, int]]:
    """Return the files that a refresh depends on, with their times and sizes."""
    kept = [
        Path(folder, name)
        for project in PROJECTS
        for top in FOLDERS
        for folder, _, names in os.walk(project / top)
        # Python writes there whenever something else is run
        if not folder.endswith("__pycache__")
        for name in names
    ]
    kept += [*FLOWS.rglob("*.py"), *FLOWS.rglob("*.sql")]
    kept += [file for project in PROJECTS for file in project.glob("*.yml")]
    found = set()
    for file in kept:
        # a file deleted meanwhile, or a dangling lock link of an editor
        with suppress(FileNotFoundError):
            status = file.stat()
            found.add((file, status.st_mtime_ns, status.st_size))
    return found


def current_mapping(projects: Sequence[Path] = PROJECTS) -> str:
    """Return a fingerprint of everything that the triggers depend on.

    It covers our project and the one that uses it as a package.
    """
    texts = [MAKES_FUNCTIONS.read_bytes()]
    for folder in projects:
        settings = read_yaml(folder / "dbt_project.yml").get("vars") or {}
        texts.append(repr(sorted(_naming(settings))).encode())
        texts += [
            f"{file.relative_to(folder)}\n".encode() + file.read_bytes()
            for file in sorted(folder.glob(NAMING_FILES))
        ]
    return _fingerprint(texts)


def _naming(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the vars that name tables, including those nested under a package's name."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", text) for inner, text in _naming(value))
        elif name.endswith(NAMING_VARS):
            yield name, str(value)


def _fingerprint(texts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(texts)).hexdigest()[:16]
