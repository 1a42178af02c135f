"""Whatever is wrong with the input: one clear line, an exit code, and nothing half done."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT, UNTIL, USUAL, Database, new_database, switch_off

from flows.dbt import PROGRAM, Run, _broken, _reason, command
from flows.progress import count_of
from flows.refresh import _take_back


def refused(
    database: Database,
    *arguments: str,
    project: Path = PROJECT,
    environment: dict[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command that must fail; return its exit code and its only line of error."""
    done = database.run("flows", *arguments, project=project, environment=environment)
    assert done.returncode, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    [line] = done.stderr.splitlines()
    return done.returncode, line


NIGHTLY = ("refresh", "--mode", "nightly", "--as-of", UNTIL)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "COMMAND"),
        (("reload",), "invalid choice: 'reload'"),
        (("refresh",), "--mode"),
        (("refresh", "--mode", "weekly"), "invalid choice: 'weekly'"),
        (
            ("refresh", "--mode", "nightly", "--as-of", "yesterday"),
            "'yesterday' is not a timestamp with an offset",
        ),
        (
            ("refresh", "--mode", "nightly", "--as-of", "2026-02-30"),
            "'2026-02-30' is not a timestamp with an offset",
        ),
        (("refresh", "--mode", "nightly", "--as-of", "2026-01-01"), "offset"),
        (
            ("refresh", "--mode", "nightly", "--as-of", "infinity"),
            "'infinity' is not a timestamp with an offset",
        ),
        (
            ("refresh", "--mode", "nightly", "--as-of", "0001-01-01T00:00Z"),
            "1970 to 2200",
        ),
        (
            ("refresh", "--mode", "nightly", "--tenant", "nobody"),
            "harbor-foods, kiwi-produce",
        ),
        (("write-back", "--tenant", "nobody"), "harbor-foods, kiwi-produce"),
        # a variable of a script that has no value
        (("refresh", "--organization", ""), "--organization is empty"),
        (("refresh", "--mode", "nightly", "--as-of", ""), "--as-of: '' is not a timestamp"),
        (("refresh", "--mode", "nightly", "--run-id", ""), "--run-id: '' "),
        (
            ("write-back", "--dry-run", "--tenant", "nobody"),
            "harbor-foods, kiwi-produce",
        ),
    ],
)
def test_wrong_arguments_end_with_2(
    refreshed_template: Database, arguments: tuple[str, ...], error: str
) -> None:
    code, line = refused(refreshed_template, *arguments)
    assert code == 2
    assert error in line


def test_a_run_has_an_id_of_its_own(refreshed: Database) -> None:
    run = refreshed.value("select logid from operations.application_logs")
    assert refused(refreshed, "refresh", "--mode", "hourly", "--run-id", str(run)) == (
        2,
        f"error: --run-id: {run} is in the run log already",
    )


