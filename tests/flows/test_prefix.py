"""Environments that share a database: each has its schemas, roles, lock, triggers and log."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ONE, TENANT, TWO, UNTIL, Database

from flows import dbt
from flows.schemas import VARIABLE

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
HOURLY = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
SCHEMAS = ("analytics", "analytics_internal", "analytics_internal_failures", "operations")
# the beginning of the names of our roles and triggers
NAMES = """
    select distinct substring(name from '^.*customer_health') as begins
    from (
        select rolname as name from pg_roles
        union all
        select tgname from pg_trigger where not tgisinternal
    ) as names
    -- roles are of the server: other tests have made some
    where name like '%%customer_health%%' and name != all(%s)
    order by begins
"""
ROLES = "select array_agg(rolname::text) as names from pg_roles"
# functions and views of ours whose text has one of our names without the prefix
COMMENTS = r"""
    select proname as name from pg_proc
    where
        pronamespace = 'dev_operations'::regnamespace
        and prosrc ~ '\m(analytics|analytics_internal|operations)\.'
    union all
    select relname from pg_class
    where
        relnamespace in ('dev_operations'::regnamespace, 'dev_analytics'::regnamespace)
        and obj_description(oid, 'pg_class') ~ '\m(analytics|analytics_internal|operations)\.'
