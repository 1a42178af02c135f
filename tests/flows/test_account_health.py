"""Account health, end to end: kept days, factors for a while, one organization at a time."""

from pathlib import Path

import pytest
from conftest import PROJECT, TENANT, UNTIL, Database, switch_off
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

NEXT_DAY = "2026-06-16T12:00:00+00:00"
OTHER = "00000000-0000-0000-0000-0000000000ff"
# everything that the two systems publish about an organization, and note about its rows
PUBLISHED = (
    *(f"analytics.{mart}" for mart in (*DAYS, *CURRENT, "account_health_factors")),
    *(
        f"analytics.tenant_{mart}"
        for mart in ("usage_metrics_daily", "health_factors", "health_scores")
    ),
)

# boundary cases, one account each: 1 and 2 are at the exact second
ODD = f"""
insert into success.organizations (id, slug, name, time_zone)
values ('{TENANT}', 'acme', 'Acme', 'UTC');
insert into success.accounts (id, organization_id, name, status, arr, renewal_on, archived_at,
    created_at)
select number::text::uuid, '{TENANT}', name, 'active', arr::numeric, renewal_on::date,
    archived_at::timestamptz, timestamptz '{UNTIL}' - make_interval(days => age)
from (
    values
    ('{TENANT[:-2]}01', 'churn rounded twice', null, null, null, 20),
    ('{TENANT[:-2]}02', 'health rounded twice', null, null, null, 200),
    ('{TENANT[:-2]}03', 'a call with nobody', null, null, null, 200),
    ('{TENANT[:-2]}04', 'for ever', '1000', '9999-12-31', 'infinity', 200),
    ('{TENANT[:-2]}05', 'measured 30 days ago', null, '-infinity', null, 200),
    ('{TENANT[:-2]}06', 'measured 31 days ago', null, null, null, 200)
) as cases (number, name, arr, renewal_on, archived_at, age);
insert into success.engagements (id, organization_id, account_id, type, title, scheduled_at,
    completed_at, attendees, created_at)
select gen_random_uuid(), organization_id, id, 'call', 'Call', '{UNTIL}', '{UNTIL}',
    case name when 'a call with nobody' then '[{{}}, [], true, {{"email": " "}}]' else '[]' end
    ::jsonb, '{UNTIL}'
from success.accounts where right(id::text, 2) <= '03';
insert into success.support_tickets (id, organization_id, account_id, status, created_at,
    resolved_at)
select gen_random_uuid(), organization_id, id, 'closed', '2026-06-10 12:00:00+00',
    timestamptz '2026-06-10 12:00:00+00' + seconds * interval '1 second'
from success.accounts
inner join (
    values ('01', 70.0798272 * 3600), ('02', 55.688640691 * 3600), ('04', -1)
) as resolved (ending, seconds) on right(id::text, 2) = ending;
insert into success.health_metrics (id, organization_id, account_id, metric_date,
    login_frequency)
select gen_random_uuid(), organization_id, id,
    date '2026-06-15' - case right(id::text, 2) when '05' then 30 else 31 end, 5
from success.accounts where right(id::text, 2) >= '05';
insert into success.customer_goals (id, organization_id, account_id, title, current_value,
    target_value, start_value, target_date, completion_date, created_at)
select gen_random_uuid(), '{TENANT}', '{TENANT[:-2]}04', title, current_value, 10, start_value,
    target_date::date, completion_date::date, '2026-04-26'
from (
    values
    ('lowered', 9, 40, '9999-12-31', 'infinity'),
    ('to be lowered', 11, 40, '2026-09-01', null),
    ('nobody knows from where', 9, null, '10000-01-01', null)
) as goals (title, current_value, start_value, target_date, completion_date);

insert into platform.organizations (id, slug, name, time_zone)
values ('{TENANT}', 'acme', 'Acme', 'UTC'), ('{OTHER}', 'other', 'Other', 'UTC');
insert into platform.campaigns (id, organization_id, name, ends_at)
values ('{TENANT}', '{TENANT}', 'ours, for ever', 'infinity'),
    ('{OTHER}', '{OTHER}', 'theirs', '2026-06-10');
insert into platform.campaign_assignments (id, organization_id, campaign_id, status, due_at)
select gen_random_uuid(), '{TENANT}', campaign::uuid, 'COMPLETED', due_at::timestamptz
from (
    values
    ('{TENANT}', '2026-06-10'), ('{TENANT}', null),
    ('{OTHER}', '2026-06-10'), ('{OTHER}', null)
) as assignments (campaign, due_at);
"""


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
    # its own rows, not those of others
    assert "left out: 1 row of accounts.accounts, reported_status_unknown" in done.stdout
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
    # what is published stays, although the source has changed since
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
def test_an_account_without_weighted_values_and_an_organization_without_accounts(
    refreshed: Database, project: Path
) -> None:
    weights = project / "seeds" / "account_health_weights.csv"
    header, *_ = weights.read_text().splitlines()
    rows = [
        f"1,1970-01-01,{component},{int(component == 'usage')}"
        for component in ("usage", "support", "engagement", "business")
    ]
    weights.write_text("\n".join([header, *rows]) + "\n")
    account = refreshed.value(
        "select account_id::text from analytics.account_profiles"
        " where usage_score is not null and organization_id ="
        " (select id from success.organizations where slug = 'beacon-software') limit 1"
    )
    refreshed.execute(
        "delete from success.health_metrics where account_id::text = %s", account
    )
    refreshed.execute(
        f"update success.accounts set archived_at = '{UNTIL}' where organization_id ="
        " (select id from success.organizations where slug = 'compass-cloud')"
    )
    nightly(refreshed, LATER, project=project)
    assert refreshed.rows(
        "select health_score, data_coverage::text, support_score is null as is_unknown"
        " from analytics.account_health_scores"
        " where account_id::text = %s and score_date = '2026-06-15'",
        account,
    ) == [{"health_score": None, "data_coverage": "0.0000", "is_unknown": False}]
    for mart in (*DAYS, "account_health_factors"):
        today = '"score_date": "2026-06-15"'
        assert not [
            row for row in rows_of(refreshed, mart, "compass-cloud") if today in row["row"]
        ]


