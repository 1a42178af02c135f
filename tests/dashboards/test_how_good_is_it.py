"""How good is it: the figures are those of SQL, the words fit them, and gaps are explained."""

import html
import re

import pytest
from conftest import Database
from reading import (
    ANALYST,
    Point,
    came_of,
    drawn,
    everything,
    fitted,
    instead_of,
    markup,
    page,
    plain,
    text,
    tiles,
    visits_fitted,
)
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


def status_rows(low: float | None, high: float | None, healthy_low: float | None) -> str:
    """Return SQL for a summary with the same interval for each status, except for HEALTHY."""
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
        "DORMANT": "dormant customers",
        "AT_RISK_CADENCE": "late customers",
        "AT_RISK_REVENUE": "customers on time with less revenue",
        "HEALTHY": "healthy customers",
    }
    assert {row["risk_status"] for row in rows} == set(names)
    by_status = {row["risk_status"]: row for row in rows if row["horizon_days"] == 90}
    healthy = by_status["HEALTHY"]["ordered_share"]
    for row in rows:
        if row["ordered_share"] is None:
            customers = look.count_of(row["customers_count"], "customer")
            assert f"Only {customers} had this status." in said
            assert "too few to tell" in said
            continue
        share, low, high = (
            round(100 * row[f"ordered_share{end}"]) for end in ("", "_low", "_high")
        )
        assert f" {share} ({low} to {high}) " in said
        if row["horizon_days"] == 90:
            words = f"Of 100 {names[row['risk_status']]}, {share} ordered within 90 days"
            words += f" ({low} to {high})"
            # late and less revenue are compared with HEALTHY
            if row["risk_status"].startswith("AT_RISK") and healthy is not None:
                words += f"; of 100 healthy ones, {100 * healthy:.0f}"
            assert f"{words}. " in said
            times = look.count_of(row["positions_count"], "time")
            assert f"{row['customers_count']:,} counted {times}, once a month each" in said
    # customers who had been so for less than the limit again, and the others
    parts = {
        row["is_recent"]: row
        for row in analyst.rows(
            "select days_past_expected < 2 * dormant_days as is_recent,"
            " count(distinct customer_id) as customers, avg((coalesce("
            " days_until_next_order <= 90, false))::integer)::double precision as share"
            " from analytics.risk_status_positions inner join analytics.tenants"
            " using (tenant_id) where tenant_slug = %s and risk_status = 'DORMANT' group by 1",
            tenant,
        )
    }
    has_parts = len(parts) == 2 and all(row["customers"] >= 30 for row in parts.values())
    if has_parts:
        recent, others = (parts[is_recent]["share"] for is_recent in (True, False))
        assert (
            f"Of 100 who had been dormant for less than 45 days, {100 * recent:.0f} ordered;"
            f" of 100 who had been dormant for longer, {100 * others:.0f}." in said
        )
    assert ("who had been dormant for less than" in said) is has_parts
    is_recent_first = has_parts and recent >= 0.25 > others
    assert ("First call those who left recently" in said) is is_recent_first
    high = by_status["DORMANT"]["ordered_share_high"]
    assert ("Few come back" in said) is (
        not is_recent_first and high is not None and high < 0.25
    )
    low = by_status["HEALTHY"]["ordered_share_low"]
    assert ("You can count on them" in said) is (low is not None and low >= 0.75)
    # how many of the customers who left had been flagged
    recall = analyst.value(
        "select recall from analytics.risk_status_forecast_quality"
        " where tenant_slug = %s and horizon_days = 90",
        tenant,
    )
    assert isinstance(recall, float)
    assert (
        f"It finds {100 * recall:.0f} of 100 who stop ordering; the others had another status."
        in said
    )
    # cards and table have statuses in the same order
    in_order = [look.status_of("risk_status", name).word for name in names]
    cards, _, table = markup(shown_of(tenant)).partition("Half had ordered after</th>")
    assert re.findall(r'</span>([\w ]+)</span><span class="ch-small">', cards) == in_order
    assert re.findall(r"</span>([\w ]+)</span></td>", table)[:4] == in_order
    [period] = analyst.rows(
        "select backtest_periods.* from analytics.backtest_periods"
        " inner join analytics.tenants using (tenant_id) where tenant_slug = %s",
        tenant,
    )
    assert f"{period['cuts_count']} months" in said
    assert plain(look.day(period["first_cut_on"])) in said
    for limit in (
        "Closed customers are left out",
        "Seasonal buyers may look dormant",
        "counts once for each month in which it had the status",
        "These figures do not say whether a call helps",
    ):
        assert limit in said