def test_a_refused_first_refresh_leaves_what_triggers_call(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `capture install` does not wait for a refresh
    empty.execute(
        "create schema operations; create table public.orders (id integer);"
        " create function operations.capture_it() returns trigger language plpgsql"
        " as 'begin return null; end';"
        " create trigger capture_it after insert on public.orders"
        " for each statement execute function operations.capture_it()"
    )
    for name, value in empty.environment.items():
        monkeypatch.setenv(name, value)
    is_there = "select to_regproc('operations.capture_it') is not null"
    _take_back()
    assert empty.value(is_there)
    empty.execute("drop table public.orders")
    _take_back()
    assert not empty.value(is_there)


@pytest.mark.slow
def test_what_is_wrong_is_refused_before_the_first_run_makes_anything(
    small: Database, project: Path
) -> None:
    code, line = refused(small, *NIGHTLY, "--tenant", "nobody")
    assert code == 2
    assert line == "error: --tenant: no active tenant has the slug 'nobody'; there are: acme"
    # a system that is off has no tenants
    switch_off(project, "orders_enabled")
    code, line = refused(small, *NIGHTLY, "--tenant", "acme", project=project)
    assert (code, line) == (
        2,
        "error: --tenant: no active tenant has the slug 'acme'; there are: none",
    )
    (project / "dbt_project.yml").write_text(
        (project / "dbt_project.yml").read_text().replace("\nvars:", "\nvars:\n  dormnt: 1")
    )
    code, line = refused(small, *NIGHTLY, project=project)
    assert code == 2
    assert "setting dormnt of dbt_project.yml is unknown" in line
    file = project / "dbt_project.yml"
    file.write_text(
        file.read_text()
        .replace("  dormnt: 1\n", "")
        .replace("due_soon_days: 7", "due_soon_days: -7")
    )
    code, line = refused(small, *NIGHTLY, project=project)
    assert (code, line) == (
        2,
        "error: setting due_soon_days is -7, must be a whole number from 0",
    )
    assert small.value("select to_regnamespace('operations') is null") is True


def test_a_source_that_does_not_fit_ends_with_4_and_all_that_does_not(
    small: Database,
) -> None:
    small.execute(
        """
        alter table commerce.orders alter column ordered_at type text;
        alter table commerce.customers alter column name type integer using 1;
        alter table commerce.sales_reps alter column name type uuid using id;
        alter table booking.payments drop column amount_cents;
        drop table platform.cases cascade;
        """
    )
    code, line = refused(small, *NIGHTLY)
    assert code == 4
    for error in (
        "stg_orders__orders: column ordered_at is TEXT, must be DATETIMETZ",
        "stg_orders__customers: column customer_name is INTEGER, must be TEXT",
        "stg_orders__sales_reps: column sales_rep_name is UUID, must be TEXT",
        'input_bookings__payments: column "amount_cents" does not exist',
        'input_usage__cases: relation "platform.cases" does not exist',
    ):
        assert error in line


def test_a_missing_permission_ends_with_4(refreshed: Database) -> None:
    refreshed.execute(
        "create role a_guest login; grant create on database"
        f" {refreshed.environment['PGDATABASE']} to a_guest"
    )
    try:
        as_guest = Database({**refreshed.environment, "PGUSER": "a_guest"})
        code, line = refused(as_guest, *NIGHTLY)
        assert code == 4
        assert "permission denied" in line
    finally:
        refreshed.execute("drop owned by a_guest; drop role a_guest")


@pytest.mark.parametrize("command", [NIGHTLY, ("write-back",), ("status",)])
def test_a_database_that_is_down_ends_with_4(
    server: Database, command: tuple[str, ...], tmp_path: Path
) -> None:
    code, line = refused(server, *command, environment={"PGHOST": str(tmp_path)})
    assert code == 4
    assert line.startswith("error: database: ")
    assert str(tmp_path) in line


@pytest.mark.slow
def test_absurd_thresholds_end_with_2_before_anything_is_built(
    refreshed: Database, project: Path
) -> None:
    seed = project / "seeds" / "risk_thresholds.csv"
    header = seed.read_text().splitlines()[0]
    cases = {
        "zero": ("0,1,15,5,3,10,2,45,180,365,30,30,90", {"dormant_days", "grace_days"}),
        "negative": ("45,-1,15,5,3,10,2,45,180,365,30,30,90", {"grace_days"}),
        "equal": ("45,1,15,5,3,10,2,45,365,365,30,30,90", {"active_days"}),
        "no_gap": ("45,1,15,1,3,10,2,45,180,365,30,30,90", {"cadence_orders"}),
        "too_few": ("45,1,15,5,3,10,11,45,180,365,30,30,90", {"min_baseline_orders"}),
        "all_of_it": (
            "45,1,100.01,5,3,10,2,45,180,365,30,30,90",
            {"revenue_decline_pct"},
        ),
        "endless": ("45,1,15,5,3,10,2,45,180,3651,30,30,90", {"target_days"}),
        "in_order": (",2,100,2,,,,,,,,,", set()),
        "default": ("45,1,15,5,,10,2,45,180,365,30,30,90", {"recent_orders"}),
    }
    lines = [f"{slug},{cells}" for slug, (cells, _) in cases.items()]
    seed.write_text("\n".join([header, *lines]) + "\n")
    before = refreshed.rows("select * from analytics.customer_risk_status")
    code, line = refused(refreshed, *NIGHTLY, project=project)
    assert code == 2
    assert "thresholds_are_sane: " in line
    assert "must be" in line
    found = refreshed.rows(
        "select tenant_slug, setting from analytics_internal_failures.thresholds_are_sane"
    )
    # without a default row, tenants that leave the cell empty have no value either
    assert {(row["tenant_slug"], row["setting"]) for row in found} - {
        ("in_order", "recent_orders")
    } == {(slug, setting) for slug, (_, settings) in cases.items() for setting in settings}
    # a new logged table would stop a subscriber of all tables
    assert refreshed.value(
        "select relpersistence::text from pg_class where relname = 'thresholds_are_sane'"
    ) == "u"  # fmt: skip
    assert refreshed.rows("select * from analytics.customer_risk_status") == before
    # once the thresholds are right again, no message remains
    done = command(refreshed.environment, "build", "--select", "+thresholds_are_sane")
    assert done.returncode == 0, done.stdout
    kept = "to_regclass('analytics_internal_failures.thresholds_are_sane')"
    assert refreshed.value(f"select {kept}") is None


@pytest.mark.slow
def test_thresholds_without_a_default_end_with_2(refreshed: Database, project: Path) -> None:
    seed = project / "seeds" / "risk_thresholds.csv"
    seed.write_text(seed.read_text().replace("default", "north-dairy"))
    code, line = refused(refreshed, *NIGHTLY, project=project)
    assert code == 2
    assert "there must be a row default" in line


def test_absurd_settings_end_with_2(refreshed: Database, project: Path) -> None:
    absurd = {
        "due_soon_days": ("7 days", "must be a whole number from 0"),
        "urgent_after_days": ("-1", "must be a whole number from 1"),
        "source_stale_after_hours": ("0", "must be a whole number from 1"),
        "unreliable_no_shows": ("1.5", "must be a whole number from 1"),
        "unreliable_no_show_rate": ("20", "must be a rate over 0, up to 1"),
        "watch_cancellation_rate": ("0", "must be a rate over 0, up to 1"),
        "irregular_visits_cv": ("-0.5", "must be a number over 0"),
        "rfm_min_visitors": ("1", "must be a whole number from 2"),
        "orders_enabled": ("maybe", "must be true or false"),
        "bookings_enabled": ("maybe", "must be true or false"),
        "usage_enabled": ("maybe", "must be true or false"),
        "accounts_enabled": ("maybe", "must be true or false"),
        "backfill_days": ("-1", "must be a whole number from 0"),
        "account_usage_days": ("0", "must be a whole number from 1"),
        "weekly_message_hour": ("24", "must be at most 23"),
        "hold_out_rate": ("0.6", "must be a rate from 0 to 0.5"),
        "hold_out_from": ("soon", 'must be a day such as "2026-07-01"'),
        "refresh_scope": ("some", "must be all or changed"),
        "protected_account_types": ("HOLD", "must be a list of words"),
        "competitor_terms": ("['Rival', ' ']", "must be a list of words"),
        "earliest_timestamp": ("-5", 'must be an instant such as "1970-01-01 00:00:00+00"'),
        "latest_timestamp": ("2201", 'must be an instant such as "1970-01-01 00:00:00+00"'),
    }
    file = project / "dbt_project.yml"
    lines = file.read_text().splitlines()
    for number, line in enumerate(lines):
        name = line.strip().partition(":")[0]
        if name in absurd:
            lines[number] = f"  {name}: {absurd[name][0]}"
    file.write_text("\n".join(lines))
    code, error = refused(refreshed, *NIGHTLY, project=project)
    assert code == 2
    for name, (value, allowed) in absurd.items():
        assert f"setting {name} is {value}, {allowed}" in error


@pytest.mark.slow
def test_what_is_news_must_be_kept(refreshed: Database, project: Path) -> None:
    file = project / "dbt_project.yml"
    text = file.read_text()
    assert "\n  operations_keep_days: 400\n" in text
    file.write_text(text.replace("operations_keep_days: 400", "operations_keep_days: 7"))
    assert refused(refreshed, *NIGHTLY, project=project) == (
        2,
        "error: setting operations_keep_days is 7, must be over message_news_days",
    )


def test_a_project_file_that_says_nothing_is_one_line(empty: Database, tmp_path: Path) -> None:
    file = tmp_path / "dbt_project.yml"
    environment = {"PYTHONPATH": str(PROJECT)}
    for text, said in {
        "": "is empty: `customer-health init` creates a valid one",
        "# customer_health\n- a list\n": "does not contain keys and values",
        "vars: [customer_health]\n": "vars must contain names and values of settings",
    }.items():
        file.write_text(text)
        code, line = refused(empty, *NIGHTLY, project=tmp_path, environment=environment)
        assert code == 2
        assert line.startswith(f"error: {file}")
        assert said in line


YAML_FAULT = """Parsing Error
  Error reading mine: orders/inputs/_orders__sources.yml - Runtime Error
    Syntax error near line 28
    ------------------------------
    25 |                 joins: "join public.orders"
    28 |        description: "One row per order, whatever its status."

    Raw Error:
    ------------------------------
    while parsing a block collection
      in "<unicode string>", line 10, column 7
    did not find expected '-' indicator
      in "<unicode string>", line 28, column 8"""
OF_ORDERS = "model input_orders__orders (models/orders/inputs/input_orders__orders.sql)"


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            YAML_FAULT,
            (
                "models/orders/inputs/_orders__sources.yml, line 28: did not find expected '-'"
                " indicator"
            ),
        ),
        (
            (
                "Parsing Error\n  Invalid sources config given in models/orders/inputs/_s.yml"
                " @ sources: {'name': 'mine', 'tables': [{'nme': 'shops - at path x'}]} - at"
                " path ['tables'][0]: 'name' is a required property"
            ),
            (
                "models/orders/inputs/_s.yml: sources: at path ['tables'][0]: 'name' is a"
                " required property"
            ),
        ),
        (
            (
                f"Compilation Error in {OF_ORDERS}\n  Missing end of comment tag\n    line 3\n"
                "      {# -- orders"
            ),
            (
                "models/orders/inputs/input_orders__orders.sql, line 3: Missing end of comment"
                " tag"
            ),
        ),
        (
            f"Runtime Error\n  Compilation Error in {OF_ORDERS}\n    'nothing' is undefined.",
            "models/orders/inputs/input_orders__orders.sql: 'nothing' is undefined.",
        ),
        (
            (
                'Compilation Error\n  dbt found two sources with the name "a_b".\n  \n  To fix'
                " this, change the name of one:\n  - source.a (models/a.yml)\n"
                "  - source.b (models/b.yml)"
            ),
            'dbt found two sources with the name "a_b". (models/a.yml, models/b.yml)',
        ),
        (
            (
                "Runtime Error\n  at path []: Additional properties are not allowed ('modelz'"
                " was unexpected)"
            ),
            (
                "dbt_project.yml: at path []: Additional properties are not allowed ('modelz'"
                " was unexpected)"
            ),
        ),
        ("Internal Error\n  expected dict, got 7", "expected dict, got 7"),
        # ours, which names what is wrong by itself
        (
            (
                "Compilation Error in operation customer_health-on-run-start-1"
                " (./dbt_project.yml)\n  setting x is 1, must be true or false\n  \n  > in"
                " macro check_settings (macros/settings/check_settings.sql)"
            ),
            "setting x is 1, must be true or false",
        ),
        (
            (
                "Compilation Error\n  Model 'model.a' (models/a.sql) depends on a source named"
                " 'a.b' which was not found"
            ),
            (
                "Model 'model.a' (models/a.sql) depends on a source named 'a.b' which was not"
                " found"
            ),
        ),
        ("", "no reason given"),
    ],
)
def test_what_dbt_finds_in_a_file_is_one_line_with_the_file(message: str, line: str) -> None:
    failure = Run(error=message).failure() if message else _broken(_reason(message))
    assert str(failure) == line


