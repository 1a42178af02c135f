"""`make bench`: what a refresh costs, as ratios within one run on one machine.

Seconds differ from machine to machine and from minute to minute; read the ratios.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.compiled import compile_project
from flows.database import Connection, connect, environment, rows, use_embedded

HERE = Path(__file__).parent
UNTIL = datetime(2026, 6, 15, 12, tzinfo=UTC)
MARTS = (
    "customer_risk_status",
    "customer_risk_status_history",
    "customer_account_types",
    "customer_account_type_history",
)
SCAN = """
    select
        count(id), count(tenant_id), count(customer_id), count(status), max(ordered_at),
        max(delivered_at), sum(total_amount), max(currency), max(created_at), max(updated_at)
    from commerce.orders
"""


class Report:
    """The measurements, in the order in which they were made."""

    def __init__(self, title: str) -> None:
        self.table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        self.table.add_column("what")
        for column in ("seconds", "x scan", "x by hand"):
            self.table.add_column(column, justify="right")
        self.scan: float | None = None
        self.by_hand: float | None = None

    def add(self, what: str, seconds: float) -> float:
        """Add a measurement and return it."""
        ratios = [
            f"{seconds / base:.2f}" if base else "" for base in (self.scan, self.by_hand)
        ]
        self.table.add_row(what, f"{seconds:.2f}", *ratios)
        return seconds


class PrivateMemory(threading.Thread):
    """The most memory of its own that a process and its children had at one time."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.most = 0
        self.done = threading.Event()

    def run(self) -> None:
        """Look ten times a second, until done."""
        while not self.done.wait(0.1):
            self.most = max(self.most, sum(map(_private, self._family())))

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def _private(process: psutil.Process) -> int:
    try:
        memory = process.memory_info()
    except psutil.NoSuchProcess:
        return 0
    return int(memory.rss - memory.shared)


def timed(step: Callable[[], object], times: int = 1) -> float:
    """Return the median of the seconds that a step takes."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        step()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def fill_by_hand(connection: Connection) -> None:
    """Do what the models do with one statement, and build the same indexes."""
    connection.execute("drop schema if exists hand cascade; create schema hand")
    for mart in MARTS:
        connection.execute(
            f"create table hand.{mart} (like analytics.{mart} including defaults)".encode()
        )
    connection.execute((HERE / "orders.sql").read_bytes(), {"as_of": UNTIL})
    for index in rows(
        connection,
        "select replace(indexdef, ' ON analytics.', ' ON hand.') as statement"
        " from pg_indexes where schemaname = 'analytics' and tablename = any(%(marts)s)",
        {"marts": list(MARTS)},
    ):
        connection.execute(index["statement"])


def differences(connection: Connection) -> int:
    """Count the rows that only the models or only the statement by hand has."""
    return sum(
        rows(
            connection,
            f"select count(*) from ((table {one}.{mart} except table {other}.{mart})) as d",
        )[0]["count"]
        for mart in MARTS
        for one, other in (("analytics", "hand"), ("hand", "analytics"))
    )


def bench_orders(connection: Connection, folder: Path, report: Report) -> None:
    """Compare the models on orders with a scan, and with the best statement by hand."""
    models = compile_project(environment(connection), folder, tag="orders")
    connection.execute("set work_mem = '16MB'; set jit = off")
    for mart in MARTS:
        connection.execute(f"truncate analytics.{mart}".encode())
    report.scan = report.add(
        "scan the columns of orders once", timed(lambda: connection.execute(SCAN), 5)
    )
    by_hand = timed(lambda: fill_by_hand(connection))
    report.by_hand = by_hand
    report.add("one statement by hand, with the indexes", by_hand)
    report.add(
        "SQL of the models, first time",
        timed(lambda: models.refresh(connection, UNTIL)),
    )
    print(f"rows that differ between the two: {differences(connection)}")
    report.add(
        "SQL of the models, nothing changed",
        timed(lambda: models.refresh(connection, UNTIL)),
    )


def bench_command(connection: Connection, report: Report) -> None:
    """Take the time and the memory of the whole command."""
    [backend] = rows(connection, "select pg_backend_pid() as pid")
    server = psutil.Process(psutil.Process(backend["pid"]).ppid())
    database = PrivateMemory(server)
    command = psutil.Popen(
        [
            *(sys.executable, "-m", "flows", "refresh", "--mode", "nightly"),
            *("--as-of", UNTIL.isoformat(), "--no-write-back"),
        ],
        stdout=subprocess.DEVNULL,
    )
    client = PrivateMemory(command)
    database.start()
    client.start()
    took = timed(command.wait)
    database.done.set()
    client.done.set()
    if command.returncode:
        sys.exit("the refresh failed")
    [log] = rows(
        connection,
        "select payload from operations.application_logs order by log_id desc limit 1",
    )
    report.add("the command refresh --mode nightly", took)
    report.add("  of which dbt starts", log["payload"]["dbt_startup_seconds"])
    report.add("  of which models and tests, two at a time", log["payload"]["dbt_run_seconds"])
    print(f"peak memory: dbt {client.most >> 20} MB, database {database.most >> 20} MB")


def main() -> None:
    """Make the data, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--years", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        use_embedded(Path(folder) / "postgres")
        os.environ["DBT_TARGET_PATH"] = f"{folder}/target"
        os.environ["DBT_LOG_PATH"] = f"{folder}/logs"
        size = [f"--{name}={value}" for name, value in vars(arguments).items()]
        subprocess.run(
            [sys.executable, "-m", "demo", *size, "--until", UNTIL.isoformat()], check=True
        )
        with connect() as connection:
            report = Report("Orders, nightly")
            bench_orders(connection, Path(folder) / "compiled", report)
            bench_command(connection, report)
            Console().print(report.table)


if __name__ == "__main__":
    main()
