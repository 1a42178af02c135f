"""A guest in somebody else's database: foreign objects stay, ours are created again."""

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

# all independent objects in our schemas, with or without the mark
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


@pytest.fixture(scope="module")
def small_template(server: Database) -> Database:
    """The smallest business after its first nightly refresh, as a template."""
    database = new_database(server, "usual")
    load_two_customers(database)
    assert_done(database, *NIGHTLY)
    return database.as_template()


@pytest.fixture
def guest(small_template: Database) -> Iterator[Database]:
    """The smallest business after its first nightly refresh."""
    database = small_template.copy("usual")
    yield database
    database.drop()


def assert_done(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = database.run(*arguments)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done


def unmarked(database: Database) -> list[object]:
    return [row["name"] for row in database.rows(THINGS) if not row["is_ours"]]


def assert_in_one_line(done: subprocess.CompletedProcess[str]) -> None:
    assert "Traceback" not in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) <= 1, done.stderr


def test_foreign_objects_with_our_names_are_refused_first(small: Database) -> None:
    small.execute(
        "create schema analytics; create schema operations; create schema analytics_internal;"
        "create table analytics.customer_rfm (customer_id int primary key, segment text);"
        "insert into analytics.customer_rfm values (1, 'a'), (2, 'b');"
        "create view analytics.their_segments as select segment from analytics.customer_rfm;"
        "create table analytics.tenants (id int);"
        # the names of an index, of a temporary table, of a row type, of a seed and of a hook
        "create sequence analytics.sales_reps__key;"
        "create table analytics_internal.int_orders__dbt_tmp (id int);"
        "create type analytics.booking_locations as enum ('here', 'there');"
        "create materialized view analytics.rfm_groups as select 1 as one;"
        "create function operations.after_order_created() returns int language sql"
        " as 'select 1'"
    )
    things = small.rows(THINGS)
    done = small.run(*NIGHTLY)
    assert done.returncode == 2, done.stdout + done.stderr
    assert_in_one_line(done)
    named = done.stderr.partition(" are not ours: ")[0].removeprefix("error: ").split(", ")
    assert sorted(named) == [
        "analytics.booking_locations",
        "analytics.customer_rfm",
        "analytics.rfm_groups",
        "analytics.sales_reps__key",
        "analytics.tenants",
        "analytics_internal.int_orders__dbt_tmp",
        "operations.after_order_created()",
    ]
    ours = {f"operations.{name}" for made in MADE.values() for name in [*made, REGISTER]}
    assert [thing for thing in small.rows(THINGS) if thing["name"] not in ours] == things
    assert small.value("select count(*) from analytics.their_segments") == 2


def test_the_commands_leave_alone_what_others_have_in_operations(small: Database) -> None:
    small.execute(
        "create schema operations;"
        "create table operations.application_logs (id int);"
        "create view operations.job_status as select 1 as one;"
        "create table operations.alert_outbox (id int);"
        "create table operations.changed_keys (id int);"
        "create function operations.write_batch(int) returns int language sql as 'select 1'"
    )
    things = small.rows(THINGS)
    for command_line in (
        NIGHTLY,
        ("flows", "status"),
        ("flows", "write-back"),
        ("flows", "alerts"),
        ("flows", "capture", "install"),
        ("flows", "rollback", "1"),
    ):
        done = small.run(*command_line)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(
            "error: operations.alert_outbox, operations.application_logs,"
            " operations.changed_keys, operations.job_status, operations.write_batch are"
        )
        assert_in_one_line(done)
    assert small.rows(THINGS) == things
    small.execute(
        "drop schema operations cascade; create schema operations;"
        "create table operations.installed_scripts (id int)"
    )
    done = small.run("flows", "status")
    assert (done.returncode, done.stderr.split(" is ")[0]) == (
        2,
        "error: operations.installed_scripts",
    )