@pytest.mark.slow
def test_a_file_of_the_user_that_dbt_cannot_read_is_named(
    empty: Database, project: Path
) -> None:
    inputs = "models/orders/inputs"
    yml = project / inputs / "_orders__sources.yml"
    good = yml.read_text()
    yml.write_text(good.replace("    tables:", "   tables:", 1))
    code, line = refused(empty, "check", project=project)
    assert code == 2
    assert line.startswith(f"error: {inputs}/_orders__sources.yml, line ")
    yml.write_text(good)
    model = project / inputs / "input_orders__orders.sql"
    model.write_text("{# a comment without an end\n" + model.read_text())
    assert refused(empty, "check", project=project) == (
        2,
        f"error: {inputs}/input_orders__orders.sql, line 1: Missing end of comment tag",
    )


@pytest.mark.parametrize(
    ("name", "misspelt"),
    [("orders_schema", "comerce_schema"), ("orders_tenant_id_type", "orders_id_type")],
)
def test_a_misspelt_setting_ends_with_2(
    empty: Database, project: Path, name: str, misspelt: str
) -> None:
    file = project / "dbt_project.yml"
    file.write_text(file.read_text().replace(f"  {name}: ", f"  {misspelt}: "))
    code, error = refused(empty, *NIGHTLY, project=project)
    assert code == 2
    assert f"setting {misspelt} of dbt_project.yml is unknown" in error


