"""Tenant health, end to end: collection day by day, kept days, one organization at a time."""

import json
from pathlib import Path

import pytest
from conftest import PROJECT, UNTIL, Database, new_database, switch_off
from psycopg.rows import DictRow

from flows.dbt import command

MARTS = ("tenant_usage_metrics_daily", "tenant_health_factors", "tenant_health_scores")
CURRENT = ("platform_organizations", "tenant_latest_health", "tenant_high_risk")
NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--no-write-back", "--as-of")
HOURLY = ("flows", "refresh", "--mode", "hourly", "--no-write-back", "--as-of")
# the same day in every zone of the demo
LATER = "2026-06-15T13:30:00+00:00"
NEXT_DAY = "2026-06-16T12:00:00+00:00"


def refresh(
    database: Database, *arguments: str, project: Path = PROJECT, code: int = 0
) -> str:
    done = database.run(*arguments, project=project)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def one(database: Database, slug: str, as_of: str, *, code: int = 0) -> str:
    command = ("flows", "refresh", "--organization", slug, "--as-of", as_of)
    return refresh(database, *command, code=code)


def rows_of(database: Database, mart: str, slug: str | None = None) -> list[DictRow]:
    """Return the rows of a mart, without the time of collection."""
    return database.rows(
        f"select (to_jsonb(mart) - 'collected_at')::text as row from analytics.{mart} as mart"
        " where %s::text is null or organization_id ="
        " (select id from platform.organizations where slug = %s) order by 1",
        slug,
        slug,
    )


def change_something(database: Database) -> None:
    """Change logins, so that the earlier state is lost in the source."""
    database.execute("update platform.users set last_login_at = '2020-01-01'")


@pytest.mark.slow
def test_one_organization_is_recomputed_as_the_nightly_refresh_would(
    refreshed: Database,
) -> None:
    change_something(refreshed)
    before = {mart: rows_of(refreshed, mart, "alder-bank") for mart in MARTS}
    out = one(refreshed, "cedar-health", LATER)
    assert "cedar-health" in out
    assert "alder-bank" not in out
    for mart in MARTS:
        assert rows_of(refreshed, mart, "alder-bank") == before[mart]
    # what reads all organizations says the oldest instant
    oldest = "\nfigures as of 2026-06-15 12:00 UTC\n"
    assert oldest in refresh(refreshed, "flows", "status")
    by_itself = {mart: rows_of(refreshed, mart, "cedar-health") for mart in MARTS}
    refresh(refreshed, *NIGHTLY, LATER)
    for mart in MARTS:
        assert rows_of(refreshed, mart, "cedar-health") == by_itself[mart]
        assert rows_of(refreshed, mart, "alder-bank") != before[mart]
    logs = refreshed.rows(
        "select status, payload from operations.application_logs order by log_id"
    )
    assert [log["payload"]["cron_name"] for log in logs] == [
        "refresh_nightly",
        "refresh_organization",
        "refresh_nightly",
    ]
    assert {log["status"] for log in logs} == {"success"}
    assert logs[1]["payload"]["organization"] == "cedar-health"
    assert logs[2]["payload"]["drift"] == 0


def test_an_organization_that_is_not_there_is_refused(refreshed: Database) -> None:
    [line] = one(refreshed, "nobody's", LATER, code=2).splitlines()
    assert line.startswith(
        'error: --organization: no active organization has the slug "nobody\'s"; there'
    )
    assert "alder-bank" in line
    for options in (
        ("--organization", "alder-bank", "--mode", "hourly"),
        ("--organization", "alder-bank", "--tenant", "north-dairy"),
        ("--organization", "alder-bank", "--backfill-days", "3"),
        ("--mode", "nightly", "--backfill-days", "-1"),
        ("--mode", "nightly", "--backfill-days", "some"),
        (),
    ):
        assert len(refresh(refreshed, "flows", "refresh", *options, code=2).splitlines()) == 1


@pytest.mark.slow
def test_one_organization_needs_no_refresh_before(server: Database) -> None:
    database = new_database(server)
    assert database.run("demo", "--customers", "20", "--until", UNTIL).returncode == 0
    one(database, "cedar-health", UNTIL)
    assert database.rows(
        "select organization_slug, risk_level from analytics.tenant_latest_health"
    ) == [{"organization_slug": "cedar-health", "risk_level": "HIGH"}]
    # success for one organization says nothing about the others
    assert database.run("flows", "status").returncode == 1
    database.drop()