def test_a_card_says_what_its_status_means_and_how_many_have_it(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(
        "update analytics.tenants set dormant_days = 33, grace_days = 1,"
        " revenue_decline_pct = 12.5"
    )
    said = text(shown_of(TENANT))
    means = {
        "DORMANT": "33 days or more past the expected order",
        "AT_RISK_CADENCE": "1 day or more past the expected order, not yet dormant",
        "AT_RISK_REVENUE": "Not late, but the last orders are smaller by 12.5 % or more",
        "HEALTHY": "Not late, and ordering for about as much as before",
    }
    for status, words in means.items():
        count = refreshed.value(
            "select count(*)::int from analytics.customer_risk_status"
            " inner join analytics.tenants using (tenant_id)"
            " where tenant_slug = %s and risk_status = %s",
            *(TENANT, status),
        )
        assert isinstance(count, int)
        assert f"{words}. Today: {look.count_of(count, 'customer')}." in said
    # no customer has the status
    refreshed.execute(
        "update analytics.customer_risk_status set risk_status = 'HEALTHY'"
        " where risk_status = 'DORMANT'"
    )
    data.read.clear()
    assert f"{means['DORMANT']}. Today: 0 customers." in text(shown_of(TENANT))


def test_a_card_of_segments_says_the_same(refreshed: Database, look_at: Point) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(
        "update analytics.booking_organizations set segment_new_days = 7,"
        " segment_active_days = 11, segment_at_risk_days = 13"
    )
    said = text(visits_of(ORGANIZATION))
    for segment, words in {
        "LOST": "Last visit more than 13 days ago",
        "AT_RISK": "Last visit more than 11 days ago, not yet lost",
        "ACTIVE": "Last visit up to 11 days ago, no longer new",
        "NEW": "First visit up to 7 days ago",
    }.items():
        count = refreshed.value(
            "select count(*)::int from analytics.customer_analytics"
            " inner join analytics.booking_organizations using (organization_id)"
            " where organization_slug = %s and customer_segment = %s",
            *(ORGANIZATION, segment),
        )
        assert isinstance(count, int)
        assert f"{words}. Today: {look.count_of(count, 'customer')}." in said


def test_a_verdict_is_given_only_where_the_interval_carries_it(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    # customers for whom the first day of DORMANT is unknown
    refreshed.execute(positions_of(0, 0.0, 0.0))
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
        assert ("Few come back" in said) is (dormant == "YES")
        assert ("Do not write them off" in said) is (dormant in ("NO", "NOT_SURE"))
        assert ("Do not write them off yet" in said) is (dormant == "NOT_SURE")
        assert ("You can count on them" in said) is (healthy == "YES")
        assert ("they stay away more often than healthy customers" in said) is (late == "YES")
        assert ("No clear warning" in said) is (late == "NO")
        assert ("Too few healthy customers to compare with" in said) is (
            late == "NOTHING_TO_COMPARE"
        )
    # no share and no figure
    assert said.count("Only 12 customers had this status.") == 2
    assert "Too few customers to tell." in said
    assert said.count("too few to tell") == 6
    # no customer had the status
    assert "No customer had this status." in said


def positions_of(customers: int, recent_share: float, other_share: float) -> str:
    """Return SQL that replaces all positions by DORMANT ones.

    Each of so many customers has two: on day 89 after the expected order, and on day 90. The
    given shares of them order within 90 days.
    """
    return instead_of(
        "risk_status_positions",
        "select customer_id, cut_on, 'DORMANT' as risk_status, days as days_past_expected,"
        " case when number <= share * customers then 90 else 91 end as days_until_next_order"
        f" from (select {customers} as customers) as given"
        " cross join lateral generate_series(1, customers) as number"
        " cross join lateral (select"
        " ('00000000-0000-0000-0000-' || lpad(number::text, 12, '0'))::uuid as customer_id)"
        f" as keys cross join (values (date '2026-01-01', 89, {recent_share}),"
        f" ('2026-01-02', 90, {other_share})) as parts (cut_on, days, share)",
    )


def test_recently_dormant_customers_are_counted_separately(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute("update analytics.tenants set dormant_days = 45")
    for customers, recent, others, is_told, is_first in (
        (40, 0.25, 0.225, True, True),
        (40, 0.225, 0.1, True, False),
        # then no customer is left
        (40, 0.5, 0.25, True, False),
        (30, 0.5, 0.1, True, True),
        # too few in either part
        (29, 0.5, 0.1, False, False),
    ):
        refreshed.execute(positions_of(customers, recent, others))
        # the sentence about all of them
        refreshed.execute(
            instead_of("risk_status_backtest_summary", status_rows(0.05, 0.2, 0.8))
        )
        data.read.clear()
        said = text(shown_of(TENANT))
        words = (
            f"Of 100 who had been dormant for less than 45 days, {look.of_100(recent)}"
            f" ordered; of 100 who had been dormant for longer, {look.of_100(others)}."
        )
        assert (words in said) is is_told, (customers, recent)
        assert ("who had been dormant" in said) is is_told
        assert ("First call those who left recently" in said) is is_first
        assert ("Few come back" in said) is not is_first


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
        "there is too little data",
        "the history is too short to tell",
        "this needs the order model",
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

    assert "There is no probability yet. customer-health fit-orders" in " ".join(
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
    # earlier parameters in force stay
    refreshed.execute(fitted(TENANT))
    assert "was refused: <3> customers" in said()
    assert "The parameters of 1 Jan 2025 stay in force" in said()
    assert "of 100 customers to order within 90 days" in said()
    refreshed.execute("delete from analytics.order_model_parameters")
    # no cut has 90 days after it
    refreshed.execute(fitted(TENANT, valid_from="2026-06-01"))
    assert "been in force since 1 Jun 2026" in said()
    assert "nothing to compare yet" in said()
    refreshed.execute("update analytics.order_model_parameters set valid_from = '2026-12-01'")
    assert "no probability before 1 Dec 2026" in said()


def test_predicted_and_observed_shares_equal_sql(analyst: Database) -> None:
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
            f"It expected {100 * told:.0f} of 100 customers to order within {days} days;"
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
        is_doubted = "Do not trust it" in text(shown) or "but not " in text(shown)
        assert is_doubted is is_off
        assert ("You can trust it" in text(shown)) is not is_off


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
    # the ends belong to the interval
    assert (
        "Do not trust it everywhere: fewer ordered where it said 30 to 50 %, 80 to 90 %, and"
        " more ordered where it said 0 to 10 %. Furthest off: where it said 85 %, 20 of 100"
        " ordered (10 to 30). It expected 34 of 100 customers to order within 90 days; 20 did."
        in said
    )


def calibrated(*bands: tuple[int, float, float, int]) -> str:
    """Return SQL that replaces some tenths: predicted, observed, number of customers."""
    rows = ", ".join(str(band) for band in bands)
    return instead_of(
        "order_model_calibration",
        "select 90 as horizon_days, band, cases as positions_count, 50 as customers_count,"
        " told as mean_p_order, (seen * cases)::bigint as ordered_count,"
        " seen as ordered_share,"
        " seen - 0.02 as ordered_share_low, seen + 0.02 as ordered_share_high"
        f" from (values {rows}) as bands (band, told, seen, cases)",
    )


def test_right_on_average_is_not_called_right_where_it_is_not(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(fitted(TENANT))
    # the large tenths are right, the few in the middle are not
    many = (8, 0.88, 0.9, 9000)
    nearly_all = [
        (4, 0.45, 0.4, 9),
        (5, 0.55, 0.4, 90),
        (6, 0.65, 0.4, 90),
        (7, 0.75, 0.6, 900),
    ]
    for bands, expected in (
        (
            [(3, 0.35, 0.0, 60), (4, 0.45, 0.04, 60), (5, 0.55, 0.05, 60), many],
            (
                "Right on average, but not for those it is unsure of: where it said 30 to 60"
                " %, 3 of 100 ordered. It expected 87 of 100 customers to order within 90"
                " days; 88 did."
            ),
        ),
        # a share of 0 is certain, not unsure
        (
            [(1, 0.15, 0.6, 60), (3, 0.35, 0.0, 60), many],
            (
                "Right on average, but not everywhere: where it said 30 to 40 %, 0 of 100"
                " ordered; where it said 10 to 20 %, 60 of 100 ordered."
            ),
        ),
        # wrong, but not by much
        (
            [(6, 0.65, 0.55, 60), many],
            (
                "Right on average, but not everywhere: fewer ordered where it said 60 to 70 %."
                " Furthest off: where it said 65 %, 55 of 100 ordered (53 to 57)."
            ),
        ),
        # nearly everywhere in one direction: four tenths of five, and nearly all customers
        (
            [*nearly_all, (8, 0.85, 0.85, 9)],
            "Do not trust it: it expects too many nearly everywhere. It expected 72 of 100",
        ),
        (
            [(4, 0.45, 0.5, 9), (5, 0.55, 0.6, 90), (6, 0.65, 0.7, 90)],
            "Do not trust it: it expects too few nearly everywhere.",
        ),
        # three of four tenths are not nearly all
        (
            [(4, 0.45, 0.1, 90), (5, 0.55, 0.1, 90), (6, 0.65, 0.1, 90), (7, 0.75, 0.75, 9)],
            "Do not trust it everywhere: fewer ordered where it said 40 to 70 %.",
        ),
    ):
        refreshed.execute(calibrated(*bands))
        data.read.clear()
        assert expected in text(shown_of(TENANT)), bands


def test_expected_dates_and_revenue_are_what_sql_says(analyst: Database) -> None:
    said = " ".join(text(shown_of(TENANT)).split())
    assert "counts only those with another order within 90 days" in said
    for row in analyst.rows(
        "select * from analytics.next_order_date_errors where tenant_slug = %s", TENANT
    ):
        assert f"{100 * row['within_7_days_share']:.0f} of 100" in said
        side = "before" if row["median_error_days"] < 0 else "after"
        words = f"usually about {look.count_of(abs(row['median_error_days']), 'day')} {side}"
        assert f"{row['mean_absolute_error_days']:.1f} days {words} the date" in said
        assert (
            f"{row['order_days_count']:,} {row['followed_count']:,} had another within 90 days"
            in said
        )
    shares = {
        row["risk_status"]: row["fell_share"]
        for row in analyst.rows(
            "select * from analytics.revenue_rule_backtest where tenant_slug = %s", TENANT
        )
    }
    assert (
        f"Of 100 customers with less revenue, {100 * shares['AT_RISK_REVENUE']:.0f} spent less"
        f" afterward; of 100 healthy ones, {100 * shares['HEALTHY']:.0f}." in said
    )
    assert ("not that it will go on" in said) is (
        shares["AT_RISK_REVENUE"] <= shares["HEALTHY"]
    )


def test_late_within_the_usual_error_is_said_once(refreshed: Database, look_at: Point) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute("update analytics.tenants set grace_days = 7")
    for measured, fallback, days in ((7.9, 9.9, 7), (7.0, 9.9, None)):
        refreshed.execute(
            instead_of(
                "next_order_date_errors",
                "select source as cadence_source, 90 as order_days_count,"
                " 80 as followed_count, error as mean_absolute_error_days,"
                " 0 as median_error_days, 0.5 as within_7_days_share"
                f" from (values ('MEASURED', {measured}), ('FALLBACK', {fallback}))"
                " as given (source, error)",
            )
        )
        data.read.clear()
        said = text(shown_of(TENANT))
        assert "as often before the date as after it" in said
        assert said.count("is within the usual error") == (0 if days is None else 1)
        if days is not None:
            assert (
                f"An order that is {days} days late is within the usual error, but counts"
                " as late from 7 days on." in said
            )


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
    # the value in force is selected at first, and marked
    assert slider.value == current["value"]
    assert f"{current['value']} is today's setting" in slider.label
    days = look.count_of(current["value"], "day")
    # the sentence on its worth is shown only for the limit that decides who is dormant
    is_judged = len({(row["precision"], row["recall"]) for row in rows.values()}) > 1
    assert is_judged is (setting != "grace_days")
    assert f"{days} is today's setting." in text(shown)
    assert ("100 who stop ordering;" in limits_of(shown)) is is_judged
    # for each limit the page says whether another value is better
    assert text(shown).count("No other limit is") == 1
    for value in (min(rows), 30, max(rows)):
        slider.set_value(value).run()
        assert not shown.exception
        row = rows[value]
        figures = tiles(shown)
        for name, status in look.STATUSES["risk_status"].items():
            assert figures[status.word] == f"{row[f'{name.lower()}_count']:,}", (value, name)
        if value == current["value"]:
            continue
        moved = look.count_of(row["moved_count"], "customer")
        days = look.count_of(value, "day")
        words = f"At {days} (today {current['value']}), {moved} would change status."
        assert words in text(shown)
        came = [100 * (1 - judged["precision"]) for judged in (row, current)]
        assert (
            f"{words} It would have found {100 * row['recall']:.0f} of 100 who stop ordering"
            f" (with today's setting, {100 * current['recall']:.0f}); {came[0]:.0f} of 100"
            f" dormant customers ordered after all (with today's setting, {came[1]:.0f} of 100"
            " dormant customers ordered after all)." in text(shown)
        ) is is_judged
        slider = shown.select_slider[0]


def limits_of(shown: AppTest) -> str:
    """Return the sentences below the slider."""
    return text(shown).partition("is today's setting.")[2]


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
                0 as dormant_count, 0 as moved_count, value / 400.0 as recall,
                0.5 as balanced_accuracy
            from (values (1), (2), (400)) as given (value)
            """,
        )
    )
    shown = shown_of(TENANT)
    slider = shown.select_slider[0]
    assert slider.value == 400
    # no customer was DORMANT, so there is no share
    assert "nobody would have been dormant" in text(shown)


def test_a_limit_is_suggested_only_where_it_gains_lastingly(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    words = {
        "NO_STABLE_GAIN": "No other limit is clearly better.",
        "TOO_FEW": "too few customers ordered or stayed away",
        "TOO_SHORT": "the history is too short",
        "SUGGESTED": "77 days would have predicted who stops ordering better than 45",
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
        assert ("than 45 (70 to 80 are as good)" in said) is (basis == "SUGGESTED")
        assert ("right about 3.2 more of 100" in said) is (basis == "SUGGESTED")
        assert "change_a_rule" not in said


def test_a_suggestion_says_what_it_costs(refreshed: Database, look_at: Point) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(
        instead_of(
            "threshold_suggestions",
            "select 'dormant_days' as setting, 45 as current_value, 13 as suggested_value,"
            " 6 as as_good_from, 21 as as_good_to, 0.0326 as gain, 'SUGGESTED' as basis",
        )
    )
    for precision, recall, dormant, expected in (
        (
            *("0.66", 0.73, 424),
            (
                "13 days would find 73 instead of 62 of 100 who stop ordering, but 34 instead"
                " of 11 of 100 dormant customers would order after all. 108 customers would"
                " become dormant."
            ),
        ),
        (
            *("0.95", 0.55, 315),
            (
                "13 days would find 55 instead of 62 of 100 who stop ordering, but 5 instead"
                " of 11 of 100 dormant customers would order after all. 1 customer would no"
                " longer be dormant."
            ),
        ),
        # better in both
        (*("0.95", 0.73, 316), "73 instead of 62 of 100 who stop ordering, and 5 instead of"),
        # no customer was dormant, so there is no share
        (*("null", 0, 0), "13 days would find 0 instead of 62 of 100 who stop ordering. 316"),
    ):
        refreshed.execute(
            instead_of(
                "threshold_what_if",
                "select 'dormant_days' as setting, given.*, 7 as healthy_count,"
                " 0 as at_risk_revenue_count, 0 as at_risk_cadence_count, 108 as moved_count,"
                " 0.7 as balanced_accuracy from (values (45, true, 0.89, 0.62, 316),"
                f" (13, false, {precision}, {recall}, {dormant}))"
                " as given (value, is_current, precision, recall, dormant_count)",
            )
        )
        data.read.clear()
        assert expected in text(shown_of(TENANT))


KINDS = {
    "LIKELY_THOUGH_DORMANT": "Dormant, but likely",
    "LIKELY_THOUGH_LATE": "Late, but likely",
    "UNLIKELY_THOUGH_ON_TIME": "On time, but unlikely",
}
BELIEVE = {
    "FORECAST": "Believe the forecast",
    "STATUS": "Believe the status.",
    "NOT_SURE": "It is not clear yet which to believe.",
}


def believed(shown: AppTest) -> dict[str, str]:
    """Return the sentences below the figures of the disagreement tiles."""
    return {
        kind: html.unescape(
            re.findall(
                rf'<div class="ch-word">{word}</div>.*?<div class="ch-sub">(.*?)</div>',
                markup(shown),
            )[0]
        )
        for kind, word in KINDS.items()
    }


def listed_in(shown: AppTest) -> list[str]:
    return re.findall(r'<a href="customer\?[^>]*>(.*?)</a>', markup(shown))


def test_disagreements_are_listed_by_value_and_lead_to_the_customer(
    analyst: Database,
) -> None:
    shown = shown_of(TENANT)
    rows = analyst.rows(
        "select * from analytics.status_disagreements where tenant_slug = %s"
        " order by value_rank",
        TENANT,
    )
    past = {
        row["disagreement"]: row
        for row in analyst.rows(
            "select * from analytics.status_disagreement_backtest where tenant_slug = %s",
            TENANT,
        )
    }
    said, left_out, sure = believed(shown), set(), set()
    for kind, word in KINDS.items():
        count = sum(row["disagreement"] == kind for row in rows)
        assert tiles(shown)[word] == f"{count:,}"
        if not count:
            assert said[kind] == "No such customer today."
        elif kind not in past:
            assert said[kind].startswith("There were no such customers in the past.")
        elif past[kind]["ordered_share"] is None:
            customers = look.count_of(past[kind]["customers_count"], "such customer")
            assert f"Only {customers} in the past." in said[kind]
        else:
            share, low, high = (
                round(100 * past[kind][f"ordered_share{end}"]) for end in ("", "_low", "_high")
            )
            limit = "below 25 %" if kind == "UNLIKELY_THOUGH_ON_TIME" else "50 % or more"
            limit = "75 % or more" if kind == "LIKELY_THOUGH_LATE" else limit
            assert said[kind].startswith(
                f"The forecast is {limit}. Of 100 such customers, {share} ordered within 90"
                f" days ({low} to {high})."
            )
        left_out |= {kind} if BELIEVE["STATUS"] in said[kind] else set()
        sure |= {kind} if BELIEVE["FORECAST"] in said[kind] else set()
    shown_rows = [row for row in rows if row["disagreement"] not in left_out]
    shown_rows.sort(key=lambda row: row["disagreement"] not in sure)
    assert len(shown_rows) > 10
    links = re.findall(r'<a href="customer\?(.*?)"[^>]*>(.*?)</a>', markup(shown))
    assert [name for _, name in links] == [row["customer_name"] for row in shown_rows[:20]]
    for (query, _), row in zip(links, shown_rows, strict=False):
        assert f"{row['tenant_id']}%2F{row['customer_id']}" in query
        assert plain(look.sentence(row["outlook_reason"])) in text(shown)
    is_cut = len(shown_rows) > 20
    assert (f"The first 20 of {len(shown_rows):,}." in text(shown)) is is_cut


def test_the_page_shows_which_of_status_and_outlook_to_believe(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(fitted(TENANT))
    for believe, expected in BELIEVE.items():
        refreshed.execute(came_of(dict.fromkeys(KINDS, believe)))
        data.read.clear()
        for kind, words in believed(shown_of(TENANT)).items():
            if kind == "UNLIKELY_THOUGH_ON_TIME":
                # no customer
                assert words == "No such customer today."
                continue
            assert expected in words, (kind, believe)
            assert sum(one in words for one in BELIEVE.values()) == 1
    # few customers have no share, and none have no row
    refreshed.execute(
        instead_of(
            "status_disagreement_backtest",
            "select 'LIKELY_THOUGH_LATE' as disagreement, 7 as customers_count,"
            " 'TOO_FEW' as believe, 0.75 as p_order_limit",
        )
    )
    data.read.clear()
    said = believed(shown_of(TENANT))
    assert said["LIKELY_THOUGH_LATE"].startswith(
        "The forecast is 75 % or more. Only 7 such customers in the past."
    )
    assert said["LIKELY_THOUGH_DORMANT"].startswith(
        "There were no such customers in the past."
    )
    for kind in ("LIKELY_THOUGH_LATE", "LIKELY_THOUGH_DORMANT"):
        assert BELIEVE["NOT_SURE"] in said[kind]


def test_no_list_of_disagreements_has_who_is_snoozed_or_held_out(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    [snoozed, held_out] = refreshed.rows(
        "select tenant_id, customer_id, tenant_id || '%%2F' || customer_id as link"
        " from analytics.due_to_order where tenant_slug = %s"
        " and disagreement = 'LIKELY_THOUGH_DORMANT'"
        " order by expected_amount_90d desc nulls last limit 2",
        TENANT,
    )
    kind = {"of": "disagreements", "tenant": TENANT, "disagreement": "LIKELY_THOUGH_DORMANT"}

    def seen() -> tuple[int, str]:
        """Return the count of the tile, and the customers of the page and of all rows."""
        data.read.clear()
        shown, rows = shown_of(TENANT), page("rows", **kind)
        count = tiles(shown)["Dormant, but likely"].replace(",", "")
        assert f"{look.count_of(int(count), 'row')}. Page" in text(rows)
        return int(count), markup(shown) + markup(rows)

    before, links = seen()
    assert all(one["link"] in links for one in (snoozed, held_out))
    refreshed.execute(
        "insert into operations.customer_contacts"
        " (tenant_id, customer_id, channel, outcome, snoozed_until)"
        " values (%s, %s, 'PHONE', 'LOST', current_date + 30)",
        *(snoozed["tenant_id"], snoozed["customer_id"]),
    )
    # as if the random hold-out had chosen it
    refreshed.execute(
        "alter view analytics.due_customers rename to due_customers_before;"
        " create view analytics.due_customers with (security_invoker) as"
        " select (jsonb_populate_record(due, jsonb_build_object('is_held_out',"
        f" due.customer_id::text = '{held_out['customer_id']}'))).*"
        " from analytics.due_customers_before as due;"
        " grant select on analytics.due_customers to customer_health_analyst"
    )
    after, links = seen()
    assert after == before - 2
    assert all(one["link"] not in links for one in (snoozed, held_out))
    assert "Left out, because snoozed or held out at random: 2 customers." in text(
        shown_of(TENANT)
    )
    # nobody is left, which does not mean that they agree
    refreshed.execute(
        "insert into operations.customer_contacts"
        " (tenant_id, customer_id, channel, outcome, snoozed_until)"
        " select tenant_id, customer_id, 'PHONE', 'LOST', current_date + 30"
        " from analytics.status_disagreements"
    )
    data.read.clear()
    said = text(shown_of(TENANT))
    assert "None: status and forecast agree about every other customer." in said


def test_where_the_status_is_to_be_believed_nobody_is_listed(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(fitted(TENANT))

    def names(kind: str) -> list[str]:
        rows = refreshed.rows(
            "select coalesce(customer_name, customer_id::text) as name"
            " from analytics.status_disagreements"
            " where tenant_slug = %s and disagreement = %s order by value_rank",
            *(TENANT, kind),
        )
        return [row["name"] for row in rows]

    dormant, late = (names(f"LIKELY_THOUGH_{status}") for status in ("DORMANT", "LATE"))
    assert len(dormant) > 20
    assert len(late) > 10
    # the most valuable customers are of both kinds
    for of_dormant, of_late, expected in (
        ("STATUS", "NOT_SURE", late),
        ("NOT_SURE", "STATUS", dormant),
        # the kind to be believed comes first, whatever its value
        ("FORECAST", "NOT_SURE", [*dormant, *late]),
        ("NOT_SURE", "FORECAST", [*late, *dormant]),
        ("STATUS", "STATUS", []),
    ):
        refreshed.execute(
            came_of(
                {
                    "LIKELY_THOUGH_DORMANT": of_dormant,
                    "LIKELY_THOUGH_LATE": of_late,
                    # no customer
                    "UNLIKELY_THOUGH_ON_TIME": "STATUS",
                }
            )
        )
        data.read.clear()
        shown = shown_of(TENANT)
        assert listed_in(shown) == expected[:20]
        is_cut = len(expected) > 20
        assert (f"The first 20 of {len(expected):,}." in text(shown)) is is_cut
        left_out = [
            f"“{KINDS[kind]}”"
            for kind, believe in (
                ("LIKELY_THOUGH_DORMANT", of_dormant),
                ("LIKELY_THOUGH_LATE", of_late),
            )
            if believe == "STATUS"
        ]
        sentence = f"Not listed: {' and '.join(left_out)}. For these, believe the status."
        assert (sentence in text(shown)) is bool(left_out)


@pytest.mark.usefixtures("analyst")
def test_one_tenant_is_shown_at_a_time() -> None:
    shown = page(NAME)
    options = shown.selectbox(key="tenant").options
    assert "All tenants" not in options
    assert shown.selectbox(key="tenant").value == options[0]
    # all of them, by a link from another page
    assert shown_of("All tenants").selectbox(key="tenant").value == options[0]
    # values tried for one are not those in force for another
    in_force = shown.select_slider[0].value
    shown.select_slider[0].set_value(7).run()
    shown.selectbox(key="tenant").set_value(options[1]).run()
    assert not shown.exception
    assert shown.select_slider[0].value == in_force != 7


def test_the_page_says_nothing_of_who_is_alive(analyst: Database) -> None:
    """P(alive) calls every customer with one order alive, so it is not a score for people."""
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
        (0.001, "dormant customers, fewer than 1 ordered"),
        (0.999, "dormant customers, more than 99 ordered"),
        (1.0, "dormant customers, 100 ordered"),
    ):
        refreshed.execute(
            instead_of("risk_status_backtest_summary", status_rows(share, 1, 0.8))
        )
        data.read.clear()
        assert words in text(shown_of(TENANT))
    assert plain(look.chance(0.004)) == "under 1 %"
    assert plain(look.chance(0.996)) == "over 99 %"
    assert plain(look.chance(0)) == "0 %"
    assert plain(look.chance(0.254)) == "25 %"


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
        "LOST": "lost customers",
        "AT_RISK": "customers at risk",
        "ACTIVE": "active customers",
        "NEW": "new customers",
    }
    assert {row["customer_segment"] for row in rows} == set(names)
    told = 0
    for row in rows:
        if row["visited_share"] is None:
            customers = look.count_of(row["customers_count"], "customer")
            assert f"Only {customers} had this status." in said
            continue
        told += 1
        share, low, high = (
            round(100 * row[f"visited_share{end}"]) for end in ("", "_low", "_high")
        )
        assert f" {share} ({low} to {high}) " in said
        if row["horizon_days"] == 90:
            who = names[row["customer_segment"]]
            assert f"Of 100 {who}, {share} visited within 90 days ({low} to {high})" in said
            times = look.count_of(row["positions_count"], "time")
            assert f"{row['customers_count']:,} counted {times}, once a month each" in said
    assert told > 3
    by_segment = {row["customer_segment"]: row for row in rows if row["horizon_days"] == 90}
    high = by_segment["LOST"]["visited_share_high"]
    assert ("Few come back" in said) is (high is not None and high < 0.25)
    low = by_segment["ACTIVE"]["visited_share_low"]
    assert ("You can count on them. " in said) is (low is not None and low >= 0.75)
    recall = analyst.value(
        "select recall from analytics.customer_segment_forecast_quality"
        " where organization_slug = %s and horizon_days = 90",
        organization,
    )
    assert isinstance(recall, float)
    assert f"It finds {100 * recall:.0f} of 100 who stop visiting" in said
    [period] = analyst.rows(
        "select periods.* from analytics.visit_backtest_periods as periods"
        " inner join analytics.booking_organizations using (organization_id)"
        " where organization_slug = %s",
        organization,
    )
    assert f"{period['cuts_count']} months" in said
    assert plain(look.day(period["first_cut_on"])) in said
    # the page says nothing about orders
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
        assert ("Few come back" in said) is (lost == "YES")
        assert ("Do not write them off" in said) is (lost in ("NO", "NOT_SURE"))
        assert ("You can count on them." in said) is (active == "YES")
        assert ("they stay away more often than active customers" in said) is (
            at_risk == "YES"
        )
    assert "No customer had this status." in said


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
        f"It expected {100 * told:.0f} of 100 customers to visit within 90 days;"
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
        assert f"{row['mean_absolute_error_days']:.1f} days" in said
        assert (
            f"{row['visit_days_count']:,} {row['followed_count']:,} had another within 90 days"
            in said
        )


def test_visits_without_a_model_or_history_say_what_it_takes(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute("delete from analytics.visit_model_parameters")
    said = " ".join(text(visits_of(ORGANIZATION)).split())
    assert "There is no probability yet. customer-health fit-visits" in said
    refreshed.execute(visits_fitted(ORGANIZATION, valid_from="2026-12-01"))
    data.read.clear()
    assert "no probability before 1 Dec 2026" in text(visits_of(ORGANIZATION))
    refreshed.execute("truncate analytics.customer_visit_days")
    data.read.clear()
    said = " ".join(text(visits_of(ORGANIZATION)).split())
    assert "a month with 90 days of visits before it and 90 days after it" in said
    assert "No visit with an expected next date is 90 days old yet" in said


def test_who_has_orders_only_or_bookings_only_need_not_choose(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    assert page(NAME).segmented_control(key="system").value == "Orders"
    refreshed.execute("truncate analytics.booking_organizations")
    data.read.clear()
    shown = page(NAME)
    assert "What became of them" in [heading.value for heading in shown.subheader]
    assert "Dormant" in text(shown)
    assert all(control.key != "system" for control in shown.segmented_control)
