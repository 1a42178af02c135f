"""Show a running command: a live line on a terminal, plain lines elsewhere.

Schedulers can get one JSON object at the end, and a file with every line.
"""

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO, TypeVar

from rich.console import Console
from rich.table import Table

from flows.errors import Infrastructure, WrongArgument
from flows.streams import drop, print_on

Result = TypeVar("Result")

# without a terminal, wider than any table, so that no value breaks over two lines
ANY_WIDTH = 2**20
# a line break in a name would break a line of the table
CONTROLS = {
    code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)
}


def print_any_text() -> None:
    """Print characters that the terminal cannot show, such as emoji, as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular or plural."""
    return many(number, noun, f"{noun}s")


def many(number: int, one: str, more: str) -> str:
    """Return a number with words that depend on whether it is one."""
    return f"{number} {one if number == 1 else more}"


def as_json(content: Mapping[str, Any]) -> str:
    """Return one line of JSON, with numbers, dates and intervals as in the run log."""
    return json.dumps(content, default=str)


class Paper(Console):
    """Prints until it cannot; then the command goes on silently.

    A reader goes away, as `head` does; a disk is full.
    """

    def _check_buffer(self) -> None:
        """Print what is held; rich itself only expects a broken pipe."""
        try:
            super()._check_buffer()
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Drop what is still to be printed, instead of ending the command."""
        self.quiet = True
        drop(self.file)


class Progress:
    """Shows which step runs, and each model, test or batch that has finished."""

    def __init__(
        self,
        console: Console | None = None,
        *,
        log_file: Path | None = None,
        is_json: bool = False,
    ) -> None:
        """Print to standard output, or to standard error if standard output holds JSON.

        Raises WrongArgument if the file cannot be written.
        """
        self._console = console or Paper(highlight=False, stderr=is_json)
        if not self._console.is_terminal:
            self._console.width = ANY_WIDTH
        self._show_live: Callable[[str], None] | None = None
        self._is_json = is_json
        # the lines of commands without an entry in the run log
        self._said: list[str] = []
        self._tables: dict[str, list[dict[str, Any]]] = {}
        self._log_file = log_file
        self._log = _opened(log_file) if log_file else None

    def run(self, name: str, step: Callable[[], Result]) -> Result:
        """Show the name of a step, run it, and return its result."""
        self.say(name)
        if not self._console.is_terminal:
            return step()
        spinner = "line" if self._console.options.ascii_only else "dots"
        with self._console.status("starting", spinner=spinner) as live:
            self._show_live = live.update
            try:
                return step()
            finally:
                self._show_live = None

    def finished(self, what: str, status: str) -> None:
        """Show a finished node; without a terminal, print it only if it did not succeed.

        The log file gets every node. On a terminal the latest is shown.
        """
        # a skipped node waits for one that failed, which is shown
        if status == "skipped":
            return
        line = f"  {status:8} {what}"
        self._note(line)
        if status not in ("success", "pass"):
            self._print(line)
        elif self._show_live:
            self._show_live(what)

    def say(self, text: str) -> None:
        """Show a line of text."""
        self._note(text)
        self._said.append(text)
        self._print(text)

    def table(self, title: str, lines: Sequence[Mapping[str, Any]]) -> None:
        """Show rows under their column names, with numbers aligned to the right."""
        self._tables[title] = [dict(line) for line in lines]
        if not lines:
            self._note(f"{title}: none")
            self._print(f"{title}: none")
            return
        table = _drawn(title, lines)
        self._console.print(table, markup=False)
        if self._log:
            paper = Console(file=io.StringIO(), width=ANY_WIDTH, highlight=False)
            with paper.capture() as drawn:
                paper.print(table, markup=False)
            for line in drawn.get().splitlines():
                self._note(line.rstrip())

    def fail(self, reason: str) -> None:
        """Print in one line on standard error why the command has ended."""
        print_on(sys.stderr, reason)
        try:
            self._note(reason)
        except Infrastructure as failure:
            print_on(sys.stderr, f"error: {failure}")

    def end(self, payload: Mapping[str, Any] | None, exit_code: int) -> None:
        """With --json print the run's log entry, or else the printed lines and tables."""
        if self._is_json:
            content = payload or {"tables": self._tables, "lines": self._said}
            print_on(sys.stdout, as_json({**content, "exit_code": exit_code}))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def _note(self, text: str) -> None:
        """Append a line to the log file, with the time."""
        if self._log:
            stamp = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            try:
                self._log.writelines(f"{stamp} {line}\n" for line in text.splitlines())
                self._log.flush()
            except OSError as error:
                # the message about this must not be written there
                self._log = None
                raise Infrastructure(
                    f"--log-file: {self._log_file}: {error.strerror}"
                ) from error


def _opened(file: Path) -> TextIO:
    try:
        return file.open("a", encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WrongArgument(f"--log-file: {str(file)!r} cannot be written: {reason}") from None


def _drawn(title: str, lines: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in lines[0]:
        values = [line[name] for line in lines if line[name] is not None]
        is_number = bool(values) and isinstance(values[0], int | float | Decimal)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for line in lines:
        table.add_row(
            *(
                "" if value is None else str(value).translate(CONTROLS)
                for value in line.values()
            )
        )
    return table