# tables without keys and constraints, with every fault that a row can have
BAD_ORDERS = """
drop schema commerce cascade;
create schema commerce;
create table commerce.tenants (id uuid, slug text, name text, time_zone text,
    is_active boolean, updated_at timestamptz);
create table commerce.sales_reps (id uuid, tenant_id uuid, name text, email text,
    is_active boolean, updated_at timestamptz);
create table commerce.customers (id uuid, tenant_id uuid, sales_rep_id uuid,
    name text, email text, is_closed boolean, created_at timestamptz,
    updated_at timestamptz, account_type text, risk_status text,
    last_order_date date, next_expected_order_date date,
    average_order_interval_days integer, dormancy_since date,
    reactivated_date date);
create table commerce.orders (id uuid, tenant_id uuid, customer_id uuid,
    status text, ordered_at timestamptz, delivered_at timestamptz,
    total_amount numeric, currency text, created_at timestamptz,
    updated_at timestamptz);

insert into commerce.tenants values
    (md5('a')::uuid, 'a', 'A', 'UTC', true, '2026-01-01'),
    (md5('b')::uuid, 'b', 'B', 'UTC', true, '2026-01-01'),
    (md5('z')::uuid, 'z', 'Z', 'Mars/Olympus', true, '2026-01-01'),
    (md5('n')::uuid, 'n', 'Neither', 'UTC', null, '2026-01-01');
insert into commerce.customers (id, tenant_id, name, is_closed, created_at)
values
    (md5('1')::uuid, md5('a')::uuid, 'one', false, '2026-01-01'),
    -- the same id, in another tenant
    (md5('1')::uuid, md5('b')::uuid, 'another one', false, '2026-01-01'),
    (md5('2')::uuid, md5('b')::uuid, 'two', false, '2026-01-01'),
    (md5('3')::uuid, md5('c')::uuid, 'of nobody', false, '2026-01-01'),
    (md5('4')::uuid, md5('z')::uuid, 'of nowhere', false, '2026-01-01'),
    (md5('5')::uuid, md5('a')::uuid, 'doubled', false, '2026-01-01'),
    (md5('5')::uuid, md5('a')::uuid, 'doubled', false, '2026-01-02'),
    (null, md5('a')::uuid, 'without key', false, '2026-01-01'),
    (md5('6')::uuid, md5('a')::uuid, 'perhaps closed', null, '2026-01-01');
insert into commerce.orders
select
    md5(name)::uuid, md5(tenant)::uuid, md5(customer)::uuid, status,
    ordered_at::timestamptz, ordered_at::timestamptz, total::numeric, 'USD',
    '2026-01-01', updated_at::timestamptz
from (
    values
    ('good', 'a', '1', 'DELIVERED', '2026-06-01', '10', '2026-06-15'),
    ('good in b', 'b', '1', 'DELIVERED', '2026-05-01', '20', '2026-06-01'),
    ('twice', 'a', '1', 'DELIVERED', '2026-03-01', '30', '2026-03-01'),
    ('twice', 'a', '1', 'DELIVERED', '2026-02-01', '30', '2026-03-02'),
    ('crossed', 'a', '2', 'DELIVERED', '2026-06-02', '10', '2026-06-01'),
    ('of nobody', 'a', '9', 'DELIVERED', '2026-06-02', '10', '2026-06-01'),
    ('infinite', 'a', '1', 'DELIVERED', 'infinity', '10', '2026-06-01'),
    ('year one', 'a', '1', 'DELIVERED', '0001-01-01', '10', '2026-06-01'),
    ('not a number', 'a', '1', 'DELIVERED', '2026-06-03', 'NaN', '2026-06-01'),
    ('endless', 'a', '1', 'DELIVERED', '2026-06-03', 'Infinity', '2026-06-01'),
    ('unknown', 'a', '1', 'SHRUNK', '2026-06-03', '10', '2026-06-01')
) as cases (name, tenant, customer, status, ordered_at, total, updated_at);
insert into commerce.orders (id, tenant_id, status)
values (md5('no customer')::uuid, md5('a')::uuid, 'DELIVERED');
"""
BAD_BOOKINGS = """
drop schema booking cascade;
create schema booking;
create table booking.organizations (id uuid, slug text, name text, time_zone text,
    is_active boolean, updated_at timestamptz);
create table booking.locations (organization_id uuid, id text, name text,
    time_zone text, updated_at timestamptz);
create table booking.customers (organization_id uuid, square_customer_id text,
    given_name text, family_name text, email_address text, phone_number text,
    acquisition_source text, created_at timestamptz, updated_at timestamptz);
create table booking.bookings (organization_id uuid, booking_id text,
    square_customer_id text, location_id text, team_member_id text,
    service_id text, status text, start_at timestamptz, customer_note text,
    seller_note text, created_at timestamptz, updated_at timestamptz);
create table booking.payments (organization_id uuid, payment_id text,
    square_customer_id text, location_id text, booking_id text, status text,
    amount_cents bigint, tip_cents bigint, refunded_cents bigint, currency text,
    created_at timestamptz, updated_at timestamptz);
create table booking.referral_profiles (organization_id uuid,
    square_customer_id text, is_activated boolean, activated_at timestamptz,
    referral_source text, referral_count integer, reward_cents bigint,
    updated_at timestamptz);

insert into booking.organizations values
    (md5('a')::uuid, 'a', 'A', 'UTC', true, '2026-01-01'),
    (md5('idle')::uuid, 'idle', 'Idle', 'UTC', false, '2026-01-01'),
    (md5('z')::uuid, 'z', 'Z', 'Mars/Olympus', true, '2026-01-01');
insert into booking.locations values
    (md5('a')::uuid, 'here', 'Here', null, '2026-01-01'),
    (md5('a')::uuid, 'there', 'There', 'Moon/Sea', '2026-01-01');
insert into booking.customers (organization_id, square_customer_id, given_name)
values
    (md5('a')::uuid, '1', 'Ann'), (md5('a')::uuid, '1', 'Anna'),
    (md5('z')::uuid, '1', 'Zoe'), (md5('a')::uuid, null, 'Nobody');
insert into booking.bookings
    (organization_id, booking_id, square_customer_id, location_id, status, start_at)
values
    (md5('a')::uuid, 'good', '1', 'here', 'ACCEPTED', '2026-06-01'),
    (md5('a')::uuid, 'walk-in', null, 'there', 'ACCEPTED', '2026-06-01'),
    (md5('a')::uuid, 'twice', '1', 'here', 'ACCEPTED', '2026-06-02'),
    (md5('a')::uuid, 'twice', '1', 'here', 'ACCEPTED', '2026-06-02'),
    (md5('a')::uuid, 'nowhere', '1', null, 'ACCEPTED', '2026-06-03'),
    (md5('a')::uuid, 'never', '1', 'here', 'ACCEPTED', null),
    (md5('a')::uuid, 'endless', '1', 'here', 'ACCEPTED', 'infinity'),
    (md5('a')::uuid, 'unknown', '1', 'here', 'MAYBE', '2026-06-03'),
    (md5('z')::uuid, 'good', '1', 'here', 'ACCEPTED', '2026-06-01'),
    (null, 'of nobody', '1', 'here', 'ACCEPTED', '2026-06-01');
insert into booking.payments
    (organization_id, payment_id, square_customer_id, status, amount_cents,
     created_at)
values
    (md5('a')::uuid, 'good', '1', 'COMPLETED', 100, '2026-06-01'),
    (md5('a')::uuid, 'nothing', '1', 'COMPLETED', null, '2026-06-01'),
    (md5('a')::uuid, 'unknown', '1', 'PROMISED', 100, '2026-06-01'),
    (md5('a')::uuid, 'never', '1', 'COMPLETED', 100, null),
    (md5('a')::uuid, 'year one', '1', 'COMPLETED', 100, '0001-01-01');
"""


