"""MetricFlow's answers about metrics equal the figures of the marts."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from conftest import Database
from psycopg.rows import tuple_row

from metrics.__main__ import PYTHON, ask, show

pytestmark = [
    # MetricFlow needs its own environment and a minute; few changes affect a metric
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON.exists(), reason="MetricFlow is not installed: run `make metrics`"
    ),
]

# metrics, their dimensions, and SQL on the marts that returns the same rows
FIGURES = {
    "customers_today": (
        ["customers", "active_customers", "assessed_customers", "dormant_customers"],
        [],
        (
            "select sum(customers_count), sum(active_count), sum(assessed_count),"
            " sum(dormant_count) from analytics.rep_metrics"
        ),
    ),
    "customers_by_tenant": (
        ["customers", "active_customers"],
        ["tenant__tenant_slug"],
        (
            "select tenant_slug, customers_count, active_count"
            " from analytics.account_type_summary"
        ),
    ),
    "dormant_by_tenant_and_rep": (
        ["dormant_customers", "dormant_share"],
        ["tenant__tenant_slug", "sales_rep__sales_rep_name"],
        (
            "select tenant_slug, sales_rep_name, dormant_count, dormant_rate"
            " from analytics.rep_metrics where assessed_count > 0"
        ),
    ),
    "dormant_by_day": (
        ["assessed_customers", "dormant_customers", "dormant_share"],
        ["metric_time__day", "tenant__tenant_slug"],
        (
            "select day.metric_day, tenants.tenant_slug, count(*),"
            " count(*) filter (where history.status = 'DORMANT'),"
            " round(avg((history.status = 'DORMANT')::integer), 4)"
            " from analytics.metric_days as day cross join analytics.tenants"
            " inner join analytics.customer_risk_status_history as history"
            " on history.tenant_id = tenants.tenant_id"
            " and history.valid_from <= day.metric_day"
            " and coalesce(history.valid_to > day.metric_day, true) group by 1, 2"
        ),
    ),
    "customers_by_month": (
        ["assessed_customers", "dormant_customers", "dormant_share"],
        ["metric_time__month", "tenant__tenant_slug"],
        (
            "with last_days as (select max(metric_day) as metric_day"
            " from analytics.metric_days"
            " where metric_day <= (select max(today) from analytics.tenants)"
            " group by date_trunc('month', metric_day))"
            " select date_trunc('month', day.metric_day)::date, tenants.tenant_slug, count(*),"
            " count(*) filter (where history.status = 'DORMANT'),"
            " round(avg((history.status = 'DORMANT')::integer), 4)"
            " from last_days as day cross join analytics.tenants"
            " inner join analytics.customer_risk_status_history as history"
            " on history.tenant_id = tenants.tenant_id"
            " and history.valid_from <= day.metric_day"
            " and coalesce(history.valid_to > day.metric_day, true) group by 1, 2"
        ),
    ),
    "value_at_risk_by_rep": (
        ["at_risk_value"],
        ["tenant__tenant_slug", "sales_rep__sales_rep_name", "customer__currency"],
        (
            "select tenant_slug, sales_rep_name, currency, sum(revenue_at_risk)"
            " filter (where risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE'))"
            " from analytics.customer_risk_status as customers"
            " inner join analytics.tenants using (tenant_id)"
            " left join analytics.sales_reps using (tenant_id, sales_rep_id)"
            " group by 1, 2, 3 having count(*) filter"
            " (where risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')) > 0"
        ),
    ),
    "reactivation_by_rep_and_week": (
        ["reactivated_customers", "reactivation_rate"],
        ["metric_time__week", "tenant__tenant_slug", "sales_rep__sales_rep_name"],
        (
            "select week_begins_on, tenant_slug, sales_rep_name, reactivated_count,"
            " reactivation_rate from analytics.rep_weeks"
            " inner join analytics.tenants using (tenant_id)"
            " left join analytics.sales_reps using (tenant_id, sales_rep_id)"
        ),
    ),
    "worth_of_dormant_by_tenant": (
        ["dormant_precision", "dormant_recall", "came_back_share"],
        ["tenant__tenant_slug"],
        (
            "select tenant_slug, precision, recall, fp::float8 / (tp + fp)"
            " from analytics.risk_status_forecast_quality where horizon_days = 90"
        ),
    ),
    "share_that_ordered_by_status": (
        ["ordered_share"],
        ["tenant__tenant_slug", "backtest__risk_status"],
        (
            "select tenant_slug, risk_status, ordered_count::float8 / positions_count"
            " from analytics.risk_status_backtest_summary where horizon_days = 90"
        ),
    ),
    "worth_of_dormant_by_month": (
        ["came_back_share"],
        ["metric_time__month"],
        (
            "select cut_on, sum(ordered_90d_count)::float8 / sum(customers_count)"
            " from analytics.risk_status_backtest where risk_status = 'DORMANT' group by 1"
        ),
    ),
    "appointments_by_location_and_day": (
        ["appointments", "new_customers"],
        [
            "metric_time__day",
            "booking_organization__organization_slug",
            "location__location_name",
        ],
        (
            "select date, organization_slug, location_name, sum(appointments_count),"
            " sum(new_customers) from analytics.analytics_appointments_by_location_daily"
            " inner join analytics.booking_organizations using (organization_id)"
            " group by 1, 2, 3"
        ),
    ),
    "no_show_rate_by_location_and_day": (
        ["no_show_rate"],
        ["metric_time__day", "location"],
        (
            "select date, organization_id::text || ' ' || location_id, no_show_rate"
            " from analytics.analytics_appointments_by_location_daily where not is_future"
        ),
    ),
    "revenue_by_organization": (
        ["revenue_cents", "revenue_last_30d_cents", "payments", "average_ticket_cents"],
        ["booking_organization__organization_slug"],
        (
            "select organization_slug, sum(total_revenue_cents), sum(revenue_last_30d_cents),"
            " sum(total_payments), sum(total_revenue_cents)::float8 / sum(total_payments)"
            " from analytics.customer_analytics"
            " inner join analytics.booking_organizations using (organization_id) group by 1"
        ),
    ),
    "tickets_by_customer": (
        ["average_ticket_cents"],
        ["visitor"],
        (
            "select organization_id::text || ' ' || square_customer_id, avg_ticket_cents"
            " from analytics.customer_analytics where total_payments > 0"
        ),
    ),
    "health_of_tenants_by_day": (
        ["tenant_health_score"],
        ["metric_time__day", "platform_organization__organization_slug"],
        (
            "select metric_date, organization_slug, overall_score"
            " from analytics.tenant_health_scores"
            " inner join analytics.platform_organizations using (organization_id)"
        ),
    ),
    "health_of_tenants_today": (
        ["tenant_health_score"],
        ["platform_organization__organization_slug"],
        "select organization_slug, overall_score from analytics.tenant_latest_health",
    ),
    "health_of_accounts_by_day": (
        ["account_health_score"],
        ["metric_time__day", "account"],
        (
            "select score_date, organization_id::text || ' ' || account_id::text, health_score"
            " from analytics.account_health_scores"
        ),
    ),
    "health_of_accounts_today": (
        ["account_health_score"],
        ["success_organization__organization_slug"],
        (
            "select organization_slug, avg(health_score) from analytics.account_profiles"
            " inner join analytics.success_organizations using (organization_id)"
            " group by 1"
        ),
    ),
}

# marts round a figure to four decimals, and a ticket to whole cents
WITHIN = {"tickets_by_customer": 0.5}

Rows = dict[tuple[str, ...], list[float | None]]


@pytest.fixture(scope="module")
def answers(refreshed_template: Database) -> dict[str, Any]:
    """All questions at once, because MetricFlow takes seconds to start."""
    questions: list[Any] = [
        {"metrics": metrics, "by": by, "order": by} for metrics, by, _ in FIGURES.values()
    ]
    found = ask(refreshed_template.environment, ["validate", "list", *questions])
    return dict(zip(["validate", "list", *FIGURES], found, strict=True))


def by_key(rows: Iterable[Sequence[Any]], width: int) -> Rows:
    """Index rows by their dimensions, of which neither side may have duplicates."""
    found = {}
    for row in rows:
        # MetricFlow's days are midnights
        key = tuple(re.sub(r"(-\d\d) 00:00:00.*", r"\1", str(value)) for value in row[:width])
        assert key not in found
        found[key] = [None if value is None else float(value) for value in row[width:]]
    return found


def is_same(found: float | None, wanted: float | None, within: float) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return math.isclose(found, wanted, abs_tol=within, rel_tol=1e-9)


def test_definitions_and_their_sql_are_valid(answers: dict[str, Any]) -> None:
    assert answers["validate"] == []


@pytest.mark.parametrize("name", FIGURES)
def test_metrics_are_the_figures_of_the_marts(
    answers: dict[str, Any], refreshed_template: Database, name: str
) -> None:
    metrics, by, query = FIGURES[name]
    # MetricFlow orders columns in its own way
    order = [answers[name]["columns"].index(column) for column in [*by, *metrics]]
    asked = by_key(([row[i] for i in order] for row in answers[name]["rows"]), len(by))
    with refreshed_template.connect() as connection:
        cursor = connection.cursor(row_factory=tuple_row)
        wanted = by_key(cursor.execute(query.encode()).fetchall(), len(by))
    assert any(any(values) for values in wanted.values())
    for key in asked.keys() | wanted.keys():
        # where one side has no row, the other must have no value
        found, figures = (side.get(key, [None] * len(metrics)) for side in (asked, wanted))
        for metric, value, figure in zip(metrics, found, figures, strict=True):
            if key in asked and key in wanted:
                assert is_same(value, figure, WITHIN.get(name, 0.000051)), (metric, key)
            else:
                assert not value, (metric, key)
                assert not figure, (metric, key)


def test_every_metric_is_held_against_a_mart(answers: dict[str, Any]) -> None:
    parts = {
        "at_risk_amount_of_all_currencies",
        "at_risk_currencies",
        "dormancies",
        "no_shows",
        "agreed_appointments",
        "judged_cases",
        "ordered_cases",
        "gone_cases",
        "dormant_cases",
        "dormant_gone_cases",
        "dormant_ordered_cases",
    }
    held = {metric for metrics, _, _ in FIGURES.values() for metric in metrics}
    assert {metric["name"] for metric in answers["list"]} == held | parts


@pytest.fixture(scope="module")
def edited(refreshed_template: Database) -> Iterator[tuple[Database, list[Any]]]:
    """Marts with rows that the demo lacks, and the answers of three metrics.

    They have a second currency, an unknown one, one without an amount, an archived account,
    and an organization that has left.
    """
    database = refreshed_template.copy()
    for place, other in enumerate(
        ("currency = 'XXX'", "currency = null", "currency = 'XXX', revenue_at_risk = null")
    ):
        database.execute(
            f"update analytics.customer_risk_status set {other}"
            " where (tenant_id, customer_id) in (select tenant_id, customer_id"
            " from analytics.customer_risk_status where risk_status = 'AT_RISK_CADENCE'"
            " and revenue_at_risk is not null and tenant_id = (select tenant_id"
            " from analytics.tenants order by tenant_slug offset %s limit 1) limit 1)",
            place,
        )
    database.execute(
        "delete from analytics.account_profiles where account_id in"
        " (select account_id from analytics.account_profiles order by health_score limit 1);"
        "delete from analytics.platform_organizations where organization_id in (select"
        " organization_id from analytics.tenant_latest_health order by overall_score limit 1)"
    )
    tenant = ["tenant__tenant_slug"]
    questions: list[Any] = [
        {"metrics": ["at_risk_value"], "by": tenant, "order": tenant},
        *({"metrics": [metric]} for metric in ("account_health_score", "tenant_health_score")),
    ]
    yield database, ask(database.environment, questions)
    database.drop()


def test_only_amounts_in_mixed_currencies_have_no_sum(
    edited: tuple[Database, list[Any]],
) -> None:
    database, [answer, *_] = edited
    value = answer["columns"].index("at_risk_value")
    other, unknown, without_an_amount = (row[value] for row in answer["rows"])
    assert (other, unknown) == (None, None)
    assert without_an_amount == float(
        str(
            database.value(
                "select sum(revenue_at_risk) from analytics.customer_risk_status"
                " where risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE') and tenant_id ="
                " (select tenant_id from analytics.tenants order by tenant_slug desc limit 1)"
            )
        )
    )


def test_health_is_of_those_that_are_there(edited: tuple[Database, list[Any]]) -> None:
    database, answers = edited
    for answer, mart in (
        (answers[1], "avg(health_score) from analytics.account_profiles"),
        (answers[2], "avg(overall_score) from analytics.tenant_latest_health"),
    ):
        [[found]] = answer["rows"]
        assert math.isclose(found, float(str(database.value(f"select {mart}"))), abs_tol=1e-6)


def test_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show(["name"], [["Acme [/x] [nl] GmbH"]])
    assert "Acme [/x] [nl] GmbH" in capsys.readouterr().out


@pytest.mark.slow
def test_a_misspelt_metric_is_named(refreshed_template: Database) -> None:
    done = refreshed_template.run("metrics", "dormant_shar", "--by", "metric_time")
    assert done.returncode == 2
    assert "dormant_shar" in done.stderr
    assert "Traceback" not in done.stderr


def test_people_get_a_table(refreshed_template: Database) -> None:
    done = refreshed_template.run(
        *("metrics", "dormant_customers", "--by", "metric_time,tenant__tenant_slug"),
        *("--from", "2026-06-14", "--to", "2026-06-15", "--order", "metric_time"),
    )
    assert done.returncode == 0, done.stderr
    assert "2026-06-14" in done.stdout
    assert "2026-06-15" in done.stdout
    assert "2026-06-13" not in done.stdout
