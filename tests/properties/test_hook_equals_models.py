"""The real-time hook writes what the models compute from the same rows a moment later."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from conftest import Database
from hypothesis import given, settings
from hypothesis import strategies as st
from orders_oracle import Thresholds, local_date
from psycopg.rows import DictRow

from bench.compiled import CompiledProject
from flows.hook import after_orders_created

# tenants of one example, each with a customer and its history
TENANTS = 25
ZONES = ["UTC", "America/Los_Angeles", "Pacific/Auckland", "Asia/Kathmandu"]
LIMITS = Thresholds()
# days from now: around each limit, and in the future
DAYS = [-800, -366, -365, -182, -181, -180, -179, -60, -47, -46, -45, -44, -3, -1, 0, 0, 1, 9]


@dataclass(frozen=True)
class Order:
    """One order, in days from now."""

    ordered: int
    delivered: int | None
    hours: int
    status: str


@dataclass(frozen=True)
class History:
    """One customer: its earlier orders, its row, and the orders inserted then."""

    known: list[Order]
    account_type: str | None
    last_order: int | None
    is_dormant: bool
    is_closed: bool
    inserted: list[Order]


statuses = st.sampled_from(["DELIVERED"] * 3 + ["CONFIRMED"] * 3 + ["DRAFT", "CANCELLED", "?"])
orders = st.builds(
    Order,
    ordered=st.sampled_from(DAYS),
    delivered=st.sampled_from([None, *DAYS]),
    hours=st.integers(0, 23),
    status=statuses,
)
histories = st.builds(
    History,
    known=st.lists(orders, max_size=6),
    account_type=st.sampled_from([None, "PROSPECT", "TARGET", "ACTIVE", "HOLD", "OTHER"]),
    last_order=st.sampled_from([None, *DAYS]),
    is_dormant=st.booleans(),
    is_closed=st.sampled_from([False] * 9 + [True]),
    inserted=st.lists(orders, min_size=1, max_size=3),
)

INSERT = """
insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at, delivered_at)
values (gen_random_uuid(), %(key)s, %(key)s, %(status)s, %(ordered_at)s, %(delivered_at)s)
returning id
"""
# values in the customers' rows, beside those of the models
COMPARED = """
select
    customers.id as key, customers.account_type, customers.last_order_date,
    customers.dormancy_since, account_types.account_type as expected_account_type,
    risk_status.last_order_date as expected_last_order_date,
    risk_status.dormancy_since as expected_dormancy_since
from commerce.customers
left join analytics_internal.int_customers__account_type as account_types
    on customers.id = account_types.customer_id
left join analytics_internal.int_customers__risk_status as risk_status
    on customers.id = risk_status.customer_id
