"""Find our dbt project, and the project that dbt runs in: a user's or ours.

A user's project is a folder with a dbt_project.yml that names customer_health, with ours as a
package. Without one dbt runs in our project.
"""

import difflib
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from flows.errors import WrongArgument

VARIABLE = "CUSTOMER_HEALTH_PROJECT_DIR"
# set for our child processes: the parent has read .env and may have replaced some values
IS_READ = "CUSTOMER_HEALTH_ENV_IS_READ"
PACKAGE = "customer_health"
FLOWS = Path(__file__).resolve().parent
# read as text, because the environment of the pages has no YAML
NAME = re.compile(r"^name: *[\"']?(\w+)", re.MULTILINE)
WORD = re.compile(r"\w+")
VERSION = re.compile(r"^version: *[\"']?([\w.]+)", re.MULTILINE)


def _ours() -> Path:
    """Return the folder of our dbt project: the clone, or the copy in the wheel."""
    installed = FLOWS / PACKAGE
    return installed if installed.exists() else FLOWS.parent


def _is_of_user(folder: Path) -> bool:
    """Return whether this is a dbt project that uses ours as a package."""
    file = folder / "dbt_project.yml"
    if not file.is_file():
        return False
    text = file.read_text(encoding="utf-8")
    if not text.strip():
        # so that check_project() reports the empty file instead of using our project
        return True
    is_ours = PACKAGE in text or (folder / "dbt_packages" / PACKAGE).exists()
    return is_ours and _read(NAME, text) != PACKAGE


def _find() -> Path:
    """Return the project that the environment names, or the nearest in a parent folder."""
    if given := os.environ.get(VARIABLE):
        return Path(given).resolve()
    here = Path.cwd()
    return next(filter(_is_of_user, (here, *here.parents)), OUR_PROJECT)


def _read(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _read_environment() -> None:
    """Set the variables of the project's .env that the environment does not set."""
    file = PROJECT / ".env"
    if file.is_file() and not os.environ.get(IS_READ):
        from dotenv import load_dotenv

        try:
            load_dotenv(file, encoding="utf-8")
        except UnicodeDecodeError:
            # no command runs yet that could report it
            print(f"error: {file}: must be UTF-8", file=sys.stderr)
            raise SystemExit(WrongArgument.exit_code) from None


OUR_PROJECT = _ours()
PROJECT = _find()
# before any setting is read
_read_environment()
IS_OF_USER = PROJECT != OUR_PROJECT
# the projects whose files decide the numbers
PROJECTS = (OUR_PROJECT, PROJECT) if IS_OF_USER else (OUR_PROJECT,)
# a writable folder for profiles, dbt's parsed files and the demo's database
HOME = (
    PROJECT
    if IS_OF_USER or FLOWS.parent == OUR_PROJECT
    else Path.home() / ".local" / "share" / "customer-health"
)
LOCAL = HOME / ".local"


def check_project() -> None:
    """Raise WrongArgument for an invalid project, or one with wrong settings or version.

    It links our project into the user's as a package, unless `dbt deps` has installed it from
    a packages.yml.
    """
    settings()
    if not IS_OF_USER:
        return
    if not _is_of_user(PROJECT):
        raise WrongArgument(
            f"{VARIABLE} is {PROJECT}; it must be a folder with a dbt_project.yml that names"
            f" {PACKAGE}: `customer-health init` creates one"
        )
    package = PROJECT / "dbt_packages" / PACKAGE
    try:
        _link(package)
    except OSError as error:
        raise WrongArgument(f"{package}: {error.strerror}") from error
    theirs, own = (_version(folder) for folder in (package, OUR_PROJECT))
    if theirs != own:
        raise WrongArgument(
            f"{package} is version {theirs} but this command is version {own}: set {own} in"
            f" packages.yml and run `dbt deps`, or install customer-health {theirs}"
        )


def _link(package: Path) -> None:
    """Link our project into a user's as a package."""
    is_old = not package.exists() or (
        package.resolve() != OUR_PROJECT and not _is_dependency()
    )
    # not a folder that is no link, but a link from an earlier installation
    if is_old and (package.is_symlink() or not package.exists()):
        package.parent.mkdir(exist_ok=True)
        # in one step, because several commands may do this at once; not beside it, where dbt
        # would find a second package
        with tempfile.TemporaryDirectory(dir=PROJECT, prefix=f".{PACKAGE}_") as folder:
            link = Path(folder, PACKAGE)
            link.symlink_to(OUR_PROJECT)
            link.replace(package)


def _is_dependency() -> bool:
    return any((PROJECT / name).exists() for name in ("packages.yml", "dependencies.yml"))


def _version(folder: Path) -> str:
    return _read(VERSION, (folder / "dbt_project.yml").read_text(encoding="utf-8"))


def for_command() -> dict[str, str]:
    """Return the extra environment of a command of ours that another one starts."""
    return {
        # otherwise a .env could name another database
        IS_READ: "1",
        VARIABLE: str(PROJECT),
        # this project's modules before any other package called `flows`
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(FLOWS.parent), os.environ.get("PYTHONPATH")])
        ),
    }


