"""Compare two versions of the project: `python -m bench --against REVISION`.

Each version refreshes its own database on one server, with the same data. The commands
alternate, so that other work of the machine affects both alike. At the end the marts must be
equal, in every mart and column that both versions have.
"""

import io
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from bench.hourly import create_database
from bench.measure import (
    UNTIL,
    change_rows,
    columns_of_marts,
    digests_of_marts,
    fresh_database,
    load,
    print_table,
    session,
    timed,
)
from flows.project import OUR_PROJECT as PROJECT

REPETITIONS = 5
CHANGED = 100


@dataclass(frozen=True)
class Version:
    """A version of the project in its folder, and the database that it refreshes."""

    name: str
    folder: Path
    database: str

    def refresh(self, mode: str) -> None:
        """Run a refresh of this version; exit if it fails."""
        self.run("refresh", "--mode", mode, "--as-of", UNTIL.isoformat())

    def run(self, *arguments: str) -> None:
        """Run a command of this version on its database; exit if it fails."""
        target = {"DBT_TARGET_PATH": str(self.folder / "target")} | {
            "DBT_LOG_PATH": str(self.folder / "logs")
        }
        done = subprocess.run(
            [sys.executable, "-m", "flows", *arguments],
            cwd=self.folder,
            env=os.environ | target | {"PGDATABASE": self.database},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{self.name}: {' '.join(arguments)}: {done.stdout}{done.stderr}")

    def change(self, number: int) -> None:
        """Change rows of some customers, like an application in an hour."""
        os.environ["PGDATABASE"] = self.database
        with session() as connection:
            change_rows(connection, CHANGED, number)


def bench(customers: int | None, tenants: int, years: int, against: str) -> None:
    """Make the data, refresh with both versions alternately, compare and print."""
    size = {"customers": customers or 10_000, "tenants": tenants, "years": years}
    with fresh_database() as (_, folder):
        before = Version(against, checkout(against, folder / "against"), "before")
        after = Version("this one", PROJECT, "after")
        create_database("before")
        os.environ["PGDATABASE"] = "before"
        load(size)
        create_database("after template before strategy file_copy")
        versions = (before, after)
        for version in versions:
            version.run("capture", "install")
            version.refresh("nightly")
        seconds = {
            "nightly, nothing changed": turns(versions, "nightly", REPETITIONS),
            "hourly, nothing changed": turns(versions, "hourly", 2 * REPETITIONS),
            f"hourly, {CHANGED} customers changed in each": turns(
                versions, "hourly", REPETITIONS, change=True
            ),
        }
        differences = compare(versions)
    print_table(
        f"Whole commands, {size['customers']} customers in each system",
        ("", against, "this one", "ratio"),
        [
            (what, f"{old:.2f}", f"{new:.2f}", f"{new / old:.3f}")
            for what, (old, new) in seconds.items()
        ],
    )
    if differences:
        sys.exit("the marts differ: " + "; ".join(differences))


def checkout(revision: str, folder: Path) -> Path:
    """Put a version of the project into a folder, with our profiles.yml, and return it."""
    folder.mkdir()
    git = shutil.which("git") or sys.exit("git is needed to read another version")
    archive = subprocess.run(
        [git, "-C", str(PROJECT), "archive", revision], capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    (folder / "profiles.yml").write_bytes((PROJECT / "profiles.yml").read_bytes())
    return folder


def turns(
    versions: tuple[Version, Version], mode: str, times: int, *, change: bool = False
) -> tuple[float, float]:
    """Return the median seconds of a command in both versions, after one warm-up run."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(times + 1):
        for version, of_version in zip(versions, taken, strict=True):
            if change:
                version.change(number)
            of_version.append(timed(lambda version=version: version.refresh(mode)))  # type: ignore[misc]
    old, new = (statistics.median(of_version[1:]) for of_version in taken)
    return old, new


def compare(versions: tuple[Version, Version]) -> list[str]:
    """Return the marts that differ in columns that both versions have."""
    columns, digests = [], []
    for version in versions:
        os.environ["PGDATABASE"] = version.database
        with session() as connection:
            columns.append(columns_of_marts(connection))
    both = {
        mart: columns[0][mart] & columns[1][mart] for mart in columns[0].keys() & columns[1]
    }
    for version in versions:
        os.environ["PGDATABASE"] = version.database
        with session() as connection:
            digests.append(digests_of_marts(connection, both))
    return sorted(mart for mart in both if digests[0][mart] != digests[1][mart])