order by customers.id
"""
COLUMNS = ("account_type", "last_order_date", "dormancy_since")


def key(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


@pytest.fixture(scope="module")
def compiled(built: Database, full_refresh: CompiledProject) -> CompiledProject:
    assert built.run("flows", "capture", "install").returncode == 0
    found = full_refresh.of("orders")
    with built.connect() as connection:
        for number in range(TENANTS):
            connection.execute(
                "insert into commerce.tenants (id, slug, name, time_zone)"
                " values (%s, %s, 'T', %s)",
                (key(number), f"t{number}", ZONES[number % len(ZONES)]),
            )
        found.refresh(connection, datetime.now(UTC))
    assert built.run("flows", "hook", "install").returncode == 0
    return found


def load(database: Database, example: list[History], now: datetime) -> None:
    """Insert the customers and their earlier orders, without the hook."""
    with database.connect() as connection, connection.transaction():
        connection.execute("truncate commerce.customers, operations.changed_keys cascade")
        connection.execute("set local session_replication_role = replica")
        for number, history in enumerate(example):
            connection.execute(
                "insert into commerce.customers (id, tenant_id, name, is_closed,"
                " account_type, last_order_date, dormancy_since)"
                " values (%s, %s, 'C', %s, %s, %s, %s)",
                (
                    key(number),
                    key(number),
                    history.is_closed,
                    history.account_type,
                    now.date() + timedelta(days=history.last_order)
                    if history.last_order is not None
                    else None,
                    now.date() - timedelta(days=9) if history.is_dormant else None,
                ),
            )
            for order in history.known:
                connection.execute(INSERT, values(number, order, now))


def values(number: int, order: Order, now: datetime) -> dict[str, object]:
    # never so close that the clock passes it during the test
    at = {
        "ordered_at": now + timedelta(days=order.ordered, hours=-order.hours, minutes=-30),
        "delivered_at": None,
    }
    if order.delivered is not None:
        at["delivered_at"] = now + timedelta(days=order.delivered, minutes=-30)
    return {"key": key(number), "status": order.status, **at}


def what_must_move(history: History, number: int, now: datetime) -> set[str]:
    """Return the columns that the hook must have set to the values of the models."""
    zone = ZoneInfo(ZONES[number % len(ZONES)])
    today = local_date(now, zone)
    found: set[str] = set()
    if history.is_closed:
        return found

    def moments(found: list[Order], which: str) -> list[datetime]:
        left_out = {"CANCELLED", "?"} | ({"DRAFT"} if which == "ordered_at" else set())
        instants = [
            values(number, order, now)[which]
            for order in found
            if order.status not in left_out
        ]
        return [at for at in instants if isinstance(at, datetime) and at <= now]

    def age(at: datetime) -> int:
        return (today - local_date(at, zone)).days

    placed = moments(history.inserted, "ordered_at")
    if any(age(at) <= LIMITS.active_days for at in placed) and history.account_type != "HOLD":
        found.add("account_type")
    delivered = moments(history.inserted, "delivered_at")
    if any(age(at) <= LIMITS.dormant_days for at in delivered):
        found.add("dormancy_since")
    before: date | None = None
    if history.last_order is not None:
        before = now.date() + timedelta(days=history.last_order)
    if (
        delivered
        and max(delivered) >= max([*moments(history.known, "delivered_at"), max(delivered)])
        and (before is None or local_date(max(delivered), zone) > before)
    ):
        found.add("last_order_date")
    return found


@pytest.mark.parametrize("by", ["trigger", "call"])
def test_what_the_hook_writes_is_what_the_models_say(
    by: str, built: Database, compiled: CompiledProject, pytestconfig: pytest.Config
) -> None:
    moved = 0

    @settings(max_examples=pytestconfig.getoption("histories"), deadline=None)
    @given(example=st.lists(histories, min_size=TENANTS, max_size=TENANTS))
    def each(example: list[History]) -> None:
        nonlocal moved
        now = datetime.now(UTC)
        load(built, example, now)
        with built.connect() as connection, connection.transaction():
            before = connection.execute(COMPARED.encode()).fetchall()
            if by == "call":
                connection.execute("set local session_replication_role = replica")
            inserted = [
                connection.execute(INSERT, values(number, order, now)).fetchone()
                for number, history in enumerate(example)
                for order in history.inserted
            ]
            if by == "call":
                ids = [row["id"] for row in inserted if row]
                assert after_orders_created(connection, ids).success == len(ids)
            compiled.compute(connection, datetime.now(UTC))
            after = connection.execute(COMPARED.encode()).fetchall()
        assert built.value("select count(*) from operations.hook_errors") == 0
        for number, history in enumerate(example):
            moved += check(before[number], after[number], what_must_move(history, number, now))

    each()
    print(f"\n{moved} values were moved by the {by}, all of them to what the models say")


def check(before: DictRow, after: DictRow, must_move: set[str]) -> int:
    """Compare one customer; return how many of its values the hook changed."""
    moved = {column for column in COLUMNS if before[column] != after[column]}
    for column in moved | must_move:
        assert after[column] == after[f"expected_{column}"], (column, before, after)
    return len(moved)
