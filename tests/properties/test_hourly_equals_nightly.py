"""After any hourly refresh, every mart equals what a nightly one would have made."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Literal

import psycopg
import pytest
from conftest import RUN_ID, Database, examples
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow
from rich.console import Console

from bench.compiled import CompiledProject, compile_project
from flows.errors import WriteBackHeld
from flows.progress import Progress
from flows.refresh import Options, refresh
from flows.work import due, move_clock, others, read_whole

# tenants of one example, each with its own history: so many sequences at once
TENANTS = 25
REFRESHES = 8
SYSTEMS = ("orders", "bookings")
# so early that jumps of a year do not lead past today, for which nobody is alerted
START = datetime(2018, 1, 10, 12, tzinfo=UTC)
ZONES = ["UTC", "America/Los_Angeles", "Pacific/Auckland", "Asia/Kathmandu"]

# statements of an application on one tenant (t) and its rows (n, k), at an instant
APPLICATION = """
    -- orders: new, edited and dated back, most without a new updated_at
    insert into commerce.orders values (
        %(row)s, %(tenant)s, %(customer)s, %(order_status)s, %(at)s,
        case when %(flag)s then %(at)s::timestamptz + %(gap)s end, %(n)s, 'EUR', %(at)s, now()
    ) on conflict (id) do update set
        status = excluded.status, ordered_at = excluded.ordered_at,
        delivered_at = excluded.delivered_at, total_amount = excluded.total_amount;

    update commerce.orders set customer_id = %(customer)s where id = %(row)s;

    update commerce.orders
    set status = %(order_status)s, updated_at = now()
    where id = %(row)s;

    update commerce.orders set delivered_at = %(at)s where tenant_id = %(tenant)s;

    delete from commerce.orders where id = %(row)s;

    delete from commerce.orders where customer_id = %(customer)s;

    -- customers and tenants
    insert into commerce.customers (id, tenant_id, name, created_at)
    values (%(customer)s, %(tenant)s, 'new', %(at)s) on conflict do nothing;

    update commerce.customers set is_closed = not is_closed where id = %(customer)s;

    with gone as (delete from commerce.orders where customer_id = %(customer)s)
    delete from commerce.customers where id = %(customer)s;

    update commerce.tenants set time_zone = %(zone)s where id = %(tenant)s;

    update commerce.tenants set is_active = not is_active where id = %(tenant)s;

    -- bookings: new, edited, moved, deleted
    insert into booking.bookings values (
        %(tenant)s, %(n)s, nullif(%(k)s, '3'), %(place)s, %(k)s, %(place)s,
        %(booking_status)s, %(at)s, case when %(flag)s then 'a note' end, null,
        %(at)s::timestamptz - %(gap)s, now()
    ) on conflict (organization_id, booking_id) do update set
        status = excluded.status, start_at = excluded.start_at,
        created_at = excluded.created_at, service_id = excluded.service_id,
        location_id = excluded.location_id, customer_note = excluded.customer_note;

    update booking.bookings
    set square_customer_id = %(k)s
    where organization_id = %(tenant)s
        and booking_id = %(n)s;

    update booking.bookings
    set location_id = %(place)s, start_at = %(at)s
    where organization_id = %(tenant)s
        and square_customer_id = %(k)s;

    update booking.bookings
    set status = %(booking_status)s
    where organization_id = %(tenant)s
        and booking_id = %(n)s;

    delete from booking.bookings
    where organization_id = %(tenant)s
        and booking_id = %(n)s;

    delete from booking.bookings
    where organization_id = %(tenant)s
        and square_customer_id = %(k)s;

    -- payments, profiles, referrals
    insert into booking.payments values (
        %(tenant)s, %(n)s, %(k)s, null, null,
        case when %(flag)s then 'COMPLETED' else 'PENDING' end, %(number)s * 101, 7, 50,
        'EUR', %(at)s, now()
    ) on conflict (organization_id, payment_id) do update set
        status = excluded.status, created_at = excluded.created_at,
        square_customer_id = excluded.square_customer_id;

    delete from booking.payments
    where organization_id = %(tenant)s
        and payment_id = %(n)s;

    insert into booking.customers (organization_id, square_customer_id, given_name, created_at)
    values (%(tenant)s, %(k)s, %(n)s, %(at)s)
    on conflict (organization_id, square_customer_id) do update
    set given_name = excluded.given_name, created_at = excluded.created_at;

    delete from booking.customers
    where organization_id = %(tenant)s
        and square_customer_id = %(k)s;

    insert into booking.referral_profiles values (
        %(tenant)s, %(k)s, %(flag)s, %(at)s, 'friend', %(number)s, 100, now()
    ) on conflict (organization_id, square_customer_id) do update
    set is_activated = excluded.is_activated, referral_count = excluded.referral_count;

    delete from booking.referral_profiles
    where organization_id = %(tenant)s
        and square_customer_id = %(k)s;

    -- locations and organizations
    insert into booking.locations values (%(tenant)s, %(place)s, %(n)s, %(zone)s, now())
    on conflict (organization_id, id) do update
    set time_zone = case when %(flag)s then excluded.time_zone end, name = excluded.name;

    delete from booking.locations
    where organization_id = %(tenant)s
        and id = %(place)s;

    update booking.organizations set time_zone = %(zone)s where id = %(tenant)s;

    update booking.organizations set is_active = not is_active where id = %(tenant)s
