"""Roles and schemas of others with our names: `customer-health roles` leaves them alone.

Roles belong to the whole server, where other tests have ours: these are renamed for a while.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import UNTIL, Database, load_two_customers, new_database

from flows.schemas import SCHEMAS

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
INSTALL = ("flows", "roles", "install")
REMOVE = ("flows", "roles", "remove")
REFRESHER = "customer_health_refresher"
GROUPS = tuple(
    f"customer_health_{name}"
    for name in ("refresher", "write_back", "analyst", "contact_writer", "tenant")
)
TEAM = """
    create role team;
    create schema analytics authorization team;
    create schema operations authorization team;
    create table analytics.notes (id int);
    alter table analytics.notes owner to team;
    insert into analytics.notes values (1);
    create function operations.of_team() returns int language sql as 'select 1';
    alter function operations.of_team() owner to team;
    create schema analytics_internal_failures authorization team;
    create table analytics_internal_failures.theirs (id int);
    alter table analytics_internal_failures.theirs owner to team;
    create function analytics_internal_failures.theirs() returns int
    language sql as 'select 1';
    alter function analytics_internal_failures.theirs() owner to team
"""
OWNED_BY_TEAM = """
    select nspname from pg_namespace where nspowner = to_regrole('team')
    union all
    select oid::regclass::text from pg_class
    where relowner = to_regrole('team') and relkind = 'r'
    union all
    select oid::regprocedure::text from pg_proc where proowner = to_regrole('team')
    order by 1
"""


@pytest.fixture(scope="module")
def crowded_template(server: Database) -> Database:
    """The smallest business, refreshed among foreign schemas with our names; a template."""
    database = new_database(server, "usual")
    load_two_customers(database)
    database.execute(TEAM)
    done = database.run(*NIGHTLY)
    assert done.returncode == 0, done.stderr
    return database.as_template()


@pytest.fixture
def crowded(crowded_template: Database) -> Iterator[Database]:
    """The smallest business, refreshed among foreign schemas with our names."""
    database = crowded_template.copy("usual")
    yield database
    database.drop()


@contextmanager
def without_ours(database: Database) -> Iterator[None]:
    """Rename the roles of our other test databases on this server for a while."""
    there = [name for name in GROUPS if database.value("select to_regrole(%s)", name)]
    for name in there:
        database.execute(f"alter role {name} rename to aside_{name}")
    try:
        yield
    finally:
        for name in GROUPS:
            if database.value("select to_regrole(%s)", name):
                database.execute(f"drop owned by {name} cascade; drop role {name}")
        for name in there:
            database.execute(f"alter role aside_{name} rename to {name}")


def assert_refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def done_well(database: Database, *arguments: str) -> str:
    done = database.run(*arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_a_role_that_only_has_the_name_of_ours_is_refused(crowded: Database) -> None:
    with without_ours(crowded):
        crowded.execute(
            f"create role {REFRESHER} login; create schema app authorization {REFRESHER};"
            f"create table app.things (id int); alter table app.things owner to {REFRESHER};"
            f"create table public.g (id int); grant select, insert on public.g to {REFRESHER}"
        )
        state = (
            "select relname, relowner, relacl::text from pg_class"
            " where relname in ('things', 'g') union all"
            " select nspname, nspowner, nspacl::text from pg_namespace"
            " where nspname = any(%s) order by 1"
        )
        before = crowded.rows(state, [*SCHEMAS, "app"])
        assert_refused(crowded.run(*INSTALL), f"role {REFRESHER} is not ours")
        assert done_well(crowded, *REMOVE).endswith("\nthere are no roles of ours\n")
        assert crowded.rows(state, [*SCHEMAS, "app"]) == before
        assert crowded.value("select to_regrole(%s)", GROUPS[1]) is None

        # a foreign schema has one of our names, too: none of our commands works as that role
        crowded.execute(f"alter schema operations owner to {REFRESHER}")
        for command in (NIGHTLY, ("flows", "status"), INSTALL, REMOVE):
            assert_refused(crowded.run(*command), f"role {REFRESHER} is not ours")
        crowded.execute("alter schema operations owner to team; drop schema app cascade")
        crowded.execute(f"drop owned by {REFRESHER}; drop role {REFRESHER}")

        # a role that we would need next; and one of ours that lost its comment
        crowded.execute(
            "create role customer_health_tenant; grant team to customer_health_tenant"
        )
        assert_refused(crowded.run(*INSTALL), "role customer_health_tenant is not ours")
        crowded.execute("comment on role customer_health_tenant is 'customer_health: ours'")
        # and roles of others that only begin like ours do not concern us
        crowded.execute(
            "create role customer_health_dba superuser;"
            "create role customer_health_tenant_of_theirs createrole"
        )
        try:
            done_well(crowded, *INSTALL)
            crowded.execute("comment on role customer_health_refresher is 'changed'")
            for command in (NIGHTLY, INSTALL, REMOVE):
                assert_refused(
                    crowded.run(*command),
                    f"""comment on role {REFRESHER} is 'customer_health: """,
                )
            crowded.execute("comment on role customer_health_refresher is 'customer_health: '")
            # somebody may add any role to the map, and it is not ours to drop
            crowded.execute(
                "insert into operations.tenant_roles values"
                " ('customer_health_tenant_of_theirs', 'orders', 'one')"
            )
            assert_refused(
                crowded.run(*INSTALL), "role customer_health_tenant_of_theirs is not ours"
            )
            assert_refused(
                crowded.run(*REMOVE), "role customer_health_tenant_of_theirs is not ours"
            )
            crowded.execute(
                "update operations.tenant_roles set role_name = 'team' where tenant = 'one'"
            )
            done_well(crowded, *INSTALL)
            done_well(crowded, *REMOVE)
            assert crowded.value("select to_regrole('team')") == "team"
        finally:
            crowded.execute(
                "drop role customer_health_dba; drop role customer_health_tenant_of_theirs"
            )


