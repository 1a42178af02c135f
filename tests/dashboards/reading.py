"""Shared by the tests of the pages: databases, logins, and pages without a browser."""

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from conftest import PROJECT, Database
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest

from dashboards import look

SCREENS = PROJECT / "dashboards" / "screens"
ANALYST = "pages_analyst"
TENANT = "pages_tenant"
NOBODY = "pages_nobody"
OPERATOR = "pages_operator"


def fitted(*tenants: str, valid_from: str = "2025-01-01") -> str:
    """Return SQL that gives tenants an order model."""
    slugs = "', '".join(tenants)
    return (
        "insert into analytics.order_model_parameters"
        " (tenant_id, valid_from, model, r, alpha_days, a, b, state)"
        f" select tenant_id, '{valid_from}', 'MBG', 0.8, 75, 0.05, 10, 'FITTED'"
        f" from analytics.tenants where tenant_slug in ('{slugs}')"
        " on conflict do nothing;"
    )


def visits_fitted(*organizations: str, valid_from: str = "2025-01-01") -> str:
    """Return SQL that gives organizations a visit model."""
    slugs = "', '".join(organizations)
    return (
        "insert into analytics.visit_model_parameters"
        " (organization_id, valid_from, model, r, alpha_days, a, b, state)"
        f" select organization_id, '{valid_from}', 'MBG', 0.8, 75, 0.05, 10, 'FITTED'"
        f" from analytics.booking_organizations where organization_slug in ('{slugs}')"
        " on conflict do nothing;"
    )


@pytest.fixture(scope="session")
def marts(refreshed_template: Database) -> Database:
    """Demo data after a nightly refresh, and logins that the pages are for."""
    for login, role in (
        (ANALYST, "customer_health_analyst"),
        (OPERATOR, "customer_health_refresher, customer_health_analyst"),
    ):
        refreshed_template.execute(f"create role {login} login in role {role}")
    refreshed_template.execute(f"create role {NOBODY} login; create role {TENANT} login")
    # the other tenants have no forecast
    refreshed_template.execute(fitted("harbor-foods", "kiwi-produce"))
    refreshed_template.execute(visits_fitted("glow-salon"))
    return refreshed_template


@pytest.fixture(autouse=True)
def _marts_first(marts: Database) -> None:
    """Make them before any test copies the template, also when it runs alone."""


Point = Callable[[Database], None]


@pytest.fixture
def look_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Point]:
    """Return a function that points the pages to a database and its login."""

    def point(database: Database) -> None:
        for name, value in database.environment.items():
            monkeypatch.setenv(name, value)
        st.cache_data.clear()

    yield point
    st.cache_data.clear()


@pytest.fixture
def analyst(marts: Database, look_at: Point) -> Database:
    """Use the pages as an analyst; return a database whose login may read everything."""
    look_at(marts.as_user(ANALYST))
    return marts


def screens() -> list[str]:
    """Return the names of all pages."""
    return sorted(file.stem for file in SCREENS.glob("*.py") if not file.stem.startswith("_"))


def page(name: str, **query: str | list[str]) -> AppTest:
    """Show a page, without a browser."""
    shown = AppTest.from_file(str(Path(SCREENS) / f"{name}.py"), default_timeout=30)
    for key, value in query.items():
        shown.query_params[key] = value
    shown.run()
    assert not shown.exception, shown.exception
    return shown


def markup(shown: AppTest) -> str:
    """Return all HTML of a page."""
    return plain("".join(element.proto.body for element in shown.get("html")))


def plain(words: str) -> str:
    """Return words as a person types them, with spaces where a line may break."""
    return words.replace(look.SPACE, " ")


def text(shown: AppTest) -> str:
    """Return the text of a page that a reader sees."""
    without_style = re.sub(r"<style>.*?</style>", "", markup(shown), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", without_style))


def everything(shown: AppTest) -> str:
    """Return everything that a page sends to the browser: text, chart data, choices, links."""
    return "".join(str(getattr(element, "proto", "")) for element in shown.main)


def tiles(shown: AppTest) -> dict[str, str]:
    """Return the figures of the tiles by heading; of equal headings, the first."""
    found = re.findall(
        r'<div class="ch-word">(.*?)</div><div class="ch-figure">(.*?)</div>', markup(shown)
    )
    figures: dict[str, str] = {}
    for heading, figure in found:
        word = re.sub(r"<span.*?</span>", "", heading)
        figures.setdefault(html.unescape(word), html.unescape(figure))
    return figures


def drawn(shown: AppTest, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Return the rows of the chart that has these columns."""
    for chart in shown.get("vega_lite_chart"):
        for dataset in chart.proto.datasets:
            frame = convert_arrow_bytes_to_pandas_df(dataset.data.data)
            if set(columns) <= set(frame.columns):
                return [tuple(row) for row in frame[list(columns)].to_numpy()]
    raise AssertionError(columns)


def instead_of(
    view: str, rows: str, tenants: str = "tenants", tenant_id: str = "tenant_id"
) -> str:
    """Return SQL that replaces the rows of a view for all tenants."""
    return (
        f"create or replace view analytics.{view} with (security_invoker) as"
        f" select (jsonb_populate_record(null::analytics.{view}, to_jsonb(given)"
        f" || jsonb_build_object('{tenant_id}', tenants.{tenant_id}))).*"
        f" from analytics.{tenants} as tenants cross join ({rows}) as given;"
    )


def came_of(believe: dict[str, str], share: float = 0.12) -> str:
    """Return SQL that replaces the words on whom to believe, by kind of disagreement."""
    rows = ", ".join(f"('{kind}', '{whom}')" for kind, whom in believe.items())
    return instead_of(
        "status_disagreement_backtest",
        "select kind as disagreement, 99 as positions_count, 40 as customers_count,"
        f" {share} as ordered_share, 0.09 as ordered_share_low, 0.16 as ordered_share_high,"
        f" believe, 0.5 as p_order_limit from (values {rows}) as given (kind, believe)",
    )
