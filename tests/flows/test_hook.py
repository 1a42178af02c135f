"""The real-time hook: what it changes, what it leaves alone, and that no order ever fails."""

import itertools
import random
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from conftest import UNTIL, USUAL, Database, switch_off

from flows.hook import after_order_created, after_orders_created
from flows.write_back import WriteBack, _write_batch

INSERT = """
insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at, delivered_at)
select gen_random_uuid(), tenant_id, id, %(status)s, %(ordered_at)s, %(delivered_at)s
from commerce.customers where id = %(customer)s
returning id
"""
NOW = datetime.now(UTC)
# a zone where it is about noon, so that no day ends during the tests; Etc reverses the sign
ZONE = f"Etc/GMT{NOW.hour - 12:+d}"
TODAY = NOW.astimezone(ZoneInfo(ZONE)).date()


@pytest.fixture(scope="module")
def hooked_template(refreshed_template: Database) -> Iterator[Database]:
    """Demo data as of now, with all triggers; its first customer has never ordered."""
    database = refreshed_template.copy(USUAL)
    database.execute(
        "update commerce.orders set updated_at = now() where id ="
        " (select id from commerce.orders limit 1);"
        f" update commerce.tenants set time_zone = '{ZONE}'"
    )
    for command in (
        ("capture", "install"),
        ("refresh", "--mode", "nightly", "--no-write-back"),
        ("write-back", "--force"),
        ("hook", "install"),
    ):
        done = database.run("flows", *command)
        assert done.returncode == 0, done.stderr
    # the refresh has taken the notice that the triggers are new
    assert database.value("select count(*) from operations.changed_keys") == 0
    database = database.as_template()
    yield database
    database.drop()


@pytest.fixture
def hooked(hooked_template: Database) -> Iterator[Database]:
    database = hooked_template.copy(USUAL)
    yield database
    database.drop()


@pytest.fixture
def customer(hooked: Database) -> str:
    """A customer without orders and without statuses."""
    row = hooked.rows(
        "insert into commerce.customers (id, tenant_id, name)"
        " select gen_random_uuid(), id, 'New' from commerce.tenants"
        " where slug = 'harbor-foods' returning id"
    )[0]
    return str(row["id"])


def order(
    database: Database,
    customer: str,
    status: str = "SUBMITTED",
    ordered_at: datetime | None = NOW,
    delivered_at: datetime | None = None,
) -> str:
    with database.connect() as connection:
        found = connection.execute(
            INSERT.encode(),
            {
                "customer": customer,
                "status": status,
                "ordered_at": ordered_at,
                "delivered_at": delivered_at,
            },
        ).fetchone()
    assert found
    return str(found["id"])


def facts(database: Database, customer: str) -> tuple[object, ...]:
    """Return account type, last delivery and first day of dormancy of a customer."""
    [row] = database.rows(
        "select account_type, last_order_date, dormancy_since from commerce.customers"
        " where id = %s",
        customer,
    )
    return tuple(row.values())


def errors(database: Database) -> list[str]:
    return [
        str(row["error"])
        for row in database.rows(
            "select error from operations.hook_errors where hook = 'after_order_created'"
        )
    ]


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("before", "status", "ordered_at", "after"),
    [
        (None, "SUBMITTED", NOW, "ACTIVE"),
        ("PROSPECT", "CONFIRMED", NOW, "ACTIVE"),
        ("TARGET", "SHIPPED", NOW, "ACTIVE"),
        ("something else", "SUBMITTED", NOW, "ACTIVE"),
        ("TARGET", "SUBMITTED", ago(180), "ACTIVE"),
        # too old to make it ACTIVE: the refresh finds the type from all orders
        ("PROSPECT", "SUBMITTED", ago(181), "PROSPECT"),
        ("ACTIVE", "SUBMITTED", ago(400), "ACTIVE"),
        # set by hand
        ("HOLD", "SUBMITTED", NOW, "HOLD"),
        # not placed, not yet, or implausible
        ("TARGET", "DRAFT", NOW, "TARGET"),
        ("TARGET", "CANCELLED", NOW, "TARGET"),
        ("TARGET", "SUBMITTED", NOW + timedelta(days=2), "TARGET"),
        ("TARGET", "SUBMITTED", None, "TARGET"),
        ("TARGET", "unheard of", NOW, "TARGET"),
    ],
)
def test_a_placed_order_makes_its_customer_active(
    before: str | None,
    status: str,
    ordered_at: datetime | None,
    after: str,
    hooked: Database,
    customer: str,
) -> None:
    hooked.execute(
        "update commerce.customers set account_type = %s where id = %s", before, customer
    )
    order(hooked, customer, status, ordered_at)
    assert facts(hooked, customer) == (after, None, None)
    assert errors(hooked) == []


