"""A guest in somebody else's database: theirs is left alone, ours is made again."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ONE, PROJECT, UNTIL, Database, load_two_customers, new_database

from flows.dbt import command
from flows.installed import MADE, REGISTER

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
HOURLY = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
EVERYWHERE = "create publication everything for all tables"

# all that is in our schemas and is no part of another thing, with the mark or without
THINGS = """
    select relnamespace::regnamespace || '.' || relname as name, relkind::text as kind,
        starts_with(obj_description(oid, 'pg_class'), 'customer_health: ') is true as is_ours
    from pg_class
    where
        relnamespace::regnamespace::text ~ '^(analytics|operations)'
        and relkind in ('r', 'v', 'm', 'f', 'p')
    union all
    select pronamespace::regnamespace || '.' || proname, 'routine',
        starts_with(obj_description(oid, 'pg_proc'), 'customer_health: ') is true
    from pg_proc where pronamespace::regnamespace::text ~ '^(analytics|operations)'
"""


GONE = {
    "schema analytics": "drop schema analytics cascade",
    "schema analytics_internal": "drop schema analytics_internal cascade",
    "failures": "drop schema analytics_internal_failures cascade",
    "mart": "drop table analytics.success_organizations cascade",
    "view": "drop view analytics.due_to_order cascade",
    "metric": "drop view analytics.metric_days",
    "staging": "drop view analytics_internal.stg_orders__orders cascade",
    "seed": "drop table analytics.rfm_groups cascade",
    "log": "drop table operations.accounts_publications",
    "operations": "drop schema operations cascade",
    "queue": "drop table operations.changed_keys cascade; drop view operations.job_status;"
    " drop function operations.raise_alerts; drop table operations.write_back_batches",
    "all": "drop schema analytics, analytics_internal, operations cascade",
}
COMMANDS = (
    ("status",),
    ("weekly",),
    ("write-back", "--dry-run"),
    ("write-back",),
    ("write-back", "--tenant", "acme"),
    ("alerts", "--dry-run"),
    ("capture", "status"),
    ("hook", "status"),
    ("roles", "status"),
    ("rollback", "1"),
    ("refresh", "--organization", "nobody"),
)


@pytest.mark.parametrize("what", ["schema analytics"])
def test_what_is_missing_of_ours_is_made_again_by_the_next_refresh(
    guest: Database, what: str
) -> None:
    assert_made_again(guest, what)


def assert_made_again(guest: Database, what: str) -> None:
    expected = sorted(row["name"] for row in guest.rows(THINGS))
    assert_done(guest, "flows", "capture", "install")
    assert_done(guest, *HOURLY)
    guest.execute(GONE[what])
    for command_line in COMMANDS:
        assert_in_one_line(guest.run("flows", *command_line))
    # some commands have made again what they need
    again = GONE[what]
    for kind in ("schema", "table", "view", "function"):
        again = again.replace(f"drop {kind}", f"drop {kind} if exists")
    guest.execute(again)
    done = assert_done(guest, *HOURLY)
    # what tests have kept is made again by the test that fails next
    assert ("recomputes everything: " in done.stdout) == (what != "failures"), done.stdout
    found = {row["name"] for row in guest.rows(THINGS)}
    assert set(expected) <= found
    assert unmarked(guest) == []
    done = assert_done(guest, *HOURLY)
    assert "recomputes everything" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("what", sorted(set(GONE) - {"schema analytics"}))
def test_each_thing_that_is_missing_is_made_again(guest: Database, what: str) -> None:
    assert_made_again(guest, what)


def test_a_function_or_trigger_of_the_hook_that_is_gone_is_said(guest: Database) -> None:
    assert_done(guest, "flows", "capture", "install")
    assert_done(guest, "flows", "hook", "install")
    assert_done(guest, *HOURLY)
    guest.execute("drop function operations.after_orders_created(text[])")
    done = assert_done(guest, *HOURLY)
    assert (
        "recomputes everything: operations.after_orders_created(text[]) of ours is missing"
        in done.stdout
    )
    assert "hook install" not in done.stdout
    # takes the trigger, too
    guest.execute("drop function operations.after_order_created() cascade")
    done = assert_done(guest, "flows", "hook", "status")
    assert "commerce.orders has lost the trigger of the hook" in done.stdout
    for is_made_again in (True, False):
        done = assert_done(guest, *HOURLY)
        assert ("operations.after_order_created() of ours" in done.stdout) == is_made_again
        assert "warning: commerce.orders has lost the trigger of the hook" in done.stdout
        assert "hook install" in done.stdout
    assert_done(guest, "flows", "hook", "install")
    assert "hook install" not in assert_done(guest, *HOURLY).stdout
    guest.execute("drop trigger customer_health_hook on commerce.orders")
    assert "has lost the trigger" in assert_done(guest, *HOURLY).stdout
    assert_done(guest, "flows", "hook", "remove")
    assert "has lost" not in assert_done(guest, *HOURLY).stdout


def test_views_of_ours_are_known_by_their_mark_wherever_they_are(guest: Database) -> None:
    guest.execute(
        "alter schema analytics_internal rename to internal_2025;"
        "alter view operations.refresh_statistics rename to statistics_2025;"
        "create schema reports; create view reports.own as select id from commerce.orders"
    )
    migration = "alter table commerce.orders alter column total_amount type numeric(20, 4)"
    with pytest.raises(Exception, match="used by a view"):
        guest.execute(migration)
    done = assert_done(guest, "flows", "detach")
    assert "views are off the application's tables" in done.stdout
    guest.execute(migration)
    assert guest.value("select count(*) from pg_views where schemaname = 'reports'") == 1
    assert_done(guest, *NIGHTLY)
    done = assert_done(guest, "flows", "detach")
    assert_done(guest, *HOURLY)
    assert "detached" not in assert_done(guest, *HOURLY).stdout


def test_what_stops_dbt_is_said_once(guest: Database) -> None:
    done = guest.run("flows", "capture", "install", environment={"DBT_LOG_PATH": "/proc/no"})
    assert done.returncode == 4
    assert "no reason given" not in done.stderr
    assert "/proc/no" in done.stderr
    assert_in_one_line(done)
    guest.execute(
        "create function public.forbid() returns event_trigger language plpgsql as"
        " 'begin raise exception ''no changes today''; end';"
        "create event trigger forbid on ddl_command_start execute function public.forbid()"
    )
    done = guest.run(*NIGHTLY)
    assert done.returncode == 4
    assert_in_one_line(done)
    assert done.stderr.count("no changes today") == 1, done.stderr
    assert " more: no changes today" in done.stderr, done.stderr


def test_a_name_with_a_double_quote_is_refused(guest: Database, project: Path) -> None:
    settings = project / "dbt_project.yml"
    plain = settings.read_text()
    things = guest.rows(THINGS)
    for name, value in (
        ("orders_schema", "commerce"),
        ("bookings_locations_table", "locations"),
    ):
        assert f"{name}: {value}\n" in plain
        settings.write_text(plain.replace(f"{name}: {value}\n", f"{name}: 'com\"merce'\n"))
        for arguments in (NIGHTLY, ("flows", "capture", "install")):
            done = guest.run(*arguments, project=project)
            assert_in_one_line(done)
            assert done.returncode == 2, done.stdout + done.stderr
            assert f'setting {name} is com"merce, must be a name' in done.stderr
    assert guest.rows(THINGS) == things


def test_days_that_nobody_can_collect_again_are_said_to_be_gone_and_roles_are_back(
    refreshed: Database,
) -> None:
    refreshed.execute("drop schema analytics cascade")
    later = "2026-06-17T12:00:00+00:00"
    done = assert_done(
        refreshed, "flows", "refresh", "--mode", "hourly", "--as-of", later, "--no-write-back"
    )
    assert "recomputes everything: analytics." in done.stdout
    [line] = [line for line in done.stdout.splitlines() if "nobody can collect" in line]
    assert "analytics.tenant_usage_metrics_daily" in line
    assert "analytics.account_health_scores" in line
    assert "before 2026-06-17" in line
    lost = "select payload -> 'days_lost' from operations.application_logs"
    assert "analytics.tenant_health_scores" in str(
        refreshed.value(f"{lost} order by log_id desc limit 1")
    )
    assert_secured(refreshed)
    # which role is which tenant's goes with operations, and is said
    refreshed.execute("drop schema operations cascade")
    for command_line in COMMANDS:
        assert_in_one_line(refreshed.run("flows", *command_line))
    refreshed.execute("drop schema operations cascade")
    done = assert_done(
        refreshed, "flows", "refresh", "--mode", "hourly", "--as-of", later, "--no-write-back"
    )
    assert "which role is which tenant's is lost" in done.stdout
    assert "nobody can collect" not in done.stdout
    assert_done(refreshed, "flows", "roles", "install")
    assert_secured(refreshed)


def assert_secured(database: Database) -> None:
    """Assert that all is the refresher's, and a tenant sees its own rows only."""
    assert (
        database.rows(
            "select nspname from pg_namespace where nspname ~ '^(analytics|operations)'"
            " and nspowner != 'customer_health_refresher'::regrole"
        )
        == []
    )
    assert (
        database.rows(
            "select relname from pg_class where relnamespace::regnamespace::text"
            " ~ '^(analytics|operations)' and relkind in ('r', 'v')"
            " and relowner != 'customer_health_refresher'::regrole"
        )
        == []
    )
    assert database.rows("select * from operations.missing_rights") == []
    role = database.value(
        "select role_name from operations.tenant_roles where system = 'orders' limit 1"
    )
    with database.connect() as connection:
        connection.execute(f"set role {role}".encode())
        assert len(connection.execute("select * from analytics.tenants").fetchall()) == 1