@pytest.fixture(scope="module")
def bad_rows(server: Database) -> Iterator[tuple[Database, str]]:
    """Return what a refresh printed on sources with every fault that a row can have."""
    database = new_database(server, USUAL)
    assert database.run("demo", "--customers", "20", "--until", UNTIL).returncode == 0
    database.execute(BAD_ORDERS + BAD_BOOKINGS)
    done = database.run("flows", *NIGHTLY)
    assert done.returncode == 0, done.stdout + done.stderr
    database = database.as_template()
    yield database, done.stdout
    database.drop()


def test_orders_that_no_rule_can_use_are_quarantined(bad_rows: tuple[Database, str]) -> None:
    database, printed = bad_rows
    quarantined = database.rows(
        'select "table", reason, sum(rows_count)::int as rows'
        " from operations.quarantined_rows where system = 'orders'"
        " group by 1, 2 order by 1, 2"
    )
    assert [tuple(row.values()) for row in quarantined] == [
        ("customers", "customer_id_duplicate", 1),
        ("customers", "customer_id_missing", 1),
        ("customers", "is_closed_missing", 1),
        ("customers", "tenant_id_unknown", 2),
        ("orders", "customer_id_missing", 1),
        ("orders", "customer_id_unknown", 2),
        ("orders", "order_id_duplicate", 1),
        ("orders", "order_status_unknown", 1),
        ("orders", "ordered_at_out_of_range", 2),
        ("orders", "total_amount_out_of_range", 2),
        ("tenants", "is_active_missing", 1),
        ("tenants", "time_zone_unknown", 1),
    ]
    statuses = database.rows(
        "select tenant_slug, customer_name, last_order_date::text, total_delivered_orders,"
        " average_order_interval_days from analytics.customer_risk_status"
        " inner join analytics.tenants using (tenant_id) order by 1, 2"
    )
    assert [tuple(row.values()) for row in statuses] == [
        ("a", "one", "2026-06-01", 2, 120),
        ("b", "another one", "2026-05-01", 1, None),
    ]
    assert database.value("select count(*) from analytics.customer_account_types") == 4
    # two rows claim to be the customer, so neither is written
    written = database.rows(
        "select name from commerce.customers where account_type is not null order by name"
    )
    assert [row["name"] for row in written] == ["another one", "one", "two"]
    for row in quarantined:
        assert (
            f"{count_of(row['rows'], 'row')} of orders.{row['table']}, {row['reason']}"
            in printed
        )