def test_the_last_delivery_moves_forward_only(hooked: Database, customer: str) -> None:
    def deliver(days: float) -> object:
        order(hooked, customer, "DELIVERED", ago(days + 1), ago(days))
        return facts(hooked, customer)[1]

    assert deliver(100) == TODAY - timedelta(days=100)
    assert deliver(200) == TODAY - timedelta(days=100)
    assert deliver(-1) == TODAY - timedelta(days=100)
    assert deliver(50) == TODAY - timedelta(days=50)
    # delivered later, by an update, which only the refresh sees
    [known] = hooked.rows(
        "update commerce.orders set delivered_at = %s where customer_id = %s"
        " and delivered_at = %s returning id",
        ago(10),
        customer,
        ago(200),
    )
    assert deliver(20) == TODAY - timedelta(days=50)
    hooked.execute(
        "update commerce.orders set status = 'CANCELLED' where id = %s", known["id"]
    )
    assert deliver(15) == TODAY - timedelta(days=15)
    # nor older than what somebody wrote, although no order says so
    hooked.execute(
        "update commerce.customers set last_order_date = %s where id = %s", TODAY, customer
    )
    assert deliver(5) == TODAY


@pytest.mark.parametrize(
    ("delivered_days_ago", "is_cleared"), [(None, False), (0, True), (45, True), (46, False)]
)
def test_a_delivery_ends_a_dormancy_where_that_is_certain(
    delivered_days_ago: int | None, *, is_cleared: bool, hooked: Database, customer: str
) -> None:
    since = TODAY - timedelta(days=30)
    hooked.execute(
        "update commerce.customers set dormancy_since = %s where id = %s", since, customer
    )
    order(
        hooked,
        customer,
        "SHIPPED",
        ago(60),
        None if delivered_days_ago is None else ago(delivered_days_ago),
    )
    assert facts(hooked, customer)[2] == (None if is_cleared else since)


def test_a_closed_customer_and_a_tenant_that_has_changed_are_left_alone(
    hooked: Database, customer: str
) -> None:
    hooked.execute("update commerce.customers set is_closed = true where id = %s", customer)
    order(hooked, customer, "DELIVERED", ago(1), ago(0))
    hooked.execute("update commerce.customers set is_closed = false where id = %s", customer)
    for change in (
        "is_active = false",
        "is_active = true, time_zone = 'Europe/Paris'",
    ):
        hooked.execute(f"update commerce.tenants set {change}")
        order(hooked, customer, "DELIVERED", ago(1), ago(0))
    assert facts(hooked, customer) == (None, None, None)
    hooked.execute("update commerce.tenants set time_zone = %s", ZONE)
    order(hooked, customer, "DELIVERED", ago(1), ago(0))
    assert facts(hooked, customer) == ("ACTIVE", TODAY, None)


def test_one_statement_moves_all_its_customers(hooked: Database) -> None:
    hooked.execute("update commerce.customers set account_type = null")
    hooked.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at)"
        " select gen_random_uuid(), tenant_id, id, 'SUBMITTED', now()"
        " from commerce.customers, generate_series(1, 3)"
    )
    left = "select count(*) from commerce.customers where account_type is null"
    assert hooked.value(f"{left} and not is_closed") == 0
    assert hooked.value(left) == hooked.value(
        "select count(*) from commerce.customers where is_closed"
    )
    assert errors(hooked) == []