"""
OPERATIONS = APPLICATION.split(";")
# orders, bookings and payments change more often than other tables
OFTEN = [0, 0, 0, 0, 1, 2, 11, 11, 11, 11, 12, 13, 14, 17, 17, 23, 23]

MARTS = {
    "tenants": "int_tenants",
    "sales_reps": "int_sales_reps",
    "customer_risk_status": "int_customers__risk_status",
    "customer_risk_status_history": "int_customers__risk_history",
    "customer_order_days": "int_customers__order_days",
    "closed_customer_order_days": "int_customers__closed_order_days",
    "customer_account_types": "int_customers__account_type",
    "customer_account_type_history": "int_customers__account_history",
    "customer_recent_orders": "int_customers__recent_orders",
    "customer_visits": "int_booking_customers__visits",
    "customer_visit_days": "int_booking_customers__visit_days",
    "customer_recent_bookings": "int_booking_customers__recent",
    "booking_organizations": "int_booking_organizations",
    "booking_locations": "int_booking_locations",
    "customer_analytics": "int_customer_analytics",
    "booking_location_days": "int_booking_location_days",
}
STAMPS = {"created_at", "updated_at", "refreshed_at"}


@dataclass(frozen=True)
class Operation:
    """One statement of the application."""

    statement: str
    parameters: dict[str, object]
    # committed only after the next refresh
    is_late: bool


@dataclass(frozen=True)
class Step:
    """The statements before a refresh, and the time until it."""

    hours: int
    operations: list[Operation]


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    number = draw(st.integers(0, TENANTS - 1))
    n, k = draw(st.integers(0, 11)), draw(st.integers(0, 3))
    hours = draw(st.integers(-24 * 400, 24 * 60))
    chosen = draw(st.one_of(st.sampled_from(OFTEN), st.integers(0, len(OPERATIONS) - 1)))
    return Operation(
        OPERATIONS[chosen],
        {
            "tenant": _id(number, 0),
            "customer": _id(number, 1 + k),
            "row": _id(number, 100 + n),
            "n": str(n),
            "number": n,
            "k": str(k),
            "place": "ABC"[n % 3],
            "at": START + timedelta(hours=hours),
            "gap": timedelta(hours=37 * n),
            "zone": ZONES[k],
            "order_status": ["DELIVERED", "DELIVERED", "CONFIRMED", "CANCELLED", "DRAFT"][
                n % 5
            ],
            "booking_status": ["ACCEPTED", "ACCEPTED", "NO_SHOW", "CANCELLED_BY_SELLER"][
                n % 4
            ],
            "flag": draw(st.booleans()),
        },
        is_late=draw(st.integers(0, 7)) == 0,
    )


steps = st.builds(
    Step,
    hours=st.sampled_from([0, 1, 1, 1, 24, 24 * 31, 24 * 366]),
    # also none or few, so that some systems have nothing to do and are skipped
    operations=st.one_of(
        st.just([]),
        st.lists(operations(), min_size=1, max_size=3),
        st.lists(operations(), min_size=TENANTS, max_size=3 * TENANTS),
    ),
)


def _id(tenant: int, row: int) -> str:
    return f"00000000-0000-0000-{tenant:04}-{row:012}"


@dataclass(frozen=True, repr=False)
class System:
    """A database with triggers on its source tables, and both kinds of refresh."""

    application: psycopg.Connection[DictRow]
    late: psycopg.Connection[DictRow]
    warehouse: psycopg.Connection[DictRow]
    nightly: CompiledProject
    hourly: CompiledProject
    # fingerprints of the tables that the last refresh of each system has read whole
    read: dict[str, dict[str, str]] = field(default_factory=dict)
    # the number of refreshes of a system, and of those with nothing to do
    counts: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """Empty everything, and insert tenants and customers."""
        self.application.execute(
            "truncate commerce.tenants, booking.organizations, operations.changed_keys cascade"
        )
        for number in range(TENANTS):
            tenant = _id(number, 0)
            zone = ZONES[number % len(ZONES)]
            self.application.execute(
                "insert into commerce.tenants (id, slug, name, time_zone)"
                " values (%s, %s, 'T', %s)",
                (tenant, f"t{number}", zone),
            )
            self.application.execute(
                "insert into booking.organizations (id, slug, name, time_zone)"
                " values (%s, %s, 'T', %s)",
                (tenant, f"t{number}", zone),
            )
            self.application.execute(
                "insert into commerce.customers (id, tenant_id, name, created_at)"
                " select overlay(%s::text placing row::text from 36)::uuid, %s, 'C', %s"
                " from generate_series(1, 4) as row",
                (tenant, tenant, START),
            )
        self.application.execute("truncate operations.changed_keys")
        self.read.update({name: read_whole(self.warehouse, name) for name in SYSTEMS})
        self.nightly.refresh(self.warehouse, START)

    def change(self, step: Step) -> None:
        """Carry out the statements of a step, in a transaction of `late` that stays open."""
        late_tenants = set()
        for operation in step.operations:
            tenant = operation.parameters["tenant"]
            # an open transaction holds its tenant's rows until after the refresh
            if operation.is_late or tenant in late_tenants:
                late_tenants.add(tenant)
                apply(self.late, operation)
            else:
                apply(self.application, operation)

    def refresh(self, as_of: datetime) -> None:
        """Refresh the changes; skip systems without work, as the command does."""
        self.warehouse.execute("update operations.changed_keys set claimed_by = %s", [RUN_ID])
        claimed = {
            row["system"]
            for row in self.warehouse.execute(
                "select distinct system from operations.changed_keys"
            )
        }
        now = {name: read_whole(self.warehouse, name) for name in SYSTEMS}
        idle = frozenset(
            name
            for name in SYSTEMS
            if name not in claimed
            and not others(self.read[name], now[name])
            and not due(self.warehouse, name, None, as_of)
        )
        self.read.update(now)
        self.hourly.refresh(self.warehouse, as_of, without=idle)
        move_clock(self.warehouse, tuple(idle), as_of)
        self.counts.update(refreshes=len(SYSTEMS), idle=len(idle))

    def differences(self, as_of: datetime) -> list[DictRow]:
        """Return the rows in which the marts differ from a full computation."""
        self.nightly.compute(self.warehouse, as_of)
        found = []
        for mart, computed in MARTS.items():
            columns = ", ".join(
                column.name
                for column in self.warehouse.execute(
                    f"select * from analytics.{mart} limit 0"
                ).description
                or []
                if column.name not in STAMPS or mart == "tenants"
            )
            published = f"select {columns} from analytics.{mart}"
            expected = f"select {columns} from analytics_internal.{computed}"
            for what, one, other in (
                ("too much", published, expected),
                ("missing", expected, published),
            ):
                found += self.warehouse.execute(
                    f"select '{mart}' as mart, '{what}' as what, d.*"
                    f" from ({one} except {other}) as d"
                ).fetchall()
        return found

    def not_written(self) -> list[DictRow]:
        """Return the customers whose operational rows differ from the marts."""
        return self.warehouse.execute(
            "select * from operations.pending_customer_updates where held_because is null"
        ).fetchall()

    def not_alerted(self) -> list[DictRow]:
        """Return the states of which the alerts would know more if they assessed everybody."""
        episodes = (
            "select kind, tenant_id, subject, closed_at is null as is_open,"
            " count(*) as times from operations.alert_episodes group by 1, 2, 3, 4"
        )
        with self.warehouse.transaction(force_rollback=True):
            self.warehouse.execute(f"create temporary table before as {episodes}")
            self.warehouse.execute("select operations.raise_alerts()")
            return self.warehouse.execute(
                f"({episodes} except table before) union all"
                f" (table before except {episodes})".encode()
            ).fetchall()


@pytest.fixture(scope="module")
def system(built: Database, full_refresh: CompiledProject) -> Iterator[System]:
    assert built.run("flows", "capture", "install").returncode == 0
    nightly = full_refresh.of(*SYSTEMS)
    hourly = compile_project(
        built.os_environment(), tags={*SYSTEMS}, refresh_scope="changed", run_id=RUN_ID
    )
    with built.connect() as one, built.connect() as two, built.connect() as three:
        for connection in (one, two, three):
            connection.execute("set statement_timeout = '60s'; set lock_timeout = '5s'")
        yield System(one, two, three, nightly, hourly)


def test_hourly_equals_nightly(system: System, pytestconfig: pytest.Config) -> None:
    @settings(max_examples=pytestconfig.getoption("histories"), deadline=None)
    @given(history=st.lists(steps, min_size=REFRESHES, max_size=REFRESHES))
    def each(history: list[Step]) -> None:
        system.begin()
        as_of = START
        for step in history:
            as_of += timedelta(hours=step.hours)
            with system.late.transaction():
                system.change(step)
                system.refresh(as_of)
                assert system.differences(as_of) == []
        system.refresh(as_of)
        assert system.differences(as_of) == []

    each()
    # both paths were taken
    assert 0 < system.counts["idle"] < system.counts["refreshes"]


@pytest.mark.slow
def test_the_whole_refresh_equals_nightly(
    system: System, built: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that the command does: dbt and its tests, write-back, alerts."""
    for name, value in built.os_environment().items():
        monkeypatch.setenv(name, value)
    # after a jump of a year, the source is stale
    monkeypatch.setattr("flows.refresh.check_freshness", lambda _: None)

    def run(mode: Literal["hourly", "nightly"], as_of: datetime) -> None:
        # a guard may hold, and a row in use waits for the next run
        with suppress(WriteBackHeld):
            refresh(Options(mode, as_of), Progress(Console(file=StringIO())))

    # each step takes seconds, so a history that fails is not made shorter
    @settings(max_examples=examples(2), deadline=None, phases=[Phase.generate])
    @given(history=st.lists(steps, min_size=REFRESHES, max_size=REFRESHES))
    def each(history: list[Step]) -> None:
        system.begin()
        as_of = START
        run("nightly", as_of)
        for step in history:
            as_of += timedelta(hours=step.hours)
            with system.late.transaction():
                system.change(step)
                run("hourly", as_of)
                assert system.not_alerted() == []
                assert system.differences(as_of) == []
        run("hourly", as_of)
        assert system.not_alerted() == []
        assert system.not_written() == []
        assert system.differences(as_of) == []

    each()
    [took] = system.warehouse.execute(
        "select count(*) filter (where payload ? 'is_idle') as idle,"
        " count(*) filter (where (payload ->> 'rows_written')::bigint > 0) as writing,"
        " count(*) filter (where payload ->> 'agrees' = 'true') as agreeing,"
        " count(*) filter (where payload ->> 'mode' = 'hourly' and payload ? 'full_because')"
        " as of_all from operations.application_logs"
    )
    assert min(took["idle"], took["writing"], took["agreeing"]) > 0
    assert took["of_all"] == 0


