"""Measure the hourly refresh as people run it: the whole command, and a resident process."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console

from bench.measure import (
    UNTIL,
    active_seconds,
    change_rows,
    print_table,
    processor_seconds,
    run,
    server_process,
    timed,
)
from flows import dbt
from flows.database import Connection, rows
from flows.errors import WriteBackHeld
from flows.progress import Progress
from flows.refresh import Options, refresh

if TYPE_CHECKING:
    from bench.hourly import Data

HOURLY = ("refresh", "--mode", "hourly", "--as-of", UNTIL.isoformat())
REPETITIONS = 3
# how many customers change, and in which systems
CHANGES = {
    "nothing changed": (0, ()),
    "1 customer of each system": (1, ("orders", "bookings")),
    "100 in orders": (100, ("orders",)),
    "100 of each system": (100, ("orders", "bookings")),
    "2,500 of each system": (2500, ("orders", "bookings")),
}


def bench(*sizes: "Data") -> None:
    """Measure where the time goes if nothing changed, and what changes cost."""
    bench_nothing_changed(*sizes)
    bench_changes(*sizes)


def bench_changes(*sizes: "Data") -> None:
    """Compare the whole command with a round of a resident process, by number of changes."""
    columns = []
    for data in sizes:
        with data.open() as connection, dbt.kept_warm():
            # the first round loads dbt and parses
            measure(connection, "100 of each system", 500, resident)
            columns.append(
                {
                    (what, how.__name__): measure(connection, what, 1000 * place, how)
                    for place, (what, how) in enumerate(
                        ((what, how) for what in CHANGES for how in (command, resident)), 1
                    )
                }
            )
    print_table(
        "Whole hourly refresh, by what has changed",
        ("what has changed", "as", "s", "CPU s", "5 x customers, s", "CPU s"),
        [
            (*line, *(f"{seconds:.2f}" for column in columns for seconds in column[line]))
            for line in columns[0]
        ],
    )


def measure(
    connection: Connection, what: str, number: int, how: Callable[[], None]
) -> tuple[float, float]:
    """Return the median seconds and CPU seconds of refreshes after changes."""
    changed, systems = CHANGES[what]
    both, taken = (os.getpid(), server_process(connection)), []
    for repetition in range(REPETITIONS):
        change_rows(connection, changed, number + repetition, systems=systems)
        computed, began = processor_seconds(*both), time.perf_counter()
        how()
        seconds = time.perf_counter() - began
        taken.append((seconds, processor_seconds(*both) - computed))
        check(connection, is_idle=not changed)
        # in a small tenant, more may have changed than the guard allows
        run("flows", "write-back", "--force")
    clock, processor = zip(*taken, strict=True)
    return statistics.median(clock), statistics.median(processor)


def command() -> None:
    """Run the command; exit if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "flows", *HOURLY], capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, WriteBackHeld.exit_code):
        sys.exit(f"{' '.join(HOURLY)} failed: {done.stdout}{done.stderr}")


def resident() -> None:
    """Refresh in this process, as `serve` does with a `REFRESH_EVERY` below an hour."""
    with suppress(WriteBackHeld):
        refresh(Options(mode="hourly", as_of=UNTIL), Progress(Console(file=StringIO())))


def check(connection: Connection, *, is_idle: bool) -> None:
    """Fail if the last run has not done the work that is measured."""
    [log] = rows(
        connection,
        "select payload from operations.application_logs"
        " where payload ->> 'mode' = 'hourly' order by log_id desc limit 1",
    )
    payload = log["payload"]
    if "full_because" in payload:
        raise RuntimeError(payload["full_because"])
    if bool(payload.get("is_idle")) != is_idle:
        raise RuntimeError(f"is_idle is {payload.get('is_idle')}, not {is_idle}")


def bench_nothing_changed(*sizes: "Data") -> None:
    """Measure where the time of a whole hourly refresh goes if nothing has changed."""
    lines = []
    for data in sizes:
        with data.open() as connection:
            # earlier rounds have changed more of a small tenant than the guard allows
            run("flows", "write-back", "--force")
            models = statistics.median(
                sum(data.hourly.seconds(connection, UNTIL).values()) for _ in range(3)
            )
            lines.append([command_seconds(connection) | {"models": models} for _ in range(3)])
    parts = {
        "the whole command": "whole",
        "  dbt starts": "dbt_startup_seconds",
        "  dbt runs models and tests, two at a time": "dbt_run_seconds",
        "  Python starts, log, write-back": "rest",
        "SQL of all sessions": "sql",
        "SQL of the models alone": "models",
    }
    print_table(
        "Whole refresh --mode hourly, nothing changed: where the time goes",
        ("", "seconds", "5 x customers"),
        [
            (
                what,
                *(f"{statistics.median(times[part] for times in line):.2f}" for line in lines),
            )
            for what, part in parts.items()
        ],
    )


def command_seconds(connection: Connection) -> dict[str, float]:
    """Run the command; return its seconds, the seconds in its log, and those of its SQL."""
    before = active_seconds(connection)
    whole = timed(
        lambda: run("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL.isoformat())
    )
    sql = active_seconds(connection) - before
    [log] = rows(
        connection,
        "select payload from operations.application_logs order by log_id desc limit 1",
    )
    if "full_because" in log["payload"]:
        raise RuntimeError(log["payload"]["full_because"])
    # a refresh with nothing to do does not start dbt
    parts = ("dbt_startup_seconds", "dbt_run_seconds")
    dbt = {part: log["payload"].get(part, 0.0) for part in parts}
    return {**dbt, "whole": whole, "rest": whole - sum(dbt.values()), "sql": sql}