def test_a_write_back_leaves_alone_what_its_refresh_has_not_seen(
    hooked: Database, customer: str
) -> None:
    hooked.execute(
        "update commerce.customers set account_type = 'PROSPECT' where id = %s", customer
    )
    assert hooked.run("flows", "refresh", "--mode", "hourly").returncode == 0
    order(hooked, customer)
    waiting = hooked.rows(
        "select kind, key from operations.changed_keys where is_written order by 1"
    )
    assert waiting == [{"kind": "customer", "key": customer}]
    # the marts still say PROSPECT
    done = hooked.run("flows", "write-back")
    assert done.returncode == 0, done.stderr
    assert facts(hooked, customer)[0] == "ACTIVE"
    assert hooked.run("flows", "refresh", "--mode", "hourly").returncode == 0
    assert facts(hooked, customer)[0] == "ACTIVE"
    assert hooked.value("select count(*) from operations.changed_keys") == 0
    pending = "select count(*) from operations.pending_customer_updates"
    assert hooked.value(pending) == 0
    # a refresh that ended its type, and an order since, for which the hook wrote nothing
    hooked.execute(
        "update analytics.customer_account_types set account_type = 'TARGET'"
        " where customer_id = %s",
        customer,
    )
    assert hooked.value(pending) == 1
    order(hooked, customer)
    assert not hooked.rows("select from operations.changed_keys where is_written")
    assert hooked.value(pending) == 0


def test_a_write_back_leaves_alone_who_orders_after_its_plan(hooked: Database) -> None:
    # ACTIVE, but the marts say TARGET; the hook has nothing to write for an order of theirs
    buyer, other = (
        str(row["customer_id"])
        for row in hooked.rows(
            "update analytics.customer_account_types set account_type = 'TARGET'"
            " where customer_id in (select id from commerce.customers where not is_closed"
            " and account_type = 'ACTIVE' and tenant_id = (select id from commerce.tenants"
            " where slug = 'harbor-foods') limit 2) returning customer_id"
        )
    )
    with hooked.connect() as connection:
        [batch] = connection.execute(
            "select operations.plan_write_back('by hand', null, 200, true) as id"
        ).fetchall()
        order(hooked, buyer)
        done = WriteBack()
        _write_batch(connection, batch["id"], done, "harbor-foods")
    assert done.outcomes == {"conflict": 1, "written": 1}
    assert (facts(hooked, buyer)[0], facts(hooked, other)[0]) == ("ACTIVE", "TARGET")


def test_the_application_needs_no_rights_and_its_later_changes_are_noticed(
    hooked: Database, customer: str
) -> None:
    hooked.execute(
        """
        do $$ begin
            if to_regrole('an_application') is null then create role an_application; end if;
        end $$;
        grant usage on schema commerce to an_application;
        grant insert on commerce.orders to an_application;
        grant select, update (name) on commerce.customers to an_application;
        """
    )
    hooked.execute("delete from operations.changed_keys")
    with hooked.connect() as application, application.transaction():
        application.execute("set local role an_application")
        application.execute(
            INSERT.replace("returning id", "").encode(),
            {
                "customer": customer,
                "status": "SUBMITTED",
                "ordered_at": NOW,
                "delivered_at": None,
            },
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege), application.transaction():
            application.execute("select operations.after_orders_created('{}')")
        application.execute("update commerce.customers set name = 'Other'")
    assert facts(hooked, customer)[0] == "ACTIVE"
    keys = "select count(*) from operations.changed_keys where kind = 'customer'"
    assert hooked.value(keys) == 2 + int(
        str(hooked.value("select count(*) from commerce.customers"))
    )


def test_the_owner_of_the_table_gains_no_rights_by_the_hook(hooked: Database) -> None:
    hooked.execute(
        """
        create type public.trap as (it text);
        create table public.loot (as_whom text);
        create function public.spring(public.trap) returns uuid language plpgsql as $$
        begin
            insert into public.loot values (current_user);
            return gen_random_uuid();
        end $$;
        create cast (public.trap as uuid) with function public.spring(public.trap)
        as implicit;
        create function public.spring_text(public.trap) returns text language plpgsql as $$
        begin
            insert into public.loot values (current_user);
            return gen_random_uuid();
        end $$;
        create cast (public.trap as text) with function public.spring_text(public.trap)
        as implicit;
        alter table commerce.orders rename column id to real_id;
        alter table commerce.orders add column id public.trap;
        insert into commerce.orders (real_id, id, tenant_id, status)
        select gen_random_uuid(), row('x')::public.trap, id, 'SUBMITTED'
        from commerce.tenants;
        """
    )
    assert hooked.value("select count(*) from public.loot") == 0
    assert len(errors(hooked)) == 1