def test_a_login_that_may_make_no_schema_is_told_who_may(refreshed: Database) -> None:
    refreshed.execute(
        "create role guest_login login in role customer_health_refresher,"
        " customer_health_write_back; drop schema analytics cascade"
    )
    try:
        done = refreshed.as_user("guest_login").run(*NIGHTLY)
        assert done.returncode == 4, done.stdout + done.stderr
        assert_in_one_line(done)
        assert "create schema analytics authorization customer_health_refresher" in done.stderr
    finally:
        refreshed.execute("drop role guest_login")


@pytest.mark.slow
def test_roles_leave_alone_what_others_have_beside_the_marts(refreshed: Database) -> None:
    refreshed.execute(
        "create table analytics.their_list (organization_id int);"
        "create table operations.their_list (id int);"
        "create function operations.capture_lunch() returns trigger language plpgsql"
        " as 'begin return null; end';"
        "create trigger lunch after insert on commerce.orders for each statement"
        " execute function operations.capture_lunch()"
    )
    assert_done(refreshed, "flows", "roles", "install")
    assert_done(refreshed, "flows", "capture", "install")
    assert_done(refreshed, "flows", "capture", "remove")
    assert (
        refreshed.rows(
            "select relowner::regrole::text as owner, relacl, relrowsecurity from pg_class"
            " where relname = 'their_list'"
        )
        == [{"owner": "postgres", "relacl": None, "relrowsecurity": False}] * 2
    )
    assert (
        refreshed.value(
            "select proowner::regrole::text from pg_proc where proname = 'capture_lunch'"
        )
        == "postgres"
    )
    assert refreshed.value("select count(*) from pg_trigger where tgname = 'lunch'") == 1
    refreshed.execute(
        "create trigger customer_health_insert after insert on commerce.orders"
        " for each statement execute function operations.capture_lunch();"
        "create trigger customer_health_hook after insert on commerce.orders"
        " for each statement execute function operations.capture_lunch()"
    )
    for what in ("capture", "hook"):
        done = refreshed.run("flows", what, "install")
        assert done.returncode == 2, done.stdout + done.stderr
        assert "on commerce.orders is not ours" in done.stderr
