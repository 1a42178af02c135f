"""Compare the CPU seconds of a Citus coordinator and workers with one server, at two sizes.

The same commands run alternately on one PostgreSQL server and on a coordinator with two
workers. At the end the marts must be equal. Autovacuum is off: what it does after one command
would count as the cost of the next.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.cluster import WHERE, Cluster, cluster, installation
from bench.measure import (
    UNTIL,
    columns_of_marts,
    digests_of_marts,
    load,
    print_table,
    processor_seconds,
    session,
)
from bench.versions import checkout

SHARDS = 8
CHANGED = 100
GROWTH = 5
AS_OF = ("--as-of", UNTIL.isoformat())
# what is measured, and whether rows change before
STEPS = {
    "nightly, the first": (("refresh", "--mode", "nightly", *AS_OF), False),
    "nightly, nothing changed": (("refresh", "--mode", "nightly", *AS_OF), False),
    f"hourly, {CHANGED} of each system changed": (
        ("refresh", "--mode", "hourly", *AS_OF),
        True,
    ),
}
# a new row for some customers of each system, the same rows on both sides
NEW_ROWS = (
    b"""
    insert into commerce.orders
        (id, tenant_id, customer_id, status, ordered_at, delivered_at, total_amount,
            created_at, updated_at)
    select
        md5(id || 'new')::uuid, tenant_id, id, 'DELIVERED',
        %(until)s - interval '2 hours', %(until)s - interval '1 hour', 99.95,
        %(until)s, %(written)s
    from commerce.customers
    order by md5(id::text)
    limit %(changed)s
    """,
    b"""
    insert into booking.bookings
        (organization_id, booking_id, square_customer_id, location_id, status, start_at,
            created_at, updated_at)
    select
        organization_id, md5(square_customer_id), square_customer_id, 'L1', 'ACCEPTED',
        %(until)s - interval '2 hours', %(until)s, %(written)s
    from booking.customers
    order by md5(square_customer_id)
    limit %(changed)s
    """,
)


@dataclass(frozen=True)
class Side:
    """Servers with the data of an application, and the project that refreshes them."""

    servers: Cluster
    project: Path

    def run(self, *arguments: str) -> None:
        """Run one of our commands; exit if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "flows", *arguments],
            cwd=self.project,
            env=os.environ
            | self.servers.nodes[0]
            | {"DBT_TARGET_PATH": str(self.project / "target")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")

    def enter(self) -> None:
        """Point the libpq environment at the first node."""
        os.environ.update(self.servers.nodes[0])

    def measure(self, command: Sequence[str], written: datetime | None) -> list[float]:
        """Return a command's wall-clock seconds, and the CPU seconds of each node.

        written: the time of new rows, inserted before the command; None: no new rows.
        """
        self.enter()
        if written:
            values = {"changed": CHANGED, "until": UNTIL, "written": written}
            with session() as connection:
                for statement in NEW_ROWS:
                    connection.execute(statement, values)
        nodes = [self.servers.process(place) for place in range(len(self.servers.nodes))]
        before = [processor_seconds(node) for node in nodes]
        began = time.perf_counter()
        self.run(*command)
        seconds = time.perf_counter() - began
        return [
            seconds,
            *(
                processor_seconds(node) - so_far
                for node, so_far in zip(nodes, before, strict=True)
            ),
        ]


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Make the data on both sides, refresh alternately, compare and print."""
    base = customers or 2000
    with installation() as programs, tempfile.TemporaryDirectory() as name:
        if programs is None:
            print(f"Citus is skipped: {WHERE}")
            return
        projects = [checkout("HEAD", Path(name, kind)) for kind in ("plain", "citus")]
        settings = projects[1] / "dbt_project.yml"
        text = settings.read_text()
        settings.write_text(text.replace("\n  citus: false\n", "\n  citus: true\n"))
        lines = []
        for size in (base, base * GROWTH):
            with (
                cluster(programs, SHARDS, workers=0) as one,
                cluster(programs, SHARDS) as many,
            ):
                sides = [Side(one, projects[0]), Side(many, projects[1])]
                for side in sides:
                    side.enter()
                    load({"customers": size, "tenants": tenants, "years": years})
                many.distribute_demo()
                for side in sides:
                    for number in range(len(side.servers.nodes)):
                        side.servers.execute(number, "alter system set autovacuum = off")
                        side.servers.execute(number, "select pg_reload_conf()")
                    side.servers.execute(0, "vacuum analyze")
                for what, (command, is_changed) in STEPS.items():
                    # the real time, because an hourly refresh reads what was written since
                    # the last one
                    written = datetime.now(UTC) if is_changed else None
                    plain, spread = (side.measure(command, written) for side in sides)
                    lines.append((f"{size:,}", what, *columns(plain, spread)))
                compare(sides)
    print_table(
        f"Citus, {SHARDS} shards on two workers, compared with one server",
        (
            *("customers", "command", "one, s", "CPU s", "Citus, s"),
            *("coordinator, CPU s", "workers, CPU s", "all x one"),
        ),
        lines,
    )


def columns(plain: list[float], spread: list[float]) -> tuple[str, ...]:
    """Return a line of the table."""
    _, of_one = plain
    clock, coordinator, *workers = spread
    figures = (*plain, clock, coordinator, sum(workers))
    ratio = (coordinator + sum(workers)) / of_one
    return (*(f"{figure:.1f}" for figure in figures), f"{ratio:.2f}")


def compare(sides: Sequence[Side]) -> None:
    """Exit if a mart differs."""
    digests = []
    for side in sides:
        side.enter()
        with session() as connection:
            digests.append(digests_of_marts(connection, columns_of_marts(connection)))
    plain, spread = digests
    if different := sorted(name for name in plain if plain[name] != spread.get(name)):
        sys.exit(f"the marts differ: {', '.join(different)}")