SLOW = """
    create function public.slow() returns trigger language plpgsql as $$
    begin
        perform pg_sleep(0.4);
        return null;
    end $$;
    create trigger slow after update of account_type on commerce.customers
    for each statement execute function public.slow()
"""


def test_a_timeout_ends_the_hook_and_not_the_order(hooked: Database, customer: str) -> None:
    hooked.execute(SLOW)
    hooked.execute(
        """
        alter role postgres set statement_timeout = '200ms';
        -- errors then end with the values of parameters
        alter role postgres set log_parameter_max_length_on_error = -1;
        create function public.orders_of(customer uuid, statuses text) returns void
        language plpgsql as $$
        begin
            insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at)
            select gen_random_uuid(), tenant_id, id, 'SUBMITTED', now()
            from commerce.customers where id = customer and statuses != $2 || 'x';
        end $$
        """
    )
    try:
        order(hooked, customer)
        assert facts(hooked, customer)[0] is None
        [error] = errors(hooked)
        assert "statement timeout" in error
        # a longer statement has more to undo than the hook
        with pytest.raises(psycopg.errors.QueryCanceled):
            hooked.execute(
                "do $$ begin for number in 1..9 loop"
                " insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at)"
                " select gen_random_uuid(), tenant_id, id, 'SUBMITTED', now()"
                f" from commerce.customers where id = '{customer}'; end loop; end $$"
            )
        with pytest.raises(psycopg.errors.QueryCanceled):
            hooked.rows("select public.orders_of(%s::uuid, %s)", customer, "two\nlines")
    finally:
        hooked.execute("alter role postgres reset all")
    assert (
        hooked.value("select count(*) from commerce.orders where customer_id = %s", customer)
        == 1
    )


# errors, and how each is repaired; a lock is held until then
FAULTS = {
    "nothing": ("", ""),
    "no right to write a column": (
        "revoke update (account_type) on commerce.customers from customer_health_refresher",
        "grant update (account_type) on commerce.customers to customer_health_refresher",
    ),
    "a customer that refuses to be ACTIVE": (
        """
        alter table commerce.customers
        add constraint never_active check (account_type != 'ACTIVE') not valid
        """,
        "alter table commerce.customers drop constraint never_active",
    ),
    "rules that are gone": (
        "alter view operations.order_facts rename to elsewhere",
        "alter view operations.elsewhere rename to order_facts",
    ),
    "a queue that refuses": (
        """
        alter table operations.changed_keys
        add constraint no_hook check (not is_written) not valid
        """,
        "alter table operations.changed_keys drop constraint no_hook",
    ),
    "no table for errors either": (
        """
        alter view operations.order_facts rename to elsewhere;
        alter table operations.hook_errors rename to gone
        """,
        """
        alter view operations.elsewhere rename to order_facts;
        alter table operations.gone rename to hook_errors
        """,
    ),
    "a function that is gone": (
        "alter function operations.after_orders_created rename to elsewhere",
        "alter function operations.elsewhere rename to after_orders_created",
    ),
    "customers in use": (
        "begin; update commerce.customers set name = name where account_type != 'ACTIVE'",
        "rollback",
    ),
    "a table that is being altered": (
        "begin; lock table commerce.customers in share mode",
        "rollback",
    ),
    "a timeout": (SLOW, "drop trigger slow on commerce.customers; drop function slow"),
}