def test_bookings_that_no_rule_can_use_are_quarantined(
    bad_rows: tuple[Database, str],
) -> None:
    database, _ = bad_rows
    quarantined = database.rows(
        'select "table", reason, sum(rows_count)::int as rows'
        " from operations.quarantined_rows where system = 'bookings'"
        " group by 1, 2 order by 1, 2"
    )
    assert [tuple(row.values()) for row in quarantined] == [
        ("bookings", "booking_id_duplicate", 1),
        ("bookings", "booking_status_unknown", 1),
        ("bookings", "location_id_missing", 1),
        ("bookings", "organization_id_missing", 1),
        ("bookings", "organization_id_unknown", 1),
        ("bookings", "start_at_missing", 1),
        ("bookings", "start_at_out_of_range", 1),
        ("customers", "organization_id_unknown", 1),
        ("customers", "square_customer_id_duplicate", 1),
        ("customers", "square_customer_id_missing", 1),
        ("locations", "time_zone_unknown", 1),
        ("organizations", "time_zone_unknown", 1),
        ("payments", "created_at_missing", 1),
        ("payments", "created_at_out_of_range", 1),
        ("payments", "payment_status_unknown", 1),
    ]
    [customer] = database.rows(
        "select total_bookings, total_payments, total_revenue_cents::int,"
        " avg_ticket_cents::int from analytics.customer_analytics"
    )
    assert tuple(customer.values()) == (2, 2, 100, 50)
    days = database.rows(
        "select location_id, location_name, total_bookings"
        " from analytics.analytics_appointments_by_location_daily order by 1, date"
    )
    assert [tuple(day.values()) for day in days] == [
        ("here", "Here", 1),
        ("here", "Here", 1),
        ("there", None, 1),
    ]


