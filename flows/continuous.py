"""The hourly refresh, again and again in one process, which keeps dbt loaded and parsed.

A round that finds nothing to do says nothing: the run log counts it with its like. What is
said of another is what its refresh says.
"""

import argparse
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from flows import dbt
from flows.errors import Busy, WriteBackHeld
from flows.progress import Progress, Result
from flows.project import FLOWS, PROJECTS
from flows.refresh import Options
from flows.reports import written_in_words

UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
OFTENEST, RAREST = timedelta(seconds=10), timedelta(hours=24)
# more often than this, one run stays: each of its own would cost a start and a line in Prefect
ONE_BY_ONE = timedelta(hours=1)
FOLDERS = ("models", "macros", "seeds", "tests", "analyses")

Refresh = Callable[[Options, Progress], Mapping[str, Any]]


def parse_every(text: str) -> timedelta:
    """Read how often to refresh: 10s to 24h."""
    found = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    every = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not OFTENEST <= every <= RAREST:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 10s to 24h, such as 30s, 5m or 1h (REFRESH_EVERY)"
        )
    return every


class Round(Progress):
    """Holds back what a round says, until something has been done in it."""

    def __init__(self, shown: Progress) -> None:
        """Show on this what is worth it."""
        self._shown = shown
        self._held: list[str] | None = []

    def run(self, name: str, step: Callable[[], Result]) -> Result:
        """Run one step."""
        self.say(name)
        return step()

    def finished(self, what: str, status: str) -> None:
        """Show what was held back before, and what has not finished well."""
        self.show()
        if status not in ("success", "pass"):
            self._shown.finished(what, status)

    def say(self, text: str) -> None:
        """Hold a line of text, or show it."""
        if self._held is None:
            self._shown.say(text)
        else:
            self._held.append(text)

    def table(self, title: str, lines: Sequence[Mapping[str, Any]]) -> None:
        """Show no table: those of the last round would take the place of all others."""

    def show(self) -> None:
        """Hold nothing back from now on."""
        held, self._held = self._held or [], None
        for text in held:
            self._shown.say(text)


def refresh_continuously(every: timedelta, refresh: Refresh, progress: Progress) -> str:
    """Refresh every so often, until a file of the project changes; return why it has ended.

    A round that takes longer than that leaves out those that were due meanwhile, and so does
    another refresh; a write-back that is held is said once. Raises what else a refresh raises.
    """
    files, parent = _files(), os.getppid()
    seconds = every.total_seconds()
    due, told = time.monotonic(), ""
    with dbt.kept_warm():
        while _files() == files:
            if os.getppid() != parent:
                return "whoever has started it is gone"
            shown = Round(progress)
            try:
                payload = refresh(Options(mode="hourly"), shown)
                told = ""
                if not payload.get("is_idle") or payload["rows_written"]:
                    shown.show()
                    progress.say(written_in_words(payload))
            except Busy:
                # it does the work of this round, too
                pass
            except WriteBackHeld as held:
                # until a person has looked; the marts go on
                if held.payload.get("rows_written"):
                    shown.show()
                    progress.say(written_in_words(held.payload))
                if told != str(held):
                    shown.show()
                    progress.fail(f"error: {held}")
                told = str(held)
            except BaseException:
                shown.show()
                raise
            due += seconds * (1 + (time.monotonic() - due) // seconds)
            time.sleep(max(0, due - time.monotonic()))
    return "a file of the project has changed: another run goes on with it"


def _files() -> set[tuple[Path, int, int]]:
    """Return what the files that decide what a refresh does are at the moment."""
    kept = [
        Path(folder, name)
        for project in PROJECTS
        for top in FOLDERS
        for folder, _, names in os.walk(project / top)
        for name in names
    ]
    kept += [*FLOWS.rglob("*.py"), *FLOWS.rglob("*.sql")]
    kept += [file for project in PROJECTS for file in project.glob("*.yml")]
    found = set()
    for file in kept:
        # one that is gone since, or the mark of an editor that leads nowhere
        with suppress(FileNotFoundError):
            status = file.stat()
            found.add((file, status.st_mtime_ns, status.st_size))
    return found