@pytest.mark.slow
def test_no_order_is_rejected_and_no_type_stays_wrong(
    hooked: Database, pytestconfig: pytest.Config
) -> None:
    inserts = pytestconfig.getoption("inserts")
    customers = [
        str(row["id"])
        for row in hooked.rows(
            "select id from commerce.customers where account_type in ('TARGET', 'PROSPECT')"
        )
    ]
    assert len(customers) > len(FAULTS)
    hooked.execute("create table public.before as table commerce.customers")
    accepted = 0
    took = []
    with ExitStack() as opened:
        application = opened.enter_context(hooked.connect())
        application.execute("set statement_timeout = '200ms'")
        breaking = opened.enter_context(hooked.connect())
        for number, (fault, (broken, mended)) in enumerate(FAULTS.items()):
            breaking.execute(
                "update commerce.customers set account_type = before.account_type"
                " from public.before where before.id = customers.id"
                " and customers.account_type != before.account_type"
            )
            noted = len(errors(hooked))
            if broken:
                breaking.execute(broken.encode())
            share = range(number, inserts, len(FAULTS))
            for customer, _ in zip(itertools.cycle(customers), share, strict=False):
                began = time.perf_counter()
                application.execute(
                    INSERT.encode(),
                    {
                        "customer": customer,
                        "status": "SUBMITTED",
                        "ordered_at": datetime.now(UTC),
                        "delivered_at": None,
                    },
                )
                took.append(time.perf_counter() - began)
                accepted += 1
            if mended:
                breaking.execute(mended.encode())
            is_noted = len(errors(hooked)) > noted
            silent = ("nothing", "no table for errors either", "customers in use")
            assert is_noted != (fault in silent), fault
    assert accepted == inserts
    assert (
        hooked.run("flows", "refresh", "--mode", "hourly", "--no-write-back").returncode == 0
    )
    # after many inserts so many customers change at once that it would be held
    assert hooked.run("flows", "write-back", "--force").returncode == 0
    wrong = hooked.rows(
        "select customers.id, customers.account_type from commerce.customers"
        " left join analytics.customer_account_types as expected"
        " on customers.id = expected.customer_id"
        " where customers.account_type not in ('HOLD', expected.account_type)"
    )
    assert wrong == []
    assert hooked.value("select count(*) from operations.pending_customer_updates") == 0
    print(
        f"\n{accepted} of {inserts} orders accepted under {len(FAULTS)} faults, the slowest"
        f" after {1000 * max(took):.0f} ms; wrong types after the next refresh: 0"
    )


@pytest.mark.slow
def test_callers_without_triggers_get_the_same(hooked: Database, customer: str) -> None:
    assert hooked.run("flows", "hook", "remove").returncode == 0
    hooked.execute(
        """
        do $$ begin
            if to_regrole('an_importer') is null then create role an_importer; end if;
        end $$;
        grant execute on function operations.after_orders_created to an_importer
        """
    )
    assert hooked.run("flows", "roles", "install").returncode == 0
    placed, draft = order(hooked, customer), order(hooked, customer, "DRAFT")
    assert facts(hooked, customer)[0] is None
    unknown, nonsense = str(uuid.uuid4()), "nonsense"
    with hooked.connect() as connection, connection.transaction():
        found = after_order_created(connection, nonsense)
        assert (found.total, found.success, found.errors) == (1, 0, 1)
        batch = [draft, nonsense, placed, placed, unknown, uuid.UUID(placed)]
        found = after_orders_created(connection, batch)
        assert (found.total, found.success, found.errors) == (4, 2, 2)
        assert 0 < found.duration < 10
        # the caller's transaction continues
        connection.execute("select 1")
        assert after_orders_created(connection, []).total == 0
    assert facts(hooked, customer)[0] == "ACTIVE"
    assert any("nonsense" in error for error in errors(hooked))
    connection.close()
    assert after_order_created(connection, placed).errors == 1


@pytest.mark.slow
def test_the_hook_comes_and_goes_with_one_command(
    hooked: Database, empty: Database, customer: str
) -> None:
    assert "commerce.orders" in hooked.run("flows", "hook", "status").stdout
    assert hooked.run("flows", "hook", "install").returncode == 0
    hooked.execute("create role a_runner login; grant customer_health_refresher to a_runner")
    try:
        done = hooked.as_user("a_runner").run("flows", "hook", "remove")
        assert done.returncode == 4
        [line] = done.stderr.splitlines()
        assert "postgres owns" in line
        assert line.endswith("run this command as postgres")
        assert "commerce.orders" in hooked.run("flows", "hook", "status").stdout
    finally:
        hooked.execute("drop owned by a_runner; drop role a_runner")
    for _ in range(2):
        assert hooked.run("flows", "hook", "remove").returncode == 0
    order(hooked, customer)
    assert facts(hooked, customer)[0] is None
    assert "commerce.orders" not in hooked.run("flows", "hook", "status").stdout
    assert hooked.run("flows", "hook", "drop").returncode == 2
    done = empty.run("flows", "hook", "install")
    assert done.returncode == 4
    assert "run a nightly refresh first" in done.stderr