@pytest.mark.slow
def test_every_command_works_where_all_tables_are_published(small: Database) -> None:
    assert_done(small, *NIGHTLY)
    # an earlier version gave none of them an identity
    for table in small.rows(
        "update pg_class set relreplident = 'd' where relnamespace::regnamespace::text"
        " ~ '^(analytics|operations)' and relkind = 'r' and relreplident != 'd'"
        " returning oid::regclass::text as name"
    ):
        assert table["name"] != "analytics_internal.int_orders"
    small.execute(EVERYWHERE)
    small.execute("create publication ours for tables in schema analytics, operations")
    assert_done(small, *NIGHTLY)
    for command_line in (
        ("capture", "install"),
        ("hook", "install"),
        ("roles", "install"),
        ("api-tokens", "create", "screen", "--role", "customer_health_analyst"),
        ("alerts",),
    ):
        assert_done(small, "flows", *command_line)
    small.execute("update commerce.orders set total_amount = 90")
    small.execute("delete from commerce.orders where delivered_at > '2026-05-20'")
    small.execute(f"update commerce.customers set risk_status = null where id = '{ONE}'")
    assert_done(small, *NIGHTLY)
    batch = small.value("select max(batch_id) from operations.write_back_batches")
    small.execute("delete from commerce.orders where delivered_at > '2026-05-10'")
    assert_done(small, *HOURLY, "--no-write-back")
    assert_done(small, "flows", "write-back", "--force")
    assert_done(small, "flows", "rollback", str(batch))
    for command_line in (("hook", "remove"), ("capture", "remove"), ("roles", "remove")):
        assert_done(small, "flows", *command_line)
    assert unmarked(small) == []
    made = {(REGISTER, "table")} | {
        item
        for script, made in MADE.items()
        for item in made.items()
        if script != "row_security.sql"
    }
    kinds = {"r": "table", "v": "view"}
    dbt = {"after_order_created", "after_orders_created"}
    models = {file.stem for file in (PROJECT / "models").rglob("*.sql")}
    found = {
        (str(row["name"]).removeprefix("operations."), kinds.get(str(row["kind"])))
        for row in small.rows(THINGS)
        if str(row["name"]).startswith("operations.")
    }
    routines = {name for name, kind in made if kind in ("function", "procedure")}
    assert {name for name, kind in found if kind is None} - dbt == routines
    assert {item for item in found if item[1] and item[0] not in models} == {
        item for item in made if item[1] in ("table", "view")
    }
    indexes = small.rows(
        "select relname from pg_class inner join pg_index on pg_class.oid = indexrelid"
        " where relnamespace = 'operations'::regnamespace and not indisprimary"
        " and relname !~ '_key$' and indrelid != all(%s::text[]::regclass[])",
        [f"operations.{name}" for name, kind in found if kind == "table" and name in models],
    )
    assert {row["relname"] for row in indexes} == {
        name for name, kind in made if kind == "index"
    }


@pytest.mark.slow
def test_what_others_have_built_on_ours_survives_every_refresh(guest: Database) -> None:
    guest.execute(
        "create schema reports;"
        "create view reports.orders as select * from analytics_internal.int_orders;"
        "create view reports.due as select * from analytics.due_to_order;"
        "create view reports.groups as select * from analytics.rfm_groups;"
        "create materialized view reports.marts as select * from analytics.tenants"
    )
    things = guest.rows(
        "select oid, relname from pg_class where relnamespace::regnamespace"
        "::text = 'reports' order by 1"
    )
    for mode in (NIGHTLY, HOURLY):
        assert_done(guest, *mode)
        assert guest.value("select count(*) from reports.orders") == guest.value(
            "select count(*) from analytics_internal.int_orders"
        )
    done = command(
        guest.environment,
        "build",
        "--full-refresh",
        "--quiet",
        "--exclude-resource-type",
        "test",
        "unit_test",
    )
    # a view on a seed cannot stay if dbt creates the seed again
    assert "reports.groups" in done.stdout, done.stdout
    assert done.stdout.count("drop them first") == 1, done.stdout
    guest.execute("drop view reports.groups")
    # a view that gets other columns
    guest.execute(
        "create or replace view analytics.due_to_order as"
        " select *, 1 as one from analytics.due_to_order"
    )
    done = command(guest.environment, "run", "--full-refresh", "--quiet")
    assert "view reports.due depends on view analytics.due_to_order" in done.stdout
    assert guest.rows(
        "select oid, relname from pg_class where relnamespace::regnamespace"
        "::text = 'reports' order by 1"
    ) == [thing for thing in things if thing["relname"] != "groups"]