@pytest.mark.slow
def test_schemas_and_things_of_others_stay_with_their_owner(crowded: Database) -> None:
    theirs = crowded.rows(OWNED_BY_TEAM)
    assert len(theirs) == 7
    mine = (
        "select nspname from pg_namespace"
        " where nspowner = 'postgres'::regrole and nspname = any(%s)"
    )
    assert crowded.rows(mine, list(SCHEMAS)) == [{"nspname": "analytics_internal"}]
    done_well(crowded, *INSTALL)
    assert crowded.rows(OWNED_BY_TEAM) == theirs
    # our role works there for the refresher, for analysts and for the write-back
    crowded.execute(
        "grant customer_health_refresher, customer_health_write_back to current_user"
    )
    assert (
        crowded.rows(
            "select relname from pg_class"
            " where starts_with(obj_description(oid, 'pg_class'), 'customer_health: ')"
            f" and relowner != '{REFRESHER}'::regrole"
        )
        == []
    )
    with crowded.connect() as connection:
        connection.execute("set role customer_health_analyst")
        assert len(connection.execute("select * from analytics.tenants").fetchall()) == 1
        connection.execute("set role team")
        connection.execute("create table operations.more (id int)")
        connection.execute("insert into analytics.notes values (2)")
    # a mart that a full refresh creates again
    crowded.execute("drop table analytics.tenants cascade")
    done_well(crowded, "flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
    assert crowded.rows("select * from operations.missing_rights") == []
    assert (
        crowded.value(
            "select pg_get_userbyid(relowner) from pg_class"
            " where oid = 'analytics.tenants'::regclass"
        )
        == REFRESHER
    )
    theirs = crowded.rows(OWNED_BY_TEAM)
    assert len(theirs) == 8
    done_well(crowded, *REMOVE)
    assert crowded.rows(OWNED_BY_TEAM) == theirs
    assert (
        crowded.value(
            "select count(*) from pg_namespace"
            " cross join aclexplode(nspacl) as rights where nspname = any(%s)"
            " and starts_with(pg_get_userbyid(grantee), 'customer_health_')",
            list(SCHEMAS),
        )
        == 0
    )
    assert done_well(crowded, *REMOVE).endswith("\nthere are no roles of ours\n")


@pytest.mark.slow
def test_grants_and_things_that_others_gave_our_roles_stay(crowded: Database) -> None:
    done_well(crowded, *INSTALL)
    # what an edited staging model may join, and more rights than we need on a source
    crowded.execute(
        "create table public.extra (id int, word text);"
        f"grant select, update (word) on public.extra to {REFRESHER};"
        "grant select (word) on public.extra to customer_health_write_back;"
        f"grant insert on commerce.orders to {REFRESHER}"
    )
    given = (
        "select oid::regclass::text as name, grantee::regrole::text as role, privilege_type"
        " from pg_class cross join aclexplode(relacl)"
        " where relname in ('extra', 'orders') and relnamespace::regnamespace::text"
        " in ('public', 'commerce') union all"
        " select attrelid::regclass::text || attname, grantee::regrole::text, privilege_type"
        " from pg_attribute cross join aclexplode(attacl)"
        " where attrelid = 'public.extra'::regclass order by 1, 2, 3"
    )
    before = crowded.rows(given)
    said = done_well(crowded, *INSTALL)
    assert f"warning: {REFRESHER} may insert commerce.orders" in said
    assert crowded.rows(given) == before
    done_well(crowded, "flows", "hook", "install")
    done_well(crowded, "flows", "hook", "remove")
    assert crowded.rows(given) == before

    # objects that they own here and that are not ours are named, and nothing is done
    crowded.execute(
        f"alter table public.extra owner to {REFRESHER};"
        f"create table analytics.by_hand (id int);"
        f"alter table analytics.by_hand owner to {REFRESHER};"
        "create schema of_analysts authorization customer_health_analyst;"
    )
    policies = crowded.rows("select * from pg_policies")
    done = crowded.run(*REMOVE)
    assert_refused(done, "table extra")
    assert "table analytics.by_hand" in done.stderr
    assert "schema of_analysts" in done.stderr
    assert crowded.rows("select * from pg_policies") == policies
    crowded.execute(
        "alter table public.extra owner to team; alter table analytics.by_hand owner to team;"
        "alter schema of_analysts owner to team;"
        # settings that others made for our role are dropped with it
        f"alter default privileges for role {REFRESHER} grant select on tables to team"
    )
    done_well(crowded, *REMOVE)
    assert (
        crowded.value("select tableowner from pg_tables where tablename = 'extra'") == "team"
    )


@pytest.mark.slow
def test_removing_takes_no_right_on_another_database(crowded: Database) -> None:
    done_well(crowded, *INSTALL)
    other = crowded.copy()
    try:
        name = other.environment["PGDATABASE"]
        crowded.execute(
            f"revoke temporary on database {name} from public;"
            f"grant temporary on database {name} to {REFRESHER}"
        )
        said = done_well(crowded, *REMOVE)
        assert f"{REFRESHER} stays: " in said
        may = f"select has_database_privilege('{REFRESHER}', '{name}', 'temporary')"
        assert crowded.value(may)
    finally:
        other.drop()