def test_a_table_without_a_key_is_not_hooked(hooked: Database) -> None:
    hooked.execute(
        "create or replace view analytics_internal.stg_orders__orders as"
        " select tenant_id, customer_id, id as order_id, status as order_status, ordered_at,"
        " delivered_at, 1::bigint as total_cents, currency, created_at, updated_at, null::text"
        " as quarantine_reason, row_number() over (partition by id) = 1 as is_valid"
        " from commerce.orders"
    )
    done = hooked.run("flows", "hook", "install")
    assert done.returncode == 2
    assert "stg_orders__orders removes duplicate rows, so each order" in done.stderr


def insert_serializable(database: Database, customers: list[str], times: int) -> list[str]:
    """Insert orders in serializable transactions; return the errors."""
    wrong = []
    chance = random.Random(customers[0])
    with database.connect() as application:
        application.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        application.autocommit = False
        for _ in range(times):
            try:
                application.execute(
                    INSERT.encode(),
                    {
                        "customer": chance.choice(customers),
                        "status": "SUBMITTED",
                        "ordered_at": NOW,
                        "delivered_at": None,
                    },
                )
                application.commit()
            except psycopg.Error as error:
                application.rollback()
                wrong.append(repr(error))
    return wrong


@pytest.mark.slow
def test_no_serializable_transaction_fails_for_the_hook_or_the_triggers(
    hooked: Database,
) -> None:
    hooked.execute("update commerce.customers set account_type = 'TARGET'")
    customers = [
        str(row["id"]) for row in hooked.rows("select id from commerce.customers order by id")
    ]
    hooked.execute("delete from operations.changed_keys")
    with ThreadPoolExecutor(9) as pool:
        refresh = pool.submit(
            hooked.run, "flows", "refresh", "--mode", "hourly", "--no-write-back"
        )
        inserting = [
            pool.submit(insert_serializable, hooked, customers[number:40:8] * 2, 250)
            for number in range(8)
        ]
        assert [job.result() for job in inserting] == [[]] * 8
        done = refresh.result()
    assert done.returncode == 0, done.stderr
    assert errors(hooked) == []
    # the queue has the orders that the hook skipped
    assert (
        hooked.value("select count(*) from commerce.customers where account_type = 'ACTIVE'")
        == 0
    )
    assert "skipped 2000 calls" in hooked.run("flows", "hook", "status").stdout
    done = hooked.run("flows", "refresh", "--mode", "hourly", "--no-write-back")
    assert done.returncode == 0, done.stderr
    assert "recomputes everything" not in done.stdout
    missed = hooked.rows(
        "select customer_id from analytics.customer_account_types"
        " where account_type != 'ACTIVE' and customer_id = any(%s::uuid[])",
        customers[:40],
    )
    assert missed == []


@pytest.mark.parametrize(
    "level", [psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE]
)
def test_callers_are_told_that_the_hook_did_nothing(
    level: psycopg.IsolationLevel, hooked: Database, customer: str
) -> None:
    placed = order(hooked, customer)
    hooked.execute(
        "update commerce.customers set account_type = 'TARGET' where id = %s", customer
    )
    with hooked.connect() as connection:
        connection.isolation_level = level
        with connection.transaction():
            found = after_orders_created(connection, [placed, "nonsense"])
            assert (found.total, found.success, found.errors, found.skipped) == (2, 2, 0, 2)
    assert facts(hooked, customer)[0] == "TARGET"
    assert errors(hooked) == []
    with hooked.connect() as connection:
        found = after_orders_created(connection, [placed])
        assert (found.total, found.success, found.errors, found.skipped) == (1, 1, 0, 0)
    assert facts(hooked, customer)[0] == "ACTIVE"


