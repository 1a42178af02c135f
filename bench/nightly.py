"""Measure the nightly refresh, compared with a scan and handwritten SQL, and some reads."""

import statistics
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import psutil
from rich.console import Console
from rich.table import Table

from bench.compiled import CompiledProject, build_project, compile_project
from bench.measure import HERE, UNTIL, fresh_database, load, print_table, timed
from flows.database import Connection, environment, rows


@dataclass(frozen=True)
class System:
    """One source system: the tag of its models, its marts, and a scan of its rows."""

    tag: str
    marts: tuple[str, ...]
    scan: str


ORDERS = System(
    "orders",
    (
        "customer_risk_status",
        "customer_risk_status_history",
        "customer_order_days",
        "closed_customer_order_days",
        "customer_recent_orders",
        "customer_account_types",
        "customer_account_type_history",
    ),
    """
    select
        count(id), count(tenant_id), count(customer_id), count(status), max(ordered_at),
        max(delivered_at), sum(total_amount), max(currency), max(created_at), max(updated_at)
    from commerce.orders
    """,
)
BOOKINGS = System(
    "bookings",
    (
        "customer_analytics",
        "customer_visits",
        "customer_visit_days",
        "customer_recent_bookings",
        "booking_location_days",
    ),
    """
    select *
    from (
        select
            count(organization_id), count(booking_id), count(square_customer_id),
            count(location_id), count(team_member_id), count(service_id), count(status),
            max(start_at), count(customer_note), count(seller_note), max(updated_at)
        from booking.bookings
    ) as bookings
    cross join (
        select
            count(organization_id), count(payment_id), count(square_customer_id),
            count(status), sum(amount_cents), sum(tip_cents), sum(refunded_cents),
            max(created_at), max(updated_at)
        from booking.payments
    ) as payments
    """,
)

# models that the table names
DEAREST = 6
# models that it names, too, because people ask what they cost
ASKED = ("customer_status_revisions",)

# the application's schemas, and ours
SCHEMAS = ("commerce", "booking", "platform", "success")
OURS = ("analytics", "analytics_internal", "operations")
DISK = """
    select coalesce(sum(pg_total_relation_size(class.oid)), 0)::bigint as bytes
    from pg_class as class
    inner join pg_namespace as namespace on class.relnamespace = namespace.oid
    where class.relkind = 'r' and namespace.nspname = any(%(schemas)s)
"""

# what people and dashboards read, for the customer with the most visits
READS = {
    "appointments by location, one organization, 90 days": """
        select * from analytics.analytics_appointments_by_location_daily
        where organization_id = %(organization)s and date between '2026-03-18' and '2026-06-15'
    """,
    "one profile": """
        select * from analytics.customer_profiles
        where organization_id = %(organization)s and square_customer_id = %(customer)s
    """,
}


@dataclass(frozen=True)
class Taken:
    """What a step took: wall-clock seconds, and CPU seconds, which other work affects less."""

    seconds: float
    cpu_seconds: float


def measured(connection: Connection, step: Callable[[], object]) -> Taken:
    """Run something without parallel workers, so that one process does all of it."""
    connection.execute("set max_parallel_workers_per_gather = 0")
    connection.execute("set max_parallel_maintenance_workers = 0")
    [backend] = rows(connection, "select pg_backend_pid() as pid")
    process = psutil.Process(backend["pid"])
    before = process.cpu_times()
    seconds = timed(step)
    after = process.cpu_times()
    return Taken(seconds, after.user + after.system - before.user - before.system)


class Report:
    """The measurements in the order in which they were made. Ratios compare CPU seconds."""

    def __init__(self, title: str) -> None:
        self.table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        self.table.add_column("what")
        for column in ("seconds", "CPU s", "x scan", "x by hand"):
            self.table.add_column(column, justify="right")
        self.scan: Taken | None = None
        self.by_hand: Taken | None = None

    def add(self, what: str, seconds: float) -> None:
        """Add a measurement that has only wall-clock seconds."""
        self.table.add_row(what, f"{seconds:.2f}", "", "", "")

    def add_taken(self, what: str, taken: Taken) -> Taken:
        """Add a measurement and return it."""
        ratios = [
            f"{taken.cpu_seconds / base.cpu_seconds:.2f}" if base else ""
            for base in (self.scan, self.by_hand)
        ]
        self.table.add_row(what, f"{taken.seconds:.2f}", f"{taken.cpu_seconds:.2f}", *ratios)
        return taken


class PrivateMemory(threading.Thread):
    """The peak private memory of a process and its children."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.most = 0
        self.done = threading.Event()

    def run(self) -> None:
        """Measure ten times per second until the process ends."""
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


def fill_by_hand(connection: Connection, system: System, indexes: list[str]) -> None:
    """Do the models' work with one statement, and build the same indexes."""
    connection.execute("drop schema if exists hand cascade")
    connection.execute("create schema hand")
    for mart in system.marts:
        connection.execute(
            f"create table hand.{mart} (like analytics.{mart} including defaults)".encode()
        )
    connection.execute((HERE / f"{system.tag}.sql").read_bytes(), {"as_of": UNTIL})
    for index in indexes:
        connection.execute(index.encode())


