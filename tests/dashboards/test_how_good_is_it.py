"""How good is it: the figures are those of SQL, the words fit them, and what lacks is said."""

import re

import pytest
from conftest import Database
from reading import (
    ANALYST,
    Point,
    everything,
    fitted,
    markup,
    page,
    text,
    tiles,
    visits_fitted,
)
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest

from dashboards import data, look
from dashboards.queries import PAGES

pytest_plugins = ("reading",)

NAME = "how_good_is_it"
TENANT = "harbor-foods"
ORGANIZATION = "glow-salon"


def shown_of(tenant: str) -> AppTest:
    return page(NAME, tenant=tenant)


def visits_of(organization: str) -> AppTest:
    return page(NAME, system="Bookings", organization=organization)


def drawn(shown: AppTest, columns: tuple[str, ...]) -> list[tuple[float, ...]]:
    """Return the rows of the chart that has such columns."""
    for chart in shown.get("vega_lite_chart"):
        for dataset in chart.proto.datasets:
            frame = convert_arrow_bytes_to_pandas_df(dataset.data.data)
            if set(columns) <= set(frame.columns):
                return [tuple(row) for row in frame[list(columns)].to_numpy()]
    raise AssertionError(columns)


def instead_of(
    view: str, rows: str, tenants: str = "tenants", tenant_id: str = "tenant_id"
) -> str:
    """Return SQL that puts other rows in place of those of a view, for all tenants."""
    return (
        f"create or replace view analytics.{view} with (security_invoker) as"
        f" select (jsonb_populate_record(null::analytics.{view}, to_jsonb(given)"
        f" || jsonb_build_object('{tenant_id}', tenants.{tenant_id}))).*"
        f" from analytics.{tenants} as tenants cross join ({rows}) as given;"
    )


def status_rows(low: float | None, high: float | None, healthy_low: float | None) -> str:
    """Return SQL for a summary: of each status the same interval, of HEALTHY another one."""
    return f"""
        select
            risk_status, horizon_days, 99 as positions_count, 12 as customers_count,
            9 as ordered_count, low as ordered_share, low as ordered_share_low,
            high as ordered_share_high
        from (values
            ('DORMANT', {low or "null"}, {high or "null"}),
            ('AT_RISK_CADENCE', {low or "null"}, {high or "null"}),
            ('HEALTHY', {healthy_low or "null"}, {(healthy_low or 0) + 0.1})
        ) as given (risk_status, low, high)
        cross join (values (30), (60), (90)) as horizons (horizon_days)
    """


@pytest.mark.parametrize("tenant", [TENANT, "kiwi-produce", "north-dairy"])
def test_what_became_of_each_status_is_what_sql_says(analyst: Database, tenant: str) -> None:
    said = " ".join(text(shown_of(tenant)).split())
    rows = analyst.rows(
        "select * from analytics.risk_status_backtest_summary where tenant_slug = %s", tenant
    )
    names = {
        "DORMANT": "DORMANT, {} ordered again",
        "AT_RISK_CADENCE": "late, {} ordered",
        "HEALTHY": "HEALTHY, {} ordered",
        "AT_RISK_REVENUE": "on time with less revenue, {} ordered",
    }
    assert {row["risk_status"] for row in rows} == set(names)
    for row in rows:
        if row["ordered_share"] is None:
            customers = look.count_of(row["customers_count"], "customer")
            assert f"Only {customers} have been" in said
            assert "too few to tell" in said
            continue
        share, low, high = (
            round(100 * row[f"ordered_share{end}"]) for end in ("", "_low", "_high")
        )
        assert f" {share} {low} to {high} " in said
        if row["horizon_days"] == 90:
            words = names[row["risk_status"]].format(share)
            assert f"customers that were {words} within 90 days ({low} to {high})." in said
            assert f"{row['customers_count']:,} {row['positions_count']:,} cases" in said
    by_status = {row["risk_status"]: row for row in rows if row["horizon_days"] == 90}
    high = by_status["DORMANT"]["ordered_share_high"]
    assert ("You can take DORMANT for gone" in said) is (high is not None and high < 0.25)
    low = by_status["HEALTHY"]["ordered_share_low"]
    assert ("You can count on HEALTHY" in said) is (low is not None and low >= 0.75)
    [period] = analyst.rows(
        "select backtest_periods.* from analytics.backtest_periods"
        " inner join analytics.tenants using (tenant_id) where tenant_slug = %s",
        tenant,
    )
    assert f"{period['cuts_count']} months" in said
    assert look.day(period["first_cut_on"]) in said
    for limit in ("closed today are missing", "One year has one autumn"):
        assert limit in said


