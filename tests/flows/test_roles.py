"""`customer-health roles`: what each role may do, and that a tenant sees only its own rows."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import PROJECT, UNTIL, Database, load_demo, new_database
from psycopg.rows import DictRow
from test_foreign_roles import without_ours

from flows.database import rows
from flows.roles import load

REFRESHER = "customer_health_refresher"
WRITE_BACK = "customer_health_write_back"
ANALYST = "customer_health_analyst"
TENANT = "customer_health_tenant"
CONTACT_WRITER = "customer_health_contact_writer"
SOURCES = ("commerce", "booking", "platform", "success")
VERBS = ("select", "insert", "update", "delete", "truncate")
WRITTEN_COLUMNS = {
    "account_type",
    "risk_status",
    "last_order_date",
    "next_expected_order_date",
    "average_order_interval_days",
    "dormancy_since",
    "reactivated_date",
}
NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
HOURLY = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module")
def secured(refreshed_template: Database) -> Iterator[Database]:
    """Demo data with the roles, for tests that change nothing."""
    database = refreshed_template.copy()
    database.execute("analyze")
    yield database
    database.drop()


@pytest.fixture
def logins(secured: Database) -> Iterator[dict[str, str]]:
    """Logins for the roles of two tenants, and one for both."""
    first, second = (role["role_name"] for role in tenant_roles(secured, "orders")[:2])
    logins = {"alice": first, "bob": second, "carol": f"{first}, {second}"}
    for login, roles in logins.items():
        secured.execute(f"create role {login} login in role {roles}")
    yield {"alice": first, "bob": second}
    for login in logins:
        secured.execute(f"drop owned by {login}; drop role {login}")


def tenant_roles(database: Database, system: str | None = None) -> list[DictRow]:
    """Return the roles of tenants, those with the most rows first."""
    return database.rows(
        "select role_name, system, tenant from operations.tenant_roles"
        " where %s in ('', system)"
        " order by (select count(*) from analytics.customer_account_types"
        " where tenant_id::text = tenant) desc, role_name",
        system or "",
    )


def relations(database: Database) -> list[DictRow]:
    """Return every table and view of the warehouse and of the sources."""
    return database.rows(
        "select nspname as schema, relname as name, relkind = 'v' as is_view,"
        " format('%%I.%%I', nspname, relname) as relation"
        " from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind in ('r', 'p', 'v') and (nspname = any(%s)"
        " or nspname like 'analytics%%' or nspname = 'operations') order by 1, 2",
        list(SOURCES),
    )


@cache
def system_of(mart: str) -> str:
    """Return the system of a mart, or of a semantic model: the folder of its model."""
    name = mart.partition(".")[2]
    models = PROJECT / "models"
    [model] = models.rglob(f"{name}.sql")
    return model.relative_to(models).parts[0]


def tenant_columns(database: Database) -> dict[str, str]:
    """Return the marts, tables and views, each with its tenant column."""
    return {
        row["relation"]: row["column_name"]
        for row in database.rows(
            "select format('%%I.%%I', table_schema, table_name) as relation, column_name"
            " from information_schema.columns where table_schema = 'analytics'"
            " and column_name in ('tenant_id', 'organization_id') order by 1"
        )
    }


@contextmanager
def acting_as(database: Database, role: str) -> Iterator[psycopg.Connection[DictRow]]:
    """Open a connection with the rights of a role."""
    with database.connect() as connection:
        connection.execute(f'set role "{role}"'.encode())
        yield connection


CONTENT = "count(*) as rows_count, sum(hashtextextended(them::text, 0)) as content"


def content(connection: psycopg.Connection[DictRow], query: str) -> DictRow:
    """Return the number of rows of a query, and their digest."""
    [row] = connection.execute(f"select {CONTENT} from ({query}) as them".encode()).fetchall()
    return row


def expected_rights(relation: DictRow) -> set[tuple[str, str]]:
    """Return the rights of the roles on a table or view, as docs/logins.md lists them."""
    schema, name = relation["schema"], relation["name"]
    if schema in SOURCES:
        return {(REFRESHER, "select")}
    rights = {(REFRESHER, verb) for verb in VERBS}
    if name == "customer_contacts":
        # the contact writer has its right on columns only: tests/flows/test_contacts.py
        rights = {(role, "select") for role in (REFRESHER, ANALYST, TENANT)}
        rights |= {(REFRESHER, "insert")}
    if schema == "analytics":
        rights |= {(ANALYST, "select"), (TENANT, "select")}
    if name == "tenant_roles":
        rights |= {(TENANT, "select")}
    if name in {"stg_orders__customer_statuses", "input_orders__customer_statuses"}:
        rights |= {(WRITE_BACK, "select")}
    if name in {"write_back_batches", "write_back_changes"}:
        rights |= {(WRITE_BACK, verb) for verb in ("select", "insert", "update")}
    return rights


def test_every_role_has_the_rights_that_are_promised_and_no_others(secured: Database) -> None:
    singles = [role["role_name"] for role in tenant_roles(secured)]
    there = relations(secured)
    assert {relation["schema"] for relation in there} >= {*SOURCES, "operations"}
    for relation in there:
        expected = expected_rights(relation)
        expected |= {
            (role, verb) for role in singles for kind, verb in expected if kind == TENANT
        }
        found = {
            (row["role"], row["verb"])
            for row in secured.rows(
                "select role, verb from unnest(%s::text[]) as role, unnest(%s::text[]) as verb"
                " where has_table_privilege(role, %s, verb)",
                [REFRESHER, WRITE_BACK, ANALYST, CONTACT_WRITER, TENANT, *singles],
                list(VERBS),
                relation["relation"],
            )
        }
        assert found == expected, relation["relation"]


def test_the_write_back_may_update_seven_columns(secured: Database) -> None:
    columns = secured.rows(
        "select attrelid::regclass::text as relation, attname as name,"
        " has_column_privilege(%s, attrelid, attnum, 'update') as is_written,"
        " has_column_privilege(%s, attrelid, attnum, 'insert, references') as is_more,"
        " has_column_privilege(%s, attrelid, attnum, 'select') as is_read"
        " from pg_attribute inner join pg_class on attrelid = pg_class.oid"
        " where relnamespace::regnamespace::text = any(%s) and attnum > 0"
        " and relkind in ('r', 'p')",
        WRITE_BACK,
        WRITE_BACK,
        WRITE_BACK,
        list(SOURCES),
    )
    customers = "commerce.customers"
    assert {(c["relation"], c["name"]) for c in columns if c["is_written"]} == {
        (customers, name) for name in WRITTEN_COLUMNS
    }
    assert {(c["relation"], c["name"]) for c in columns if c["is_read"]} == {
        (customers, name) for name in WRITTEN_COLUMNS | {"id", "tenant_id", "is_closed"}
    }
    assert not [c for c in columns if c["is_more"]]


def test_what_is_not_allowed_fails(secured: Database) -> None:
    statements = {
        "select": "select * from {}",
        "insert": "insert into {} default values",
        "update": "update {} set {column} = {column}",
        "delete": "delete from {}",
        "truncate": "truncate {}",
    }
    columns = {
        row["relation"]: row["name"]
        for row in secured.rows(
            "select format('%%I.%%I', table_schema, table_name) as relation,"
            " quote_ident(column_name) as name from information_schema.columns"
            " where is_identity = 'NO' order by ordinal_position desc"
        )
    }
    [role, *_] = tenant_roles(secured)
    roles = {REFRESHER: REFRESHER, WRITE_BACK: WRITE_BACK, ANALYST: ANALYST}
    for actor, kind in [*roles.items(), (role["role_name"], TENANT)]:
        with acting_as(secured, actor) as connection:
            for relation, verb in product(relations(secured), VERBS):
                if (kind, verb) in expected_rights(relation):
                    continue
                column = columns.get(relation["relation"], "ctid")
                statement = statements[verb].format(relation["relation"], column=column)
                with pytest.raises(psycopg.Error) as caught:
                    connection.execute(statement.encode())
                # PostgreSQL may first report that a view of several tables is not updatable
                if not relation["is_view"] or verb == "select":
                    lacking = psycopg.errors.InsufficientPrivilege
                    assert isinstance(caught.value, lacking), statement


def test_a_tenant_sees_exactly_its_rows_in_every_mart(secured: Database) -> None:
    marts = tenant_columns(secured)
    published = {row["relation"] for row in relations(secured) if row["schema"] == "analytics"}
    assert published - marts.keys() == {"analytics.rfm_groups", "analytics.metric_days"}
    owned: dict[tuple[str, str], DictRow] = {}
    for mart, column in marts.items():
        for row in secured.rows(
            f"select {column}::text as tenant, {CONTENT} from {mart} as them group by 1"
        ):
            owned[mart, row.pop("tenant")] = row
    nothing = {"rows_count": 0, "content": None}
    shown = 0
    for role in tenant_roles(secured):
        with acting_as(secured, role["role_name"]) as reader:
            for mart in marts:
                is_of_its_system = system_of(mart) == role["system"]
                own = owned.get((mart, role["tenant"]), nothing)
                seen = content(reader, f"select * from {mart}")
                assert seen == (own if is_of_its_system else nothing), (role["system"], mart)
                shown += seen["rows_count"]
    assert shown > 1000


@pytest.mark.slow
def test_an_organization_of_two_systems_has_a_role_for_each(refreshed: Database) -> None:
    """The same id in bookings and tenants: each role sees only the marts of its system."""
    refreshed.execute(
        "insert into platform.organizations (id, slug, name)"
        " select id, slug, name from booking.organizations"
    )
    for command in (NIGHTLY, ("flows", "roles", "install")):
        assert refreshed.run(*command).returncode == 0
    shared = refreshed.rows(
        "select tenant from operations.tenant_roles where system in ('bookings', 'usage')"
        " group by tenant having count(*) = 2"
    )
    assert len(shared) == 4
    test_a_tenant_sees_exactly_its_rows_in_every_mart(refreshed)


def test_an_analyst_sees_all_and_the_group_of_tenants_nothing(secured: Database) -> None:
    with (
        secured.connect() as owner,
        acting_as(secured, ANALYST) as analyst,
        acting_as(secured, TENANT) as nobody,
    ):
        for mart in tenant_columns(secured):
            every = f"select * from {mart}"
            assert content(analyst, every) == content(owner, every), mart
            assert content(nobody, every)["rows_count"] == 0


def seen_tenants(connection: psycopg.Connection[DictRow]) -> set[str]:
    return {
        row["tenant"]
        for row in connection.execute(
            "select distinct tenant_id::text as tenant from analytics.customer_account_types"
        )
    }


def test_a_person_sees_the_tenants_of_its_roles(
    secured: Database, logins: dict[str, str]
) -> None:
    tenants = {
        login: {r["tenant"] for r in tenant_roles(secured) if r["role_name"] == role}
        for login, role in logins.items()
    }
    for login, role in logins.items():
        with secured.as_user(login).connect() as connection:
            assert seen_tenants(connection) == tenants[login]
            other = next(name for name in logins.values() if name != role)
            for statement in (
                f"set role {other}",
                f"set session authorization {other}",
                f"set role {REFRESHER}",
                f"set role {ANALYST}",
                "set role postgres",
                "set session authorization postgres",
                f"select set_config('role', '{other}', false)",
                f"grant {other} to {login}",
                "set session_replication_role = replica",
                "alter table analytics.tenants disable row level security",
                "create policy theirs on analytics.tenants using (true)",
                "update operations.tenant_roles set tenant = ''",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
            connection.execute(f"set role {TENANT}".encode())
            assert seen_tenants(connection) == set()
    with secured.as_user("carol").connect() as connection:
        assert seen_tenants(connection) == tenants["alice"] | tenants["bob"]
        connection.execute(f"set role {logins['alice']}".encode())
        assert seen_tenants(connection) == tenants["alice"]


def test_no_setting_shows_more(secured: Database, logins: dict[str, str]) -> None:
    other = next(r for r in tenant_roles(secured) if r["role_name"] == logins["bob"])
    settings = {
        row["name"]: row["other"]
        for row in secured.rows(
            "select name, case setting when 'on' then 'off' else 'on' end as other"
            " from pg_settings where context = 'user' and vartype = 'bool'"
        )
    }
    for name in ("tenant", "tenant_id", "is_writing_back", "role"):
        settings |= {
            f"customer_health.{name}": other["tenant"],
            f"app.{name}": other["tenant"],
        }
    settings |= {"request.jwt.claims": other["tenant"], "search_path": "pg_temp, operations"}
    assert "row_security" in settings
    with secured.as_user("alice").connect() as connection:
        before = seen_tenants(connection)
    for name, value in settings.items():
        with (
            secured.as_user("alice").connect() as connection,
            suppress(
                psycopg.errors.InsufficientPrivilege, psycopg.errors.ActiveSqlTransaction
            ),
        ):
            connection.execute("select set_config(%s, %s, false)", (name, value))
            assert seen_tenants(connection) == before, name


def test_functions_that_leak_are_shown_no_row_of_others(
    secured: Database, logins: dict[str, str]
) -> None:
    """A function without cost would run before the policy if it were trusted."""
    [own] = {r["tenant"] for r in tenant_roles(secured) if r["role_name"] == logins["alice"]}
    with secured.as_user("alice").connect() as connection:
        connection.execute(
            b"""
            create function pg_temp.leak(anything text) returns boolean
            language plpgsql cost 0.0000001 as $$
            begin
                raise notice '%', anything;
                return true;
            end $$;
            create operator pg_temp.<<< (
                leftarg = text, rightarg = text, function = pg_catalog.texteq
            )
            """
        )
        said: list[str] = []
        connection.add_notice_handler(lambda note: said.append(str(note.message_primary)))
        for mart, column in tenant_columns(secured).items():
            for condition in (
                "pg_temp.leak({0}::text)",
                "pg_temp.leak({0}::text) or {0} is null",
                "not pg_temp.leak({0}::text) and {0} is not null",
            ):
                connection.execute(
                    f"select from {mart} where {condition.format(column)}".encode()
                )
        connection.execute(
            b"select from analytics.tenants as tenants"
            b" inner join analytics.customer_account_types as types"
            b" on pg_temp.leak(types.tenant_id::text)"
            b" and pg_temp.leak(tenants.tenant_id::text)"
        )
    assert said
    assert set(said) == {own}


@pytest.mark.usefixtures("logins")
def test_things_in_pg_temp_do_not_take_the_place_of_ours(
    secured: Database,
) -> None:
    with secured.as_user("alice").connect() as connection:
        before = seen_tenants(connection)
        connection.execute(
            b"""
            set search_path = pg_temp, pg_catalog;
            create table pg_temp.tenant_roles (role_name text, system text, tenant text);
            create table pg_temp.pg_roles as
            select oid, rolname::text as rolname from pg_catalog.pg_roles;
            create function pg_temp.pg_has_role(oid, text) returns boolean
            language sql as 'select true';
            create function pg_temp.uuid_eq(uuid, uuid) returns boolean
            language sql as 'select true'
            """
        )
        connection.execute(
            "insert into pg_temp.tenant_roles select 'alice', 'orders', unnest(%s::text[])",
            ([role["tenant"] for role in tenant_roles(secured, "orders")],),
        )
        assert seen_tenants(connection) == before


def test_the_catalog_tells_a_tenant_nothing_of_others(
    secured: Database, logins: dict[str, str]
) -> None:
    others = {
        word
        for row in secured.rows(
            "select tenant_id::text as id, tenant_slug from analytics.tenants"
            " union select organization_id::text, organization_slug"
            " from analytics.booking_organizations"
        )
        for word in row.values()
    }
    own = {r["tenant"] for r in tenant_roles(secured) if r["role_name"] == logins["alice"]}
    with secured.as_user("alice").connect() as connection:
        own |= {
            row["tenant_slug"]
            for row in connection.execute("select tenant_slug from analytics.tenants")
        }
        told = ""
        for catalog in (
            "pg_stats",
            "pg_stats_ext",
            "pg_policies",
            "pg_roles",
            "pg_auth_members",
            "pg_stat_activity",
            "pg_description",
            "pg_shdescription",
            "pg_views",
            "pg_indexes",
        ):
            for row in connection.execute(f"select * from {catalog}".encode()):
                told += " ".join(map(str, row.values()))
        plan = connection.execute(
            b"explain (verbose, analyze) select * from analytics.tenants"
        )
        told += str(plan.fetchall())
        for private in ("pg_statistic", "pg_authid", "operations.tenant_roles"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select * from {private}".encode())
    assert {word for word in others - own if word in told} == set()


@pytest.mark.usefixtures("logins")
def test_the_policy_is_evaluated_once_and_uses_an_index(
    secured: Database,
) -> None:
    with secured.as_user("alice").connect() as connection:
        connection.execute(b"set enable_seqscan = off")
        [customer] = connection.execute(
            b"select customer_id from analytics.customer_risk_status limit 1"
        ).fetchall()
        plan = "\n".join(
            row["QUERY PLAN"]
            for row in connection.execute(
                "explain select * from analytics.customer_risk_status"
                f" where customer_id = '{customer['customer_id']}'".encode()
            )
        )
    assert "Index Cond: ((tenant_id = ANY (" in plan, plan
    assert f"AND (customer_id = '{customer['customer_id']}'" in plan, plan
    assert "InitPlan" in plan, plan


def rights(database: Database) -> dict[str, list[DictRow]]:
    """Return owners, grants and policies of everything in the database."""
    queries = {
        "relations": "select oid::regclass::text, relowner, relacl::text, relrowsecurity"
        " from pg_class where relkind in ('r', 'v') and relnamespace::regnamespace::text"
        " in ('analytics', 'operations', 'commerce', 'booking', 'platform', 'success')",
        "columns": "select attrelid::regclass::text, attname, attacl::text from pg_attribute"
        " where attacl is not null",
        "schemas": "select nspname, nspowner, nspacl::text from pg_namespace"
        " where nspname not like 'pg%%'",
        "policies": "select tablename, policyname, roles, qual from pg_policies",
        "functions": "select oid::regprocedure::text, proowner, proacl::text from pg_proc"
        " where pronamespace = 'operations'::regnamespace",
        "map": "select * from operations.tenant_roles",
        "members": "select roleid, member from pg_auth_members",
    }
    return {name: database.rows(f"{query} order by 1, 2") for name, query in queries.items()}


@pytest.mark.slow
def test_installing_again_and_refreshing_change_no_right(refreshed: Database) -> None:
    before = rights(refreshed)
    for command in (("flows", "roles", "install"), NIGHTLY, HOURLY, NIGHTLY):
        done = refreshed.run(*command)
        assert done.returncode == 0, done.stderr
        assert rights(refreshed) == before


@pytest.mark.slow
def test_the_hook_has_its_three_columns_while_it_is_installed(refreshed: Database) -> None:
    granted = (
        "select count(*) from information_schema.column_privileges"
        " where privilege_type = 'UPDATE' and grantee = 'customer_health_refresher'"
        " and table_schema = 'commerce'"
    )
    assert refreshed.run(*NIGHTLY).returncode == 0
    assert refreshed.value(granted) == 0
    assert refreshed.run("flows", "hook", "install").returncode == 0
    done = refreshed.run("flows", "roles", "install")
    assert done.returncode == 0
    assert "warning" not in done.stdout
    assert refreshed.value(granted) == 3
    refreshed.execute("update commerce.customers set account_type = 'TARGET'")
    refreshed.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at)"
        " select gen_random_uuid(), tenant_id, id, 'CONFIRMED', now() from commerce.customers"
        " where not is_closed limit 1"
    )
    assert refreshed.rows("select error from operations.hook_errors") == []
    types = "select count(*) from commerce.customers where account_type = 'ACTIVE'"
    assert refreshed.value(types) == 1
    assert refreshed.run("flows", "hook", "remove").returncode == 0
    assert refreshed.value(granted) == 0


@pytest.mark.slow
def test_a_mart_that_a_refresh_makes_is_secured_at_once(refreshed: Database) -> None:
    before = rights(refreshed)["policies"]
    refreshed.execute(
        "drop table analytics.customer_account_types, analytics.customer_analytics,"
        " analytics.rfm_groups cascade;"
        "drop policy tenants_see_their_rows on analytics.tenants;"
        "drop view analytics_internal.stg_orders__customer_statuses cascade"
    )
    done = refreshed.run(*NIGHTLY)
    assert done.returncode == 0, done.stderr
    assert rights(refreshed)["policies"] == before
    test_every_role_has_the_rights_that_are_promised_and_no_others(refreshed)
    test_a_tenant_sees_exactly_its_rows_in_every_mart(refreshed)


@pytest.mark.slow
def test_a_new_tenant_gets_a_role_when_they_are_installed_again(refreshed: Database) -> None:
    refreshed.execute(
        "insert into commerce.tenants (id, slug, name, time_zone, is_active) select"
        " gen_random_uuid(), 'a-new-one', 'A new one', 'UTC', true"
    )
    done = refreshed.run(*NIGHTLY)
    assert done.returncode == 0, done.stderr
    done = refreshed.run("flows", "roles", "status")
    assert "without a role yet: 1 tenant" in done.stdout
    assert refreshed.run("flows", "roles", "install").returncode == 0
    done = refreshed.run("flows", "roles", "status")
    assert "a-new-one (orders)" in done.stdout
    assert "without a role yet" not in done.stdout


@pytest.mark.slow
def test_a_login_that_lacks_a_right_is_told_what_to_do(small: Database) -> None:
    small.execute(
        "create role runner login; create role shop_owner login; create role ann login;"
        " create schema operations authorization runner;"
        " comment on schema operations is 'customer_health: operations'"
    )
    try:
        done = small.as_user("shop_owner").run("flows", "capture", "install")
        assert (done.returncode, done.stderr) == (
            4,
            (
                "error: database: permission denied for schema operations, which runner"
                " owns: run the command as runner or, after `customer-health roles install`,"
                f' `grant {REFRESHER} to "shop_owner"`\n'
            ),
        )
        small.execute("drop schema operations")
        done = small.as_user("ann").run(*NIGHTLY)
        assert (done.returncode, done.stderr) == (
            4,
            (
                "error: database: permission denied for database usual; its owner can"
                ' `grant create on database ... to "ann"`\n'
            ),
        )
        assert small.run("flows", "roles", "install").returncode == 0
        done = small.as_user("ann").run("flows", "status")
        assert done.returncode == 4
        assert f'whoever installed the roles can grant {REFRESHER} to "ann"' in done.stderr
        assert small.run("flows", "uninstall").returncode == 0
        small.execute(
            "grant usage on schema commerce to ann;"
            " grant select on all tables in schema commerce to ann"
        )
        # other databases of the server have the roles without a prefix
        prefix = {"CUSTOMER_HEALTH_SCHEMA_PREFIX": "ann_"}
        done = small.as_user("ann").run("flows", "roles", "install", environment=prefix)
        assert (done.returncode, done.stderr) == (
            4,
            (
                'error: roles: ann may not create roles: `alter role "ann" createrole`,'
                " or run this command as a login with CREATEROLE\n"
            ),
        )
    finally:
        small.execute("drop owned by ann, runner; drop role runner, shop_owner, ann")


@pytest.mark.slow
def test_a_login_with_two_roles_can_do_the_whole_path(server: Database) -> None:
    database = new_database(server)
    load_demo(database)
    # before the first refresh, and again once tenants and the view for the write-back exist
    assert database.run("flows", "roles", "install").returncode == 0
    database.execute("create role robot login; create role stranger login")
    robot = database.as_user("robot")
    try:
        done = robot.run(*NIGHTLY)
        assert done.returncode == 4
        assert done.stderr == (
            'error: database: permission denied to set role "customer_health_refresher";'
            ' whoever installed the roles can grant customer_health_refresher to "robot"\n'
        )
        database.execute(f"grant {REFRESHER}, {WRITE_BACK} to robot")
        done = robot.run(*NIGHTLY, "--no-write-back")
        assert done.returncode == 0, done.stderr
        assert database.run("flows", "roles", "install").returncode == 0
        assert database.run("flows", "capture", "install").returncode == 0
        note_who_writes(database)

        for command in (NIGHTLY, HOURLY, ("flows", "write-back")):
            change_something(database)
            done = robot.run(*command)
            assert done.returncode == 0, done.stderr
            assert (
                database.value("select count(*) from operations.pending_customer_updates") == 0
            )
        assert robot.run("flows", "status").returncode == 0
        assert robot.run("flows", "write-back", "--dry-run").returncode == 0
        assert database.rows(
            "select distinct current_role_name, login from public.writers"
        ) == [{"current_role_name": WRITE_BACK, "login": "robot"}]
        test_every_role_has_the_rights_that_are_promised_and_no_others(database)
        test_a_tenant_sees_exactly_its_rows_in_every_mart(database)
        assert not database.rows("select * from operations.hook_errors")
    finally:
        database.drop()
        Database({**database.environment, "PGDATABASE": "postgres"}).execute(
            "drop role robot; drop role stranger"
        )


def change_something(database: Database) -> None:
    """Change a few customers, too few for the guards of the write-back."""
    database.execute(
        "update commerce.customers set risk_status = null, dormancy_since = null"
        " where id in (select id from commerce.customers order by id limit 15)"
    )
    database.execute(
        "update commerce.orders set status = 'CANCELLED'"
        " where id = (select min(id::text)::uuid from commerce.orders"
        " where status = 'DELIVERED')"
    )


def note_who_writes(database: Database) -> None:
    """Record the role of whoever changes a customer, except the superuser."""
    database.execute(
        """
        create table public.writers (current_role_name text, login text);
        grant insert on public.writers to public;
        create function public.note_writer() returns trigger language plpgsql as $$
        begin
            if session_user != 'postgres' then
                insert into public.writers values (current_user, session_user);
            end if;
            return new;
        end $$;
        create trigger note_writer before update on commerce.customers
        for each row execute function public.note_writer()
        """
    )


@pytest.mark.slow
@pytest.mark.parametrize("version", ["server", "server_15"])
def test_an_owner_without_superuser_can_install_and_remove(
    version: str, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(version)
    server.execute("create role landlord login createrole")
    # the grant that the creator of the roles in another database of the server has to make
    for role in (REFRESHER, WRITE_BACK, ANALYST, CONTACT_WRITER, TENANT):
        if server.value("select to_regrole(%s) is not null", role):
            server.execute(f"grant {role} to landlord with admin option")
    server.execute("create database lodge owner landlord")
    database = Database({**server.environment, "PGDATABASE": "lodge", "PGUSER": "landlord"})
    try:
        load_demo(database, customers=40)
        install = ("flows", "roles", "install")
        commands: list[tuple[str, ...]] = [(*NIGHTLY, "--no-write-back"), install, install]
        for command in commands:
            done = database.run(*command)
            assert done.returncode == 0, done.stderr
        admin = database.as_user("postgres")
        test_every_role_has_the_rights_that_are_promised_and_no_others(admin)
        done = database.run("flows", "roles", "remove")
        assert done.returncode == 0, done.stderr
    finally:
        server.execute("drop database lodge with (force)")
        server.execute("drop role landlord")


SHARED_OUT = """
    create role shopkeeper login;
    create role administrator login createrole;
    create role an_application login;
    grant create, temporary on database usual to shopkeeper, administrator;
    do $$
    declare it regclass;
    begin
        for it in
            select oid from pg_class
            where relnamespace::regnamespace::text = any('{{names}}') and relkind = 'r'
        loop
            execute format('alter table %s owner to shopkeeper', it);
        end loop;
    end $$;
    grant all on schema {names} to shopkeeper;
    grant usage on schema {names} to administrator with grant option;
    grant select, update on all tables in schema {names} to administrator with grant option;
    grant usage on schema commerce to an_application;
    grant all on all tables in schema commerce to an_application
