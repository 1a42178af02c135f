"""Repeat the hourly refresh in one process, which keeps dbt loaded and the project parsed.

A round with nothing to do prints nothing, and the run log counts such rounds in one row. Other
rounds print what their refresh prints.
"""

import argparse
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from flows import dbt
from flows.errors import Busy, WriteBackHeld
from flows.fingerprints import stamps_of_files
from flows.progress import Progress, Result
from flows.refresh import Options
from flows.reports import written_in_words

UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
OFTENEST, RAREST = timedelta(seconds=10), timedelta(hours=24)
# below this interval one run stays alive: separate runs would each cost a start and a line in
# Prefect
ONE_BY_ONE = timedelta(hours=1)

Refresh = Callable[[Options, Progress], Mapping[str, Any]]


def parse_every(text: str) -> timedelta:
    """Read the refresh interval: 10s to 24h."""
    found = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    every = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not OFTENEST <= every <= RAREST:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 10s to 24h, such as 30s, 5m or 1h (REFRESH_EVERY)"
        )
    return every


class Round(Progress):
    """Holds back the output of a round until it has done something."""

    def __init__(self, shown: Progress) -> None:
        """Print to this progress once there is something to print."""
        self._shown = shown
        self._held: list[str] | None = []

    def run(self, name: str, step: Callable[[], Result]) -> Result:
        """Run one step."""
        self.say(name)
        return step()

    def finished(self, what: str, status: str) -> None:
        """Show what was held back, and nodes that did not succeed."""
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
        """Show no table, because each round would replace the tables of the last."""

    def show(self) -> None:
        """Print what was held back, and from now on hold nothing back."""
        held, self._held = self._held or [], None
        for text in held:
            self._shown.say(text)


def refresh_continuously(every: timedelta, refresh: Refresh, progress: Progress) -> str:
    """Refresh at this interval until a project file changes; return why it ended.

    Rounds that come due during a long round or another refresh are skipped. A held write-back
    is reported once. All other exceptions of a refresh are raised.
    """
    files, parent = stamps_of_files(), os.getppid()
    seconds = every.total_seconds()
    due, told = time.monotonic(), ""
    with dbt.kept_warm():
        while stamps_of_files() == files:
            if os.getppid() != parent:
                return "the process that started this run is gone"
            shown = Round(progress)
            try:
                payload = refresh(Options(mode="hourly"), shown)
                told = ""
                if not payload.get("is_idle") or payload["rows_written"]:
                    shown.show()
                    progress.say(written_in_words(payload))
            except Busy:
                # the other refresh also does the work of this round
                pass
            except WriteBackHeld as held:
                # held until a person has looked; the marts stay up to date
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
    return "a project file has changed: the next run uses the new version"
