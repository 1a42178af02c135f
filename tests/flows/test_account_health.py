"""Account health, end to end: days are kept, factors for a while, one organization now."""

from pathlib import Path

import pytest
from conftest import PROJECT, UNTIL, Database, switch_off
from psycopg.rows import DictRow

DAYS = ("account_health_scores", "account_churn_risk")
CURRENT = (
    "account_360",
    "account_profiles",
    "account_engagements",
    "account_engagement_summary",
    "account_distributions",
    "account_benchmarks",
    "goal_progress",
    "success_organizations",
)
LATER = "2026-06-15T13:30:00+00:00"
NEXT_MONTH = "2026-07-15T12:00:00+00:00"


def refresh(database: Database, *arguments: str, project: Path = PROJECT) -> None:
    done = database.run("flows", "refresh", *arguments, "--no-write-back", project=project)
    assert done.returncode == 0, done.stdout + done.stderr


def nightly(database: Database, as_of: str, *more: str, project: Path = PROJECT) -> None:
    refresh(database, "--mode", "nightly", "--as-of", as_of, *more, project=project)


def rows_of(database: Database, mart: str, slug: str) -> list[DictRow]:
    return database.rows(
        f"select to_jsonb(mart)::text as row from analytics.{mart} as mart"
        " where organization_id = (select id from success.organizations where slug = %s)"
        " order by 1",
        slug,
    )


@pytest.mark.slow
def test_one_organization_is_recomputed_as_the_nightly_refresh_would(
    refreshed: Database,
) -> None:
    refreshed.execute("update success.health_metrics set login_frequency = 0")
    for slug in ("beacon-software", "compass-cloud"):
        refreshed.execute(
            "update success.accounts set status = 'gone'"
            " where id = (select min(id::text)::uuid from success.accounts"
            " where organization_id = (select id from success.organizations where slug = %s))",
            slug,
        )
    before = {mart: rows_of(refreshed, mart, "compass-cloud") for mart in DAYS}
    done = refreshed.run(
        "flows", "refresh", "--organization", "beacon-software", "--as-of", LATER
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # of its own rows, not of the others'
    assert "left out: 1 rows of accounts.accounts, reported_status_unknown" in done.stdout
    by_itself = {mart: rows_of(refreshed, mart, "beacon-software") for mart in DAYS}
    for mart in DAYS:
        assert rows_of(refreshed, mart, "compass-cloud") == before[mart]
    nightly(refreshed, LATER)
    for mart in DAYS:
        assert rows_of(refreshed, mart, "beacon-software") == by_itself[mart]
        assert rows_of(refreshed, mart, "compass-cloud") != before[mart]


@pytest.mark.slow
def test_scores_stay_and_factors_go_after_their_days(refreshed: Database) -> None:
    nightly(refreshed, UNTIL, "--backfill-days", "5")
    first = {mart: refreshed.rows(f"select * from analytics.{mart}") for mart in DAYS}
    assert refreshed.value("select count(distinct score_date) from analytics.account_360") == 1
    days = "select min(score_date)::text || ' ' || max(score_date)::text from analytics."
    assert refreshed.value(days + "account_health_factors") == "2026-06-10 2026-06-15"
    # what is published stays as it is, though the source says something else now
    refreshed.execute("update success.accounts set arr = 1, renewal_on = '2026-06-15'")
    nightly(refreshed, NEXT_MONTH, "--backfill-days", "31")
    for mart in DAYS:
        kept = f"select * from analytics.{mart} where score_date <= '2026-06-15'"
        assert sorted(map(str, refreshed.rows(kept))) == sorted(map(str, first[mart]))
        assert refreshed.value(days + mart) == "2026-06-10 2026-07-15"
    assert refreshed.value(days + "account_health_factors") == "2026-06-16 2026-07-15"


@pytest.mark.slow
def test_a_system_that_is_switched_off_has_empty_marts_and_keeps_its_days(
    refreshed: Database, project: Path
) -> None:
    held = refreshed.value("select count(*) from analytics.account_health_scores")
    refreshed.execute("drop schema success cascade")
    switch_off(project, "accounts_enabled")
    nightly(refreshed, LATER, project=project)
    for mart in CURRENT:
        assert not refreshed.rows(f"select * from analytics.{mart}"), mart
    assert held
    assert refreshed.value("select count(*) from analytics.account_health_scores") == held


@pytest.mark.slow
def test_alerts_of_accounts_begin_in_silence_and_end(refreshed: Database) -> None:
    escalated = "select count(*) from operations.alert_outbox where kind = %s"
    assert refreshed.value(escalated, "ACCOUNT_TICKET_ESCALATED") == 0
    refreshed.execute(
        "insert into success.support_tickets (id, organization_id, account_id, severity,"
        " status, is_escalated, created_at)"
        " select gen_random_uuid(), organization_id, account_id, 1, 'open', true, %s"
        " from analytics.account_profiles"
        " where escalated_tickets_count = 0 and suggested_status = 'active' limit 1",
        UNTIL,
    )
    nightly(refreshed, LATER)
    assert refreshed.value(escalated, "ACCOUNT_TICKET_ESCALATED") == 1
