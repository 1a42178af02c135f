"""The triggers of the change queue, on all kinds of tables."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from conftest import ONE, PROJECT, TENANT, UNTIL, Database, load_two_customers, new_database

from flows.capture import Table
from flows.database import with_short_lock

LONG = "the_schema_of_a_business_with_a_very_long_name_"
# two systems in one schema, with the same tenants
KINDS = ("locations", "customers", "bookings", "payments", "referral_profiles")
SHARED = f"alter schema commerce rename to {LONG};" + ";".join(
    f"create table {LONG}.square_{kind} (like booking.{kind} including all)" for kind in KINDS
)


TRIGGERS = (
    "select tgname, tgrelid::regclass::text from pg_trigger"
    " where tgname like 'customer_health%%' order by 1, 2"
)


def settings(project: Path, **values: str) -> None:
    """Set vars in a copy of the project."""
    file = project / "dbt_project.yml"
    text = file.read_text()
    for name, value in values.items():
        text, found = re.subn(rf"(?m)^  {name}: .*$", f'  {name}: "{value}"', text)
        assert found == 1, name
    file.write_text(text)


def queue(database: Database) -> list[tuple[object, ...]]:
    """Return the waiting keys, and empty the queue."""
    found = database.rows(
        "select distinct system, kind, tenant, key from operations.changed_keys"
        " order by 1, 2, 3, 4"
    )
    database.execute("delete from operations.changed_keys")
    return [tuple(row.values()) for row in found]


def status(database: Database, project: Path = PROJECT) -> str:
    done = database.run("flows", "capture", "status", project=project)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_tables_with_long_names_and_tables_of_two_systems_are_captured_as_what_they_are(
    small: Database, project: Path
) -> None:
    assert len(LONG) == 47
    small.execute(SHARED)
    settings(
        project,
        orders_schema=LONG,
        bookings_schema=LONG,
        bookings_organizations_table="tenants",
        **{f"bookings_{kind}_table": f"square_{kind}" for kind in KINDS},
    )
    done = small.run("flows", "capture", "install", project=project)
    assert done.returncode == 0, done.stderr
    functions = small.rows(
        "select distinct tgrelid, tgfoid from pg_trigger where tgname like 'customer_health%%'"
    )
    assert len({row["tgfoid"] for row in functions}) == len(functions) == 6
    assert (
        small.value(
            "select count(*) from pg_proc where obj_description(oid) like %s",
            f'%on "{LONG}"."square_payments" has touched%',
        )
        == 1
    )
    assert small.value("select bool_and(is_captured) from operations.capture_status") is True
    queue(small)

    organization = f"'{TENANT}'"
    noticed = ("bookings", "customer", TENANT, "c1")
    for statement, keys in {
        # every refresh compares them with the marts
        f"update {LONG}.tenants set name = 'Other'": [],
        f"insert into {LONG}.square_locations values ({organization}, 'l1', 'L', 'UTC')": [],
        f"insert into {LONG}.square_customers values ({organization}, 'c1')": [noticed],
        f"insert into {LONG}.square_payments (organization_id, payment_id, square_customer_id,"
        f" status) values ({organization}, 'p1', 'c1', 'COMPLETED')": [noticed],
        f"insert into {LONG}.square_referral_profiles values ({organization}, 'c1')": [
            noticed
        ],
        f"insert into {LONG}.square_bookings (organization_id, booking_id, square_customer_id,"
        f" location_id, status, start_at) values ({organization}, 'b1', 'c1', 'l1',"
        " 'ACCEPTED', '2026-06-01')": [noticed, ("bookings", "location_day", TENANT, "l1")],
        f"update {LONG}.orders set currency = 'EUR'": [("orders", "customer", TENANT, ONE)],
        f"truncate {LONG}.tenants cascade": [("orders", "everything", None, None)],
    }.items():
        small.execute(statement)
        assert queue(small) == keys, statement
    assert small.value("select count(*) from operations.hook_errors") == 0

    # a trigger that calls the function of another table does not count
    small.execute(
        f"""
        do $$ begin
            execute format(
                'create or replace trigger customer_health_insert after insert on'
                ' {LONG}.square_payments referencing new table as new_rows'
                ' for each statement execute function %s',
                (
                    select tgfoid::regprocedure from pg_trigger
                    where tgrelid = '{LONG}.square_bookings'::regclass
                    and tgname = 'customer_health_insert'
                )
            );
        end $$
        """
    )
    lost = small.rows("select relation from operations.capture_status where not is_captured")
    assert lost == [{"relation": f'"{LONG}"."square_payments"'}]
    assert "triggers are missing" in status(small, project)
    assert small.run("flows", "capture", "remove", project=project).returncode == 0
    assert (
        small.value("select count(*) from pg_trigger where tgname like 'customer_health%%'")
        == 0
    )


def test_no_two_tables_have_functions_of_one_name() -> None:
    cyrillic = "дневник_посещений_для_клиентов"
    relations = [
        '"a.b"."c"',
        '"a"."b.c"',
        '"a_b"."c"',
        '"A"."b"',
        '"a"."b"',
        *(f'"{LONG}"."square_{kind}"' for kind in ("bookings", "payments", "customers")),
        *(f'"{cyrillic}"."{cyrillic}{end}"' for end in ("ж", "д", "")),
        *(f'"{"x" * 63}"."{"y" * 62}{end}"' for end in "12"),
        '"o\'brien $function$ %s"."t"',
    ]
    names = [Table(relation, [], []).function for relation in relations]
    assert len(set(names)) == len(relations)
    assert [name for name in names if len(name.encode()) > 63] == []


@pytest.mark.slow
def test_names_with_dots_and_quotes_are_refreshed_and_captured(
    small: Database, project: Path
) -> None:
    small.execute(
        """
        create schema "a.b";
        alter table commerce.tenants set schema "a.b";
        alter table "a.b".tenants rename to "c d";
        alter table booking.organizations rename to "b.c d";
        alter table commerce.customers set schema "a.b";
        alter table commerce.orders set schema "a.b";
        alter table commerce.sales_reps set schema "a.b";
        alter table "a.b".orders rename to "żółw d'été";
        """
    )
    settings(
        project,
        orders_schema="a.b",
        orders_tenants_table="c d",
        orders_orders_table="żółw d'été",
        bookings_organizations_table="b.c d",
    )
    for command in (
        ("capture", "install"),
        ("refresh", "--mode", "nightly", "--as-of", UNTIL),
    ):
        done = small.run("flows", *command, project=project)
        assert done.returncode == 0, done.stderr
    small.execute("""update "a.b"."żółw d'été" set currency = 'EUR'""")
    assert queue(small) == [("orders", "customer", TENANT, ONE)]
    assert small.run("flows", "hook", "install", project=project).returncode == 0


PARTS = f"""
alter table commerce.orders rename to old_orders;
create table commerce.orders (like commerce.old_orders including defaults)
partition by list (currency);
create table commerce."orders of euros" partition of commerce.orders for values in ('EUR');
create table commerce.dollars partition of commerce.orders for values in ('USD')
partition by range (updated_at);
create table commerce.old_dollars partition of commerce.dollars
for values from (minvalue) to ('2026-01-01');
create table commerce.new_dollars partition of commerce.dollars
for values from ('2026-01-01') to (maxvalue);
insert into commerce.orders select * from commerce.old_orders;
create table commerce.more_customers () inherits (commerce.customers);
insert into commerce.more_customers (id, tenant_id, name)
values ('{ONE[:-1]}9', '{TENANT}', 'Nine');
"""
ORDER = (
    "(id, tenant_id, customer_id, status)"
    f" values (gen_random_uuid(), '{TENANT}', '{ONE}', 'DRAFT')"
)


@pytest.mark.slow
def test_rows_put_straight_into_a_partition_or_an_inheriting_table_are_noticed(
    small: Database,
) -> None:
    small.execute(PARTS)
    done = small.run("flows", "capture", "install")
    assert done.returncode == 0, done.stderr
    assert 'captured: "commerce"."orders" and 4 parts of it' in done.stdout
    queue(small)
    noticed = [("orders", "customer", TENANT, ONE)]
    nine = [("orders", "customer", TENANT, f"{ONE[:-1]}9")]
    for statement, keys in {
        f"insert into commerce.orders {ORDER}": noticed,
        f"insert into commerce.dollars {ORDER}": noticed,
        f"insert into commerce.new_dollars {ORDER}": noticed,
        "update commerce.new_dollars set status = 'SUBMITTED' where status = 'DRAFT'": noticed,
        "delete from commerce.new_dollars where status = 'SUBMITTED'": noticed,
        "truncate commerce.new_dollars": [("orders", "everything", None, None)],
        "update commerce.more_customers set name = 'Ten'": nine,
        "update commerce.customers set name = 'Nine' where name = 'Ten'": nine,
        # sessions with session_replication_role = replica do not fire ordinary triggers
        "set session_replication_role = replica; delete from commerce.more_customers": nine,
    }.items():
        small.execute(statement)
        assert queue(small) == keys, statement

    # a new partition without a trigger: reported, but not worth a full refresh every hour
    small.execute(
        "create table commerce.pounds partition of commerce.orders for values in ('GBP')"
    )
    assert "commerce.pounds" in status(small)
    assert small.value("select bool_and(is_captured) from operations.capture_status") is True
    assert small.run("flows", "capture", "install").returncode == 0
    assert "commerce.pounds" not in status(small)
    small.execute("alter table commerce.orders detach partition commerce.pounds")
    assert small.run("flows", "capture", "remove").returncode == 0
    assert (
        small.value("select count(*) from pg_trigger where tgname like 'customer_health%%'")
        == 0
    )


def test_tables_that_can_have_no_triggers_are_asked_by_updated_at(small: Database) -> None:
    small.execute(
        """
        alter table commerce.customers rename to real_customers;
        create view commerce.customers as select * from commerce.real_customers;
        alter table booking.payments rename to real_payments;
        create materialized view booking.payments as select * from booking.real_payments;
        create foreign data wrapper a_wrapper;
        create server elsewhere foreign data wrapper a_wrapper;
        create table booking.whole (like booking.referral_profiles)
        partition by list (organization_id);
        drop table booking.referral_profiles;
        alter table booking.whole rename to referral_profiles;
        create foreign table booking.far partition of booking.referral_profiles default
        server elsewhere;
        alter table commerce.orders rename to one_part;
        create table commerce.whole (like commerce.one_part) partition by list (currency);
        alter table commerce.whole attach partition commerce.one_part default;
        alter table commerce.one_part rename to orders;
        -- as after `create subscription` for a publication of this table
        create subscription replicas connection 'dbname=elsewhere' publication orders
        with (connect = false, slot_name = none);
        set allow_system_table_mods = on;
        insert into pg_subscription_rel (srsubid, srrelid, srsubstate)
        select oid, 'booking.customers'::regclass, 'r' from pg_subscription
        where subname = 'replicas';
        """
    )
    done = small.run("flows", "capture", "install")
    small.execute("drop subscription replicas")
    assert done.returncode == 0, done.stderr
    for line in (
        '"commerce"."customers" is a view, which cannot have these triggers: changes that',
        '"booking"."payments" is a materialized view, which cannot have these triggers',
        '"booking"."referral_profiles" has the foreign table booking.far as a part',
        '"booking"."customers" is filled by a subscription, which fires no statement',
        '"commerce"."orders" is a part of commerce.whole: statements on the whole do',
    ):
        assert line in done.stdout
    found = small.rows(
        "select source_name, watched_by from operations.capture_status where is_captured"
        " and watched_by != 'triggers' order by 1"
    )
    assert [tuple(row.values()) for row in found] == [
        ("bookings.customers", "both"),
        # each refresh compares their rows with the marts
        ("bookings.locations", "nothing"),
        ("bookings.organizations", "nothing"),
        ("bookings.payments", "updated_at"),
        ("bookings.referral_profiles", "updated_at"),
        ("orders.customers", "updated_at"),
        ("orders.orders", "both"),
        ("orders.sales_reps", "nothing"),
        ("orders.tenants", "nothing"),
    ]
    assert "by triggers and updated_at" in status(small)
    queue(small)
    small.execute("update commerce.whole set status = status")
    assert queue(small) == []
    small.execute("update commerce.orders set status = status")
    assert queue(small) == [("orders", "customer", TENANT, ONE)]


def test_what_does_not_fit_is_refused_whole_before_a_table_is_touched(small: Database) -> None:
    small.execute(
        """
        drop table commerce.orders;
        drop table booking.payments;
        alter table booking.bookings rename column location_id to place;
        """
    )
    done = small.run("flows", "capture", "install")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    for part in (
        '"commerce"."orders" does not exist: set the vars orders_schema and orders_orders_ta',
        '"booking"."payments" does not exist: set the vars bookings_schema and bookings_pay',
        '"booking"."bookings": `meta: capture` of the sources\' yml: location is location_id',
        'column "location_id" does not exist; the columns are organization_id, booking_id, sq',
    ):
        assert part in line
    assert small.value("select count(*) from operations.captured_tables") == 0
    assert (
        small.value("select count(*) from pg_trigger where tgname like 'customer_health%%'")
        == 0
    )


def test_a_vacuum_elsewhere_does_not_make_us_wait_for_a_lock(empty: Database) -> None:
    """For so long, the application could end as the victim of a deadlock."""
    empty.execute("create table vacuumed (); create table changed ()")
    waits: list[object] = []
    attempts: list[int] = []

    def change() -> None:
        [found] = ours.execute(b"show lock_timeout").fetchall()
        waits.append(found["lock_timeout"])

    def fail_once() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise psycopg.errors.DeadlockDetected

    with empty.connect() as ours, empty.connect() as vacuum, vacuum.transaction():
        vacuum.execute("lock table vacuumed in share update exclusive mode")
        with_short_lock(ours, change)
        for table in ("changed", "vacuumed"):
            oid = int(str(empty.value("select %s::regclass::oid", table)))
            with_short_lock(ours, change, [oid])
        with_short_lock(ours, fail_once)
    assert waits == ["300ms", "300ms", "1200ms"]
    assert len(attempts) == 2


def test_a_vacuum_of_long_values_counts_as_one_of_their_table(empty: Database) -> None:
    empty.execute(
        "create table long (value text);"
        "alter table long alter value set storage external;"
        "insert into long select repeat('x', 8000) from generate_series(1, 200)"
    )
    waits: list[object] = []
    oid = int(str(empty.value("select 'long'::regclass::oid")))
    toast = "(select reltoastrelid from pg_class where oid = 'long'::regclass)"
    with ThreadPoolExecutor(1) as pool, empty.connect() as vacuum, empty.connect() as ours:
        name = empty.value(f"select {toast}::regclass::text")
        vacuum.execute("set vacuum_cost_delay = '100ms'; set vacuum_cost_limit = 1")
        slow = pool.submit(vacuum.execute, f"vacuum {name}".encode())
        while not empty.rows(
            f"select from pg_locks where relation = {toast}"
            " and mode = 'ShareUpdateExclusiveLock' and granted"
        ):
            assert not slow.done(), slow.result()
        with_short_lock(
            ours, lambda: waits.extend(ours.execute(b"show lock_timeout").fetchall()), [oid]
        )
        vacuum.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            slow.result(60)
    assert waits == [{"lock_timeout": "1200ms"}]


@pytest.mark.slow
def test_partitions_are_captured_on_the_oldest_server_too(server_15: Database) -> None:
    database = new_database(server_15)
    load_two_customers(database)
    test_rows_put_straight_into_a_partition_or_an_inheriting_table_are_noticed(database)


@pytest.mark.slow
def test_a_login_that_may_not_put_triggers_is_told_which(small: Database) -> None:
    small.execute(
        "create role a_reader login; grant usage on schema commerce, booking to a_reader;"
        " grant select, trigger on all tables in schema commerce, booking to a_reader;"
        f" grant create on database {small.environment['PGDATABASE']} to a_reader;"
        " revoke trigger on commerce.orders from a_reader"
    )
    try:
        reader = small.as_user("a_reader")
        done = reader.run("flows", "capture", "install")
        assert done.returncode == 2
        assert "a_reader may not create triggers on commerce.orders" in done.stderr
        small.execute("grant trigger on commerce.orders to a_reader")
        done = reader.run("flows", "capture", "install")
        assert done.returncode == 0, done.stderr
        # nothing is half done: a login that may not drop the triggers is told so; they stay
        small.execute(
            "create role another login;"
            " grant usage, create on schema operations to another;"
            " grant all on all tables in schema operations to another;"
            " grant select on all tables in schema commerce, booking to another;"
            " grant usage on schema commerce, booking to another;"
            " grant trigger on all tables in schema commerce, booking to another"
        )
        before = small.rows(TRIGGERS)
        listed = small.rows("select * from operations.capture_status order by relation")
        for action in ("remove", "install"):
            done = small.as_user("another").run("flows", "capture", action)
            assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
            assert 'capture: a_reader owns operations."capture_' in done.stderr
            assert small.rows(TRIGGERS) == before
            now = small.rows("select * from operations.capture_status order by relation")
            assert now == listed
        # the owner of the functions drops the triggers, even on tables that it does not own
        done = reader.run("flows", "capture", "remove")
        assert done.returncode == 0, done.stderr
        assert small.rows(TRIGGERS) == []
        assert "Captured tables: none" in status(reader)
    finally:
        small.execute("drop owned by a_reader, another cascade; drop role a_reader, another")