"""


@pytest.mark.slow
def test_owner_administrator_and_application_are_three_logins(small: Database) -> None:
    """As in docs/logins.md: the owner of the tables runs `capture install`."""
    names = ", ".join(SOURCES)
    owner, administrator = small.as_user("shopkeeper"), small.as_user("administrator")
    application = small.as_user("an_application")
    of_triggers = (
        "select distinct proowner::regrole::text as owner from pg_proc"
        " where starts_with(proname, 'capture_') and prorettype = 'trigger'::regtype"
    )
    with without_ours(small):
        small.execute(SHARED_OUT.replace("{names}", names))
        try:
            succeed(administrator, "roles", "install")
            administrator.execute(f"grant {REFRESHER} to shopkeeper")
            succeed(owner, "capture", "install")
            # the functions stay with whom has tried out what they read, whoever installs again
            succeed(administrator, "roles", "install")
            with small.connect() as connection:
                load(connection)
                assert not rows(connection, "select * from pg_temp.handing_over()")
            assert small.rows(of_triggers) == [{"owner": "shopkeeper"}]
            assert "by triggers" in succeed(small, "capture", "status")
            # `capture install` may also have been first
            administrator.execute(f"revoke {REFRESHER} from shopkeeper")
            statements = "select coalesce(sum(regexp_count(statement, 'alter')), 0) as them"
            statements += " from pg_temp.handing_over()"
            for login, given in ((administrator, 0), (small, 6)):
                with login.connect() as connection:
                    load(connection)
                    assert rows(connection, statements) == [{"them": given}]

            # what an input reads behind a view, in a schema that the administrator may not use
            owner.execute(
                "create schema hidden; alter table commerce.sales_reps set schema hidden;"
                "create view commerce.sales_reps with (security_invoker = true) as"
                " select * from hidden.sales_reps;"
                "grant select on commerce.sales_reps to administrator with grant option"
            )
            # the table has kept the right to select
            grant = f"grant usage on schema hidden to {REFRESHER}"
            done = administrator.run("flows", "roles", "install")
            assert done.returncode == 4
            assert "roles: everything else is done; a role lacks rights" in done.stderr
            assert done.stderr.endswith(f": {grant}\n")
            owner.execute(grant)
            succeed(administrator, "roles", "install")

            # the triggers of the owner of the tables no longer reach the queue
            captured = "select bool_or(is_captured and watched_by = 'triggers') as it"
            captured += " from operations.capture_status"
            application.execute("update commerce.orders set currency = currency")
            assert small.value("select count(*) from operations.changed_keys") == 2
            assert small.value(captured) is False
            said = succeed(small, "capture", "status")
            assert "by no trigger: shopkeeper, which owns them, may not" in said
            done = administrator.run("flows", "uninstall")
            assert done.returncode == 4
            assert 'may not drop operations."capture_' in done.stderr
            assert "which shopkeeper owns" in done.stderr
            administrator.execute(f"grant {REFRESHER} to shopkeeper")
            assert small.value(captured) is True
            succeed(owner, "capture", "remove")
            succeed(administrator, "uninstall")
        finally:
            small.execute("drop owned by shopkeeper, administrator, an_application cascade")
            small.execute("drop role shopkeeper, administrator, an_application")


def succeed(database: Database, *arguments: str) -> str:
    done = database.run("flows", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_databases_of_a_server_may_install_the_roles_at_once(
    server: Database,
) -> None:
    script = (PROJECT / "flows" / "sql" / "roles.sql").read_text()
    script = script.replace("customer_health_", "race_").replace("{{", "{ {")
    one, other = new_database(server), new_database(server)
    made = "select rolname from pg_roles where starts_with(rolname, 'race_')"
    with one.connect() as first, other.connect() as second, ThreadPoolExecutor(1) as pool:
        for connection in (first, second):
            connection.execute(script.encode())
        with first.transaction():
            first.execute("select pg_temp.create_roles()")
            later = pool.submit(second.execute, b"select pg_temp.create_roles()")
            wait_until(lambda: bool(server.rows("select from pg_locks where not granted")))
        later.result(60)
        assert len(server.rows(made)) == 5
        for connection in (first, second):
            connection.execute("select pg_temp.drop_roles('{}')")
    assert server.rows(made) == []
    for database in (one, other):
        server.execute(f"drop database {database.environment['PGDATABASE']}")


def test_removing_leaves_marts_as_they_were(refreshed: Database) -> None:
    refreshed.execute("create role reader login; grant usage on schema analytics to reader")
    refreshed.execute("grant select on analytics.tenants, analytics.sales_reps to reader")
    reader = refreshed.as_user("reader")
    try:
        done = refreshed.run("flows", "roles", "install")
        assert "warning: reader may read 2 marts by your grants" in done.stdout
        assert not reader.rows("select * from analytics.tenants")
        assert refreshed.run("flows", "roles", "remove").returncode == 0
        assert reader.rows("select * from analytics.tenants")
        again = refreshed.run("flows", "roles", "remove")
        assert again.stdout.endswith("\nthere are no roles of ours\n")
        owners = "select distinct relowner::regrole::text as owner from pg_class"
        names = "where relnamespace::regnamespace::text in ('analytics', 'operations')"
        assert refreshed.rows(f"{owners} {names}") == [{"owner": "postgres"}]
        assert not refreshed.rows("select * from pg_policies")
        assert refreshed.run(*NIGHTLY).returncode == 0
        done = refreshed.run("flows", "roles", "install")
        assert done.returncode == 0, done.stderr
        assert not reader.rows("select * from analytics.tenants")
    finally:
        refreshed.execute("drop owned by reader; drop role reader")


@pytest.mark.slow
def test_what_the_roles_must_not_have_is_said(refreshed: Database) -> None:
    refreshed.execute("grant insert, update (email) on commerce.customers to public")
    done = refreshed.run("flows", "roles", "install")
    assert done.returncode == 0, done.stderr
    assert (
        "warning: customer_health_refresher may insert, update (email) commerce.customers"
        " by a grant that is not ours: revoke it" in done.stdout
    )
    # the refresher could change what it owns, so it is read with the refresher's rights
    refreshed.execute(
        "create or replace view operations.missing_rights with (security_invoker = true) as"
        ' select $$operations.tenant_roles$$::text collate "C" as relation, format('
        "'comment on column operations.tenant_roles.tenant is %L', current_user)"
        ' collate "C" as remedy'
    )
    done = refreshed.run("flows", "roles", "install")
    assert done.returncode == 0, done.stderr
    assert (
        refreshed.value("select col_description('operations.tenant_roles'::regclass, 3)")
        == REFRESHER
    )
    refreshed.execute("alter role customer_health_analyst bypassrls")
    try:
        done = refreshed.run("flows", "roles", "install")
        assert done.returncode == 2
        assert done.stderr == (
            "error: role customer_health_analyst has SUPERUSER, CREATEROLE or"
            " BYPASSRLS: remove that attribute first\n"
        )
    finally:
        refreshed.execute("alter role customer_health_analyst nobypassrls")


def test_rights_follow_a_renamed_table_and_column(refreshed: Database) -> None:
    succeed(refreshed, "roles", "install")
    refreshed.execute(
        "alter table commerce.customers rename column risk_status to health;"
        "alter table commerce.sales_reps rename to reps;"
        # yours: it stays
        f"grant update (email) on commerce.customers to {WRITE_BACK}"
    )
    noted = (
        "select role_name, thing, column_name from operations.source_grants"
        " where privilege = 'UPDATE' and column_name in ('health', 'risk_status', 'email')"
        " or thing in ('commerce.sales_reps', 'commerce.reps') order by 2"
    )
    reads = f"select has_table_privilege('{REFRESHER}', 'commerce.reps', 'select')"
    with refreshed.connect() as connection:
        load(connection)
        # it follows, too
        connection.execute("select pg_temp.revoke_from_hook()")
        assert not refreshed.value(
            "select count(*) from operations.source_grants where kind = 'table'"
            " and (table_id is null or (column_name = '') != (column_number is null))"
        )
        connection.execute("select pg_temp.grant_sources()")
        assert rows(connection, noted) == [
            {"role_name": WRITE_BACK, "thing": "commerce.customers", "column_name": "health"},
            {"role_name": REFRESHER, "thing": "commerce.reps", "column_name": ""},
        ]
        assert refreshed.value(reads)
        # no input reads it any more
        connection.execute("drop view analytics_internal.input_orders__sales_reps cascade")
        connection.execute("select pg_temp.grant_sources()")
    assert not refreshed.value(reads)
    assert refreshed.value(
        f"select has_column_privilege('{WRITE_BACK}', 'commerce.customers', 'email', 'update')"
    )


@pytest.mark.slow
def test_rights_follow_the_mapping(refreshed: Database, project: Path) -> None:
    """Another column name, and another table to write to."""
    refreshed.execute(
        "alter table commerce.customers rename column risk_status to health;"
        "create table commerce.clients (like commerce.customers including all);"
        "insert into commerce.clients select * from commerce.customers"
    )
    settings = project / "dbt_project.yml"
    settings.write_text(
        settings.read_text().replace(
            "orders_customers_table: customers", "orders_customers_table: clients"
        )
    )
    view = project / "models/orders/inputs/input_orders__customer_statuses.sql"
    view.write_text(
        view.read_text().replace("\n    risk_status,", "\n    health as risk_status,")
    )
    done = refreshed.run(*NIGHTLY, project=project)
    assert "permission denied for table clients" in done.stderr
    # grants that let the refresh read the table, and the write-back update it once it can
    for command in (
        ("flows", "roles", "install"),
        (*NIGHTLY, "--no-write-back"),
        ("flows", "roles", "install"),
        ("flows", "write-back"),
    ):
        done = refreshed.run(*command, project=project)
        assert done.returncode == 0, done.stderr
    columns = (
        "select attrelid::regclass::text as relation, attname as name from pg_attribute"
        " where attrelid in ('commerce.clients'::regclass, 'commerce.customers'::regclass)"
        f" and attnum > 0 and has_column_privilege('{WRITE_BACK}', attrelid, attnum, 'update')"
    )
    assert {(row["relation"], row["name"]) for row in refreshed.rows(columns)} == {
        ("commerce.clients", name) for name in WRITTEN_COLUMNS - {"risk_status"} | {"health"}
    }
    assert not refreshed.value(
        f"select has_table_privilege('{REFRESHER}', 'commerce.customers', 'select')"
    )


# what inputs may read besides their tables: views with the rights of their owner or of the
# reader, functions, a partition, a schema without usage
READ_BY_INPUTS = """
    create role landlady login createrole;
    grant create on database {database} to landlady;
    create schema crm authorization landlady;
    alter table commerce.customers add deleted_at timestamptz;
    set role landlady;
    create table crm.blocked (customer_id uuid);
    create table crm.switches (name text);
    create table crm.countries (code text, name text);
    create table crm.secrets (id int);
    create function crm.tidy(words text) returns text language sql immutable
    return trim(words);
    create function crm.is_blocked(uuid) returns boolean language sql stable begin atomic
    select exists (select from crm.blocked where customer_id = $1); end;
    create type crm.shade as enum ('dark', 'light');
    create view crm.tidy_countries as select code, crm.tidy(name) as name from crm.countries;
    reset role;
    insert into crm.switches values ('on');
    create view crm.clients with (security_invoker = true) as
    select * from commerce.customers where deleted_at is null;
    create view crm.purchases as select * from commerce.orders;
    create materialized view crm.shops as select * from commerce.tenants;
    create table crm.reps (like commerce.sales_reps) partition by list (is_active);
    create table crm.active_reps partition of crm.reps for values in (true);
    revoke execute on all functions in schema crm from public
