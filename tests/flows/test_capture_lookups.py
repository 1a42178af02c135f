"""Keys in other tables: a normalized shop, with triggers on all its tables.

In the style of Solidus and Medusa: an e-mail address in any case identifies a customer, also
on its orders, a link table has the orders of a parcel, an adjustment has one order or none.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from conftest import UNTIL, Database, new_database, switch_off
from test_capture import queue, settings, status

from flows import check_tables, dbt, fingerprints
from flows.capture import look_at, with_queue
from flows.captured_keys import captures_of, compare
from flows.check_tables import look_at_lookups
from flows.database import Connection
from flows.lookups import slow_lookups
from flows.watched import oid_of, relations_of, relations_of_updated_at, shows_changes

SHOP = """
create schema shop;
create table shop.stores (id integer primary key, code text not null, zone text not null);
create table shop.users (
    id integer primary key, store_id integer not null references shop.stores,
    email text, "firstName" text, registered_at timestamptz not null, deleted_at timestamptz
);
create index on shop.users (store_id, lower(email));
create table shop.orders (
    id integer primary key, store_id integer not null references shop.stores, email text,
    state text not null, completed_at timestamptz
);
create index on shop.orders (store_id, lower(email));
create table shop.line_items (
    id integer primary key, order_id integer not null references shop.orders on delete cascade,
    quantity integer not null, price numeric(12, 2) not null
);
create index on shop.line_items (order_id);
create table shop.parcels (
    id integer primary key, store_id integer not null references shop.stores,
    handed_over_at timestamptz
);
create table shop.parcels_orders (
    parcel_id integer references shop.parcels on delete cascade,
    order_id integer references shop.orders on delete cascade,
    primary key (parcel_id, order_id)
);
create index on shop.parcels_orders (order_id);
create table shop.adjustments (
    id integer primary key, of_kind text not null, of_id integer not null,
    amount numeric(12, 2) not null
);
insert into shop.stores values (1, 'north', 'Europe/Berlin'), (2, 'south', 'UTC');
insert into shop.users
select n, 1 + n % 2, 'User' || n || '@Example.com', 'U', '2025-01-01'
from generate_series(1, 40) n;
insert into shop.orders
select
    n, 1 + n % 40 % 2,
    case when n % 3 = 0 then upper(email) else email end, 'complete',
    timestamptz '2026-06-10 12:00+00' - (n / 40) * interval '11 days'
from (
    select n, 'user' || 1 + (n - 1) % 40 || '@example.com' as email
    from generate_series(1, 240) n
) as numbered;
update shop.orders set store_id = 1 + substring(lower(email) from '\\d+')::integer % 2;
insert into shop.line_items select n, n, 1 + n % 4, 10 from generate_series(1, 240) n;
insert into shop.parcels
select n, orders.store_id, completed_at + interval '1 day'
from generate_series(1, 240) n join shop.orders on orders.id = n;
insert into shop.parcels_orders select n, n from generate_series(1, 240) n;
insert into shop.adjustments
select n, case when n % 2 = 0 then 'Order' else 'Refund' end, n, 3
from generate_series(1, 60) n;
"""
INPUTS = {
    "tenants": """
        select id as tenant_id, code as tenant_slug, code as tenant_name, zone as time_zone,
            true as is_active
        from {{ source('orders', 'stores') }}
    """,
    "sales_reps": """
        select null::integer as tenant_id, null::integer as sales_rep_id,
            null::text as sales_rep_name, true as is_active
        where false
    """,
    "customers": """
        select store_id as tenant_id, lower(email) as customer_id,
            "firstName" as customer_name, email as customer_email, false as is_closed,
            registered_at as created_at
        from {{ source('orders', 'users') }}
        where deleted_at is null
    """,
    "customer_statuses": """
        select store_id as tenant_id, lower(email) as customer_id, false as is_closed
        from {{ source('orders', 'users') }}
    """,
    "orders": """
        select
            store_id as tenant_id, lower(email) as customer_id, id as order_id,
            case when state = 'canceled' then 'CANCELLED' else 'DELIVERED' end as order_status,
            completed_at as ordered_at,
            (
                select max(parcels.handed_over_at)
                from {{ source('orders', 'parcels_orders') }} as links
                join {{ source('orders', 'parcels') }} as parcels
                    on parcels.id = links.parcel_id
                where links.order_id = orders.id
            ) as delivered_at,
            coalesce((
                select sum(quantity * price) from {{ source('orders', 'line_items') }} as items
                where items.order_id = orders.id
            ), 0) + coalesce((
                select sum(amount) from {{ source('orders', 'adjustments') }} as adjustments
                where of_kind = 'Order' and of_id = orders.id
            ), 0) as total_amount,
            'EUR' as currency
        from {{ source('orders', 'orders') }} as orders
    """,
}
OF_ORDER = {"tenant": "orders.store_id", "customer": "lower(orders.email)"}
CAPTURES: dict[str, Any] = {
    "stores": {"tenant": "id"},
    "users": {"tenant": "store_id", "customer": "lower(email)"},
    "orders": {"tenant": "changed.store_id", "customer": "lower(changed.email) -- as given"},
    # an inner join drops rows, but no change of them is lost
    "line_items": OF_ORDER | {"joins": "join shop.orders on orders.id = changed.order_id"},
    "parcels": {
        "tenant": "changed.store_id",
        "customer": "lower(orders.email)",
        "joins": (
            "left join shop.parcels_orders on parcel_id = changed.id"
            " left join shop.orders on orders.id = order_id"
        ),
    },
    "parcels_orders": OF_ORDER
    | {
        "joins": "left join shop.orders on orders.id = changed.order_id",
        # links that are deleted with their order: the order's change shows the key
        "where": "exists (select from shop.orders where orders.id = order_id)",
    },
    "adjustments": OF_ORDER
    | {
        "where": "of_kind = 'Order'",
        "joins": "left join shop.orders on orders.id = changed.of_id",
    },
}
FOUND = [name for name in CAPTURES if name != "stores"]
HOURLY = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL, "--no-write-back")
NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL, "--no-write-back")


def say_captures(project: Path, captures: dict[str, Any]) -> None:
    """Write the sources' yml of the shop."""
    tables = [
        {
            "name": name,
            "description": "One row each.",
            "config": {
                "meta": {
                    **({} if capture is None else {"capture": capture}),
                    **({"hook": {"order": "id"}} if name == "orders" else {}),
                }
            },
        }
        for name, capture in captures.items()
    ]
    sources = [
        {"name": "orders", "description": "A shop.", "schema": "shop", "tables": tables}
    ]
    (project / "models/orders/inputs/_orders__sources.yml").write_text(
        yaml.safe_dump({"sources": sources})
    )