@pytest.mark.slow
def test_alerts_of_accounts_begin_in_silence_and_end(refreshed: Database) -> None:
    escalated = "select count(*) from operations.alert_outbox where kind = %s"
    assert refreshed.value(escalated, "ACCOUNT_TICKET_ESCALATED") == 0
    refreshed.execute(
        "insert into success.support_tickets (id, organization_id, account_id, severity,"
        " status, is_escalated, created_at)"
        " select gen_random_uuid(), organization_id, account_id, 1, 'open', true, %s"
        " from analytics.account_profiles"
        " where escalated_tickets_count = 0 and suggested_status = 'active'"
        " and organization_id = (select organization_id from analytics.success_organizations"
        " where organization_slug = 'compass-cloud') limit 1",
        UNTIL,
    )
    refresh(refreshed, "--organization", "compass-cloud", "--as-of", LATER)
    assert refreshed.value(escalated, "ACCOUNT_TICKET_ESCALATED") == 1


@pytest.mark.slow
def test_what_is_odd_is_decided_alike_by_every_refresh(small: Database) -> None:
    small.execute(ODD)
    done = small.run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "counted without a date: 2 rows of accounts.accounts, renewal_on_out_of_range",
        "counted without a date: 1 row of accounts.accounts, archived_at_out_of_range",
        "counted without a date: 2 rows of accounts.customer_goals, target_date_out_of_range",
        "counted without a date: 1 row of usage.campaigns, ends_at_out_of_range",
        "left out: 2 rows of usage.campaign_assignments, campaign_id_of_another",
    ):
        assert line in done.stdout
    assert told(
        small,
        "select account_name, scores.health_score::text, churn_risk_score,"
        " scores.suggested_status, renewal_on, scores.usage_score::text, measured_on::text"
        " from analytics.account_profiles"
        " inner join analytics.account_health_scores as scores"
        " using (organization_id, account_id)",
    ) == [
        ("a call with nobody", "61.11", 12, "active", None, None, None),
        # by its rounded terms it would be 20.5000, and by factors with eight decimals 40.00
        ("churn rounded twice", "31.67", 20, "onboarding", None, None, None),
        ("for ever", "50.00", 41, "active", None, None, None),
        ("health rounded twice", "39.99", 33, "at_risk", None, None, None),
        ("measured 30 days ago", "76.47", 27, "active", None, "100.00", "2026-05-16"),
        ("measured 31 days ago", "55.56", 48, "active", None, None, "2026-05-15"),
    ]
    assert told(
        small,
        "select sub_score, count(*)::integer, max(measured_value)::text"
        " from analytics.account_health_factors where measured_value is not null"
        " and sub_score in ('arr_rank', 'attendees', 'days_to_renewal', 'hours_to_resolve')"
        " group by 1",
    ) == [("attendees", 6, "0.0000"), ("hours_to_resolve", 2, "70.0798")]
    assert told(
        small,
        "select title, goal_status, target_date::text, completion_date, progress_rate::text"
        " from analytics.goal_progress",
    ) == [
        ("lowered", "achieved", None, None, "1.0000"),
        ("nobody knows from where", "on_track", None, None, "0.9000"),
        ("to be lowered", "on_track", "2026-09-01", None, "0.9667"),
    ]
    assert told(
        small,
        "select organization_slug, campaign_assignments_count::integer"
        " from analytics.tenant_usage_metrics_daily"
        " inner join analytics.platform_organizations using (organization_id)",
    ) == [("acme", 1), ("other", 0)]
    before = published(small)
    # an hourly refresh leaves both systems alone; recomputing one organization changes nothing
    hourly = "2026-06-15T13:00:00+00:00"
    refresh(small, "--mode", "hourly", "--as-of", hourly)
    assert published(small) == before
    done = small.run("flows", "refresh", "--organization", "acme", "--as-of", UNTIL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert published(small) == before
    done = small.run("flows", "check", "--system", "accounts")
    assert done.returncode == 1
    assert "2 of 6 rows, which count without it" in done.stdout
    # a metric becomes old by time alone
    done = small.run("flows", "refresh", "--organization", "acme", "--as-of", NEXT_DAY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert small.rows(
        "select usage_score, measured_on::text from analytics.account_health_scores"
        " where score_date = '2026-06-16' and measured_on is not null order by 2"
    ) == [
        {"usage_score": None, "measured_on": "2026-05-15"},
        {"usage_score": None, "measured_on": "2026-05-16"},
    ]


def told(database: Database, query: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in database.rows(f"{query} order by 1")]


def published(database: Database) -> dict[str, list[DictRow]]:
    found = {
        mart: database.rows(f"select to_jsonb(m)::text as row from {mart} as m order by 1")
        for mart in PUBLISHED
    }
    found["left out"] = database.rows(
        "select * from operations.quarantined_rows where system in ('usage', 'accounts')"
        ' order by system, "table", key, reason'
    )
    return found