"""
INPUTS = {
    "customer_statuses": (
        "{{ source('orders', 'customers') }}",
        """crm.clients where not crm.is_blocked(id) and exists (select from crm.switches)
        and to_jsonb(clients) is not null and 'dark'::crm.shade is not null""",
    ),
    "customers": (
        "{{ source('orders', 'customers') }}",
        "crm.clients left join crm.tidy_countries on tidy_countries.code = clients.email",
    ),
    "orders": ("{{ source('orders', 'orders') }}", "crm.purchases"),
    "tenants": ("{{ source('orders', 'tenants') }}", "crm.shops"),
    "sales_reps": ("{{ source('orders', 'sales_reps') }}", "crm.active_reps"),
}


@pytest.mark.slow
def test_the_roles_get_what_inputs_depend_on_and_no_more(
    small: Database, project: Path
) -> None:
    for name, (table, instead) in INPUTS.items():
        view = project / f"models/orders/inputs/input_orders__{name}.sql"
        text = view.read_text().replace(f"from {table}", f"from {instead}")
        if name == "customers":
            text = text.replace("    name as", "    clients.name as")
        view.write_text(text)
    small.execute(READ_BY_INPUTS.replace("{database}", small.environment["PGDATABASE"]))
    small.execute("create role robot login")
    robot = small.as_user("robot")
    try:
        # before any of our views exists
        done = small.run("flows", "roles", "install", project=project)
        assert done.returncode == 0, done.stderr
        small.execute(f"grant {REFRESHER}, {WRITE_BACK} to robot")
        done = robot.run(*NIGHTLY, project=project)
        assert done.returncode == 0, done.stderr
        assert "2 customers written back" in done.stdout
        assert "warning: a role lacks" not in done.stdout
        for thing in ("crm.secrets", "crm.reps", "crm.countries"):
            assert not small.value(
                f"select has_table_privilege('{REFRESHER}', '{thing}', 'select')"
            ), thing
        given = small.rows(
            "select * from operations.source_grants where thing like 'crm%%' order by 1, 2, 4"
        )
        assert {
            "crm.tidy(pg_catalog.text)",
            "crm.is_blocked(pg_catalog.uuid)",
            "crm.switches",
        } <= {row["thing"] for row in given}

        # a login that may grant refreshes after a change of an input, in one command
        view = project / "models/orders/inputs/input_orders__customer_statuses.sql"
        view.write_text(f"{view.read_text()}and length(clients.name) > 0\n")
        small.execute("update commerce.customers set risk_status = null")
        done = small.run(*NIGHTLY, project=project)
        assert done.returncode == 0, done.stderr
        # otherwise the missing right is reported, as the statement that grants it
        text = view.read_text()
        view.write_text(text + "and exists (select from crm.secrets)\n")
        done = robot.run(*NIGHTLY, project=project)
        assert done.returncode == 4
        lacking = f"grant select on crm.secrets to {WRITE_BACK}"
        assert lacking in done.stdout + done.stderr
        done = small.run("flows", "roles", "install", project=project)
        assert done.returncode == 0, done.stderr
        view.write_text(text)
        done = robot.run(*NIGHTLY, project=project)
        assert done.returncode == 0, done.stderr

        done = small.run("flows", "roles", "remove", project=project)
        assert done.returncode == 0, done.stderr
        assert not small.value(
            "select count(*) from pg_class cross join aclexplode(relacl)"
            " where starts_with(pg_get_userbyid(grantee), 'customer_health')"
        )
    finally:
        small.execute("drop owned by landlady cascade; drop role landlady")
        small.execute("drop owned by robot; drop role robot")


@pytest.mark.slow
def test_a_source_that_hides_rows_stops_the_refresh(refreshed: Database) -> None:
    refreshed.execute("alter table commerce.orders enable row level security")
    done = refreshed.run(*NIGHTLY)
    assert done.returncode == 4
    assert "row-level security policy for table" in done.stderr
    assert refreshed.value("select count(*) > 0 from analytics.customer_risk_status")
    refreshed.execute(f"alter role {REFRESHER} bypassrls")
    try:
        assert refreshed.run(*NIGHTLY).returncode == 0
    finally:
        refreshed.execute(f"alter role {REFRESHER} nobypassrls")


@pytest.mark.slow
def test_polls_see_no_foreign_row_while_refreshes_run(
    refreshed: Database, request: pytest.FixtureRequest
) -> None:
    """Tenants read marts all the time; --polls sets how often at least."""
    marts = tenant_columns(refreshed)
    roles = tenant_roles(refreshed)
    polls = request.config.getoption("--polls")
    is_over = threading.Event()
    seen: dict[str, Any] = {"polls": 0, "rows": 0, "foreign": [], "errors": []}
    chance = random.Random(1)

    def look(connection: psycopg.Connection[DictRow]) -> None:
        role, (mart, column) = chance.choice(roles), chance.choice(list(marts.items()))
        tenant = role["tenant"] if system_of(mart) == role["system"] else ""
        connection.execute(f"set role {role['role_name']}".encode())
        [found] = connection.execute(
            "select count(*) as rows_count,"
            f" count(*) filter (where {column}::text != %s) as foreign_count from {mart}",
            (tenant,),
        ).fetchall()
        seen["polls"] += 1
        seen["rows"] += found["rows_count"]
        if found["foreign_count"]:
            seen["foreign"].append((mart, role))

    def look_on() -> None:
        with refreshed.connect() as connection:
            while not is_over.is_set():
                try:
                    look(connection)
                except psycopg.Error as error:
                    seen["errors"].append(str(error))
                time.sleep(0.005)

    poller = threading.Thread(target=look_on)
    poller.start()
    runs = 0
    try:
        while runs < 2 or seen["polls"] < polls:
            change_something(refreshed)
            if runs % 4 == 2:
                # a mart that is created again
                refreshed.execute("drop table analytics.customer_analytics cascade")
            done = refreshed.run(*(NIGHTLY if runs % 2 == 0 else HOURLY))
            assert done.returncode == 0, done.stderr
            runs += 1
    finally:
        is_over.set()
        poller.join()
    print(f"{seen['polls']} polls during {runs} refreshes read {seen['rows']} rows of marts")
    assert seen["polls"] >= polls
    assert seen["rows"] > seen["polls"]
    assert seen["foreign"] == []
    # a mart that was dropped by hand is missing, and so are its views
    assert [error for error in seen["errors"] if "does not exist" not in error] == []
