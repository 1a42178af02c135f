"""`customer-health refresh`, end to end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import UNTIL, Database, switch_off

from flows import dbt

MARTS = (
    "tenants",
    "sales_reps",
    "customer_risk_status",
    "customer_risk_status_history",
    "customer_account_types",
    "customer_account_type_history",
    "customer_recent_orders",
)


def refresh(
    database: Database, *options: str, environment: dict[str, str] | None = None
) -> str:
    nightly = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    done = database.run(*nightly, *options, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_failed_test_names_a_row_without_its_people(refreshed: Database) -> None:
    of_customers, of_settings = (
        dbt.Node("a_test", "test", [], folder, "fail", None, 1, "operations.offenders", 0)
        for folder in ("bookings", "settings")
    )
    refreshed.execute(
        "create table operations.offenders as select 7 as customer_id, 'Ann' as given_name,"
        " 'ann@example.com' as email_address, '0123' as phone_number, 'owes' as notes,"
        " 'shop' as tenant_slug, null::date as last_visit_on"
    )
    with refreshed.connect() as connection:
        dbt.name_offenders(dbt.Run([of_customers, of_settings]), connection)
    assert of_customers.offender == "customer_id 7, tenant_slug shop, last_visit_on NULL"
    # in a setting, the address itself may be what is wrong
    assert of_settings.offender
    assert "email_address ann@example.com" in of_settings.offender


def fingerprint(database: Database) -> dict[str, object]:
    """Return a digest of every row and column of every mart."""
    return {
        mart: database.value(
            f"select coalesce(sum(hashtextextended(row_text, 0)), 0)"
            f" from (select mart::text as row_text from analytics.{mart} as mart) as mart"
        )
        for mart in MARTS
    }


def changed_rows(database: Database) -> object:
    return database.value(
        "select sum(rows_written + rows_removed) from operations.orders_publications"
        " where run_id = (select logid from operations.application_logs"
        " order by log_id desc limit 1)"
    )


def test_demo_data_show_every_status_type_and_transition(refreshed: Database) -> None:
    statuses = refreshed.rows(
        "select distinct risk_status from analytics.customer_risk_status"
    )
    assert {row["risk_status"] for row in statuses} == {
        "DORMANT",
        "AT_RISK_CADENCE",
        "AT_RISK_REVENUE",
        "HEALTHY",
    }
    transitions = refreshed.rows(
        "select distinct from_status, to_status from analytics.status_transitions_daily"
        " where not is_forecast and from_status is not null"
    )
    assert {(row["from_status"], row["to_status"]) for row in transitions} == {
        ("HEALTHY", "AT_RISK_CADENCE"),
        ("HEALTHY", "AT_RISK_REVENUE"),
        ("AT_RISK_REVENUE", "HEALTHY"),
        ("AT_RISK_REVENUE", "AT_RISK_CADENCE"),
        ("AT_RISK_CADENCE", "HEALTHY"),
        ("AT_RISK_CADENCE", "AT_RISK_REVENUE"),
        ("AT_RISK_CADENCE", "DORMANT"),
        ("DORMANT", "HEALTHY"),
        ("DORMANT", "AT_RISK_REVENUE"),
        ("PROSPECT", "ACTIVE"),
        ("ACTIVE", "TARGET"),
        ("TARGET", "ACTIVE"),
        ("TARGET", "PROSPECT"),
    }


@pytest.mark.slow
def test_same_instant_again_writes_nothing_and_views_and_grants_of_analysts_survive(
    refreshed: Database,
) -> None:
    before = fingerprint(refreshed)
    index = "analytics.customer_risk_status__valid_until"
    refreshed.execute(f"drop index {index}")
    with analyst_of_views(refreshed):
        refresh(refreshed)
    assert changed_rows(refreshed) == 0
    # the first refresh of a new version creates its new index
    assert refreshed.value(f"select to_regclass('{index}')")
    assert fingerprint(refreshed) == before
    assert refreshed.value("select count(*) from operations.pending_customer_updates") == 0
    [log] = refreshed.rows(
        "select payload from operations.application_logs order by log_id desc limit 1"
    )
    assert log["payload"]["rows_written"] == 0


@pytest.mark.slow
def test_refreshing_an_earlier_instant_and_back_changes_nothing(refreshed: Database) -> None:
    before = fingerprint(refreshed)
    for as_of in ("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"):
        done = refreshed.run(
            "flows", "refresh", "--mode", "hourly", "--as-of", as_of, "--no-write-back"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert fingerprint(refreshed) != before
    refresh(refreshed)
    assert fingerprint(refreshed) == before


@pytest.mark.slow
def test_the_session_changes_no_result(refreshed: Database) -> None:
    before = fingerprint(refreshed)
    refreshed.execute("truncate analytics.customer_risk_status")
    refresh(
        refreshed,
        environment={
            "PGTZ": "Pacific/Kiritimati",
            "PGDATESTYLE": "German",
            "PGOPTIONS": "-c intervalstyle=iso_8601 -c extra_float_digits=0",
        },
    )
    assert fingerprint(refreshed) == before


@contextmanager
def analyst_of_views(refreshed: Database) -> Iterator[None]:
    """Create an analyst's view on marts, with a grant on it; both must exist at the end."""
    refreshed.execute(
        """
        create role an_analyst login in role customer_health_analyst;
        create view public.their_view as
        select due.tenant_id, count(*) as customers_count
        from analytics.due_to_order as due
        inner join analytics.customer_risk_status_history as history
            using (tenant_id, customer_id)
        group by due.tenant_id;
        grant select on public.their_view to an_analyst;
        """
    )
    tables = (
        "select relname, oid from pg_class where relnamespace = 'analytics'::regnamespace"
        # the one index whose test allows it to be created again
        " and relname != 'customer_risk_status__valid_until' order by relname"
    )
    before = refreshed.rows(tables)
    try:
        yield
        as_analyst = refreshed.as_user("an_analyst")
        assert as_analyst.rows("select * from public.their_view")
        assert as_analyst.rows("select * from analytics.rep_metrics")
        assert refreshed.rows(tables) == before
    finally:
        refreshed.execute("drop owned by an_analyst; drop role an_analyst")