@pytest.mark.slow
def test_a_day_is_collected_again_on_its_day_and_then_kept(refreshed: Database) -> None:
    metrics = "tenant_usage_metrics_daily"
    before = rows_of(refreshed, metrics)
    change_something(refreshed)
    refresh(refreshed, *HOURLY, LATER)
    assert rows_of(refreshed, metrics) == before
    refresh(refreshed, *NIGHTLY, LATER)
    again = rows_of(refreshed, metrics)
    assert len(again) == len(before)
    assert again != before
    # an earlier instant does not undo what a later one has collected
    refreshed.execute("update platform.users set last_login_at = '2026-06-15 11:00:00+00'")
    refresh(refreshed, *NIGHTLY, UNTIL)
    assert rows_of(refreshed, metrics) == again
    refresh(refreshed, *NIGHTLY, NEXT_DAY, "--backfill-days", "3")
    kept = {row["row"] for row in rows_of(refreshed, metrics)}
    assert {row["row"] for row in again} < kept
    days = refreshed.rows(
        "select metric_date::text as day, count(*) as organizations,"
        " bool_and(collected_at = %s) as is_late"
        f" from analytics.{metrics} group by 1 order by 1",
        NEXT_DAY,
    )
    assert [day["day"] for day in days][-2:] == ["2026-06-15", "2026-06-16"]
    assert {day["organizations"] for day in days[1:]} == {8}
    refresh(refreshed, *NIGHTLY, NEXT_DAY, "--backfill-days", "3")
    [moved] = refreshed.rows(
        "select sum(rows_written + rows_removed) as count"
        " from operations.usage_publications where run_id ="
        " (select logid from operations.application_logs order by log_id desc limit 1)"
    )
    assert moved["count"] == 0


@pytest.mark.slow
def test_full_refresh_of_dbt_keeps_every_collected_day(refreshed: Database) -> None:
    before = {mart: rows_of(refreshed, mart) for mart in MARTS}
    oids = "select relname, oid from pg_class where relname = any(%s) order by 1"
    tables = refreshed.rows(oids, list(MARTS))
    # the source has lost everything
    refreshed.execute("truncate platform.users, platform.cases cascade")
    done = command(
        {**refreshed.environment, "PGOPTIONS": "-c role=customer_health_refresher"},
        *("build", "--full-refresh", "--exclude-resource-type", "test"),
        *("--exclude-resource-type", "unit_test"),
        *("--vars", json.dumps({"as_of": "2026-06-18T12:00:00+00:00"})),
    )
    assert done.returncode == 0, done.stdout
    assert refreshed.rows(oids, list(MARTS)) == tables
    for mart in MARTS:
        after = [
            row
            for row in rows_of(refreshed, mart)
            if json.loads(row["row"])["metric_date"] < "2026-06-18"
        ]
        assert after == before[mart], mart


@pytest.mark.slow
def test_a_contract_that_does_not_fit_drops_no_day(refreshed: Database) -> None:
    refreshed.execute(
        "alter table analytics.tenant_usage_metrics_daily rename window_ends_at to ends_at"
    )
    before = rows_of(refreshed, "tenant_usage_metrics_daily")
    done = command(
        refreshed.environment,
        *("run", "--full-refresh", "--select", "usage_publications"),
    )
    assert done.returncode
    assert "alter the table by hand" in done.stdout
    assert rows_of(refreshed, "tenant_usage_metrics_daily") == before


@pytest.mark.slow
def test_systems_that_are_off_from_the_start_have_empty_marts(
    server: Database, project: Path
) -> None:
    database = new_database(server)
    assert database.run("demo", "--customers", "20", "--until", UNTIL).returncode == 0
    database.execute("drop schema platform, success cascade")
    switch_off(project, "usage_enabled", "accounts_enabled")
    refresh(database, *NIGHTLY, UNTIL, project=project)
    for mart in (*MARTS, *CURRENT, "success_organizations"):
        assert not database.rows(f"select * from analytics.{mart}"), mart
    database.drop()


@pytest.mark.slow
def test_a_system_that_is_switched_off_later_keeps_its_days(
    refreshed: Database, project: Path
) -> None:
    before = {mart: rows_of(refreshed, mart) for mart in MARTS}
    refreshed.execute("drop schema platform cascade")
    switch_off(project, "usage_enabled")
    refresh(refreshed, *NIGHTLY, LATER, project=project)
    for mart in MARTS:
        assert refreshed.value(f"select count(*) from analytics.{mart}") == len(
            before[mart]
        ), mart
    for mart in CURRENT:
        assert not refreshed.rows(f"select * from analytics.{mart}"), mart


