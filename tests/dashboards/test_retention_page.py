"""Retention: the cohorts, weeks and shares of the page are those of the marts."""

import csv
import html
import io
import re
from typing import Any

import pytest
from conftest import Database
from reading import ANALYST, Point, markup, page, plain, text, tiles
from streamlit.testing.v1 import AppTest

from dashboards import data, look
from dashboards.downloads import MARK, file_of

pytest_plugins = ("reading",)

SYSTEMS = {
    "Orders": ("tenant", "harbor-foods", "tenants", "order"),
    "Bookings": ("organization", "glow-salon", "booking_organizations", "visit"),
}


def shown_of(system: str, **query: str) -> AppTest:
    key, slug, _, _ = SYSTEMS[system]
    return page("retention", system=system, **{key: slug, **query})


def tables(shown: AppTest, kind: str) -> list[list[list[str]]]:
    """Return the cells of the tables of a kind, row by row, without the headings."""
    found = []
    for body in re.findall(
        rf'<table class="{kind}">.*?<tbody>(.*?)</tbody>', markup(shown), re.DOTALL
    ):
        rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
        cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in rows]
        found.append(
            [[html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in row] for row in cells]
        )
    return found


@pytest.mark.parametrize("system", SYSTEMS)
def test_cohorts_are_those_of_the_mart(analyst: Database, system: str) -> None:
    key, slug, _, thing = SYSTEMS[system]
    cohorts = analyst.rows(
        f"select * from analytics.{thing}_cohorts_monthly where {key}_slug = %s"
        " and months_since <= 12 order by cohort_month desc, months_since",
        slug,
    )
    wanted: dict[str, list[str]] = {}
    for row in cohorts:
        cells = wanted.setdefault(f"{row['cohort_month']:%b %y}", [])
        if not cells:
            cells.append(f"{row['cohort_customers']:,}")
        else:
            rate = row["retention_rate"]
            cells.append("" if rate is None else f"{round(100 * rate)}")
    [table] = tables(shown_of(system), "ch-cohorts")
    [together, *found] = [(row[0], row[1:]) for row in table]
    assert found == list(wanted.items())[:13]
    # a month in the future is empty; a month in which nobody came is 0
    assert found[0][1][-1] == ""
    pooled = analyst.rows(
        "select months_since, sum(cohort_customers) as customers,"
        " round(sum(active_customers) / sum(cohort_customers), 4) as rate"
        f" from analytics.{thing}_cohorts_monthly where {key}_slug = %s"
        " and is_complete group by 1 order by 1",
        slug,
    )
    assert together == (
        "All months",
        [
            f"{pooled[0]['customers']:,}",
            *(f"{round(100 * row['rate'])}" for row in pooled[1:13]),
        ],
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_weeks_are_those_of_the_mart(analyst: Database, system: str) -> None:
    key, slug, _, thing = SYSTEMS[system]
    weeks = analyst.rows(
        f"select * from analytics.{thing}_customers_weekly where {key}_slug = %s"
        " order by week_begins_on desc limit 26",
        slug,
    )
    shown = shown_of(system)
    columns = [f"{kind}_customers" for kind in ("new", "returning", "resurrected", "gone")]
    words = ["New", "Returning", "Resurrected", "Gone"]
    assert tiles(shown) == {
        word: f"{weeks[0][column]:,}" for word, column in zip(words, columns, strict=True)
    }
    table = tables(shown, "ch-table")[0]
    assert table == [
        [
            f"{row['week_begins_on'].day} {row['week_begins_on']:%b %Y}",
            *(f"{row[column]:,}" for column in [*columns, "active_customers"]),
        ]
        for row in weeks
    ]
    assert f"{weeks[0]['active_customers']:,} active customers" in text(shown)
    assert f"for more than {weeks[0]['gone_after_days']} days" in text(shown)


@pytest.mark.parametrize("window", [30, 90])
def test_first_visits_and_rebooking_are_those_of_the_marts(
    analyst: Database, window: int
) -> None:
    shown = shown_of("Bookings", window=f"{window} days")
    found = tables(shown, "ch-table")[1:]
    said = text(shown)
    [whole_organization] = of_dimension(analyst, "organization", window)
    assert f"{whole_organization['new_customers']:,} customers had a first visit" in said
    assert plain(look.share(whole_organization["retention_rate"])) in said
    for table, dimension in zip(
        found[:3], ("location", "service", "team_member"), strict=True
    ):
        rows = of_dimension(analyst, dimension, window)
        assert rows
        assert {tuple(row) for row in table} == {
            (
                row["name"] or "Unknown",
                f"{row['new_customers']:,}",
                plain(look.share(row["retention_rate"])),
                f"{row['visits_count']:,}",
                plain(look.share(row["rebooking_rate"])),
            )
            for row in rows
        }
    services = analyst.rows(
        "select * from analytics.visit_intervals_by_service where organization_slug ="
        " 'glow-salon' order by intervals_count desc, service_id"
    )
    assert found[3] == [
        [
            row["service_id"],
            f"{row['customers_count']:,}",
            f"{row['intervals_count']:,} times",
            f"{row['interval_days_median']:,}",
            f"{row['interval_days_q1']} to {row['interval_days_q3']}",
        ]
        for row in services
    ]


def of_dimension(database: Database, dimension: str, window: int) -> list[dict[str, Any]]:
    where = "where organization_slug = 'glow-salon' and dimension = %s and window_days = %s"
    names = {
        row["location_id"]: row["location_name"]
        for row in database.rows(
            "select * from analytics.booking_locations"
            " inner join analytics.booking_organizations using (organization_id)"
            " where organization_slug = 'glow-salon'"
        )
    }
    firsts = {
        row["dimension_id"]: row
        for row in database.rows(
            f"select * from analytics.first_visit_retention {where}", dimension, window
        )
    }
    # no customer's first visit was there
    nobody = {"new_customers": 0, "retention_rate": None}
    return [
        {
            **row,
            **{name: firsts.get(row["dimension_id"], nobody)[name] for name in nobody},
            "name": names.get(row["dimension_id"], row["dimension_id"]),
        }
        for row in database.rows(
            f"select * from analytics.visit_rebooking {where}", dimension, window
        )
    ]


def test_the_file_has_every_month(analyst: Database) -> None:
    tenant = analyst.value(
        "select tenant_id::text from analytics.tenants where tenant_slug = 'harbor-foods'"
    )
    query = "retention_orders_cohorts"
    found = data.fetch([query], {"tenant": tenant})[query]
    rows = list(csv.DictReader(io.StringIO(file_of(found).removeprefix(MARK))))
    cohorts = analyst.rows(
        "select * from analytics.order_cohorts_monthly where tenant_id = %s", tenant
    )
    assert len([row for row in rows if row["cohort_month"]]) == len(cohorts)
    # the future is empty, not 0
    empty = [row for row in rows if row["active_customers"] == ""]
    assert len(empty) == sum(row["active_customers"] is None for row in cohorts) > 0
    assert f"Download as CSV: {len(found):,} rows" in [
        button.proto.label for button in shown_of("Orders").get("download_button")
    ]


def test_only_systems_that_are_on_are_shown(refreshed: Database, look_at: Point) -> None:
    look_at(refreshed.as_user(ANALYST))
    # nobody has come yet
    refreshed.execute(
        "truncate analytics.customer_order_days, analytics.closed_customer_order_days"
    )
    shown = page("retention")
    assert "Nobody has had a first delivered order yet" in text(shown)
    assert "Orders" in shown.segmented_control[0].options

    refreshed.execute("truncate analytics.tenants")
    data.read.clear()
    shown = page("retention")
    assert "By team member" in [heading.value for heading in shown.subheader]
    assert "system" not in [control.key for control in shown.segmented_control]

    refreshed.execute("truncate analytics.booking_organizations")
    data.read.clear()
    assert "There are no orders or bookings to show." in text(page("retention"))