def test_marts_have_statistics_as_soon_as_they_are_filled(refreshed: Database) -> None:
    # autovacuum, which runs once a minute, also analyzes tables as small as these
    assert not refreshed.rows(
        "select mart from operations.orders_publications"
        " where rows_written > 0 and not exists ("
        " select from pg_stats where tablename = mart)"
    )


@pytest.mark.slow
def test_a_customer_that_leaves_takes_its_rows_along(refreshed: Database) -> None:
    refreshed.execute(
        "update commerce.customers set is_closed = true where id ="
        " (select customer_id from analytics.customer_risk_status order by 1 limit 1)"
    )
    refresh(refreshed)
    for mart in MARTS[2:]:
        assert not refreshed.rows(
            f"select * from analytics.{mart}"
            " inner join commerce.customers on customer_id = id where is_closed"
        )


def test_every_run_is_logged_with_its_statistics(refreshed: Database) -> None:
    [log] = refreshed.rows("select * from operations.application_logs")
    assert (log["log_type"], log["status"]) == ("refresh", "success")
    payload = log["payload"]
    assert payload["cron_name"] == "refresh_nightly"
    tenants = {tenant["tenant_slug"]: tenant for tenant in payload["tenants"]}
    assert set(tenants) == {
        "harbor-foods",
        "kiwi-produce",
        "north-dairy",
        "sunset-bakery",
    }
    for tenant in tenants.values():
        assert tenant["analysed_count"] - tenant["skipped_count"] == sum(
            tenant[f"{status}_count"]
            for status in ("dormant", "at_risk_cadence", "at_risk_revenue", "healthy")
        )
        assert tenant["updated_count"] == tenant["pending_count"]
    assert tenants["sunset-bakery"]["active_pct"] == "0.0"
    assert {row["reason"] for row in payload["quarantined_rows"]} >= {"customer_id_missing"}
    assert json.dumps(payload)