def test_a_verdict_is_given_only_where_the_interval_carries_it(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    for low, high, healthy_low, dormant, healthy, late in (
        (0.05, 0.2499, 0.75, "YES", "YES", "YES"),
        # the limit itself is not less than a quarter
        (0.05, 0.25, 0.7499, "NOT_SURE", "NOT_SURE", "YES"),
        (0.2499, 0.3, 0.65, "NOT_SURE", "NOT_SURE", "YES"),
        (0.25, 0.3, 0.6499, "NO", "NO", "YES"),
        (0.5, 0.6, 0.6, "NO", "NO", "NO"),
        (0.05, 0.2, None, "YES", "TOO_FEW", "NOTHING_TO_COMPARE"),
        (None, None, 0.8, "TOO_FEW", "YES", "TOO_FEW"),
    ):
        rows = status_rows(low, high, healthy_low)
        refreshed.execute(instead_of("risk_status_backtest_summary", rows))
        tenant = refreshed.value("select tenant_id from analytics.tenants limit 1")
        found = {
            (row["status"], row["verdict"])
            for row in data.fetch(["forecast_statuses"], {"tenant": tenant})[
                "forecast_statuses"
            ]
        }
        assert found == {
            ("DORMANT", dormant),
            ("HEALTHY", healthy),
            ("AT_RISK_CADENCE", late),
        }, (low, high, healthy_low)
        data.read.clear()
        said = text(shown_of(TENANT))
        assert ("You can take DORMANT for gone" in said) is (dormant == "YES")
        assert ("You cannot take DORMANT for gone" in said) is (dormant in ("NO", "NOT_SURE"))
        assert ("You can count on HEALTHY" in said) is (healthy == "YES")
    # no share, and no figure either
    assert "Only 12 customers have been DORMANT. " in " ".join(said.split())
    assert "Too few customers to tell." in said
    assert said.count("too few to tell") == 6
    # nobody had the status
    assert "Nobody has been on time with less revenue" in said


def test_a_tenant_without_history_is_told_what_it_takes(analyst: Database) -> None:
    assert (
        analyst.value(
            "select count(*) from analytics.customer_order_days"
            " inner join analytics.tenants using (tenant_id)"
            " where tenant_slug = 'sunset-bakery'"
        )
        == 0
    )
    said = text(shown_of("sunset-bakery"))
    for words in (
        "There is nothing to look back on yet",
        "No order is 90 days old yet",
        "No revenue could be judged yet",
        "too little has been seen",
        "the history is too short to tell",
        "that needs the order model",
    ):
        assert words in said, words


def test_without_a_model_it_says_what_to_run_and_why(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute("delete from analytics.order_model_parameters")

    def said() -> str:
        data.read.clear()
        return text(shown_of(TENANT))

    assert "There is no probability yet: customer-health fit-orders" in " ".join(
        said().split()
    )
    refreshed.execute(
        "insert into analytics.order_model_parameters"
        " (tenant_id, valid_from, model, state, reason) select tenant_id, '2026-03-01',"
        " 'MBG', 'REFUSED', '<3> customers have ordered, 100 are needed'"
        " from analytics.tenants"
    )
    assert "1 Mar 2026 was refused: <3> customers have ordered, 100 are needed." in said()
    assert "customer-health fit-orders" in said()
    assert "<3>" not in markup(shown_of(TENANT))
    # what was in force before stays so
    refreshed.execute(fitted(TENANT))
    assert "was refused: <3> customers" in said()
    assert "The parameters of 1 Jan 2025 stay in force" in said()
    assert "customers it told" in said()
    refreshed.execute("delete from analytics.order_model_parameters")
    # no cut has 90 days after it
    refreshed.execute(fitted(TENANT, valid_from="2026-06-01"))
    assert "in force since 1 Jun 2026" in said()
    assert "nothing to compare yet" in said()
    refreshed.execute("update analytics.order_model_parameters set valid_from = '2026-12-01'")
    assert "no probability before 1 Dec 2026" in said()


def test_told_and_seen_are_what_sql_says(analyst: Database) -> None:
    shown = shown_of(TENANT)
    for days in (90, 30, 60):
        if days != 90:
            shown.segmented_control(key="within").set_value(days).run()
            assert not shown.exception
        bands = analyst.rows(
            "select * from analytics.order_model_calibration"
            " where tenant_slug = %s and horizon_days = %s order by band",
            TENANT,
            days,
        )
        assert len(bands) > 2
        cases = sum(row["positions_count"] for row in bands)
        told = sum(row["mean_p_order"] * row["positions_count"] for row in bands) / cases
        came = sum(row["ordered_count"] for row in bands) / cases
        assert (
            f"Of 100 customers it told {100 * told:.0f} to order within {days} days, and"
            f" {100 * came:.0f} did." in text(shown)
        )
        columns = ("mean_p_order", "ordered_share", "ordered_share_low", "ordered_share_high")
        points = drawn(shown, ("told", "seen", "low", "high"))
        for point, row in zip(points, bands, strict=True):
            assert point == pytest.approx([row[column] for column in columns])
        is_off = any(
            not row["ordered_share_low"] <= row["mean_p_order"] <= row["ordered_share_high"]
            for row in bands
        )
        assert ("Yet " in text(shown)) is is_off
        assert ("You can go by it" in text(shown)) is not is_off


def test_neighbouring_tenths_are_told_together(refreshed: Database, look_at: Point) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(fitted(TENANT))
    refreshed.execute(
        instead_of(
            "order_model_calibration",
            """
            select
                90 as horizon_days, band, 100 as positions_count, 50 as customers_count,
                told as mean_p_order, 20 as ordered_count, 0.2 as ordered_share,
                0.1 as ordered_share_low, 0.3 as ordered_share_high
            from (values (0, 0.05), (1, 0.1), (2, 0.3), (3, 0.35), (4, 0.4), (8, 0.85))
                as bands (band, told)
            """,
        )
    )
    said = text(shown_of(TENANT))
    # the ends of the interval belong to it
    assert (
        "Yet fewer came where it told 30 to 50 %, 80 to 90 %, and more came where it told"
        " 0 to 10 %." in said
    )


def test_expected_dates_and_revenue_are_what_sql_says(analyst: Database) -> None:
    said = " ".join(text(shown_of(TENANT)).split())
    for row in analyst.rows(
        "select * from analytics.next_order_date_errors where tenant_slug = %s", TENANT
    ):
        assert f"{100 * row['within_7_days_share']:.0f} of 100" in said
        assert f"{row['mean_absolute_error_days']:.1f} days on average" in said
        assert f"{row['order_days_count']:,} {row['followed_count']:,} followed" in said
    shares = {
        row["risk_status"]: row["fell_share"]
        for row in analyst.rows(
            "select * from analytics.revenue_rule_backtest where tenant_slug = %s", TENANT
        )
    }
    assert (
        f"Of 100 with less revenue {100 * shares['AT_RISK_REVENUE']:.0f} spent less"
        f" afterwards, of 100 HEALTHY ones {100 * shares['HEALTHY']:.0f}." in said
    )
    assert ("not that it goes on" in said) is (shares["AT_RISK_REVENUE"] <= shares["HEALTHY"])


@pytest.mark.parametrize("setting", ["dormant_days", "grace_days", "fallback_cadence_days"])
def test_other_limits_move_as_many_as_sql_says(analyst: Database, setting: str) -> None:
    shown = shown_of(TENANT)
    shown.segmented_control(key="limit").set_value(setting).run()
    assert not shown.exception
    slider = shown.select_slider[0]
    rows = {
        row["value"]: row
        for row in analyst.rows(
            "select * from analytics.threshold_what_if where tenant_slug = %s"
            " and setting = %s",
            TENANT,
            setting,
        )
    }
    [current] = [row for row in rows.values() if row["is_current"]]
    # what is in force stands there at first, and is marked
    assert slider.value == current["value"]
    assert f"{current['value']} in force" in slider.label
    assert "in force: nobody moves" in text(shown)
    for value in (1, 30, 180):
        slider.set_value(value).run()
        assert not shown.exception
        row = rows[value]
        figures = tiles(shown)
        for name, status in look.STATUSES["risk_status"].items():
            assert figures[status.word] == f"{row[f'{name.lower()}_count']:,}", (value, name)
        if value == current["value"]:
            continue
        moved = look.count_of(row["moved_count"], "customer")
        assert f"instead of {current['value']} another status today for {moved}" in text(shown)
        assert f"of 100 DORMANT {100 * row['precision']:.0f} did not order" in text(shown)
        assert f"of 100 that did not order {100 * row['recall']:.0f} were" in text(shown)
        assert f"Balanced accuracy {row['balanced_accuracy']:.3f}, in force" in text(shown)
        slider = shown.select_slider[0]


def test_a_limit_in_force_may_lie_beyond_those_that_are_tried(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(
        instead_of(
            "threshold_what_if",
            """
            select
                'dormant_days' as setting, value, value = 400 as is_current,
                7 as healthy_count, 0 as at_risk_revenue_count, 0 as at_risk_cadence_count,
                0 as dormant_count, 0 as moved_count, 0 as recall, 0.5 as balanced_accuracy
            from (values (1), (2), (400)) as given (value)
            """,
        )
    )
    shown = shown_of(TENANT)
    slider = shown.select_slider[0]
    assert slider.value == 400
    # nobody was DORMANT: of them there is no share
    assert "nobody would have been DORMANT" in text(shown)


def test_a_limit_is_suggested_only_where_it_gains_lastingly(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    words = {
        "NO_STABLE_GAIN": "would have told lastingly better",
        "TOO_FEW": "too few customers ordered, or stayed away",
        "TOO_SHORT": "the history is too short",
        "SUGGESTED": "dormant_days 77 instead of 45 would have told better",
    }
    for basis, expected in words.items():
        value = "77, 70, 80, 0.0321" if basis == "SUGGESTED" else "null, null, null, -0.5"
        refreshed.execute(
            instead_of(
                "threshold_suggestions",
                "select 'dormant_days' as setting, 45 as current_value, given.*"
                f" from (values ({value}, '{basis}')) as given"
                " (suggested_value, as_good_from, as_good_to, gain, basis)",
            )
        )
        data.read.clear()
        said = text(shown_of(TENANT))
        assert expected in said, basis
        assert ("instead of 45" in said) is (basis == "SUGGESTED")
        assert ("70 to 80 are as good" in said) is (basis == "SUGGESTED")
        assert ("gained 0.032" in said) is (basis == "SUGGESTED")


def test_disagreements_are_listed_by_value_and_lead_to_the_customer(
    analyst: Database,
) -> None:
    shown = shown_of(TENANT)
    rows = analyst.rows(
        "select * from analytics.status_disagreements where tenant_slug = %s"
        " order by value_rank",
        TENANT,
    )
    assert len(rows) > 20
    links = re.findall(r'<a href="customer\?(.*?)"[^>]*>(.*?)</a>', markup(shown))
    assert [name for _, name in links] == [row["customer_name"] for row in rows[:20]]
    for (query, _), row in zip(links, rows, strict=False):
        assert f"{row['tenant_id']}%2F{row['customer_id']}" in query
        assert row["outlook_reason"] in text(shown)
    for kind, word in {
        "LIKELY_THOUGH_DORMANT": "Dormant, yet likely",
        "LIKELY_THOUGH_LATE": "Late, yet likely",
        "UNLIKELY_THOUGH_ON_TIME": "On time, yet unlikely",
    }.items():
        count = sum(row["disagreement"] == kind for row in rows)
        assert tiles(shown)[word] == f"{count:,}"
    assert f"The first 20 of {len(rows):,}." in text(shown)


@pytest.mark.usefixtures("analyst")
def test_one_tenant_is_shown_at_a_time() -> None:
    shown = page(NAME)
    options = shown.selectbox(key="tenant").options
    assert "All tenants" not in options
    assert shown.selectbox(key="tenant").value == options[0]
    # one that is not there, or all of them, by a link from another page
    for tenant in ("nowhere", "All tenants"):
        assert shown_of(tenant).selectbox(key="tenant").value == options[0]
    # what was tried of one is not what is in force with another
    in_force = shown.select_slider[0].value
    shown.select_slider[0].set_value(7).run()
    shown.selectbox(key="tenant").set_value(options[1]).run()
    assert not shown.exception
    assert shown.select_slider[0].value == in_force != 7


def test_the_page_says_nothing_of_who_is_alive(analyst: Database) -> None:
    """P(alive) calls every customer with one order alive: it is no score for people."""
    tenant = analyst.value("select tenant_id from analytics.tenants limit 1")
    found = data.fetch(PAGES[NAME], {"tenant": tenant})
    columns = {column for rows in found.values() for row in rows[:1] for column in row}
    assert "p_alive" not in columns
    for sent in (everything(shown_of(TENANT)), everything(page("customer"))):
        assert "alive" not in sent


def test_shares_are_never_all_or_none_where_they_are_not(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    for share, words in (
        (0.001, "fewer than 1 ordered again"),
        (0.999, "more than 99 ordered again"),
        (1.0, "100 ordered again"),
    ):
        refreshed.execute(
            instead_of("risk_status_backtest_summary", status_rows(share, 1, 0.8))
        )
        data.read.clear()
        assert words in text(shown_of(TENANT))
    assert look.chance(0.004) == "under 1 %"
    assert look.chance(0.996) == "over 99 %"
    assert look.chance(0) == "0 %"
    assert look.chance(0.254) == "25 %"


@pytest.mark.parametrize("organization", [ORGANIZATION, "kowhai-barbers"])
def test_what_became_of_each_segment_is_what_sql_says(
    analyst: Database, organization: str
) -> None:
    said = " ".join(text(visits_of(organization)).split())
    rows = analyst.rows(
        "select * from analytics.customer_segment_backtest_summary"
        " where organization_slug = %s",
        organization,
    )
    names = {
        "LOST": "LOST, {} visited again",
        "AT_RISK": "AT RISK, {} visited",
        "ACTIVE": "ACTIVE, {} visited",
        "NEW": "NEW, {} visited",
    }
    assert {row["customer_segment"] for row in rows} == set(names)
    told = 0
    for row in rows:
        if row["visited_share"] is None:
            customers = look.count_of(row["customers_count"], "customer")
            assert f"Only {customers} have been" in said
            continue
        told += 1
        share, low, high = (
            round(100 * row[f"visited_share{end}"]) for end in ("", "_low", "_high")
        )
        assert f" {share} {low} to {high} " in said
        if row["horizon_days"] == 90:
            words = names[row["customer_segment"]].format(share)
            assert f"customers that were {words} within 90 days ({low} to {high})." in said
            assert f"{row['customers_count']:,} {row['positions_count']:,} cases" in said
    assert told > 3
    by_segment = {row["customer_segment"]: row for row in rows if row["horizon_days"] == 90}
    high = by_segment["LOST"]["visited_share_high"]
    assert ("You can take LOST for gone" in said) is (high is not None and high < 0.25)
    low = by_segment["ACTIVE"]["visited_share_low"]
    assert ("You can count on ACTIVE" in said) is (low is not None and low >= 0.75)
    [period] = analyst.rows(
        "select periods.* from analytics.visit_backtest_periods as periods"
        " inner join analytics.booking_organizations using (organization_id)"
        " where organization_slug = %s",
        organization,
    )
    assert f"{period['cuts_count']} months" in said
    assert look.day(period["first_cut_on"]) in said
    # of orders it says nothing
    for word in ("DORMANT", "order", "Less revenue", "Other limits"):
        assert word not in said.replace("in order", ""), word


def test_a_verdict_on_a_segment_is_given_only_where_the_interval_carries_it(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    organization = str(
        refreshed.value(
            "select organization_id from analytics.booking_organizations"
            " where organization_slug = %s",
            ORGANIZATION,
        )
    )
    for low, high, active_low, lost, active, at_risk in (
        (0.05, 0.2499, 0.75, "YES", "YES", "YES"),
        (0.05, 0.25, 0.7499, "NOT_SURE", "NOT_SURE", "YES"),
        (0.25, 0.3, 0.6499, "NO", "NO", "YES"),
        (0.5, 0.6, 0.6, "NO", "NO", "NO"),
        (0.05, 0.2, None, "YES", "TOO_FEW", "NOTHING_TO_COMPARE"),
        (None, None, 0.8, "TOO_FEW", "YES", "TOO_FEW"),
    ):
        rows = (
            status_rows(low, high, active_low)
            .replace("risk_status", "customer_segment")
            .replace("ordered_", "visited_")
            .replace("AT_RISK_CADENCE", "AT_RISK")
            .replace("DORMANT", "LOST")
            .replace("HEALTHY", "ACTIVE")
        )
        refreshed.execute(
            instead_of(
                "customer_segment_backtest_summary",
                rows,
                "booking_organizations",
                "organization_id",
            )
        )
        found = data.fetch(["visits_statuses"], {"organization": organization})
        assert {(row["status"], row["verdict"]) for row in found["visits_statuses"]} == {
            ("LOST", lost),
            ("ACTIVE", active),
            ("AT_RISK", at_risk),
        }, (low, high, active_low)
        data.read.clear()
        said = text(visits_of(ORGANIZATION))
        assert ("You can take LOST for gone" in said) is (lost == "YES")
        assert ("You cannot take LOST for gone" in said) is (lost in ("NO", "NOT_SURE"))
        assert ("You can count on ACTIVE" in said) is (active == "YES")
        assert ("AT RISK is a warning" in said) is (at_risk == "YES")
    assert "Nobody has been NEW on such a day." in said


def test_told_and_seen_of_visits_and_their_dates_are_what_sql_says(
    analyst: Database,
) -> None:
    shown = visits_of(ORGANIZATION)
    said = " ".join(text(shown).split())
    bands = analyst.rows(
        "select * from analytics.visit_model_calibration"
        " where organization_slug = %s and horizon_days = 90 order by band",
        ORGANIZATION,
    )
    assert len(bands) > 2
    cases = sum(row["positions_count"] for row in bands)
    told = sum(row["mean_p_visit"] * row["positions_count"] for row in bands) / cases
    came = sum(row["visited_count"] for row in bands) / cases
    assert (
        f"Of 100 customers it told {100 * told:.0f} to visit within 90 days, and"
        f" {100 * came:.0f} did." in said
    )
    columns = ("mean_p_visit", "visited_share", "visited_share_low", "visited_share_high")
    points = drawn(shown, ("told", "seen", "low", "high"))
    for point, row in zip(points, bands, strict=True):
        assert point == pytest.approx([row[column] for column in columns])
    errors = analyst.rows(
        "select * from analytics.next_visit_date_errors"
        " where organization_slug = %s and cadence_confidence != 'NONE'",
        ORGANIZATION,
    )
    assert errors
    for row in errors:
        assert f"{100 * row['within_7_days_share']:.0f} of 100" in said
        assert f"{row['mean_absolute_error_days']:.1f} days on average" in said
        assert f"{row['visit_days_count']:,} {row['followed_count']:,} followed" in said


def test_visits_without_a_model_or_history_say_what_it_takes(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute("delete from analytics.visit_model_parameters")
    said = " ".join(text(visits_of(ORGANIZATION)).split())
    assert "There is no probability yet: customer-health fit-visits" in said
    refreshed.execute(visits_fitted(ORGANIZATION, valid_from="2026-12-01"))
    data.read.clear()
    assert "no probability before 1 Dec 2026" in text(visits_of(ORGANIZATION))
    refreshed.execute("truncate analytics.customer_visit_days")
    data.read.clear()
    said = " ".join(text(visits_of(ORGANIZATION)).split())
    assert "has 90 days of visits before it and 90 days after it" in said
    assert "No visit that expected a date is 90 days old yet" in said


def test_who_has_orders_only_or_bookings_only_need_not_choose(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    assert page(NAME).segmented_control(key="system").value == "Orders"
    refreshed.execute("truncate analytics.booking_organizations")
    data.read.clear()
    shown = page(NAME)
    assert "What became of them" in [heading.value for heading in shown.subheader]
    assert "DORMANT" in text(shown)
    assert all(control.key != "system" for control in shown.segmented_control)