def apply(connection: psycopg.Connection[DictRow], operation: Operation) -> None:
    """Run a statement; a constraint may refuse it."""
    try:
        with connection.transaction():
            connection.execute(operation.statement.encode(), operation.parameters)
    except psycopg.errors.IntegrityError:
        pass


def test_hourly_reads_what_grows_by_index(system: System) -> None:
    system.begin()
    system.application.execute(
        "update commerce.customers set name = 'renamed';"
        " insert into booking.bookings (organization_id, booking_id, square_customer_id,"
        " location_id, status, start_at) select id, '1', '1', 'A', 'ACCEPTED', now()"
        " from booking.organizations"
    )
    before = read_as_a_whole(system)
    # the planner reads such small tables whole unless that is made expensive
    system.warehouse.execute("set enable_seqscan = off")
    system.refresh(START)
    system.warehouse.execute("reset enable_seqscan")
    # the planner may read a first row before it finds that no tenant has changed
    assert {
        table: count - before[table]
        for table, count in read_as_a_whole(system).items()
        if count - before[table] >= TENANTS
    } == {}


def read_as_a_whole(system: System) -> dict[str, int]:
    """Count the rows read without an index in tables that grow with customers or history."""
    for connection in (system.application, system.warehouse):
        connection.execute("select pg_stat_force_next_flush()")
    return {
        row["table"]: row["seq_tup_read"]
        for row in system.warehouse.execute(
            "select schemaname || '.' || relname as table, seq_tup_read"
            " from pg_stat_user_tables"
            " where schemaname in ('commerce', 'booking', 'analytics')"
            " and relname ~ '^(customer|orders|bookings|payments|booking_location_days)'"
        )
    }