@pytest.fixture
def shop(project: Path) -> Path:
    """The project, with inputs on the shop."""
    for system in ("bookings", "usage", "accounts"):
        switch_off(project, f"{system}_enabled")
    settings(
        project,
        orders_tenant_id_type="integer",
        orders_sales_rep_id_type="integer",
        orders_customer_id_type="text",
        orders_order_id_type="integer",
    )
    for name, code in INPUTS.items():
        (project / f"models/orders/inputs/input_orders__{name}.sql").write_text(code)
    say_captures(project, CAPTURES)
    return project


def run(database: Database, project: Path, *arguments: str) -> str:
    done = database.run(*arguments, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(database: Database, project: Path) -> str:
    """Return the line with which an install is refused."""
    done = database.run("flows", "capture", "install", project=project)
    assert done.returncode == 2, done.stdout + done.stderr
    [line] = done.stderr.splitlines()
    return line


def last(database: Database) -> dict[str, Any]:
    payload = database.value(
        "select payload::text from operations.application_logs order by log_id desc limit 1"
    )
    found: dict[str, Any] = json.loads(str(payload))
    return found


def random_change(chance: random.Random, table: str, number: int) -> str:
    """Return a random statement on rows of a table; new rows get a free number."""
    old = chance.randint(1, 240)
    user = chance.randint(1, 44)
    email = f"{chance.choice(['user', 'USER', 'User'])}{user}@example.com"
    day = f"timestamptz '2026-06-14 09:00+00' - interval '{chance.randint(0, 90)} days'"
    changes = {
        "users": [
            f"update shop.users set email = upper(email) where id = {1 + old % 40}",
            f"update shop.users set deleted_at = now() where id = {1 + old % 40}",
            f"delete from shop.users where id = {1 + old % 40}",
            f"insert into shop.users values ({number}, {1 + user % 2}, '{email}', 'N', {day})",
        ],
        "orders": [
            f"update shop.orders set email = '{email}' where id = {old}",
            f"update shop.orders set state = 'canceled' where id = {old}",
            (
                f"update shop.orders set store_id = 3 - store_id, completed_at = {day}"
                f" where id = {old}"
            ),
            (
                f"insert into shop.orders values ({number}, {1 + user % 2}, '{email}',"
                f" 'complete', {day})"
            ),
            f"insert into shop.orders values ({number}, 1, null, 'complete', {day})",
        ],
        "line_items": [
            f"update shop.line_items set price = price * 7 where order_id = {old}",
            (
                f"update shop.line_items set order_id = {chance.randint(1, 240)}"
                f" where order_id = {old}"
            ),
            f"delete from shop.line_items where order_id = {old}",
            f"insert into shop.line_items values ({number}, {old}, 2, 30)",
        ],
        "parcels": [
            f"update shop.parcels set handed_over_at = {day} where id = {old}",
            f"update shop.parcels set handed_over_at = null where id = {old}",
            f"delete from shop.parcels where id = {old}",
            f"insert into shop.parcels values ({number}, 1, {day})",
        ],
        "parcels_orders": [
            (
                f"update shop.parcels_orders set order_id = {chance.randint(1, 240)}"
                f" where order_id = {old}"
            ),
            f"delete from shop.parcels_orders where order_id = {old}",
            (
                "insert into shop.parcels_orders values"
                f" ({chance.randint(1, 240)}, {old}) on conflict do nothing"
            ),
        ],
        "adjustments": [
            (
                f"update shop.adjustments set of_kind = 'Order', of_id = {old}"
                f" where id = {1 + old % 60}"
            ),
            f"delete from shop.adjustments where id = {1 + old % 60}",
            f"insert into shop.adjustments values ({number}, 'Order', {old}, -9)",
        ],
    }
    return chance.choice(changes[table])


def change_at_random(database: Database, chance: random.Random, tables: list[str]) -> None:
    """Change rows of these tables, ten times each; a constraint may refuse a change."""
    first = int(str(database.value("select 1000 + max(id) from shop.orders")))
    with database.connect() as connection:
        for number in range(10 * len(tables)):
            statement = random_change(chance, tables[number % len(tables)], first + number)
            connection.execute(
                f"do $$ begin {statement}; exception when integrity_constraint_violation"
                " then null; end $$".encode()
            )


def check_hourly_is_nightly(database: Database, shop: Path) -> dict[str, Any]:
    """Return the log of an hourly refresh, after which a nightly one corrects nothing."""
    run(database, shop, *HOURLY)
    hourly = last(database)
    run(database, shop, *NIGHTLY)
    nightly = last(database)
    moved = {
        mart["mart"]: mart["rows_written"] + mart["rows_removed"]
        for mart in nightly["marts"]
        # only a nightly refresh lists bad rows
        if mart["mart"] != "orders_quarantined_rows"
    }
    assert {mart: rows for mart, rows in moved.items() if rows} == {}
    # after a claim of everything, a nightly refresh reports no drift
    assert nightly["drift"] == 0
    return hourly


@pytest.mark.slow
def test_with_looked_up_keys_hourly_equals_nightly(empty: Database, shop: Path) -> None:
    empty.execute(SHOP)
    said = run(empty, shop, "flows", "capture", "install")
    assert "inputs of orders are not built yet" in said
    assert "waits while our trigger" not in said
    for table in CAPTURES:
        assert f"shop.{table} " in said
    queue(empty)

    def noted(statement: str) -> list[tuple[object, ...]]:
        empty.execute(statement)
        return [row[1:] for row in queue(empty)]

    user3 = ("customer", "2", "user3@example.com")
    assert noted("update shop.line_items set price = 11 where order_id = 3") == [user3]
    assert noted("update shop.parcels set handed_over_at = null where id = 3") == [user3]
    assert noted("update shop.parcels_orders set order_id = 5 where parcel_id = 3") == [
        user3,
        ("customer", "2", "user5@example.com"),
    ]
    # one parcel, two customers
    empty.execute("insert into shop.parcels_orders values (6, 4)")
    queue(empty)
    assert noted("update shop.parcels set handed_over_at = now() where id = 6") == [
        ("customer", "1", "user4@example.com"),
        ("customer", "1", "user6@example.com"),
    ]
    assert noted("update shop.adjustments set amount = 4 where id in (1, 2)") == [
        ("customer", "1", "user2@example.com")
    ]
    # a guest without an e-mail belongs to no customer; a parcel without an order to its tenant
    assert noted("insert into shop.orders values (900, 1, null, 'complete', now())") == []
    assert noted("insert into shop.parcels values (900, 2, now())") == [("tenant", "2", None)]
    # in a serializable transaction, the trigger's reads could make the application fail
    assert noted(
        "begin isolation level serializable;"
        " update shop.parcels set handed_over_at = now() where id = 8; commit"
    ) == [("tenant", "1", None)]
    # an inner join has dropped the item of a deleted order; its link is not followed
    empty.execute("delete from shop.orders where id = 7")
    assert "by_rows_without_key_of" in status(empty, shop)
    assert queue(empty) == [
        ("orders", "customer", "2", "user7@example.com"),
        ("orders", "everything", None, None),
    ]
    assert empty.value("select count(*) from operations.hook_errors") == 0

    run(empty, shop, *NIGHTLY)
    customers = empty.value("select count(*) from analytics.customer_risk_status")
    chance = random.Random(15)
    change_at_random(empty, chance, [name for name in FOUND if name != "parcels"])
    empty.execute("update shop.parcels set handed_over_at = now() where id in (31, 32)")
    hourly = check_hourly_is_nightly(empty, shop)
    assert "full_because" not in hourly
    assert "keys_not_found" not in hourly
    assert "unknown_keys" not in hourly
    [asked] = hourly["claimed_keys"]
    assert asked["kind"] == "customer"
    assert asked["keys"] < int(str(customers))

    # keys are compared now: a key that the mapping transforms is refused in its raw form
    raw = {"tenant": "store_id", "customer": "email"}
    say_captures(shop, CAPTURES | {"users": raw, "stores": None})
    line = refused(empty, shop)
    assert '"shop"."stores" is read by input_orders__tenants, and nothing watches it' in line
    assert "shop.users: the triggers would record customer " in line
    assert ", but input_orders__customer" in line
    # if installed anyway, such a change is claimed and lost, and the refresh says so
    empty.execute("alter table shop.parcels_orders drop constraint parcels_orders_pkey")
    done = run(empty, shop, "flows", "capture", "install", "--allow-gaps")
    assert "warning: shop.users: the triggers would record" in done
    assert (
        "warning: every insert, update and delete of shop.parcels waits while our trigger"
        " searches shop.parcels_orders by parcel_id, which no index of it begins with;"
        " `create index concurrently on shop.parcels_orders (parcel_id)` helps"
    ) in done
    empty.execute("delete from operations.changed_keys")
    empty.execute("""update shop.users set "firstName" = 'Other' where id in (9, 10)""")
    said = run(empty, shop, *HOURLY)
    assert "warning: 2 keys in the queue match no row of orders, such as " in said
    assert last(empty)["unknown_keys"] == {"orders": 2}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_over_more_rounds_with_keys_that_are_not_found(
    seed: int, empty: Database, shop: Path
) -> None:
    empty.execute(SHOP)
    run(empty, shop, "flows", "capture", "install")
    run(empty, shop, *NIGHTLY)
    chance = random.Random(seed)
    for number, tables in enumerate((FOUND, ["parcels"], ["orders", "line_items"], FOUND)):
        change_at_random(empty, chance, tables)
        # items that are deleted with their order ask for a full refresh
        if tables == ["orders", "line_items"]:
            empty.execute("delete from shop.orders where id % 50 = 0")
        said = check_hourly_is_nightly(empty, shop)
        # in the last round, remaining rows may do the same; and the orders of deleted
        # users belong to no customer
        if number < 3:
            assert ("full_because" in said) == (tables == ["orders", "line_items"])
            assert "unknown_keys" not in said
    assert empty.value("select count(*) from operations.hook_errors") == 0


ODD = """
create schema odd;
create table odd.parents (id integer primary key, tenant text, customer text);
create table odd.bookings (
    id integer primary key, "customerId" text, customer text, "user" text, parent_id integer,
    started timestamp, customers text[], key text generated always as (lower(customer)) stored
);
create function odd.customer_of(integer) returns text language sql
as 'select customer from odd.parents where id = $1';
create table odd.secrets (id integer, customer text);
"""


@pytest.fixture(scope="module")
def odd(server: Database) -> Iterator[Connection]:
    """A connection to tables with odd keys."""
    database = new_database(server)
    database.execute(ODD)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in database.environment.items():
            patch.setenv(name, value)
        with with_queue() as connection:
            yield connection
    database.drop()


def source_of(capture: object, table: str = "bookings") -> dict[str, Any]:
    return {
        "system": "bookings",
        "source": f"odd.{table}",
        "relation": f'"odd"."{table}"',
        "capture": capture,
        "inputs": ['"odd"."input_bookings__bookings"'],
        "key": {
            "tenant": "tenant_id",
            "customer": "customer_id",
            "location": "location_id",
            "starts_at": "start_at",
        },
    }


def read(connection: Connection, capture: object) -> tuple[list[dict[str, Any]], list[str]]:
    source = source_of(capture)
    return captures_of(connection, source, look_at(connection, source))


PARENT = "left join odd.parents on parents.id = changed.parent_id"


@pytest.mark.parametrize(
    ("capture", "looked_up"),
    [
        ({"tenant": "'acme'", "customer": "customer"}, []),
        # a column of the row itself is not looked up, whatever is joined
        ({"tenant": "'a'", "customer": "changed.customer", "joins": PARENT}, []),
        ({"tenant": "tenant", "customer": "lower(parents.customer)", "joins": PARENT}, None),
        ({"tenant": "1", "customer": "odd.customer_of(parent_id)"}, ["customer"]),
        (
            {"tenant": "1", "customer": "(select p.customer from odd.parents p"
             " where p.id = parent_id)"},
            ["customer"],
        ),
        # the same table, but another row
        (
            {"tenant": "1", "customer": "(select b.customer from odd.bookings b"
             " where b.id = changed.parent_id)"},
            ["customer"],
        ),
        (
            {"tenant": "1", "where": "exists (select from odd.parents where id = parent_id)"},
            ["where"],
        ),
        ({"tenant": "1", "customer": "unnest(customers) -- each"}, []),
        ({"tenant": "1", "customer": "key"}, []),
    ],
)  # fmt: skip
def test_lookups_in_a_key_are_detected(
    capture: dict[str, Any], looked_up: list[str] | None, odd: Connection
) -> None:
    [found], wrong = read(odd, capture)
    assert wrong == []
    assert found["looked_up"] == (["tenant", "customer"] if looked_up is None else looked_up)


@pytest.mark.parametrize(
    ("capture", "reason"),
    [
        ({"customer": "customer"}, "has no tenant, which every key needs"),
        ({}, "has no tenant"),
        (
            "all",
            "is 'all'; it must be none, a mapping with tenant, customer, location, starts_at",
        ),
        (
            {"tenant": "1", "custmer": "id"},
            "has the unknown entry custmer; allowed are tenant",
        ),
        ({"tenant": "1", "customer": None}, "has customer: None, which must be SQL"),
        ({"tenant": "1", "starts_at": "now()"}, "has starts_at without location"),
        (
            {"tenant": "1", "customer": "customerId"},
            'column "customerid" does not exist; the column is "customerId", in double quotes',
        ),
        ({"tenant": "1", "customer": "nobody"}, "; the columns are id, customerId, customer,"),
        # the name of the current user
        (
            {"tenant": "1", "customer": "user"},
            'is an SQL keyword: write the column as "user", in',
        ),
        (
            {"tenant": "1", "customer": "id", "joins": "left join parents on true"},
            'joins is left join parents on true: relation "parents" does not exist',
        ),
        (
            {"tenant": "1", "customer": "slug(id)"},
            "function slug(integer) does not exist",
        ),
        ({"tenant": "1", "customer": "id, id"}, "customer is id, id: "),
        ({"tenant": "1", "customer": "id) from changed; select (1"}, "customer is id) from"),
        ({"tenant": "1", "where": "id"}, "argument of WHERE must be type boolean"),
        (
            {"tenant": "1", "customer": "id", "joins": f"{PARENT}, odd.nothing"},
            'relation "odd.nothing" does not exist',
        ),
        # two tables have this column
        ({"tenant": "1", "customer": "customer", "joins": PARENT}, "is ambiguous"),
        (
            {"tenant": "1", "location": "1", "starts_at": "started"},
            "a timestamp without time zone; it must be a timestamp with time zone",
        ),
    ],
)
def test_a_key_that_postgresql_does_not_understand_is_refused_in_its_own_words(
    capture: object, reason: str, odd: Connection
) -> None:
    _, wrong = read(odd, capture)
    assert len(wrong) == 1, wrong
    assert wrong[0].startswith('"odd"."bookings": `meta: capture` of the sources\' yml')
    assert reason in wrong[0]


def test_keys_that_a_trigger_cannot_read_are_refused(odd: Connection) -> None:
    odd.execute("drop role if exists odd_owner; create role odd_owner")
    odd.execute(
        "grant usage on schema odd to odd_owner; grant select on odd.bookings to odd_owner"
    )
    capture = {
        "tenant": "1",
        "customer": "secrets.customer",
        "joins": "left join odd.secrets on secrets.id = changed.id",
    }
    found = look_at(odd, source_of(capture))
    try:
        odd.execute("set role odd_owner")
        _, wrong = captures_of(odd, source_of(capture), found)
    finally:
        odd.execute("reset role; drop owned by odd_owner; drop role odd_owner")
    assert len(wrong) == 1
    assert "permission denied for table secrets; " in wrong[0]
    if odd.info.server_version >= 180000:
        odd.execute("create table odd.virtual (a text, b text generated always as (lower(a)))")
        source = source_of({"tenant": "1", "customer": "b"}, "virtual")
        _, [line] = captures_of(odd, source, look_at(odd, source))
        assert "it is a virtual generated column, so write its expression instead" in line


SHOPS = """
create schema mart;
create table mart.shops (id integer primary key, name text not null, slug text unique);
create table mart.branches (id integer primary key, shop_id integer references mart.shops);
create table mart.customers (
    id integer primary key, name text, email text,
    branch_id integer not null references mart.branches, created_at timestamptz
);
create table mart.orders (
    id integer primary key, customer_id integer not null references mart.customers,
    status text not null, total numeric(12, 2), created_at timestamptz,
    delivered_at timestamptz
);
insert into mart.shops values (1, 'A', 'a'), (2, 'B', 'b');
insert into mart.branches values (1, 1), (2, 2);
insert into mart.customers
select n, 'C' || n, 'c' || n || '@x.org', 1 + n % 2, '2026-01-01'
from generate_series(1, 40) n;
insert into mart.orders
select n, 1 + n % 40, 'delivered', 10, '2026-05-01', '2026-05-02'
from generate_series(1, 200) n;
analyze;
"""


def test_init_looks_no_key_up_that_the_joined_table_gives_by_itself(
    empty: Database, tmp_path: Path
) -> None:
    """The tenant of an order is that of its customer: all its orders would be read."""
    empty.execute(SHOPS)
    done = empty.run("flows", "init", str(tmp_path / "mine"), "--table", "tenants=mart.shops")
    assert done.returncode == 0, done.stdout + done.stderr
    yml = tmp_path / "mine" / "models" / "orders" / "inputs" / "_orders__sources.yml"
    [source] = yaml.safe_load(yml.read_text())["sources"]
    captures = {
        table["name"]: table["config"]["meta"]["capture"] for table in source["tables"]
    }
    branches = "left join mart.branches as branches on"
    assert captures["customers"] == {
        "tenant": "branches.shop_id",
        "customer": "changed.id",
        "joins": f"{branches} changed.branch_id = branches.id",
    }
    # through the customers of a branch, not through their orders
    assert captures["branches"] == {
        "tenant": "changed.shop_id",
        "customer": "customers.id",
        "joins": "join mart.customers as customers on customers.branch_id = changed.id",
        "where": "exists (select from mart.customers as customers"
        " where customers.branch_id = changed.id)",
    }
    assert captures["orders"]["joins"].endswith(
        f"{branches} customers.branch_id = branches.id"
    )


def test_tables_behind_views_need_no_right_on_their_schema(odd: Connection) -> None:
    """An interface of views, as PostgREST has: what is behind it is found in the catalog."""
    odd.execute(
        'create schema hidden; create schema seen; create table hidden."Notes" (id integer,'
        " updated_at timestamptz); create table hidden.tags (id integer);"
        # an alias in which the name of another table ends
        'create view seen.notes as select * from hidden."Notes" left join hidden.tags as s'
        " using (id); drop role if exists odd_guest; create role odd_guest;"
        "grant usage on schema seen to odd_guest; grant select on seen.notes to odd_guest"
    )
    try:
        odd.execute("set role odd_guest")
        for names in (("seen", "notes"), ("hidden", "Notes"), ("hidden", "tags")):
            assert oid_of(odd, f'"{names[0]}"."{names[1]}"')
        assert oid_of(odd, '"hidden"."notes"') is None
        view = oid_of(odd, "seen.notes")
        found = relations_of(odd, view)
        assert sorted(found.values()) == ['hidden."Notes"', "hidden.tags"]
        [telling] = relations_of_updated_at(odd, "seen.notes", found)
        assert found[telling] == 'hidden."Notes"'
        for name, shows in (("Notes", True), ("tags", False)):
            table = oid_of(odd, f'hidden."{name}"')
            assert shows_changes(odd, table, ["seen.notes"]) == shows
        odd.execute("create temp view of_it as select * from seen.notes")
        assert relations_of(odd, oid_of(odd, '"pg_temp"."of_it"')).keys() == found.keys()
    finally:
        odd.execute("reset role; drop view if exists pg_temp.of_it")
        odd.execute("drop owned by odd_guest; drop role odd_guest")


CHILDREN = "join odd.children as c on c.parent_id = changed.id"
BY_PARENT = "odd.children by parent_id, which no index of it begins with"


@pytest.mark.parametrize(
    ("capture", "searched", "index"),
    [
        ({"customer": "customer"}, "", ""),
        # by the key of the other table
        ({"customer": "parents.customer", "joins": PARENT}, "", ""),
        ({"customer": "c.customer", "joins": CHILDREN}, BY_PARENT, "(parent_id)"),
        (
            {"customer": "id", "where": "exists (select from odd.children as c"
             " where c.parent_id = changed.id and c.kind = 'x')"},
            BY_PARENT,
            "(parent_id)",
        ),
        # part of a longer index, but not its beginning
        (
            {"customer": "c.customer", "joins": "join odd.children c on c.kind = changed.key"},
            "odd.children by kind",
            "(kind)",
        ),
        # an index that holds only some rows
        (
            {"customer": "c.kind", "joins": "join odd.children c on c.old_id = changed.id"},
            "odd.children by old_id",
            "(old_id)",
        ),
        (
            {"customer": "c.customer",
             "joins": "join odd.children c on lower(c.customer) = lower(changed.customer)"},
            "odd.children by (lower(customer))",
            "((lower(customer)))",
        ),
        ({"customer": "c.customer",
          "joins": "join odd.children c on c.customer = changed.customer"}, "", ""),
        # the first column is compared with a constant
        (
            {"customer": "c.customer",
             "joins": "join odd.children c on c.customer = 'x' and c.kind = changed.key"},
            "",
            "",
        ),
        # a table with partitions
        (
            {"customer": "d.customer", "joins": "join odd.days d on d.parent_id = changed.id"},
            "odd.days by parent_id",
            "`create index on odd.days (parent_id)`",
        ),
        # another type
        (
            {"customer": "c.kind", "joins": "join odd.children c on c.old_id::text = key"},
            "odd.children by ((old_id)::text)",
            "(((old_id)::text))",
        ),
        # a filter that reads a table in another schema
        (
            {"customer": "c.customer", "joins": CHILDREN,
             "where": "(select kind from apart.stores where id = c.old_id) != 'test'"},
            BY_PARENT,
            "(parent_id)",
        ),
        # what it is compared with is of that row, too: no index would help
        ({"customer": "c.customer", "joins":
          "join odd.children c on coalesce(changed.id, c.old_id) = c.old_id"}, "", ""),
        # nothing of the row: no index would help
        ({"customer": "c.customer", "joins": "cross join odd.children c"}, "", ""),
    ],
)  # fmt: skip
def test_a_lookup_without_an_index_is_named(
    capture: dict[str, str], searched: str, index: str, odd: Connection
) -> None:
    odd.execute(
        "create schema if not exists apart; create table if not exists apart.stores"
        " (id integer primary key, kind text);"
        "create table if not exists odd.children (id integer primary key, parent_id integer,"
        ' customer text, kind text, old_id integer, "Day" date);'
        "create unique index if not exists a on odd.children (customer, kind);"
        "create index if not exists b on odd.children (old_id) where kind = 'x';"
        "create table if not exists odd.days (parent_id integer, customer text, day date)"
        " partition by range (day);"
        "create table if not exists odd.day_1 partition of odd.days for values"
        " from ('2026-01-01') to ('2026-01-02');"
        "create table if not exists odd.day_2 partition of odd.days default"
    )
    found = slow_lookups(odd, '"odd"."bookings"', {"tenant": "1", **capture})
    if not searched:
        assert found == []
        return
    [lookup] = found
    assert lookup.problem("odd.bookings").startswith(
        f"every insert, update and delete of odd.bookings waits while our trigger searches"
        f" {searched}"
    )
    assert index in lookup.remedy()
    assert ("concurrently" in lookup.remedy()) == ("days" not in searched)


def test_check_names_the_lookups_of_installed_triggers_only(
    odd: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd.execute("create table odd.notes (booking_id integer, customer text)")
    joins = "join odd.notes on notes.booking_id = changed.id"
    capture = {"tenant": "1", "customer": "notes.customer", "joins": joins}
    sources = [source_of([capture, {"tenant": "no SQL", "customer": "1"}, capture])]
    # what is no key, `capture install` refuses
    sources += [source_of(capture=False), source_of(["none"])]
    assert look_at_lookups(odd, "bookings", sources) == []
    watched = {oid_of(odd, '"odd"."bookings"'): "triggers and updated_at"}
    monkeypatch.setattr(check_tables, "watched_by_triggers", lambda _connection: watched)
    [finding] = look_at_lookups(odd, "bookings", sources)
    assert finding.line() == (
        "bookings: every insert, update and delete of odd.bookings waits while our trigger"
        " searches odd.notes by booking_id, which no index of it begins with; `create index"
        " concurrently on odd.notes (booking_id)` helps"
    )


class Sampled:
    """A table as `compare` expects it."""

    relation = '"odd"."bookings"'
    cannot = ""
    sampled_pct = 100.0

    def __init__(self, captures: list[dict[str, Any]]) -> None:
        self.captures = captures


@pytest.fixture
def compared(odd: Connection) -> Callable[..., tuple[list[str], list[str]]]:
    """Return the findings of a comparison with the keys of this input."""

    def keys(customers: list[str | None], given: str, **capture: str) -> Any:
        odd.execute("truncate odd.bookings, odd.parents")
        for number, customer in enumerate(customers):
            odd.execute(
                "insert into odd.bookings (id, customer, parent_id) values (%s, %s, 1)",
                (number, customer),
            )
        odd.execute("drop view if exists odd.input_bookings__bookings")
        odd.execute(f"create view odd.input_bookings__bookings as select {given}".encode())
        captures, wrong = read(odd, {"tenant": "'acme'", "customer": "customer", **capture})
        assert wrong == []
        found = compare(odd, [Sampled(captures)])
        return found.doubts, found.remarks

    return keys


ALL = "'acme' as tenant_id, customer as customer_id from odd.bookings"


def test_keys_that_are_not_those_of_the_input_are_found_over_a_sample(
    compared: Callable[..., tuple[list[str], list[str]]],
) -> None:
    lower = ALL.replace("customer as", "lower(customer) as")
    assert compared(["a", "b", None], ALL) == ([], [])
    # nearly all keys are the same
    [doubt], _ = compared(["A", "b", "c"], lower)
    assert "odd.bookings: the triggers would record customer acme/A, but" in doubt
    assert "input_bookings__bookings has acme/a: write the key in `meta: capture`" in doubt
    assert compared(["A", "b", "c"], lower, customer="lower(customer)") == ([], [])
    for mapped in ("'c-' || customer", "md5(customer)"):
        [doubt], _ = compared(["a"], ALL.replace("customer as", f"{mapped} as"))
        assert "record customer acme/a, but input" in doubt
    [doubt], _ = compared(["007", "8"], ALL.replace("customer as", "customer::integer as"))
    assert "acme/007" in doubt
    [doubt], _ = compared([" a", "b"], ALL.replace("customer as", "btrim(customer) as"))
    assert "acme/ a" in doubt
    # another tenant's
    [doubt], _ = compared(["a"], ALL, tenant="'Acme'")
    assert "record customer Acme/a" in doubt
    # rows that the input leaves out are not a fault, and neither is an empty input
    doubts, [remark] = compared(["a", "b"], f"{ALL} where customer = 'b'")
    assert doubts == []
    assert "1 of 2 keys in a sample of odd.bookings are not in input_bookings__boo" in remark
    assert compared(["a"], f"{ALL} where false") == ([], [])
    # a bare name in a subquery is a column of its own table, so no row would have a key
    where = "exists (select from odd.parents where parents.customer = customer and id = 7)"
    _, [remark] = compared(["a"], ALL, where=where)
    assert "no row in a sample of odd.bookings has the key tenant: 'acme', customer:" in remark
    assert "check its `where`: inside a subquery, write a column of the row as" in remark
    assert compared([], ALL, where=where) == ([], [])
    # an expression that fails on existing rows
    [doubt], _ = compared(["a"], ALL, customer="customer::integer")
    assert 'cannot be computed: invalid input syntax for type integer: "a"' in doubt
    _, [remark] = compared(["a", "b"], ALL, customer="lower(parents.customer)", joins=PARENT)
    assert "rows in a sample of odd.bookings: a change of such a row recomputes" in remark


def effective(**nodes: dict[str, Any]) -> list[tuple[str, str, object]]:
    """Return system, relation and key of each source in a manifest."""
    sources = {
        key: {
            "source_name": key.split(".")[2],
            "name": key.split(".")[3],
            "schema": key.split(".")[2],
            "identifier": key.split(".")[3],
            "database": "d",
            "relation_name": f'"d"."{key.split(".")[2]}"."{key.split(".")[3]}"',
            "config": {"meta": {"capture": key}},
        }
        for key in (
            "source.customer_health.orders.orders",
            "source.customer_health.orders.customers",
            "source.mine.shop.parcels",
            "source.mine.shop.unread",
        )
    }
    manifest = {"metadata": {"project_name": "mine"}, "nodes": nodes, "sources": sources}
    settings_ = {"orders_enabled": True, "bookings_enabled": False, "theirs": False}
    return [
        (found["system"], found["relation"], found["capture"])
        for found in dbt.sources_of(manifest, settings_)
    ]


def model(key: str, *reads: str, needs: str | None = None) -> dict[str, dict[str, Any]]:
    _, package, name = key.split(".")
    return {
        key: {
            "resource_type": "model",
            "package_name": package,
            "name": name,
            "database": "d",
            "relation_name": f'"d"."s"."{name}"',
            "config": {"meta": {"needs": needs} if needs else {}},
            "depends_on": {"nodes": list(reads)},
        }
    }


def test_sources_are_those_that_the_effective_inputs_read() -> None:
    ours = {
        **model(
            "model.customer_health.input_orders__orders",
            "source.customer_health.orders.orders",
        ),
        **model(
            "model.customer_health.input_orders__customers",
            "source.customer_health.orders.customers",
        ),
        **model(
            "model.customer_health.input_bookings__bookings", "source.mine.shop.unread"
        ),
        **model(
            "model.customer_health.input_orders__more", "source.mine.shop.unread",
            needs="theirs",
        ),
    }  # fmt: skip
    names = {relation for _, relation, _ in effective(**ours)}
    assert names == {'"orders"."orders"', '"orders"."customers"'}
    # the user's input replaces ours and reads a source through another model; a model of the
    # same name counts only in the root project
    found = effective(
        **ours,
        **model("model.mine.input_orders__orders", "model.mine.joined"),
        **model("model.mine.joined", "source.mine.shop.parcels", "model.mine.joined"),
        **model("model.other.input_orders__customers", "source.mine.shop.unread"),
        **model("model.mine.input_orders__nobody_reads", "source.mine.shop.unread"),
    )
    assert found == [
        ("orders", '"orders"."customers"', "source.customer_health.orders.customers"),
        ("orders", '"shop"."parcels"', "source.mine.shop.parcels"),
    ]


def test_only_what_names_tables_and_keys_or_makes_functions_asks_for_the_triggers_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vars_ = {"orders_schema": "shop", "due_soon_days": 7, "ours": {"orders_enabled": True}}
    inputs = tmp_path / "models" / "orders" / "inputs"
    inputs.mkdir(parents=True)
    yml = inputs / "_orders__sources.yml"
    yml.write_text("sources: []")

    def mapping(changes: dict[str, Any] | None = None) -> str:
        text = yaml.safe_dump({"name": "it", "vars": vars_ | (changes or {})})
        (tmp_path / "dbt_project.yml").write_text(text + "# a comment\n")
        return fingerprints.current_mapping((tmp_path,))

    first = mapping()
    assert mapping({"due_soon_days": 8, "schema_prefix": "dev_", "as_of": None}) == first
    for change in (
        {"orders_schema": "other"},
        {"ours": {"orders_enabled": False}},
        {"orders_orders_table": "orders"},
    ):
        assert mapping(change) != first
    yml.write_text("sources: [ ]")
    assert mapping() != first
    # another version, with different functions
    second = mapping()
    script = tmp_path / "capture.sql"
    script.write_text(fingerprints.MAKES_FUNCTIONS.read_text() + "-- and more\n")
    monkeypatch.setattr(fingerprints, "MAKES_FUNCTIONS", script)
    assert mapping() != second