def empty_marts(connection: Connection, system: System) -> list[str]:
    """Empty the marts, as before the first refresh; return their indexes for a copy."""
    indexes = rows(
        connection,
        "select indexname, replace(indexdef, ' ON analytics.', ' ON hand.') as statement"
        " from pg_indexes where schemaname = 'analytics' and tablename = any(%(marts)s)",
        {"marts": list(system.marts)},
    )
    for mart in system.marts:
        connection.execute(f"truncate analytics.{mart}".encode())
    for index in indexes:
        connection.execute(f"drop index analytics.{index['indexname']}".encode())
    return [index["statement"] for index in indexes]


def check_same(connection: Connection, system: System) -> None:
    """Exit unless models and handwritten statement have the same rows, and at least one."""
    for mart in system.marts:
        [found] = rows(
            connection,
            f"select (select count(*) from hand.{mart}) as held,"
            f" (select count(*) from (table analytics.{mart} except all table hand.{mart})"
            " as ours) as ours,"
            f" (select count(*) from (table hand.{mart} except all table analytics.{mart})"
            " as theirs) as theirs",
        )
        if found["ours"] or found["theirs"] or not found["held"]:
            sys.exit(
                f"{mart}: the handwritten statement has {found['held']} rows. The models do"
                f" not have {found['theirs']} of these, and have {found['ours']} others."
                f" Either {system.tag}.sql is out of date, or a model is wrong"
            )


def fill(
    connection: Connection,
    models: CompiledProject,
    found: dict[str, float],
    as_of: datetime = UNTIL,
) -> None:
    """Do what the models do in a refresh; note how long each took."""
    found.update(models.seconds(connection, as_of))


def bench_models(
    connection: Connection, models: CompiledProject, system: System, report: Report
) -> None:
    """Compare a system's models with a scan and with the best handwritten statement."""
    indexes = empty_marts(connection, system)
    report.scan = report.add_taken(
        "scan the columns of the source once",
        measured(connection, lambda: connection.execute(system.scan.encode())),
    )
    report.by_hand = report.add_taken(
        "one handwritten statement, with the indexes",
        measured(connection, lambda: fill_by_hand(connection, system, indexes)),
    )
    for title in ("first time", "nothing changed"):
        found: dict[str, float] = {}
        taken = measured(connection, partial(fill, connection, models, found))
        report.add_taken(f"SQL of the models, {title}", taken)
        ranked = sorted(found.items(), key=lambda one: -one[1])
        for place, (model, seconds) in enumerate(ranked):
            if place < DEAREST or model in ASKED:
                report.add(f"  of this, {model}", seconds)
        check_same(connection, system)
    connection.execute("drop schema hand cascade")


def bench_reads(connection: Connection) -> dict[str, float]:
    """Measure how many milliseconds people wait for their reads."""
    connection.execute("vacuum analyze")
    [most] = rows(
        connection,
        "select organization_id as organization, square_customer_id as customer"
        " from analytics.customer_analytics order by total_visits desc limit 1",
    )
    found = {}
    for what, query in READS.items():
        plans = [
            rows(connection, f"explain (analyze, timing off, format json) {query}", most)[0]
            for _ in range(7)
        ]
        found[what] = statistics.median(
            plan["QUERY PLAN"][0]["Execution Time"] for plan in plans
        )
    return found


def bench_command(connection: Connection, report: Report) -> None:
    """Measure the time and the memory of the whole command."""
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
    report.add("  of this, dbt starts", log["payload"]["dbt_startup_seconds"])
    report.add("  of this, models and tests, two at a time", log["payload"]["dbt_run_seconds"])
    print(f"peak memory: dbt {client.most >> 20} MB, database {database.most >> 20} MB")


def print_disk(connection: Connection, customers: int) -> None:
    """Print how much disk tables and indexes take, per customer of each system."""
    lines = []
    for what, schemas in (
        ("the application", SCHEMAS),
        *((schema, (schema,)) for schema in OURS),
        ("all of ours", OURS),
    ):
        [found] = rows(connection, DISK, {"schemas": list(schemas)})
        lines.append(
            (what, f"{found['bytes'] >> 20:,}", f"{found['bytes'] / customers / 1000:.1f}")
        )
    print_table(
        "Disk after these refreshes",
        ("tables and indexes", "MB", "KB per customer of each system"),
        lines,
    )


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Make the data, measure, print."""
    size = {"customers": customers or 100_000, "tenants": tenants, "years": years}
    reports, reads = [], []
    with fresh_database() as (connection, _):
        load(size)
        build_project(environment(connection))
        for system in (ORDERS, BOOKINGS):
            reports.append(Report(f"{system.tag.capitalize()}, nightly"))
            models = compile_project(environment(connection), tags={system.tag})
            bench_models(connection, models, system, reports[-1])
        reports.append(Report("Both, nothing changed"))
        bench_command(connection, reports[-1])
        print_disk(connection, size["customers"])
        reads.append(bench_reads(connection))
    with fresh_database() as (connection, _):
        load(size | {"customers": size["customers"] // 10})
        build_project(environment(connection))
        models = compile_project(environment(connection), tags={BOOKINGS.tag})
        models.refresh(connection, UNTIL)
        reads.append(bench_reads(connection))
    for report in reports:
        Console().print(report.table)
    print_table(
        "What people read",
        ("what", "ms", "ms at 1/10 of the customers"),
        [(what, *(f"{read[what]:.1f}" for read in reads)) for what in READS],
    )
