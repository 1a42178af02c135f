"""What a person sees while a run goes on: a live line on a terminal, plain lines elsewhere."""

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

Result = TypeVar("Result")


def print_any_text() -> None:
    """Print what the terminal cannot show, an emoji say, as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class Progress:
    """Shows which step runs, and each model, test or batch that has finished."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = 160
        self._show_live: Callable[[str], None] | None = None

    def run(self, name: str, step: Callable[[], Result]) -> Result:
        """Run one step, shown by its name, and return what it returns."""
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
        """Show that something has finished: all of it on paper, the latest on a terminal."""
        # what is skipped waits for something that failed and is shown
        if status == "skipped":
            return
        if self._show_live and status in ("success", "pass"):
            self._show_live(what)
        else:
            self.say(f"  {status:8} {what}")

    def say(self, text: str) -> None:
        """Show a line of text."""
        self._console.print(text, markup=False, soft_wrap=True)

    def table(self, title: str, lines: Sequence[Mapping[str, Any]]) -> None:
        """Show rows under their column names, numbers to the right."""
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for name in lines[0] if lines else {}:
            values = [line[name] for line in lines if line[name] is not None]
            is_number = bool(values) and isinstance(values[0], int | float | Decimal)
            table.add_column(name, justify="right" if is_number else "left", overflow="fold")
        for line in lines:
            table.add_row(*("" if value is None else str(value) for value in line.values()))
        self._console.print(table if lines else f"{title}: none", markup=False)
