"""`customer-health uninstall`: afterward the catalog is as before the first command."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from conftest import PROJECT, TENANT, TWO, UNTIL, Database, load_two_customers, new_database
from test_foreign_roles import without_ours

from flows.schemas import VARIABLE

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
HOURLY = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
INSTALL = tuple(("flows", part, "install") for part in ("capture", "hook", "roles"))
UNINSTALL = ("flows", "uninstall")
THEIRS = "!~ '^(pg_|information_schema)'"


def rights(acl: str) -> str:
    """Return the SQL of the effective rights, whether they were ever changed or not."""
    return f"array(select one::text from unnest({acl}) as one order by 1)"


OF_RELATION = rights(
    "coalesce(relacl, acldefault((case relkind when 'S' then 's' else 'r' end)::\"char\","
    " relowner))"
)
OF_ROUTINE = rights("coalesce(proacl, acldefault('f', proowner))")
OF_SCHEMA = rights("coalesce(nspacl, acldefault('n', nspowner))")
OF_DATABASE = rights("coalesce(datacl, acldefault('d', datdba))")
# the visible objects of a database, and the roles of its server
CATALOG = {
    "relations": f"""
        select relnamespace::regnamespace::text, relname, relkind::text,
            relowner::regrole::text, relrowsecurity, reloptions::text, {OF_RELATION}
        from pg_class where relnamespace::regnamespace::text {THEIRS}
    """,
    "columns": f"""
        select attrelid::regclass::text, attname, atttypid::regtype::text,
            {rights("attacl")}
        from pg_attribute inner join pg_class on attrelid = pg_class.oid
        where relnamespace::regnamespace::text {THEIRS} and attnum > 0 and relkind != 'i'
    """,
    "routines": f"""
        select oid::regprocedure::text, proowner::regrole::text, {OF_ROUTINE}
        from pg_proc where pronamespace::regnamespace::text {THEIRS}
    """,
    "schemas": f"""
        select nspname, nspowner::regrole::text, {OF_SCHEMA}
        from pg_namespace where nspname {THEIRS}
    """,
    "triggers": """
        select tgrelid::regclass::text, tgname, tgenabled::text from pg_trigger
        where not tgisinternal
    """,
    "policies": "select polrelid::regclass::text, polname from pg_policy",
    "types": f"""
        select typname from pg_type where typnamespace::regnamespace::text {THEIRS}
    """,
    "default rights": "select defaclobjtype::text, defaclacl::text from pg_default_acl",
    "comments": """
        select classoid::regclass::text, objsubid, description from pg_description
        where description ~ 'customer_health'
    """,
    "roles": """
        select rolname, rolcanlogin, rolinherit, shobj_description(oid, 'pg_authid')
        from pg_roles
    """,
    "members": """
        select roleid::regrole::text, member::regrole::text, admin_option
        from pg_auth_members
    """,
    "rights of roles": """
        select refobjid::regrole::text, classid::regclass::text, deptype::text, count(*)
        from pg_shdepend
        where
            refclassid = 'pg_authid'::regclass
            and dbid = (select oid from pg_database where datname = current_database())
        group by 1, 2, 3
    """,
    "database": f"""
        select {OF_DATABASE} from pg_database where datname = current_database()
    """,
    "settings": "select setrole::regrole::text, setconfig::text from pg_db_role_setting",
}


def catalog(database: Database) -> dict[str, list[str]]:
    """Return the objects of a database, and the roles of its server."""
    return {
        name: sorted(json.dumps(row, default=str) for row in database.rows(query))
        for name, query in CATALOG.items()
    }


def succeed(database: Database, *arguments: str) -> str:
    done = database.run(*arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def refuse(database: Database, *arguments: str, code: int = 2) -> str:
    done = database.run(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


@pytest.fixture
def lodge(server: Database) -> Iterator[Database]:
    """The smallest business, with a login that is not a superuser but owns it."""
    server.execute("create role landlord login createrole")
    database = new_database(server, "usual")
    try:
        with without_ours(database):
            database.execute("grant all on database usual to landlord")
            # extensions first, before the schemas belong to somebody else
            load_two_customers(database)
            for schema in ("commerce", "booking", "platform", "success"):
                database.execute(
                    f"alter schema {schema} owner to landlord;"
                    "do $$ declare it regclass; begin for it in select oid from pg_class"
                    f" where relnamespace = '{schema}'::regnamespace and relkind = 'r' loop"
                    " execute format('alter table %s owner to landlord', it);"
                    " end loop; end $$"
                )
            yield database.as_user("landlord")
            database.execute("drop owned by landlord cascade")
    finally:
        database.drop()
        server.execute("drop role landlord")


@pytest.mark.slow
def test_after_it_the_catalog_is_as_before_the_first_command(lodge: Database) -> None:
    before = catalog(lodge)
    # a dry run creates nothing, and neither does removing what does not exist
    for command in (
        "status",
        "capture status",
        "hook status",
        "roles status",
        "write-back --dry-run",
        "weekly",
        "alerts --dry-run",
        "uninstall --dry-run",
        "capture remove",
        "hook remove",
        "roles remove",
        "rollback 1",
        "uninstall",
    ):
        done = lodge.run("flows", *command.split())
        assert "Traceback" not in done.stderr
        assert catalog(lodge) == before, command

    succeed(lodge, *NIGHTLY)
    for one in (*INSTALL, ("flows", "alerts"), ("flows", "write-back")):
        succeed(lodge, *one)
    installed = catalog(lodge)
    for command in ("status", "capture status", "hook status", "roles status"):
        succeed(lodge, "flows", *command.split())
    said = succeed(lodge, *UNINSTALL, "--dry-run")
    assert "customer_health_hook" in said
    assert "1 tenant role" in said
    assert "dry run: nothing was removed" in said
    assert catalog(lodge) == installed

    # no object of others is dropped with it
    lodge.execute(
        "create schema reports; create view reports.mine as select * from analytics.tenants"
    )
    lodge.execute("create table analytics.notes (id int)")
    lodge.execute(
        "create table reports.children"
        " (tenant_id uuid, foreign key (tenant_id) references analytics.tenants (tenant_id))"
    )
    installed = catalog(lodge)
    named = refuse(lodge, *UNINSTALL)
    for thing in ("view reports.mine", "table analytics.notes", "table reports.children"):
        assert thing in named
    assert named == refuse(lodge, *UNINSTALL, "--dry-run")
    assert catalog(lodge) == installed
    lodge.execute("drop schema reports cascade; drop table analytics.notes")

    with lodge.connect() as other:
        other.execute("select pg_advisory_lock(hashtext('customer_health refresh'))")
        refuse(lodge, *UNINSTALL, code=5)
    assert "stay in up to seven columns of the customers table" in succeed(lodge, *UNINSTALL)
    assert catalog(lodge) == before
    assert "nothing of customer-health" in succeed(lodge, *UNINSTALL)
    assert catalog(lodge) == before


@pytest.mark.slow
def test_uninstall_finishes_a_partial_removal(lodge: Database) -> None:
    before = catalog(lodge)
    succeed(lodge, *NIGHTLY)
    for command in INSTALL:
        succeed(lodge, *command)
    # as an earlier document said; the roles and their grants exist
    lodge.execute(
        "drop schema analytics, analytics_internal, analytics_internal_failures cascade"
    )
    lodge.execute("drop schema operations cascade")
    assert catalog(lodge) != before
    assert "roles" in succeed(lodge, "flows", "roles", "remove")
    assert catalog(lodge) == before

    # only a part of it, and renamed
    succeed(lodge, *NIGHTLY, "--no-write-back")
    succeed(lodge, "flows", "capture", "install")
    succeed(lodge, *HOURLY, "--no-write-back")
    lodge.execute("alter schema operations rename to old_operations")
    lodge.execute("drop schema analytics cascade")
    assert "customer_health_insert" in succeed(lodge, *UNINSTALL)
    assert catalog(lodge) == before

    succeed(lodge, "flows", "roles", "install")
    succeed(lodge, *UNINSTALL)
    assert catalog(lodge) == before


@pytest.mark.slow
def test_other_prefixes_and_databases_keep_what_is_theirs(small: Database) -> None:
    developer = replace(small, environment={**small.environment, VARIABLE: "dev_"})
    with without_ours(small):
        succeed(developer, *NIGHTLY, "--no-write-back")
        for command in INSTALL:
            succeed(developer, *command)
        before = catalog(small)
        for one in (NIGHTLY, *INSTALL):
            succeed(small, *one)
        twin = small.copy()
        try:
            there = catalog(twin)
            assert "is of database" in (stays := succeed(twin, "flows", "roles", "remove"))
            assert "customer_health_refresher stay" in stays
            assert catalog(small)["roles"] == there["roles"]
            succeed(twin, *UNINSTALL)
            assert catalog(small)["roles"] == there["roles"]
        finally:
            twin.drop()
        small.execute(
            "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at)"
            " values (gen_random_uuid(), %s, %s, 'SUBMITTED', now())",
            TENANT,
            TWO,
        )
        assert not small.rows("select * from operations.hook_errors")
        succeed(small, *UNINSTALL)
        assert catalog(small) == before
        assert PROJECT.is_dir()
        succeed(developer, *UNINSTALL)


@pytest.mark.slow
def test_roles_remove_restores_the_former_owners(small: Database) -> None:
    small.execute(
        "create role robot login; create role temp_robot login;"
        f"grant create on database {small.environment['PGDATABASE']} to robot;"
        "grant usage on schema commerce, booking, platform, success to robot;"
        "grant select on all tables in schema commerce, booking, platform, success to robot;"
        "grant update on commerce.customers to robot"
    )
    robot = small.as_user("robot")
    owners = (
        "select relowner::regrole::text as owner, count(*) from pg_class"
        " where relnamespace::regnamespace::text ~ '^(analytics|operations)'"
        " and relkind in ('r', 'v', 'S') group by 1"
    )
    try:
        succeed(robot, *NIGHTLY)
        succeed(small, "flows", "roles", "install")
        small.execute("grant customer_health_refresher to robot, temp_robot")
        small.execute("drop table analytics.tenants cascade")
        succeed(robot, *NIGHTLY, "--no-write-back")
        said = succeed(small, "flows", "roles", "remove")
        assert re.search(r"robot owns \d+ objects again", said)
        assert "temp_robot had the rights of customer_health_refresher" in said
        assert [row["owner"] for row in small.rows(owners)] == ["robot"]
        succeed(robot, *NIGHTLY)

        succeed(small, "flows", "roles", "install")
        small.execute("alter role robot rename to gone_robot")
        said = succeed(small, "flows", "roles", "remove")
        assert "postgres now owns the part of the warehouse that robot owned: is gone" in said
        assert [row["owner"] for row in small.rows(owners)] == ["postgres"]
    finally:
        for role in ("robot", "gone_robot", "temp_robot"):
            if small.value("select to_regrole(%s)", role):
                small.execute(f"drop owned by {role} cascade; drop role {role}")