def name() -> str:
    """Return the name of the project that dbt runs in."""
    return _read(NAME, (PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))


def version() -> str:
    """Return the version of this software."""
    return _version(OUR_PROJECT)


@cache
def settings() -> dict[str, Any]:
    """Return all settings, those of the user's project over our defaults, as in dbt.

    Raises WrongArgument for an unknown setting.
    """
    defaults = _vars(OUR_PROJECT)
    if not IS_OF_USER:
        # edited in place, so a setting is known if our files name it
        for name in _not_in_ours(_whole(defaults)):
            raise _unknown(
                name, {word for text in _ours_as_text() for word in WORD.findall(text)}
            )
        return defaults
    theirs = _vars(PROJECT)
    own = theirs.pop(PACKAGE, None) or {}
    # a project with other packages may set vars for its own models, which we cannot judge
    is_only_ours = not _is_dependency()
    mine = {name for name, value in theirs.items() if not isinstance(value, dict)}
    for name in _whole({*own, *(mine if is_only_ours else ())}):
        if name not in defaults:
            raise _unknown(name, defaults)
    return {
        name: own.get(name, theirs.get(name, default)) for name, default in defaults.items()
    }


def _whole(names: Iterable[str]) -> list[str]:
    """Leave out names that are put together where they are read, or used in a sources' yml."""
    systems = [folder.name for folder in (OUR_PROJECT / "models").iterdir()]
    composed = re.compile(rf"({'|'.join(systems)})_(enabled|schema|\w+_(table|id_type))")
    return [name for name in names if not composed.fullmatch(name)]


def _not_in_ours(names: Iterable[str]) -> list[str]:
    """Return the names that are no word of our models and commands."""
    left = list(names)
    for text in _ours_as_text():
        # words only of a text that has the letters: finding all words takes long
        left = [name for name in left if name not in text or name not in WORD.findall(text)]
        if not left:
            break
    return left


def _ours_as_text() -> Iterator[str]:
    """Yield the text of our models and commands."""
    # macros and commands first, which read most settings
    names = ("models", "analyses", "seeds", "tests/data")
    for folder in (OUR_PROJECT / "macros", FLOWS, *(OUR_PROJECT / name for name in names)):
        for file in folder.rglob("*"):
            if file.suffix in (".py", ".sql", ".yml"):
                yield file.read_text(encoding="utf-8")


def _unknown(name: str, known: Iterable[str]) -> WrongArgument:
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return WrongArgument(f"setting {name} of dbt_project.yml is unknown{meant}")


def read_yaml(file: Path) -> Any:
    """Return the content of a YAML file; raises WrongArgument if it is invalid."""
    # imported here because the environment of the pages has none
    import yaml  # type: ignore[import-untyped]

    # the parser in C, where there is one, is faster
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(file.read_bytes(), loader)  # noqa: S506 - both are safe
    except yaml.YAMLError as error:
        raise WrongArgument(f"{file}: {' '.join(str(error).split())}") from error


def _vars(folder: Path) -> dict[str, Any]:
    file = folder / "dbt_project.yml"
    found = read_yaml(file)
    if not isinstance(found, dict):
        what = "is empty" if found is None else "does not contain keys and values"
        raise WrongArgument(
            f"{file} {what}: `customer-health init` creates a valid one in another folder"
        )
    given = found.get("vars") or {}
    if not isinstance(given, dict):
        raise WrongArgument(f"{file}: vars must contain names and values of settings")
    return given