@pytest.mark.slow
def test_a_mart_that_was_put_aside_is_made_again_with_all_its_indexes(guest: Database) -> None:
    indexes = (
        "select indexdef from pg_indexes where schemaname = 'analytics'"
        " and tablename in ('sales_reps', 'customer_risk_status') order by tablename, indexdef"
    )
    before = len(guest.rows(indexes))
    guest.execute(
        # for subscribers, the key identifies a row
        "create publication reps for table analytics.sales_reps;"
        "alter table analytics.sales_reps rename to sales_reps_old;"
        "alter table analytics.customer_risk_status rename to risk_status_old;"
        # with foreign tables that have names of ours
        "alter index analytics.customer_account_types__key rename to theirs;"
        "drop index analytics.customer_account_types__valid_until;"
        "create index customer_account_types__valid_until"
        " on analytics.sales_reps_old (tenant_id)"
    )
    assert_done(guest, *HOURLY)
    assert_done(guest, *NIGHTLY)
    assert_done(guest, *HOURLY)
    assert len(guest.rows(indexes)) == before
    types = "select indexdef from pg_indexes where tablename = 'customer_account_types'"
    definitions = sorted(
        str(row["indexdef"]).partition(" USING ")[2] for row in guest.rows(types)
    )
    assert definitions == [
        "btree (tenant_id, account_type)",
        "btree (tenant_id, customer_id)",
        "btree (valid_until)",
    ]
    assert guest.value("select count(*) from analytics.sales_reps_old") == guest.value(
        "select count(*) from analytics.sales_reps"
    )
    assert unmarked(guest) == []


def test_no_mark_is_given_where_no_refresh_of_ours_ran(small: Database) -> None:
    small.execute(
        "create schema operations; create table operations.installed_scripts"
        " (script text, version text); create view operations.job_status as select 1 as one;"
        "insert into operations.installed_scripts values ('theirs', '1')"
    )
    done = small.run("flows", "status")
    assert done.returncode == 2
    assert "operations.installed_scripts, operations.job_status are not ours" in done.stderr
    assert set(unmarked(small)) == {"operations.installed_scripts", "operations.job_status"}


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


@pytest.mark.slow
@pytest.mark.parametrize("what", sorted(GONE))
def test_the_next_refresh_recreates_missing_objects(guest: Database, what: str) -> None:
    expected = sorted(row["name"] for row in guest.rows(THINGS))
    assert_done(guest, "flows", "capture", "install")
    assert_done(guest, *HOURLY)
    guest.execute(GONE[what])
    for command_line in COMMANDS:
        assert_in_one_line(guest.run("flows", *command_line))
    # some commands have created the objects that they need
    again = GONE[what]
    for kind in ("schema", "table", "view", "function"):
        again = again.replace(f"drop {kind}", f"drop {kind} if exists")
    guest.execute(again)
    done = assert_done(guest, *HOURLY)
    assert ("recomputes everything: " in done.stdout) == (what != "failures"), done.stdout
    found = {row["name"] for row in guest.rows(THINGS)}
    # tables with the rows of failed tests are created by the next failing test, and what
    # deletes old rows by the next nightly refresh
    later = {"operations.forget_old_rows"}
    assert {name for name in expected if "_failures." not in name} - later <= found
    assert unmarked(guest) == []
    done = assert_done(guest, *HOURLY)
    assert "recomputes everything" not in done.stdout


@pytest.mark.slow
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
    # drops the trigger, too
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