@pytest.mark.slow
def test_one_tenant_alone_is_written_back(refreshed: Database) -> None:
    # as before the first write-back, which no guard holds
    refreshed.execute(
        "update commerce.customers set risk_status = null, account_type = null,"
        " last_order_date = null, next_expected_order_date = null, dormancy_since = null,"
        " average_order_interval_days = null, reactivated_date = null"
    )
    out = refresh(refreshed, "--tenant", "north-dairy")
    assert "harbor-foods" not in out
    written = refreshed.rows(
        "select slug, count(risk_status) as written from commerce.customers"
        " inner join commerce.tenants on tenants.id = tenant_id group by slug order by slug"
    )
    assert [row["slug"] for row in written if row["written"]] == ["north-dairy"]


@pytest.mark.slow
def test_a_system_that_is_off_has_empty_marts(refreshed: Database, project: Path) -> None:
    switch_off(project, "orders_enabled")
    refreshed.execute("drop schema commerce cascade")
    done = refreshed.run(
        "flows", "refresh", "--mode", "nightly", "--no-write-back", project=project
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # accounts have a clock of their own
    assert "could not be raised" not in done.stdout + done.stderr
    for mart in (*MARTS, "due_to_order", "rep_metrics"):
        assert not refreshed.rows(f"select * from analytics.{mart}")


@pytest.mark.slow
def test_nothing_is_built_of_a_system_that_stays_off(
    refreshed: Database, project: Path
) -> None:
    def nodes(mode: str) -> list[str]:
        """Return the models of bookings that a refresh has built."""
        log = project / "refresh.log"
        log.unlink(missing_ok=True)
        command = (
            "flows",
            "refresh",
            "--mode",
            mode,
            "--as-of",
            UNTIL,
            "--log-file",
            str(log),
        )
        done = refreshed.run(*command, project=project)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "rows corrected" not in done.stdout
        # an hourly refresh has a full one to build on
        assert ("recomputes everything" in done.stdout) == (mode == "hourly" and is_new)
        return [line for line in log.read_text().splitlines() if "int_booking" in line]

    analytics = (
        "select to_jsonb(it) - %s::text[] as row from analytics.customer_analytics as it"
    )
    stamps = ["created_at", "updated_at", "refreshed_at"]
    before = sorted(str(row["row"]) for row in refreshed.rows(analytics, stamps))
    assert before
    switch_off(project, "bookings_enabled")
    is_new = True
    assert nodes("hourly")
    is_new = False
    assert not refreshed.rows(analytics, stamps)
    assert not nodes("nightly")
    assert not nodes("hourly")
    # but it is created again if somebody has dropped part of it
    refreshed.execute("drop table analytics.customer_recent_bookings")
    assert nodes("nightly")
    assert not nodes("nightly")
    assert not refreshed.rows(analytics, stamps)

    settings = project / "dbt_project.yml"
    settings.write_text(
        settings.read_text().replace("bookings_enabled: false", "bookings_enabled: true")
    )
    assert nodes("nightly")
    after = sorted(str(row["row"]) for row in refreshed.rows(analytics, stamps))
    assert after == before


@pytest.mark.slow
def test_indexes_that_somebody_renames_keep_their_names_and_are_not_made_twice(
    small: Database,
) -> None:
    """A key, and an index of a part of the rows that includes further columns."""
    nightly = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    names = (
        "select indexname from pg_indexes where schemaname = 'analytics'"
        " and tablename = 'customer_order_days'"
    )
    assert small.run(*nightly).returncode == 0
    found = {row["indexname"] for row in small.rows(names)}
    assert len(found) == 2
    for name in found:
        small.execute(f"alter index analytics.{name} rename to their_{name}")
    assert small.run(*nightly).returncode == 0
    assert {row["indexname"] for row in small.rows(names)} == {f"their_{n}" for n in found}