@pytest.mark.slow
def test_without_a_source_of_tickets_nothing_is_known_of_them(
    refreshed: Database, project: Path
) -> None:
    refreshed.execute("drop table platform.support_tickets cascade")
    switch_off(project, "usage_support_tickets_enabled")
    refresh(refreshed, *NIGHTLY, LATER, project=project)
    assert refreshed.rows(
        "select distinct measured_count, component_score, has_data"
        " from analytics.tenant_health_factors"
        " inner join analytics.tenant_latest_health using (organization_id, metric_date)"
        " where component = 'support_tickets'"
    ) == [{"measured_count": None, "component_score": 100, "has_data": False}]
    assert (
        refreshed.value(
            "select bool_or(has_support_tickets_data) from analytics.tenant_latest_health"
        )
        is False
    )
    assert (
        refreshed.value("select max(data_coverage)::text from analytics.tenant_latest_health")
        == "0.8500"
    )


@pytest.mark.slow
def test_new_weights_show_as_such(refreshed: Database, project: Path) -> None:
    before = rows_of(refreshed, "tenant_health_scores")
    with (project / "seeds" / "tenant_health_weights.csv").open("a") as seed:
        # only logins count, for an organization that has none
        for component, weight in (
            ("login", "1.00,0.70,100,"),
            ("case_resolution", "0.00,0.90,100,"),
            ("campaign_completion", "0.00,0.85,100,"),
            ("feature_adoption", "0.00,0.60,100,"),
            ("support_tickets", "0.00,1.00,100,10"),
        ):
            seed.write(f"2,{component},{weight},2026-06-16\n")
    refresh(refreshed, *NIGHTLY, NEXT_DAY, project=project)
    after = rows_of(refreshed, "tenant_health_scores")
    assert {row["row"] for row in before} <= {row["row"] for row in after}
    [dogwood] = refreshed.rows(
        "select overall_score, previous_score, comparable_previous_score, trend,"
        " weights_version, has_new_weights"
        " from analytics.tenant_latest_health where organization_slug = 'dogwood-energy'"
    )
    assert dogwood == {
        "overall_score": 0,
        "previous_score": 40,
        "comparable_previous_score": 0,
        "trend": "STABLE",
        "weights_version": 2,
        "has_new_weights": True,
    }


@pytest.mark.slow
def test_weights_that_do_not_sum_to_1_end_with_2(refreshed: Database, project: Path) -> None:
    seed = project / "seeds" / "tenant_health_weights.csv"
    seed.write_text(seed.read_text().replace("1,login,0.20", "1,login,0.2001"))
    before = rows_of(refreshed, "tenant_health_scores")
    error = refresh(refreshed, *NIGHTLY, LATER, project=project, code=2)
    assert "tenant_health_weights_are_sane" in error
    assert "weights sum to" in error
    assert rows_of(refreshed, "tenant_health_scores") == before


@pytest.mark.slow
def test_a_low_score_raises_an_alert_and_its_recovery(refreshed: Database) -> None:
    told = (
        "select kind, edge from operations.alert_outbox"
        " where tenant_slug = 'alder-bank' order by created_at, kind"
    )
    assert not refreshed.rows(told)
    refreshed.execute(
        "update platform.users set last_login_at = null;"
        "update platform.investigations set sla_status = 'OVERDUE'"
    )
    one(refreshed, "alder-bank", "2026-06-16T12:00:00+00:00")
    assert refreshed.rows(told) == [
        {"kind": "TENANT_HEALTH_LOW", "edge": "raised"},
    ]
    refreshed.execute(
        "update platform.campaign_assignments set status = 'OVERDUE', completed_at = null"
    )
    one(refreshed, "alder-bank", "2026-06-17T12:00:00+00:00")
    one(refreshed, "alder-bank", "2026-06-17T12:00:00+00:00")
    assert refreshed.rows(told)[1:] == [
        {"kind": "TENANT_HEALTH_CRITICAL", "edge": "raised"},
    ]
    # marts of a past day are not news
    one(refreshed, "alder-bank", "2026-06-14T12:00:00+00:00")
    assert len(refreshed.rows(told)) == 2
    refreshed.execute(
        "update platform.users set last_login_at = '2026-06-18';"
        "update platform.investigations set sla_status = 'ON_TRACK'"
    )
    one(refreshed, "alder-bank", "2026-06-19T12:00:00+00:00")
    assert refreshed.rows(told)[2:] == [
        {"kind": "TENANT_HEALTH_CRITICAL", "edge": "recovered"},
        {"kind": "TENANT_HEALTH_LOW", "edge": "recovered"},
    ]