@pytest.mark.slow
def test_views_of_ours_are_known_by_their_mark_wherever_they_are(guest: Database) -> None:
    guest.execute(
        "alter schema analytics_internal rename to internal_2025;"
        "alter view operations.order_statistics rename to statistics_2025;"
        "create schema reports; create view reports.own as select id from commerce.orders"
    )
    migration = "alter table commerce.orders alter column total_amount type numeric(20, 4)"
    with pytest.raises(Exception, match="used by a view"):
        guest.execute(migration)
    done = assert_done(guest, "flows", "detach")
    assert "views on the application's tables" in done.stdout
    guest.execute(migration)
    assert guest.value("select count(*) from pg_views where schemaname = 'reports'") == 1
    assert_done(guest, *NIGHTLY)
    done = assert_done(guest, "flows", "detach")
    assert_done(guest, *HOURLY)
    assert "detached" not in assert_done(guest, *HOURLY).stdout


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_name_with_a_double_quote_is_refused(small: Database, project: Path) -> None:
    settings = project / "dbt_project.yml"
    plain = settings.read_text()
    # one loop checks all names
    for name, value, arguments in (
        ("orders_schema", "commerce", NIGHTLY),
        ("bookings_locations_table", "locations", ("flows", "capture", "install")),
    ):
        assert f"{name}: {value}\n" in plain
        settings.write_text(plain.replace(f"{name}: {value}\n", f"{name}: 'com\"merce'\n"))
        done = small.run(*arguments, project=project)
        assert_in_one_line(done)
        assert done.returncode == 2, done.stdout + done.stderr
        assert f'setting {name} is com"merce, must be a name' in done.stderr
    built = "select count(*) from pg_class where relnamespace::regnamespace::text ~ %s"
    assert small.value(built, "^analytics") == 0


@pytest.mark.slow
def test_days_that_nobody_can_collect_again_are_said_to_be_gone_and_roles_are_back(
    refreshed: Database,
) -> None:
    refreshed.execute("drop schema analytics cascade")
    later = "2026-06-17T12:00:00+00:00"
    done = assert_done(
        refreshed, "flows", "refresh", "--mode", "hourly", "--as-of", later, "--no-write-back"
    )
    assert "recomputes everything: analytics." in done.stdout
    [line] = [line for line in done.stdout.splitlines() if "cannot be collected again" in line]
    assert "analytics.tenant_usage_metrics_daily" in line
    assert "analytics.account_health_scores" in line
    assert "before 2026-06-17" in line
    lost = "select payload -> 'days_lost' from operations.application_logs"
    assert "analytics.tenant_health_scores" in str(
        refreshed.value(f"{lost} order by log_id desc limit 1")
    )
    assert_secured(refreshed)
    # which role belongs to which tenant is lost with operations, and the command says so
    refreshed.execute("drop schema operations cascade")
    for command_line in COMMANDS:
        assert_in_one_line(refreshed.run("flows", *command_line))
    refreshed.execute("drop schema operations cascade")
    done = assert_done(
        refreshed, "flows", "refresh", "--mode", "hourly", "--as-of", later, "--no-write-back"
    )
    assert "the map of tenants to roles is lost" in done.stdout
    assert "cannot be collected again" not in done.stdout
    assert_done(refreshed, "flows", "roles", "install")
    assert_secured(refreshed)


def assert_secured(database: Database) -> None:
    """Assert that the refresher owns everything, and that a tenant sees only its own rows."""
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


def test_every_table_that_may_be_published_says_which_row_was_deleted(
    refreshed_template: Database,
) -> None:
    """Without a key, a publication for all tables makes each delete fail."""
    found = refreshed_template.rows(
        "select oid::regclass::text as name from pg_class"
        " where relkind = 'r' and relpersistence = 'p' and relreplident = 'd'"
        " and starts_with(obj_description(oid, 'pg_class'), 'customer_health: ')"
        " and not exists (select from pg_index where indrelid = pg_class.oid and indisprimary)"
        # forget_old_rows makes the whole row theirs
        " and right(relname::text, 13) != '_publications'"
    )
    assert found == []
