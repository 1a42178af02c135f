"""Compare other ways to keep risk statuses up to date, on the same data and changes.

Each way computes risk_status.sql: a row per customer with seven columns. The models of the
orders system, with which they are compared, also keep reasons, revenue, account types, the
next statuses and the history of both. Those of the bookings system add 93 more columns.
"""

import os
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bench.compiled import CompiledProject
from bench.measure import HERE, UNTIL, active_seconds, print_table, timed
from flows.database import Connection, rows
from flows.project import OUR_PROJECT as PROJECT

SAMPLE = 500
SQLMESH = "0.236.4"
# SQLMesh fills its table up to the end of an hour; the changes are dated in the next hour
FILLED = UNTIL + timedelta(hours=1)
WRITTEN = UNTIL + timedelta(hours=1, minutes=30)
NEXT = UNTIL + timedelta(hours=2)

FIGURES = (
    "risk_status",
    "last_order_date",
    "total_delivered_orders",
    "average_order_interval_days",
    "next_expected_order_date",
)


def risk_status(which_customers: str = "true", which_orders: str = "true") -> str:
    """Return the query that every other way runs, for these customers and orders."""
    return (
        (HERE / "risk_status.sql")
        .read_text()
        .format(
            as_of=f"timestamptz '{UNTIL.isoformat()}'",
            which_customers=which_customers,
            which_orders=which_orders,
        )
    )


def upsert(way: str, statement: str) -> bytes:
    """Return the statement that upserts a query's rows into a way's table."""
    updates = ", ".join(f"{figure} = excluded.{figure}" for figure in FIGURES)
    return (
        f"insert into {way}.risk_status {statement}"
        f" on conflict (tenant_id, customer_id) do update set {updates}"
    ).encode()


def fill(connection: Connection) -> None:
    """Fill each way's table with the correct rows before the changes."""
    for way, kind in (
        ("ninety_days", "table"),
        ("customer_loop", "table"),
        ("whole_view", "materialized view"),
    ):
        connection.execute(
            f"create schema {way}; create {kind} {way}.risk_status as {risk_status()};"
            f" create unique index on {way}.risk_status (tenant_id, customer_id);"
            f" analyze {way}.risk_status".encode()
        )


def bench(
    connection: Connection,
    models: CompiledProject,
    change: Callable[[], None],
) -> None:
    """Fill each way's table, change some customers, run each way, and compare."""
    fill(connection)
    with sqlmesh_project(connection) as run_sqlmesh:
        if run_sqlmesh:
            run_sqlmesh("plan", "--auto-apply", "--no-prompts", "--execution-time", FILLED)
        change()
        seconds = models.seconds(connection, UNTIL)
        ours, both = (
            sum(seconds[model.name] for model in models.models if tags & model.tags)
            for tags in ({"orders"}, {"orders", "bookings"})
        )
        lines = [
            ("ours: the models of orders, by changed keys", ours, "0"),
            ("  and those of bookings", both, ""),
            last_ninety_days(connection),
            materialized_view(connection),
            *customer_loop(connection),
        ]
        if run_sqlmesh:
            before = active_seconds(connection)
            whole = timed(lambda: run_sqlmesh("run", "--ignore-cron", "--end", NEXT))
            sql = active_seconds(connection) - before
            wrong = wrong_rows(connection, "sqlmesh_way")
            lines += [
                (f"SQLMesh {SQLMESH}, by unique key: SQL", sql, wrong),
                ("  its whole command", whole, ""),
            ]
    print_table(
        "Other ways to apply the same changes",
        ("", "seconds", "x ours", "rows wrong"),
        [(what, f"{s:.2f}", f"{s / ours:.1f}", wrong) for what, s, wrong in lines],
    )


Line = tuple[str, float, str]


def last_ninety_days(connection: Connection) -> Line:
    """Recompute the last 90 days from their own rows and upsert: the common wrong way.

    It never updates customers without an order in these days, so nobody becomes dormant.
    Counts and averages cover only three months. It misses deleted rows and older rows.
    """
    statement = risk_status(
        which_orders=f"orders.delivered_at > '{UNTIL - timedelta(days=90)}'"
    )
    seconds = timed(lambda: connection.execute(upsert("ninety_days", statement)))
    return "the last 90 days, upserted", seconds, wrong_rows(connection, "ninety_days")


def materialized_view(connection: Connection) -> Line:
    """Compute everything again and replace the rows that differ."""
    refresh = b"refresh materialized view concurrently whole_view.risk_status"
    seconds = timed(lambda: connection.execute(refresh))
    return "a materialized view, concurrently", seconds, wrong_rows(connection, "whole_view")


def customer_loop(connection: Connection) -> Iterator[Line]:
    """Update one customer after the other, each in a transaction; a sample stands for all."""
    statement = upsert("customer_loop", risk_status("customers.id = %(id)s"))
    customers = rows(connection, "select id from commerce.customers order by md5(id::text)")

    def step() -> None:
        for customer in customers[:SAMPLE]:
            connection.execute(statement, customer)

    seconds = timed(step) * len(customers) / SAMPLE
    yield f"a client's loop over all customers, extrapolated from {SAMPLE}", seconds, ""


def wrong_rows(connection: Connection, way: str) -> str:
    """Count the customers for which a way differs from the mart."""
    columns = ", ".join(("tenant_id", "customer_id", *FIGURES))
    [found] = rows(
        connection,
        "select count(*) as wrong"
        f" from (select {columns} from analytics.customer_risk_status) as mart"
        f" full join (select {columns} from {way}.risk_status) as way"
        " using (tenant_id, customer_id)"
        f" where ({', '.join(f'mart.{figure}' for figure in FIGURES)})"
        f" is distinct from ({', '.join(f'way.{figure}' for figure in FIGURES)})",
    )
    return f"{found['wrong']}"


@contextmanager
def sqlmesh_project(connection: Connection) -> Iterator[Callable[..., None] | None]:
    """Make a SQLMesh project; yield a function that runs its commands, or None.

    SQLMesh has a separate environment, which stays in .local for the next time.
    """
    environment = PROJECT / ".local" / f"sqlmesh-{SQLMESH}"
    command = environment / "bin" / "sqlmesh"
    if not command.exists() and (problem := install_sqlmesh(environment)):
        print(f"SQLMesh is skipped: {problem}")
        yield None
        return
    connection.execute("create database sqlmesh_state")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(HERE / "sqlmesh" / "config.yaml", folder)
        (folder / "models").mkdir()
        changed = "customers.id in (select orders.customer_id from commerce.orders where"
        changed += " orders.updated_at >= @start_ts and orders.updated_at < @end_ts)"
        (folder / "models" / "risk_status.sql").write_text(
            (HERE / "sqlmesh" / "model.sql").read_text() + risk_status(changed)
        )

        def run(*arguments: object) -> None:
            subprocess.run(
                [str(command), "--log-file-dir", name, *map(str, arguments)],
                cwd=folder,
                env={**os.environ, "DO_NOT_TRACK": "1"},
                capture_output=True,
                check=True,
            )

        yield run


def install_sqlmesh(environment: Path) -> str | None:
    """Install SQLMesh from the package index; return the error, if any."""
    venv.create(environment, with_pip=True, clear=True)
    done = subprocess.run(
        [
            *(str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"),
            f"sqlmesh[postgres]=={SQLMESH}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return None
    shutil.rmtree(environment)
    return done.stderr.strip().rpartition("\n")[2]