@pytest.mark.slow
def test_the_hook_is_refused_where_transactions_are_not_read_committed(
    hooked: Database,
) -> None:
    name = hooked.environment["PGDATABASE"]
    setting = "default_transaction_isolation"
    hooked.execute(
        "create role an_auditor login; create role an_inserter login;"
        " grant insert (id) on commerce.orders to an_inserter;"
        # a role that inserts no orders does not concern it
        f" alter role an_auditor set {setting} = serializable"
    )
    try:
        assert hooked.run("flows", "hook", "install").returncode == 0
        for whose, who, isolation in (
            (f"database {name}", f"database {name}", "serializable"),
            (f"role an_inserter in database {name}", "login an_inserter", "repeatable read"),
            ("role an_inserter", "login an_inserter", "serializable"),
            ("role postgres", "login postgres", "serializable"),
            ("system", "login postgres", "repeatable read"),
        ):
            hooked.execute(f"alter {whose} set {setting} = '{isolation}'")
            hooked.execute("select pg_reload_conf()")
            done = hooked.run("flows", "hook", "install")
            hooked.execute(f"alter {whose} reset {setting}")
            hooked.execute("select pg_reload_conf()")
            assert done.returncode == 2, (whose, done.stderr)
            [line] = done.stderr.splitlines()
            assert f"transactions of {who} are {isolation} by default" in line
    finally:
        hooked.execute(
            "drop owned by an_inserter, an_auditor; drop role an_inserter, an_auditor"
        )


def test_a_lock_fails_a_batch_once_and_not_order_by_order(hooked: Database) -> None:
    placed = [str(uuid.uuid4()) for _ in range(64)]
    with hooked.connect() as migration, hooked.connect() as importer:
        with migration.transaction():
            migration.execute("lock table commerce.orders in access exclusive mode")
            found = after_orders_created(importer, placed)
        assert (found.total, found.success, found.errors) == (64, 0, 64)
        [error] = hooked.rows("select relation, error from operations.hook_errors")
        assert error["relation"] == f"orders {placed[0]}, {placed[1]}, {placed[2]} and 61 more"
        assert "lock timeout" in error["error"]
        assert after_orders_created(importer, [*placed, "nonsense"]).errors == 65
    assert len(errors(hooked)) == 2


def test_the_hook_says_which_orders_it_misses(hooked: Database) -> None:
    hooked.execute(
        """
        alter table commerce.orders rename to one_part;
        create table commerce.whole (like commerce.one_part) partition by list (currency);
        alter table commerce.whole attach partition commerce.one_part default;
        alter table commerce.one_part rename to orders
        """
    )
    done = hooked.run("flows", "hook", "install")
    assert done.returncode == 0, done.stderr
    assert (
        'warning: "commerce"."orders" is a part of commerce.whole: statements on the whole do'
        " not fire its triggers, so such orders wait for the next refresh\n" in done.stdout
    )


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ("alter table commerce.orders rename to elsewhere", "does not exist"),
        (
            """
            alter table commerce.orders rename to elsewhere;
            create view commerce.orders as select * from commerce.elsewhere
            """,
            "is a view",
        ),
    ],
)
def test_what_can_have_no_hook_is_refused(change: str, because: str, hooked: Database) -> None:
    hooked.execute(change)
    done = hooked.run("flows", "hook", "install")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f'"commerce"."orders" {because}' in line


@pytest.mark.slow
def test_no_hook_is_no_hook_and_what_is_off_is_asked_nothing(
    small: Database, project: Path
) -> None:
    sources = project / "models/orders/inputs/_orders__sources.yml"
    text = sources.read_text()
    with_hook = "            hook: {order: id}\n"
    assert with_hook in text
    small.execute(
        "create role clerk login;"
        f"grant create on database {small.environment['PGDATABASE']} to clerk;"
        "grant usage on schema commerce to clerk;"
        "grant select on all tables in schema commerce to clerk;"
        "grant update on commerce.customers to clerk"
    )
    clerk = small.as_user("clerk")
    nightly = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    hourly = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
    try:
        switch_off(
            project,
            "bookings_enabled",
            "usage_enabled",
            "usage_support_tickets_enabled",
            "accounts_enabled",
        )
        sources.write_text(text.replace(with_hook, "            hook: {ordr: id}\n"))
        done = clerk.run(*nightly, project=project)
        assert done.returncode == 2, done.stderr
        assert "setting hook of source orders.orders is {'ordr': 'id'}" in done.stderr
        assert small.value("select to_regclass('analytics.tenants')") is None

        sources.write_text(text.replace(with_hook, ""))
        done = clerk.run(*nightly, project=project)
        assert done.returncode == 0, done.stderr
        done = clerk.run(*hourly, project=project)
        assert done.returncode == 0, done.stderr
        assert "recomputes everything" not in done.stdout
        done = small.run("flows", "hook", "install", project=project)
        assert done.returncode == 2
        assert "hook: no source in use has `hook: {order: " in done.stderr
        # tables that were watched, and are now switched off and out of reach
        small.execute(
            "insert into operations.captured_tables (system, source_name, relation, mapping,"
            " function_name, watched_by) values ('bookings', 'bookings.customers',"
            " '\"booking\".\"customers\"', 'none', 'none', 'updated_at');"
            'insert into operations.hooked_tables values (\'"booking"."bookings"\')'
        )
        done = clerk.run(*hourly, project=project)
        assert done.returncode == 0, done.stderr
        done = clerk.run("flows", "capture", "status", project=project)
        assert done.returncode == 0, done.stderr
    finally:
        small.execute("drop owned by clerk cascade; drop role clerk")


