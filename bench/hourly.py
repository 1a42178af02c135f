"""Measure whether an hourly refresh costs more in more data, with equally many changes.

There are three databases: one with some customers, one with five times as many, and one with
five times the history of each customer. Their refreshes alternate, so that other work of the
machine affects all alike.
"""

import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import psutil

from bench import hourly_commands, other_ways
from bench.compiled import CompiledProject, compile_project
from bench.measure import (
    HERE,
    UNTIL,
    change_rows,
    fresh_database,
    load,
    print_table,
    run,
    session,
    timed,
)
from flows.database import Connection, environment, rows

RUN_ID = "bench"
CHANGED = 100
REPETITIONS = 11
# models that the table names: those that grow most
SLOWEST = 6
# at this hour a day begins for a third of the organizations
MIDNIGHT = UNTIL + timedelta(hours=11)


@dataclass(frozen=True)
class Data:
    """A database of the benchmark, with both kinds of refresh compiled for it."""

    database: str
    nightly: CompiledProject
    hourly: CompiledProject

    @contextmanager
    def open(self) -> Iterator[Connection]:
        """Open a connection, and point the libpq environment at this database, too."""
        os.environ["PGDATABASE"] = self.database
        with session() as connection:
            yield connection

    def copy(self, database: str) -> "Data":
        """Copy the database. Nobody may be connected to it."""
        create_database(f"{database} template {self.database} strategy file_copy")
        return Data(database, self.nightly.within(database), self.hourly.within(database))

    def grow(self, script: str) -> None:
        """Run a script that adds rows, and fill the marts again."""
        with self.open() as connection:
            connection.execute((HERE / script).read_bytes())
            connection.execute("vacuum analyze")
            self.nightly.refresh(connection, UNTIL)
            connection.execute("vacuum analyze")

    def change(
        self, connection: Connection, changed: int, number: int, written: datetime = UNTIL
    ) -> None:
        """Change rows of so many customers; each number means other customers."""
        change_rows(connection, changed, number, written=written)
        connection.execute("update operations.changed_keys set claimed_by = %s", [RUN_ID])

    def refresh(self, connection: Connection, changed: int, number: int) -> dict[str, float]:
        """Change rows of so many customers; return the seconds of their refresh, by model."""
        self.change(connection, changed, number)
        return self.hourly.seconds(connection, UNTIL)


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Make the data, measure, print."""
    size = {"customers": customers or 10_000, "tenants": tenants, "years": years}
    # a quarter of the memory, as is usual: with less, the ratios would measure how much of
    # the larger data fits into it
    shared_buffers = f"{psutil.virtual_memory().total // 4 >> 20}MB"
    with fresh_database(shared_buffers):
        few = prepare(size)
        many, long = few.copy("many_customers"), few.copy("long_history")
        many.grow("more_customers.sql")
        long.grow("more_history.sql")
        bench_growth(few, many, long)
        with many.open() as connection:
            other_ways.bench(
                connection,
                many.hourly,
                lambda: many.change(
                    connection, size["customers"] * 5 // 1000, 1000, other_ways.WRITTEN
                ),
            )
        hourly_commands.bench(few, many)
        bench_share(many, size["customers"] * 5)


def prepare(size: dict[str, int]) -> Data:
    """Create the first database, with triggers on its source and all marts filled."""
    create_database("few_customers")
    os.environ["PGDATABASE"] = "few_customers"
    load(size)
    run("flows", "capture", "install")
    run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL.isoformat())
    with session() as connection:
        connection.execute("vacuum analyze")
        nightly, hourly = (
            compile_project(
                environment(connection),
                tags={"orders", "bookings"},
                refresh_scope=scope,
                run_id=RUN_ID,
            )
            for scope in ("all", "changed")
        )
    return Data("few_customers", nightly, hourly)


def create_database(what: str) -> None:
    """Create a database, through a connection to one that always exists."""
    os.environ["PGDATABASE"] = "postgres"
    with session() as connection:
        connection.execute(f"create database {what}".encode())


def bench_growth(*sizes: Data) -> None:
    """Compare refreshes of equally many changed customers in more data, model by model."""
    idle: list[list[dict[str, float]]] = [[] for _ in sizes]
    busy: list[list[dict[str, float]]] = [[] for _ in sizes]
    with ExitStack() as stack:
        connections = [stack.enter_context(data.open()) for data in sizes]
        # the first refresh warms up
        for number in range(REPETITIONS + 1):
            for place, (data, connection) in enumerate(zip(sizes, connections, strict=True)):
                idle[place].append(data.refresh(connection, 0, number))
                busy[place].append(data.refresh(connection, CHANGED, number))
    nothing, all_models = (
        [statistics.median(sum(models.values()) for models in times[1:]) for times in taken]
        for taken in (idle, busy)
    )
    by_model = {
        name: [statistics.median(models[name] for models in times[1:]) for times in busy]
        for name in busy[0][0]
    }
    dearest = sorted(by_model, key=lambda name: by_model[name][0] - max(by_model[name]))
    print_table(
        f"Hourly, SQL alone, {CHANGED} changed customers in each system",
        ("", "ms", "5 x customers, ms", "x", "5 x history, ms", "x"),
        [
            compared("all models", all_models),
            compared("nothing changed", nothing),
            compared(
                "what the changes add",
                [all_of - fixed for all_of, fixed in zip(all_models, nothing, strict=True)],
            ),
            *(compared(f"  {name}", by_model[name]) for name in dearest[:SLOWEST]),
        ],
    )


def compared(what: str, seconds: list[float]) -> tuple[str, ...]:
    """Return a line of the table: milliseconds, and the ratios of the other databases."""
    base, *others = seconds
    return (
        what,
        f"{base * 1000:.0f}",
        *(text for s in others for text in (f"{s * 1000:.0f}", f"{s / base:.2f}")),
    )


def bench_share(data: Data, customers: int) -> None:
    """Compare an hourly refresh with a full one that finds nothing changed."""
    changed = customers // 1000
    with data.open() as connection:
        full = timed(lambda: data.nightly.refresh(connection, UNTIL))
        connection.execute("vacuum analyze")
        hourly = statistics.median(
            sum(data.refresh(connection, changed, number).values())
            for number in range(100, 100 + REPETITIONS)
        )
        midnight = timed(lambda: data.hourly.refresh(connection, MIDNIGHT))
        [due] = rows(
            connection,
            "select (select count(*) from analytics_internal.int_customers__due)"
            " + (select count(*) from analytics_internal.int_booking_customers__due)"
            " as customers",
        )
    print_table(
        f"Hourly compared with full, SQL alone, {customers} customers in each system",
        ("", "seconds", "% of full"),
        [
            (what, f"{seconds:.2f}", f"{100 * seconds / full:.2f}")
            for what, seconds in (
                ("full refresh, nothing changed", full),
                (f"hourly, {changed} customers changed in each", hourly),
                (f"hourly at midnight, {due['customers']} due by themselves", midnight),
            )
        ],
    )