def test_what_dbt_prints_does_not_mix_with_what_its_process_tells(small: Database) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format("main")],
        cwd=PROJECT,
        env=small.os_environment(DBT_PROFILES_DIR=str(PROJECT)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdin
    assert child.stdout
    child.stdin.write('["build", "--select", "no_such_model:"]\n' * 2)
    child.stdin.flush()
    told = [json.loads(child.stdout.readline())["event"] for _ in range(2)]
    child.stdin.close()
    assert child.wait() == 0
    assert told == ["end", "end"]
    assert not child.stdout.read()


@pytest.mark.slow
def test_bad_rows_without_a_key_fail_no_refresh_of_some_customers(refreshed: Database) -> None:
    refreshed.execute(
        "alter table commerce.orders drop constraint orders_pkey cascade;"
        " alter table commerce.orders alter id drop not null;"
        " insert into commerce.orders (id, tenant_id, customer_id, status, updated_at)"
        " select null, tenant_id, id, 'CONFIRMED', '2026-06-01' from commerce.customers"
        " order by tenant_id, id limit 2"
    )
    for mode in ("nightly", "hourly"):
        done = refreshed.run("flows", "refresh", "--mode", mode, "--as-of", UNTIL)
        assert done.returncode == 0, done.stdout + done.stderr
        # one of two customers, because an hourly refresh lists only rows that it reads
        refreshed.execute(
            "update commerce.orders set updated_at = now() + interval '1 minute' where"
            " customer_id = (select customer_id from commerce.orders where id is null limit 1)"
        )