def test_no_assertion_reaches_the_application(hooked: Database, customer: str) -> None:
    hooked.execute(
        "create function public.assert_all() returns trigger language plpgsql as $$"
        " begin assert new.kind = 'everything', 'never'; return new; end $$;"
        " create trigger never before insert on operations.changed_keys"
        " for each row execute function public.assert_all()"
    )
    order(hooked, customer)
    assert hooked.rows(
        "select distinct hook, error from operations.hook_errors where hook = 'capture'"
    ) == [{"hook": "capture", "error": "never"}]
    # nor one while the error is noted
    hooked.execute(
        "create or replace function public.assert_all() returns trigger language plpgsql as"
        " $$ begin assert false, 'never'; return new; end $$"
    )
    order(hooked, customer)
    noted = "select count(*) from operations.hook_errors where hook = 'capture'"
    assert hooked.value(noted) == 1
    hooked.execute(
        "create trigger never before insert on operations.hook_errors"
        " for each row execute function public.assert_all();"
        " alter view operations.order_facts rename to elsewhere"
    )
    order(hooked, customer)
    assert hooked.value(noted) == 1


def test_another_orders_table_takes_the_hook_over(
    hooked: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hooked.run("flows", "hook", "remove").returncode == 0
    hooked.execute(
        "create table commerce.purchases (like commerce.orders);"
        "create trigger customer_health_hook after insert on commerce.purchases"
        " referencing new table as new_rows for each statement"
        " execute function operations.after_order_created();"
        "insert into operations.hooked_tables values ('commerce.purchases'), ('commerce.old');"
        "create role a_runner login; grant customer_health_refresher to a_runner;"
        "grant trigger on commerce.orders to a_runner"
    )
    try:
        done = hooked.as_user("a_runner").run("flows", "hook", "install")
        assert done.returncode == 4
        assert done.stderr.endswith("run `customer-health hook remove` as postgres first\n")
    finally:
        hooked.execute("drop owned by a_runner; drop role a_runner")
    # the old table is in use: the new one has a hook that works
    monkeypatch.setattr("flows.database.ATTEMPTS", 2)
    with hooked.connect() as reader, reader.transaction():
        reader.execute("select from commerce.purchases")
        assert hooked.run("flows", "hook", "install").returncode == 4
    assert hooked.value(
        "select has_column_privilege('customer_health_refresher', 'commerce.customers',"
        " 'account_type', 'update') and count(*) = 1"
        ' from operations.hooked_tables where relation = \'"commerce"."orders"\''
    )
    done = hooked.run("flows", "hook", "install")
    assert done.returncode == 0, done.stderr
    assert "hook removed from commerce.purchases" in done.stdout
    assert hooked.rows("select * from operations.hooked_tables") == [
        {"relation": '"commerce"."orders"'}
    ]
    assert hooked.rows(
        "select tgrelid::regclass::text as relation from pg_trigger"
        " where tgfoid = 'operations.after_order_created'::regproc"
    ) == [{"relation": "commerce.orders"}]
    assert "warning" not in hooked.run("flows", "hook", "status").stdout


def test_without_our_views_the_hook_gives_its_rights_back(hooked: Database) -> None:
    may = (
        "select has_column_privilege('customer_health_refresher', 'commerce.customers',"
        " 'account_type', 'update')"
    )
    assert hooked.value(may)
    for command in (("detach",), ("hook", "remove")):
        done = hooked.run("flows", *command)
        assert done.returncode == 0, done.stderr
    assert not hooked.value(may)
