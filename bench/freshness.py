"""Measure the time from commit to mart while one run refreshes again and again.

An application writes one order per second. The schedules run as in production, with `serve`
and Prefect. At the end a nightly refresh must find nothing to correct.
"""

import itertools
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import fresh_database, load, print_table, run, session
from flows.database import Connection, rows

EVERY = ("1m", "10s")
MINUTES = 10
# insert times of an application while nobody refreshes
QUIET_SECONDS = 60
PATIENCE_SECONDS = 300

INSERT = """
    insert into commerce.orders (
        id, tenant_id, customer_id, status, ordered_at, delivered_at, total_amount
    )
    select gen_random_uuid(), tenant_id, id, 'DELIVERED', %(now)s, %(now)s, 100
    from commerce.customers
    where id = %(customer)s
"""
ARRIVED = """
    select written.customer_id
    from unnest(%(customers)s::uuid[], %(instants)s::timestamptz[])
        as written (customer_id, ordered_at)
    inner join analytics.customer_account_types as mart
        on
            written.customer_id = mart.customer_id
            and written.ordered_at = mart.last_ordered_at
"""


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Make the data, write orders, wait for them and print; exit if one is wrong."""
    with fresh_database():
        load({"customers": customers or 2_500, "tenants": tenants, "years": years}, until=None)
        run("flows", "capture", "install")
        run("flows", "refresh", "--mode", "nightly")
        with session() as connection:
            known = [
                row["customer_id"]
                for row in rows(
                    connection,
                    "select customer_id from analytics.customer_account_types"
                    " order by md5(customer_id::text)",
                )
            ]
            turns = itertools.cycle(known)
            alone = [write(connection, next(turns))[1] for _ in each_second(QUIET_SECONDS)]
            lines: list[tuple[str, ...]] = [("nobody", "", "", "", *milliseconds(alone))]
            for every in EVERY:
                with serving(every):
                    ages, cost = watch(connection, turns, 60 * MINUTES)
                cuts = statistics.quantiles(ages, n=20)
                lines.append(
                    (
                        every,
                        *(f"{age:.1f}" for age in (cuts[9], cuts[18], max(ages))),
                        *milliseconds(cost),
                    )
                )
            run("flows", "refresh", "--mode", "nightly", "--no-write-back")
            [nightly] = rows(
                connection,
                "select payload -> 'drift' as drift from operations.application_logs"
                " order by log_id desc limit 1",
            )
    print_table(
        f"From commit to mart, {60 * MINUTES} orders in {MINUTES} minutes, seconds;"
        " an insert, ms",
        ("refreshed every", "p50", "p95", "max", "insert p50", "p95"),
        lines,
    )
    if nightly["drift"] != 0:
        sys.exit(f"the nightly refresh corrected {nightly['drift']} rows")


def milliseconds(cost: list[float]) -> tuple[str, str]:
    """Return the median and the 95th percentile of the inserts' times."""
    cuts = statistics.quantiles(cost, n=20)
    return f"{cuts[9] * 1000:.1f}", f"{cuts[18] * 1000:.1f}"


def each_second(seconds: int) -> Iterator[None]:
    """Yield once per second, so many times."""
    begin = time.monotonic()
    for number in range(seconds):
        time.sleep(max(0, begin + number - time.monotonic()))
        yield


def write(connection: Connection, customer: str) -> tuple[object, float]:
    """Write an order; return its instant, and the seconds that it took."""
    [clock] = rows(connection, "select clock_timestamp() as now")
    began = time.perf_counter()
    connection.execute(INSERT.encode(), {"customer": customer, "now": clock["now"]})
    return clock["now"], time.perf_counter() - began


def watch(
    connection: Connection, turns: Iterator[str], seconds: int
) -> tuple[list[float], list[float]]:
    """Write one order per second, wait for each in the mart, return ages and insert times."""
    waiting: dict[str, tuple[object, float]] = {}
    ages: list[float] = []
    cost: list[float] = []

    def look() -> None:
        found = arrived(connection, waiting)
        ages.extend(time.monotonic() - waiting.pop(customer)[1] for customer in found)

    for _ in each_second(seconds):
        customer = next(turns)
        if customer in waiting:
            # its next order would hide this one
            sys.exit(f"the order of {customer} has not arrived before its next turn")
        instant, took = write(connection, customer)
        cost.append(took)
        waiting[customer] = instant, time.monotonic()
        look()
        time.sleep(0.4)
        look()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while waiting:
        if time.monotonic() > deadline:
            sys.exit(f"{len(waiting)} orders have not arrived, such as {next(iter(waiting))}")
        time.sleep(0.2)
        look()
    return ages, cost


def arrived(connection: Connection, waiting: dict[str, tuple[object, float]]) -> list[str]:
    """Return the customers whose order is in the mart."""
    values = {
        "customers": list(waiting),
        "instants": [instant for instant, _ in waiting.values()],
    }
    return [row["customer_id"] for row in rows(connection, ARRIVED, values)]


@contextmanager
def serving(every: str) -> Iterator[None]:
    """Run the schedules, and wait for the first round."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home, Path(home, "log").open("w") as log:
        served = subprocess.Popen(
            [
                *(sys.executable, "-m", "flows", "serve", "--port", str(port)),
                *("--refresh-every", every),
            ],
            env=os.environ | {"PREFECT_HOME": home},
            stdout=log,
            stderr=log,
        )
        try:
            with session() as connection:
                wait_for_rounds(connection, served)
            yield
        finally:
            served.send_signal(signal.SIGINT)
            served.wait(60)


def wait_for_rounds(connection: Connection, served: subprocess.Popen[bytes]) -> None:
    """Wait until two rounds have passed."""
    idle = (
        "select from operations.application_logs"
        " where (payload ->> 'runs_count')::int > 1 and created_at > %(begin)s"
    )
    [clock] = rows(connection, "select clock_timestamp() as begin")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not rows(connection, idle, clock):
        if served.poll() is not None or time.monotonic() > deadline:
            sys.exit("serve did not refresh in time")
        time.sleep(0.5)