"""


def with_prefix(database: Database, prefix: str) -> Database:
    return replace(database, environment={**database.environment, VARIABLE: prefix})


def succeed(database: Database, *arguments: str) -> str:
    done = database.run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fingerprints(database: Database, prefix: str) -> dict[str, object]:
    """Return the rows of every public table and view, by name."""
    found = {}
    for row in database.rows(
        "select relname from pg_class where relnamespace = %s::text::regnamespace"
        " and relkind in ('r', 'v') order by relname",
        f"{prefix}analytics",
    ):
        name = row["relname"]
        found[name] = database.value(
            "select md5(string_agg(line, chr(10) order by line)) from (select (to_jsonb(mart)"
            f" - 'updated_at' - 'computed_at')::text as line from {prefix}analytics.{name}"
            " as mart) as lines"
        )
    return found


def schemas_of_ours(database: Database) -> set[str]:
    """Return the schemas that contain an object of ours."""
    return {
        row["name"]
        for row in database.rows(
            "select distinct relnamespace::regnamespace::text as name from pg_class"
            " where obj_description(oid, 'pg_class') ~ '^\\w*customer_health: '"
            " union select distinct pronamespace::regnamespace::text from pg_proc"
            " where obj_description(oid, 'pg_proc') ~ '^\\w*customer_health: '"
        )
    }


def order(database: Database, customer: str, day: str) -> None:
    database.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
        " delivered_at, total_amount, updated_at)"
        " values (gen_random_uuid(), %s, %s, 'DELIVERED', %s, %s, 100, now())",
        *(TENANT, customer, day, day),
    )


@pytest.mark.slow
def test_an_environment_with_a_prefix_touches_no_name_without_it(small: Database) -> None:
    developer, others = with_prefix(small, "dev_"), small.value(ROLES)
    # the application has schemas with the names that ours have without a prefix
    small.execute("create schema operations; create schema analytics")
    small.execute("create table operations.changed_keys (shift text)")
    small.execute("create table analytics.tenants (tenant_id text)")
    # with triggers from the start, so that no refresh runs because they are new
    succeed(developer, "flows", "capture", "install")
    assert ", prefix dev_;" in succeed(developer, *NIGHTLY).splitlines()[0]
    for kind in ("hook", "roles"):
        succeed(developer, "flows", kind, "install")
    order(small, TWO, "2026-06-10")
    assert "recomputes everything" not in succeed(developer, *HOURLY)
    for arguments in (
        ("write-back", "--dry-run"),
        ("write-back",),
        ("rollback", "3"),
        ("capture", "status"),
        ("hook", "status"),
        ("roles", "status"),
        ("alerts", "--dry-run"),
        ("weekly",),
        ("status",),
        ("detach",),
    ):
        succeed(developer, "flows", *arguments)
    succeed(developer, *NIGHTLY)
    assert schemas_of_ours(small) <= {f"dev_{name}" for name in SCHEMAS}
    assert small.rows("select * from operations.changed_keys") == []
    assert [row["begins"] for row in small.rows(NAMES, others)] == ["dev_customer_health"]
    # what people read has the names that exist
    printed = small.rows(COMMENTS)
    assert printed == []
    for kind in ("hook", "capture", "roles"):
        succeed(developer, "flows", kind, "remove")
    assert small.rows(NAMES, others) == []


@pytest.mark.slow
def test_two_environments_share_a_database_and_see_nothing_of_each_other(
    small: Database,
) -> None:
    developer, production = with_prefix(small, "dev_"), small
    succeed(developer, *NIGHTLY, "--no-write-back")
    succeed(production, *NIGHTLY)
    for kind in ("capture", "hook", "roles"):
        succeed(developer, "flows", kind, "install")
        succeed(production, "flows", kind, "install")
    assert {row["begins"] for row in small.rows(NAMES, [""])} == {
        "customer_health",
        "dev_customer_health",
    }
    both_show_the_same(small)
    for environment in (production, developer):
        # the triggers are new
        succeed(environment, *HOURLY, "--no-write-back")
    order(small, ONE, "2026-06-12")
    assert waiting(small, "", ONE)
    assert waiting(small, "dev_", ONE)
    assert "recomputes everything" not in succeed(production, *HOURLY)
    # a change that one has taken still waits for the other
    assert not waiting(small, "", ONE)
    assert waiting(small, "dev_", ONE)
    assert "recomputes everything" not in succeed(developer, *HOURLY, "--no-write-back")
    both_show_the_same(small)
    assert (
        small.value(
            "select count(*) from operations.application_logs"
            " inner join dev_operations.application_logs using (logid)"
        )
        == 0
    )
    assert small.value("select count(*) from dev_operations.write_back_batches") == 0

    # the lock of one does not stop the other
    with small.connect() as connection:
        connection.execute("select pg_advisory_lock(hashtext('customer_health refresh'))")
        assert production.run(*HOURLY).returncode == 5
        succeed(developer, *HOURLY, "--no-write-back")

    # readers of one see nothing of the other
    for role, schema in (
        ("dev_customer_health", "analytics"),
        ("customer_health", "dev_analytics"),
    ):
        for duty in ("analyst", "tenant", "refresher", "write_back"):
            assert not small.value(
                "select has_schema_privilege(%s, %s, 'usage')", f"{role}_{duty}", schema
            )

    # one is detached, the other stays
    views = "select count(*) from pg_views where schemaname = %s"
    ours, theirs = "analytics_internal", "dev_analytics_internal"
    before = small.value(views, ours)
    assert before == small.value(views, theirs) != 0
    succeed(developer, "flows", "detach")
    # seeds and what joins them are not tables of the application
    assert small.value(views, ours) == before
    left = "select array_agg(viewname::text order by viewname) from pg_views"
    assert small.value(f"{left} where schemaname = %s", theirs) == [
        "input_shared__message_recipients",
        "input_shared__risk_thresholds",
        "int_message_recipients",
        "int_risk_thresholds",
    ]

    # one is uninstalled, the other stays
    for kind in ("hook", "capture", "roles"):
        succeed(developer, "flows", kind, "remove")
    assert {row["begins"] for row in small.rows(NAMES, [""])} == {"customer_health"}
    order(small, TWO, "2026-06-14")
    assert "recomputes everything" not in succeed(production, *HOURLY)
    succeed(developer, *HOURLY, "--no-write-back")
    both_show_the_same(small)
    assert "triggers are missing" not in succeed(production, "flows", "capture", "status")
    assert "write_back" in succeed(production, "flows", "roles", "status")


def both_show_the_same(database: Database) -> None:
    shown = fingerprints(database, "")
    assert len(shown) > 20
    assert shown == fingerprints(database, "dev_")


def waiting(database: Database, prefix: str, customer: str) -> object:
    return database.value(
        f"select count(*) from {prefix}operations.changed_keys where key = %s", customer
    )


@pytest.mark.parametrize("prefix", ["Dev_", "1_", "dev-", "pg_dev_", "a" * 17, "dé_", "d_ "])
def test_a_prefix_that_no_schema_can_have_is_refused_in_one_line(
    server: Database, prefix: str
) -> None:
    done = with_prefix(server, prefix).run("flows", "status")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(
        f"error: {VARIABLE} is {prefix!r}; it must be up to 16 characters of a-z"
    )


@pytest.mark.slow
def test_dbt_alone_takes_the_prefix_as_a_var(small: Database, project: Path) -> None:
    def build(prefix: str) -> str:
        given = json.dumps({"schema_prefix": prefix})
        options = ("--select", "rfm_groups", "+stg_orders__tenants", "--vars", given)
        return dbt.command(small.environment, "build", *options).stdout

    assert "setting schema_prefix is Dev_, must be up to 16" in build("Dev_")
    build("dev_")
    assert schemas_of_ours(small) == {"dev_analytics", "dev_analytics_internal"}
    # in the project's own vars, also for the commands, and the environment takes precedence
    settings = project / "dbt_project.yml"
    text = settings.read_text().replace(
        "  schema_prefix: null", '  schema_prefix: "ci_"  # CI'
    )
    settings.write_text(text)
    done = small.run("flows", "status", project=project)
    assert ", prefix ci_;" in done.stdout
    done = with_prefix(small, "").run("flows", "status", project=project)
    assert "prefix" not in done.stdout.splitlines()[0].partition(";")[0]
