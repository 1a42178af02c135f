"""Every sanity check passes on the demo, and fails on the damage that it guards against."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, UNTIL, USUAL, Database

from flows.dbt import compiled

RUN_ID = "the run under test"

# check -> statements, each of which damages the data in a way that the check must find
DAMAGE = {
    "customer_analytics_keeps_its_contract": """
        drop index analytics.customer_analytics__is_referrer;
        alter table analytics.customer_analytics rename column phone_number to phone
    """,
    "customers_have_one_analytics_row": """
        delete from analytics_internal.int_customer_analytics where ctid = '(0,1)';
        insert into analytics_internal.int_customer_analytics
        select * from analytics_internal.int_customer_analytics limit 1
    """,
    "keys_counts_and_money_are_complete": """
        update analytics_internal.int_customer_analytics
        set total_visits = null
        where total_visits = 0;
        update analytics_internal.int_customer_analytics
        set net_revenue_cents = null
        where total_payments = 0
    """,
    "segments_follow_from_their_dates": """
        update analytics_internal.int_customer_analytics
        set customer_segment = 'LOST'
        where customer_segment = 'ACTIVE';
        update analytics_internal.int_customer_analytics
        set last_visit_at = null
        where customer_segment = 'AT_RISK'
    """,
    "average_tickets_are_within_half_a_cent": """
        update analytics_internal.int_customer_analytics
        set avg_ticket_cents = avg_ticket_cents + 1
        where total_payments > 0
    """,
    "first_bookings_are_the_earliest_accepted": """
        update analytics_internal.int_customer_analytics
        set first_booking_at = first_booking_at + interval '1 second';
        update analytics_internal.int_customer_analytics set first_booking_at = null
    """,
    "referrals_add_up_to_the_source": """
        update analytics_internal.int_customer_analytics
        set total_referrals = total_referrals + 1
        where is_referrer;
        update analytics_internal.int_customer_analytics set is_referrer = false
    """,
    "appointments_add_up_to_the_source": """
        update analytics_internal.int_booking_location_days
        set accepted_appointments = accepted_appointments + 1
        where ctid = '(0,1)';
        delete from analytics_internal.int_booking_location_days where ctid = '(0,1)'
    """,
    "new_customers_add_up_to_first_bookings": """
        update analytics.customer_analytics
        set first_booking_date = first_booking_date - 10000;
        update analytics.customer_analytics set first_booking_location_id = 'elsewhere'
    """,
    "order_cohorts_and_weeks_count_every_customer": """
        update analytics.customer_order_days
        set first_delivered_on = first_delivered_on - 31;
        update analytics.closed_customer_order_days
        set first_delivered_on = first_delivered_on - 31
    """,
    "visit_cohorts_and_weeks_count_every_customer": """
        update analytics.customer_visit_days set first_visit_on = first_visit_on - 31
    """,
    "bookings_and_payments_add_up_to_the_source": """
        update analytics_internal.int_customer_analytics
        set total_bookings = total_bookings + 1;
        update analytics_internal.int_customer_analytics
        set total_no_shows = total_no_shows + 1;
        update analytics_internal.int_customer_analytics
        set total_revenue_cents = total_revenue_cents + 1
    """,
    "dates_are_in_order": """
        update analytics_internal.int_customer_analytics
        set last_visit_at = first_visit_at - interval '1 day';
        update analytics_internal.int_customer_analytics set last_payment_at = null
    """,
    "booking_counts_add_up": """
        update analytics_internal.int_customer_analytics
        set pending_bookings = pending_bookings + 1;
        update analytics_internal.int_customer_analytics
        set visits_last_90d = visits_last_30d - 1
    """,
    "money_adds_up": """
        update analytics_internal.int_customer_analytics
        set gross_revenue_cents = gross_revenue_cents + 1;
        update analytics_internal.int_customer_analytics
        set net_revenue_cents = net_revenue_cents - 1;
        update analytics_internal.int_customer_analytics
        set refunded_cents = -1, net_revenue_cents = total_revenue_cents + 1
    """,
    "risk_statuses_follow_from_their_figures": """
        update analytics_internal.int_customers__risk_status
        set risk_status = 'HEALTHY'
        where risk_status = 'DORMANT';
        update analytics_internal.int_customers__risk_status
        set revenue_change_pct = 0
        where risk_status = 'AT_RISK_REVENUE'
    """,
    "account_types_follow_from_the_last_order": """
        update analytics_internal.int_customers__account_type
        set account_type = 'TARGET'
        where account_type = 'ACTIVE'
    """,
    "current_statuses_are_steps_of_the_history": """
        update analytics_internal.int_customers__risk_status set next_status_on = null;
        delete from analytics_internal.int_customers__account_history
        where valid_to is null
    """,
    "histories_have_no_gaps_or_overlaps": """
        update analytics_internal.int_customers__risk_history
        set valid_from = valid_from + 1
        where previous_status is not null;
        update analytics_internal.int_customers__account_history
        set valid_to = valid_to + 1;
        update analytics_internal.int_customers__risk_history set status = 'HEALTHY'
    """,
    "statuses_add_up_to_the_assessed_customers": """
        update analytics.customer_account_types
        set account_type = 'OTHER'
        where account_type = 'TARGET';
        create or replace view analytics.customer_health_summary as
        select * from analytics.customer_health_summary_before limit 1
    """,
    "sources_are_fresh": """
        update analytics_internal.int_source_freshness__orders set is_stale = true;
        update analytics_internal.int_source_freshness__bookings set is_stale = true
    """,
    "recomputing_an_instant_corrects_nothing": f"""
        insert into operations.orders_publications (
            run_id, as_of, held_as_of,
            refresh_scope, mart, rows_written, rows_removed
        )
        values ('{RUN_ID}', '{UNTIL}', '{UNTIL}', 'all', 'some', 1, 0);
        insert into operations.bookings_publications (
            run_id, as_of, held_as_of,
            refresh_scope, mart, rows_written, rows_removed
        )
        values ('{RUN_ID}', '{UNTIL}', '{UNTIL}', 'all', 'some', 1, 0)
    """,
    "nothing_is_left_to_write": """
        update commerce.customers
        set risk_status = 'HEALTHY'
        where risk_status = 'DORMANT'
    """,
    "no_order_after_as_of_counts": f"""
        update analytics_internal.int_customers__account_type
        set last_ordered_at = '{UNTIL}'::timestamptz + interval '1 second';
        update analytics_internal.int_customers__risk_status
        set last_order_date = last_order_date + 10000
    """,
    "no_booking_after_as_of_counts": f"""
        update analytics_internal.int_customer_analytics
        set last_visit_at = '{UNTIL}'::timestamptz + interval '1 second';
        update analytics_internal.int_customer_analytics
        set last_payment_at = '{UNTIL}'::timestamptz + interval '1 second';
        update analytics_internal.int_customer_analytics
        set total_visits = total_visits + upcoming_bookings;
        update analytics_internal.int_customer_analytics set last_booking_status = 'DECLINED'
    """,
    "orders_stand_once_in_their_tenant": """
        insert into analytics_internal.int_orders
        select * from analytics_internal.int_orders limit 1
    """,
    "bookings_stand_once_in_their_organization": """
        insert into analytics_internal.int_bookings
        select * from analytics_internal.int_bookings limit 1
    """,
    "thresholds_are_sane": """
        update analytics_internal.risk_thresholds set target_days = active_days;
        update analytics_internal.risk_thresholds set dormant_days = 0
    """,
    "segments_and_tiers_are_known": """
        update analytics_internal.int_customer_analytics set customer_segment = 'GONE';
        update analytics_internal.int_customer_analytics set preferred_weekday = 0
    """,
    "every_published_table_has_its_key": """
        drop index analytics.tenants__key;
        alter table analytics.customer_analytics
        alter column square_customer_id drop not null
    """,
    "no_timestamp_is_without_time_zone": """
        alter table analytics.tenants add column noticed_at timestamp;
        alter table operations.orders_quarantined_rows add column noticed_at timestamp
    """,
    "tenants_see_their_rows_only": """
        alter table analytics.tenants disable row level security;
        drop policy tenants_see_their_rows on analytics.customer_analytics;
        create policy theirs on analytics.sales_reps using (true);
        create policy theirs on analytics.sales_reps to customer_health_tenant using (true);
        create table analytics.more as select * from analytics.tenants
    """,
    "views_have_the_rights_of_their_reader": """
        alter view analytics.due_to_order reset (security_invoker);
        alter view operations.job_status set (security_invoker = off)
    """,
    "parts_of_the_usage_add_up": """
        update analytics_internal.int_usage_counts
        set active_users_count = enabled_users_count + 1;
        update analytics_internal.int_usage_counts
        set closed_cases_count = closed_cases_count + 1
    """,
    "health_factors_add_up_to_scores": """
        update analytics_internal.int_tenant_health_scores
        set overall_score = overall_score - 1;
        update analytics_internal.int_tenant_health_factors set weight = weight + 0.0001;
        delete from analytics_internal.int_tenant_health_factors
        where component = 'login' and weighted_points = 20
    """,
    "risk_levels_follow_from_scores_and_trends": """
        update analytics_internal.int_tenant_health_scores
        set risk_level = 'MEDIUM' where risk_level = 'LOW';
        update analytics_internal.int_tenant_health_scores set trend = 'DECLINING';
        update analytics_internal.int_tenant_health_scores set score_change = 7
    """,
    "tenant_health_weights_are_sane": """
        update analytics_internal.tenant_health_weights set weight = 0.1999
        where component = 'login';
        update analytics_internal.tenant_health_weights set component = 'logins'
        where component = 'login';
        update analytics_internal.tenant_health_weights set target = 0
        where component = 'login';
        update analytics_internal.tenant_health_weights set valid_from = '2026-01-01';
        insert into analytics_internal.tenant_health_weights
        select 2, component, weight, target, score_without_data, points_per_ticket, valid_from
        from analytics_internal.tenant_health_weights
    """,
    "accounts_have_one_row_everywhere": """
        delete from analytics_internal.int_account_profiles where ctid = '(0,1)';
        insert into analytics_internal.int_account_engagement_summary
        select * from analytics_internal.int_account_engagement_summary limit 1;
        delete from analytics_internal.int_account_churn_risk
    """,
    "account_factors_add_up_to_scores": """
        update analytics_internal.int_account_health_scores
        set health_score = health_score - 1;
        delete from analytics_internal.int_account_health_factors where points > 0;
        update analytics_internal.int_account_health_factors
        set effective_weight = effective_weight * 0.99
    """,
    "account_scores_are_sane": """
        update analytics_internal.int_account_health_scores set health_score = 101;
        update analytics_internal.int_account_health_scores set confidence = 'HIGH';
        update analytics_internal.int_account_health_scores set suggested_status = 'lost'
    """,
    "goals_are_sane": """
        update analytics_internal.int_goal_progress set goal_status = 'late';
        update analytics_internal.int_goal_progress set progress_rate = 1.01
    """,
    "account_health_weights_are_sane": """
        update analytics_internal.account_health_weights set weight = 0.3999
        where component = 'usage';
        update analytics_internal.account_health_weights set component = 'use'
        where component = 'usage';
        update analytics_internal.account_health_weights set valid_from = '2026-01-01';
        update analytics_internal.account_health_scales set full_at = zero_at;
        update analytics_internal.account_health_scales set sub_score = 'login'
        where sub_score = 'logins';
        update analytics_internal.account_outcome_scores set score = 101;
        delete from analytics_internal.account_outcome_scores where outcome = 'neutral'
    """,
    "orders_marts_are_what_was_computed": """
        update analytics.customer_risk_status set reason = 'none';
        update analytics.customer_risk_status_history set valid_to = valid_to + 1;
        update analytics.customer_account_types set valid_until = null;
        delete from analytics.customer_account_type_history where valid_to is null;
        update analytics.customer_order_days
        set next_delivered_on = next_delivered_on + 1;
        delete from analytics.closed_customer_order_days where ctid = '(0,1)';
        update analytics.customer_recent_orders set delivered_cents = null;
        delete from analytics.customer_recent_orders where ctid = '(0,1)'
    """,
    "bookings_marts_are_what_was_computed": """
        update analytics.customer_analytics set phone_number = 'wrong';
        delete from analytics.customer_analytics where ctid = '(0,1)';
        delete from analytics_internal.int_customer_analytics where ctid = '(0,1)';
        update analytics.booking_location_days
        set unique_customers = unique_customers + 1;
        update analytics.customer_visits set is_first_visit = not is_first_visit;
        update analytics.customer_visit_days set visit_day_number = visit_day_number + 1;
        update analytics.customer_recent_bookings set booking_statuses = null
    """,
    "usage_marts_are_what_was_computed": """
        delete from analytics.tenant_usage_metrics_daily;
        update analytics.tenant_usage_metrics_daily
        set active_users_count = active_users_count + 1;
        delete from analytics.tenant_health_factors where component = 'login';
        update analytics.tenant_health_factors set component_score = component_score - 1;
        delete from analytics.tenant_health_scores;
        update analytics.tenant_health_scores set trend = 'IMPROVING'
    """,
    "accounts_marts_are_what_was_computed": """
        update analytics.account_health_scores set health_score = health_score - 1;
        delete from analytics.account_health_scores;
        update analytics.account_health_factors set points = points - 1;
        delete from analytics.account_health_factors where sub_score = 'logins';
        update analytics.account_churn_risk set gap_points = gap_points + 1;
        delete from analytics.account_engagements where ctid = '(0,1)';
        update analytics.account_engagement_summary
        set total_engagements = total_engagements + 1;
        update analytics.account_profiles set account_name = 'wrong';
        update analytics.goal_progress set goal_status = 'missed'
    """,
    "definer_functions_pin_their_search_path": """
        create function operations.loose() returns integer
        security definer language sql as 'select 1';
        create function operations.upside_down() returns integer
        security definer set search_path = pg_temp, pg_catalog
        language sql as 'select 1'
    """,
}


@pytest.fixture(scope="module")
def database(refreshed_template: Database) -> Iterator[Database]:
    database = refreshed_template.copy(USUAL)
    database.execute("analyze")
    # a second view of the same name, in which a test can put a broken one
    words = database.value(
        "select pg_get_viewdef('analytics.customer_health_summary'::regclass)"
    )
    database.execute(
        "set role customer_health_refresher;"
        " create view analytics.customer_health_summary_before with (security_invoker) as "
        + str(words)
    )
    yield database
    database.drop()


@pytest.fixture(scope="module")
def checks(database: Database) -> dict[str, dict[str, Any]]:
    """Return the SQL of every test with the tag, compiled, by name."""
    variables = {"as_of": UNTIL, "run_id": RUN_ID}
    manifest = compiled(variables, database.os_environment(), ["tag:sanity"])
    return {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and "sanity" in node["tags"]
    }


def offenders(database: Database, check: dict[str, Any], damage: str | None) -> int:
    """Return what the check finds after the damage, which is rolled back."""
    with database.connect() as connection, connection.transaction(force_rollback=True):
        if damage:
            done = connection.execute(damage.encode())
            assert done.rowcount != 0, "the damage hits no row"
        return len(connection.execute(check["compiled_code"].encode()).fetchall())


@pytest.mark.parametrize("name", DAMAGE)
def test_every_check_passes_and_catches_what_it_guards_against(
    name: str, database: Database, checks: dict[str, dict[str, Any]]
) -> None:
    # PostgreSQL itself guards the not null of a key that is the replica identity
    database.execute("alter table analytics.customer_analytics replica identity full")
    assert offenders(database, checks[name], None) == 0
    for damage in DAMAGE[name].split(";"):
        assert offenders(database, checks[name], damage) > 0, damage


def test_all_24_checks_are_there_tried_and_in_the_docs(
    checks: dict[str, dict[str, Any]],
) -> None:
    assert set(checks) == set(DAMAGE)
    numbers = {check["config"]["meta"]["sanity_check"] for check in checks.values()}
    assert numbers == set(range(1, 25))
    table = [
        line.split("|")
        for line in Path(PROJECT / "docs" / "sanity_checks.md").read_text().splitlines()
        if line.startswith("| ")
    ]
    described = {
        (int(cells[1]), name.strip(" `")): cells[4]
        for cells in table
        if cells[1].strip().isdecimal()
        for name in cells[2].split(",")
    }
    assert set(described) == {
        (check["config"]["meta"]["sanity_check"], name) for name, check in checks.items()
    }
    for (_, name), when in described.items():
        assert ("warns" in when) == (checks[name]["config"]["severity"] == "warn"), name
