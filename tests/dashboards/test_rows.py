"""Tables offer files, tiles lead to as many rows as they count, links open the same view."""

import csv
import html
import io
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import streamlit as st
from conftest import PROJECT, Database
from reading import ANALYST, OPERATOR, Point, drawn, markup, page, plain, screens, text, tiles
from streamlit.testing.v1 import AppTest

from dashboards import data, look
from dashboards.downloads import MARK, MOST_ROWS, file_of, offer
from flows.messages import KINDS, Section, message_of

pytest_plugins = ("reading",)

# lists for those who run the refreshes
OF_OPERATORS = ("runs", "alerts", "messages", "unreached")
# each page as it opens, and with the other choices that it offers
SHOWN: list[tuple[str, dict[str, str]]] = [
    *((name, {}) for name in screens()),
    ("customer", {"system": "Bookings"}),
    ("how_good_is_it", {"system": "Bookings"}),
    ("retention", {"system": "Bookings"}),
    ("usage_and_accounts", {"of": "Accounts"}),
    *(
        ("rows", {"of": of})
        for of in (
            *("customers", "value_at_risk", "moves", "disagreements", "order_weeks"),
            *("visitors", "new_visitors", "visit_weeks", "appointment_days"),
            *("organizations", "accounts"),
            *OF_OPERATORS,
        )
    ),
]
# tiles that lead nowhere, because they count no rows: a trial of other limits, a forecast,
# scores and dates of one account
COUNT_NO_ROWS = {
    "how_good_is_it": {status.word for status in look.STATUSES["risk_status"].values()},
    "customer": {
        "Order within 90 days",
        "Expected value, next 90 days",
        # of a customer of whom there are no rows
        *("Next visit expected", "Visits", "No-shows", "Paid, less refunds"),
    },
    "usage_and_accounts": {"Health", "Churn risk", "Renewal", "Last engagement"},
}

TABLE = re.compile(r'<table class="ch-table"><caption>(.*?)</caption>(.*?)</table>')
TILE = re.compile(
    r'<a href="([^"]*)" target="_self" class="ch-tile"[^>]*>'
    r'<div class="ch-word">(.*?)</div><div class="ch-figure">(.*?)</div>'
)
PLAIN_TILE = re.compile(r'<div class="ch-tile"[^>]*><div class="ch-word">(.*?)</div>')
BAR = re.compile(r'<a href="([^"]*)" target="_self"><span class="ch-count">(.*?)</span>')


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, Any]]:
    """Return the files that a page offers, by table caption."""
    offered: dict[str, tuple[str, Any]] = {}

    def offer(label: str, made: Any, **options: Any) -> bool:
        key = options["key"].removeprefix("file of ")
        assert key not in offered, f"two tables are called {key}"
        offered[key] = (label, made)
        return False

    monkeypatch.setattr(st, "download_button", offer)
    return offered


def tables(shown: AppTest) -> dict[str, list[str]]:
    """Return the rows of a page's tables, as HTML, by table caption."""
    found = TABLE.findall(markup(shown).replace("\n", " "))
    return {html.unescape(name): re.findall(r"<tr><td.*?</tr>", body) for name, body in found}


def reader(name: str, query: dict[str, str]) -> str:
    """Return the login of those for whom a page is."""
    is_for_operators = name == "operations" or query.get("of") in OF_OPERATORS
    return OPERATOR if is_for_operators else ANALYST


def word_of(heading: str) -> str:
    return html.unescape(re.sub(r"<span.*?</span>", "", heading))


def rows_in(made: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(made().removeprefix(MARK))))


def counted(shown: AppTest) -> int:
    """Return how many rows the page Rows says that it has."""
    said = re.search(r"([\d,]+) rows?\. Page", text(shown))
    return int(said[1].replace(",", "")) if said else 0


@pytest.mark.parametrize(("name", "query"), SHOWN)
def test_every_table_has_its_file(
    marts: Database,
    look_at: Point,
    files: dict[str, tuple[str, Any]],
    name: str,
    query: dict[str, str],
) -> None:
    look_at(marts.as_user(reader(name, query)))
    shown = page(name, **query)
    there = tables(shown)
    # the picture of the cohorts and what people have written are no tables
    assert there.keys() == files.keys() - {"Cohorts by month", "Notes"}
    for caption, rows in there.items():
        label, made = files[caption]
        in_file = rows_in(made)
        assert f": {len(in_file):,} row" in label, caption
        if len(in_file) != len(rows):
            # a file has more rows than the table only if the page says so
            assert len(in_file) > len(rows), caption
            assert re.search(r"Page 1 of|The (first|last) \d+", text(shown)), caption
        assert len(in_file) > 0


@pytest.mark.parametrize(("name", "query"), SHOWN)
def test_a_tile_that_counts_rows_leads_to_them(
    marts: Database, look_at: Point, name: str, query: dict[str, str]
) -> None:
    look_at(marts.as_user(reader(name, query)))
    plain = {word_of(heading) for heading in PLAIN_TILE.findall(markup(page(name, **query)))}
    assert plain <= COUNT_NO_ROWS.get(name, set())


@pytest.mark.usefixtures("analyst")
@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("overview", {}),
        ("overview", {"tenant": "harbor-foods"}),
        ("due_to_order", {"tenant": "harbor-foods"}),
        ("bookings", {}),
        ("bookings", {"organization": "glow-salon", "days": "28 days"}),
        ("usage_and_accounts", {}),
        ("usage_and_accounts", {"of": "Accounts"}),
        ("how_good_is_it", {"tenant": "harbor-foods"}),
        ("retention", {"tenant": "harbor-foods"}),
        ("retention", {"system": "Bookings", "organization": "glow-salon"}),
    ],
)
def test_a_figure_leads_to_as_many_rows(name: str, query: dict[str, str]) -> None:
    shown = page(name, **query)
    found = markup(shown)
    led = [
        (address, word_of(heading), figure) for address, heading, figure in TILE.findall(found)
    ]
    led += [(address, "", figure) for address, figure in BAR.findall(found)]
    assert led
    seen = 0
    for address, word, figure in led:
        to, _, asked = html.unescape(address).partition("?")
        leads = page(to, **dict(parse_qsl(asked)))
        of = dict(parse_qsl(asked)).get("of")
        if of == "appointment_days":
            # a sum of days, as the page says above them
            what = {"Accepted": "accepted", "Cancelled": "cancelled"}.get(word)
            if what:
                assert f"{figure} {what}" in text(leads), (word, figure)
            seen += 1
        elif of == "value_at_risk":
            # an amount of money, with the number of customers below it
            [customers] = re.findall(
                rf'href="{re.escape(address)}".*?<div class="ch-sub">([\d,]+) customer', found
            )
            assert counted(leads) == int(customers.replace(",", "")), word
            seen += 1
        elif to == "due_to_order":
            said = re.search(r"([\d,]+) customers?\. Page", text(leads))
            assert figure == (said[1] if said else "0"), word
            seen += 1
        else:
            assert f"{counted(leads):,}" == figure, (word, address)
            seen += 1
    assert seen == len(led)


@pytest.mark.usefixtures("analyst")
@pytest.mark.parametrize(
    "query",
    [
        {"tenant": "harbor-foods"},
        {"system": "Bookings", "organization": "glow-salon"},
    ],
)
def test_each_week_leads_to_its_customers(query: dict[str, str]) -> None:
    shown = page("retention", **query)
    weeks = tables(shown)["Customers by week, the latest first"]
    links = re.findall(r'<a href="([^"]*)" target="_self">([\d,]+)</a>', "".join(weeks))
    assert len(links) > 26
    # and so do the bars of the chart
    assert {
        (html.escape(address), f"{customers:,}")
        for address, customers in drawn(shown, ("leads", "customers"))
        if customers
    } == set(links)
    for address, figure in (links[0], links[-1]):
        to, _, asked = html.unescape(address).partition("?")
        assert f"{counted(page(to, **dict(parse_qsl(asked)))):,}" == figure, address


@pytest.mark.usefixtures("analyst")
def test_a_bar_of_a_day_leads_to_the_customers_and_appointments_of_that_day(
    files: dict[str, tuple[str, Any]],
) -> None:
    shown = page("bookings", organization="glow-salon", days="28 days")
    bars = [bar for bar in drawn(shown, ("who", "customers", "leads", "is_future")) if bar[1]]
    for who in ("★ New", "● Returning"):
        of_one = [bar for bar in bars if bar[0] == who]
        for _, customers, address, _ in (of_one[0], of_one[-1]):
            files.clear()
            page("rows", **dict(parse_qsl(address.partition("?")[2])))
            [(_, made)] = files.values()
            rows = rows_in(made)
            assert customers == (
                len(rows)
                if who == "★ New"
                else sum(int(row["returning_customers"]) for row in rows)
            ), address
    # those ahead, too
    assert bars[-1][3]


def test_a_figure_of_a_customer_leads_to_the_rows_behind_it(analyst: Database) -> None:
    buyer = analyst.value(
        "select tenant_id || '/' || customer_id from analytics.customer_risk_status"
        " where revenue_basis = 'EVALUATED' order by customer_id limit 1"
    )
    visitor = analyst.value(
        "select organization_id || '/' || square_customer_id"
        " from analytics.customer_analytics where recent_cadence_days is not null"
        " and total_no_shows > 0 and total_payments > 0 order by square_customer_id limit 1"
    )
    for query in (
        {"customer": str(buyer)},
        {"system": "Bookings", "visitor": str(visitor)},
    ):
        found = markup(page("customer", **query))
        led = [
            dict(parse_qsl(html.unescape(address).partition("?")[2]))
            for address, _, _ in TILE.findall(found)
        ]
        assert len(led) == 4
        for choices in led:
            figure = choices["figure"]
            picked = page("customer", **query, figure=figure).selectbox(key="figure")
            # a figure in which no row counts would not be among the options
            assert picked.value == figure
            assert query.items() <= choices.items()


def test_a_job_leads_to_its_runs(marts: Database, look_at: Point) -> None:
    look_at(marts.as_user(OPERATOR))
    led = [
        dict(parse_qsl(html.unescape(address).partition("?")[2]))
        for address, _, _ in TILE.findall(markup(page("operations")))
    ]
    jobs = {
        row["job"]: row["runs"]
        for row in marts.rows(
            "select payload ->> 'cron_name' as job, count(*)::int as runs"
            " from operations.application_logs group by 1"
        )
    }
    assert [asked["job"] for asked in led if asked["of"] == "runs"] == sorted(jobs)
    for address, seconds in drawn(page("operations"), ("leads", "seconds")):
        led_to = text(page("rows", **dict(parse_qsl(address.partition("?")[2]))))
        assert f" {seconds} " in led_to
        assert " 1 row. Page 1 of 1." in led_to
    for job, runs in jobs.items():
        assert counted(page("rows", of="runs", job=job)) == runs
    assert counted(page("rows", of="runs", job="refresh_hourly", run_status="failed")) == 0


@pytest.mark.usefixtures("analyst")
@pytest.mark.parametrize("of", OF_OPERATORS)
def test_rows_of_operators_are_not_for_others(of: str) -> None:
    shown = page("rows", of=of)
    assert "for those who run the refreshes" in text(shown)
    assert tables(shown) == {}
    # nor are they offered
    assert of not in page("rows").selectbox(key="of").options


def test_a_closed_customer_is_in_its_weeks_and_leads_nowhere(analyst: Database) -> None:
    # by its id it is on the first page: nobody shows its name
    [one] = analyst.rows(
        "select tenant_slug, customer_id::text, week_begins_on::text, activity"
        " from analytics.customer_order_weeks inner join analytics.tenants using (tenant_id)"
        " where week_begins_on > today - 372 and customer_id::text < 'a'"
        " and (tenant_id, customer_id) in"
        " (select tenant_id, customer_id from analytics.closed_customer_order_days)"
        " order by customer_id, week_begins_on limit 1"
    )
    chosen = {"tenant": one["tenant_slug"], "week": one["week_begins_on"]}
    shown = page("rows", of="order_weeks", activity=one["activity"], **chosen)
    [row] = [row for row in next(iter(tables(shown).values())) if one["customer_id"] in row]
    assert "closed" in row
    assert "href" not in row


@pytest.mark.usefixtures("analyst")
def test_a_link_opens_the_same_rows(files: dict[str, tuple[str, Any]]) -> None:
    shown = page("rows", of="customers")
    shown.selectbox(key="risk_status").set_value("AT_RISK_CADENCE")
    shown.selectbox(key="tenant").set_value("harbor-foods")
    files.clear()
    shown.run()
    assert not shown.exception
    [(_, made)] = files.values()
    chosen = rows_in(made)
    assert {row["risk_status"] for row in chosen} == {"AT_RISK_CADENCE"}
    assert {row["tenant_slug"] for row in chosen} == {"harbor-foods"}
    address = {
        key: value[0] if isinstance(value, list) else value
        for key, value in shown.query_params.items()
    }
    # the address bar of a browser
    address |= {
        box.proto.query_param_key: box.value
        for box in shown.selectbox
        if box.proto.query_param_key
    }
    assert address.keys() == {"of", "tenant", "risk_status", "account_type"}
    files.clear()
    again = page("rows", **address)
    [(_, made)] = files.values()
    assert rows_in(made) == chosen
    assert tables(again) == tables(shown)


@pytest.mark.parametrize(("name", "query"), SHOWN)
def test_what_is_chosen_stands_in_the_address(
    marts: Database, look_at: Point, name: str, query: dict[str, str]
) -> None:
    look_at(marts.as_user(reader(name, query)))
    shown = page(name, **query)
    for kind in ("selectbox", "text_input", "button_group", "date_input", "select_slider"):
        for widget in shown.get(kind):
            is_there = widget.proto.query_param_key or widget.key in shown.query_params
            assert is_there, widget.key


@pytest.mark.usefixtures("marts")
def test_a_file_has_no_formulas() -> None:
    assert "'=1+1" in file_of([{"name": "=1+1"}])
    # with the mark without which Excel does not read it as UTF-8
    assert file_of([]).encode() == b"\xef\xbb\xbf\r\n"


def test_what_people_have_written_has_its_file(
    refreshed: Database, look_at: Point, files: dict[str, tuple[str, Any]]
) -> None:
    customer = refreshed.value(
        "with written as (insert into operations.customer_contacts"
        " (tenant_id, customer_id, channel, outcome, note)"
        " select tenant_id, customer_id, 'PHONE', 'REACHED', '=' || number || e'\\nb'"
        " from generate_series(1, 30) as number, (select tenant_id, customer_id"
        " from analytics.customer_account_types limit 1) as one"
        " returning tenant_id || '/' || customer_id as key)"
        " select distinct key from written"
    )
    visitor = refreshed.value(
        "select organization_id || '/' || square_customer_id from analytics.customer_analytics"
        " where jsonb_array_length(booking_notes) > 0"
        " order by jsonb_array_length(booking_notes) desc, square_customer_id limit 1"
    )
    look_at(refreshed)
    said = text(page("customer", customer=str(customer)))
    assert "The first 20 are shown. The file has all of them." in said
    label, made = files["Contacts"]
    assert "30 rows" in label
    assert {row["note"] for row in rows_in(made)} == {
        f"'={number}\nb" for number in range(1, 31)
    }
    page("customer", system="Bookings", visitor=str(visitor))
    label, made = files["Notes"]
    assert f": {len(rows_in(made))} row" in label
    assert rows_in(made)[0].keys() >= {"customer_note", "seller_note"}


def test_all_goals_of_an_account_are_in_the_file(
    refreshed: Database, look_at: Point, files: dict[str, tuple[str, Any]]
) -> None:
    [account] = refreshed.rows(
        "insert into analytics.goal_progress"
        " select (jsonb_populate_record(null::analytics.goal_progress,"
        " to_jsonb(one) || jsonb_build_object("
        "'goal_id', md5(number::text)::uuid))).*"
        " from (select * from analytics.goal_progress order by goal_id limit 1) as one"
        " cross join generate_series(1, 30) as number"
        " returning organization_id || '/' || account_id as key"
    )[:1]
    look_at(refreshed.as_user(ANALYST))
    shown = page("usage_and_accounts", of="Accounts", account=account["key"])
    _, made = files["Goals of the account"]
    assert len(rows_in(made)) > 30
    assert len(tables(shown)["Goals of the account"]) == 20
    assert "The first 20 are shown. The file has all of them." in text(shown)


def test_accounts_without_a_status_are_counted(refreshed: Database, look_at: Point) -> None:
    look_at(refreshed.as_user(ANALYST))
    assert "No status" not in tiles(page("usage_and_accounts", of="Accounts"))
    refreshed.execute("update analytics.account_profiles set suggested_status = null")
    count = refreshed.value("select count(*) from analytics.account_profiles")
    data.read.clear()
    shown = page("usage_and_accounts", of="Accounts")
    assert tiles(shown)["No status"] == str(count)
    [asked] = [
        dict(parse_qsl(html.unescape(address).partition("?")[2]))
        for address, heading, _ in TILE.findall(markup(shown))
        if word_of(heading) == "No status"
    ]
    assert counted(page("rows", **asked)) == count


@pytest.mark.usefixtures("analyst")
def test_a_file_has_only_columns_of_its_rows(files: dict[str, tuple[str, Any]]) -> None:
    for name, query in (
        ("rows", {"of": "customers"}),
        ("rows", {"of": "appointment_days"}),
        ("how_good_is_it", {"tenant": "harbor-foods"}),
    ):
        files.clear()
        page(name, **query)
        for caption, (_, made) in files.items():
            columns = rows_in(made)[0].keys()
            assert not {one for one in columns if one.startswith(("all_", "kind_"))}, caption
            assert "rows_count" not in columns


@pytest.mark.usefixtures("analyst")
def test_all_stays_all_after_another_click() -> None:
    shown = page("rows", of="customers")
    assert shown.selectbox(key="risk_status").options[0] == "All"
    shown.run()
    assert shown.selectbox(key="risk_status").options[0] == "All"
    # a link with that choice
    shown = page("rows", of="customers", risk_status="all")
    assert shown.selectbox(key="risk_status").options.count("All") == 1
    assert "all" not in shown.selectbox(key="risk_status").options


def test_figures_are_picked_by_words_and_the_tenant_s_time(analyst: Database) -> None:
    [buyer] = analyst.rows(
        "select tenant_id || '/' || customer_id as key,"
        " last_ordered_at at time zone time_zone as local"
        " from analytics.customer_account_types"
        " inner join analytics.customer_risk_status using (tenant_id, customer_id)"
        " inner join analytics.tenants using (tenant_id)"
        " where tenant_slug = 'kiwi-produce' and revenue_basis = 'EVALUATED'"
        " order by customer_id limit 1"
    )
    [visitor] = analyst.rows(
        "select organization_id || '/' || square_customer_id as key,"
        " last_visit_at at time zone time_zone as local"
        " from analytics.customer_analytics"
        " inner join analytics.booking_organizations using (organization_id)"
        " where time_zone = 'America/Los_Angeles' and last_visit_at is not null"
        " order by square_customer_id limit 1"
    )
    for query, expected in (
        (
            {"customer": buyer["key"]},
            [
                f"Last order, for the account type: {look.instant(buyer['local'])} ·",
                "Can revenue be compared?: can be compared ·",
            ],
        ),
        (
            {"system": "Bookings", "visitor": visitor["key"]},
            [f"Last visit at: {look.instant(visitor['local'])} ·"],
        ),
    ):
        options = page("customer", **query).selectbox(key="figure").options
        for words in expected:
            assert sum(option.startswith(words) for option in options) == 1, options
        assert not [option for option in options if re.search(r"[T ]\d\d:\d\d:|\+00", option)]


def test_a_file_that_is_cut_off_says_so(files: dict[str, tuple[str, Any]]) -> None:
    offer("All", list, MOST_ROWS)
    offer("Many", list, MOST_ROWS + 1)
    # these rows are in the page already
    offer("Here", [{}], MOST_ROWS + 1)
    assert {caption: label for caption, (label, _) in files.items()} == {
        "All": "Download as CSV: 100,000 rows",
        "Many": "Download as CSV: the first 100,000 of 100,001 rows",
        "Here": "Download as CSV: 100,001 rows",
    }


def names_of_menu(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Return which pages exist, and whether the menu lists them."""
    seen: dict[str, bool] = {}
    page_of = st.Page

    def noted(what: Any, **options: Any) -> Any:
        # what opens the first page is no page itself
        if isinstance(what, str):
            seen[options["title"]] = options["visibility"] == "visible"
        return page_of(what, **options)

    monkeypatch.setattr(st, "Page", noted)
    shown = AppTest.from_file(str(PROJECT / "dashboards" / "app.py"), default_timeout=30)
    shown.run()
    assert not shown.exception
    return seen


@pytest.mark.usefixtures("marts")
def test_the_menu_has_no_pages_of_systems_that_are_off(
    refreshed: Database, look_at: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at(refreshed.as_user(ANALYST))
    menu = names_of_menu(monkeypatch)
    assert not menu.pop("Rows")
    assert all(menu.values())
    # with usage, accounts and bookings switched off
    refreshed.execute(
        "truncate analytics.platform_organizations, analytics.success_organizations,"
        " analytics.booking_organizations"
    )
    data.read.clear()
    menu = names_of_menu(monkeypatch)
    assert {name for name, is_there in menu.items() if not is_there} == {
        *("Rows", "Bookings", "Usage and accounts")
    }
    # with orders and bookings switched off
    refreshed.execute("truncate analytics.tenants")
    refreshed.execute(
        "insert into analytics.platform_organizations (organization_id)"
        " values (gen_random_uuid())"
    )
    data.read.clear()
    menu = names_of_menu(monkeypatch)
    assert {name for name, is_there in menu.items() if is_there} == {
        *("Usage and accounts", "Operations")
    }


def section_of(kind: str, reach: str, tenant: str, **line: Any) -> Section:
    """Return the only section of a message with this line."""
    row = {
        "body": [{"tenant": tenant, "name": None, "words": "", "of": 1, "link": None, **line}],
        "message_id": "",
        "kind": kind,
        "reach": reach,
        "address": "",
        "tenant_slug": tenant,
        "recipient_name": None,
    }
    [section] = message_of(row, "https://pages.example").sections
    return section


def test_a_link_in_a_message_leads_to_what_its_line_is_about(
    marts: Database, look_at: Point
) -> None:
    look_at(marts.as_user(OPERATOR))
    [known] = marts.rows(
        "select (select tenant_slug from analytics.tenants order by 1 limit 1) as tenant,"
        " (select tenant_id || '/' || customer_id from analytics.customer_risk_status"
        " order by 1 limit 1) as customer,"
        " (select organization_id::text from analytics.tenant_latest_health"
        " order by overall_score desc limit 1) as organization,"
        # the last of a long list
        " (select organization_id || '/' || account_id from analytics.account_profiles"
        " order by churn_risk_score, 1 limit 1) as account"
    )
    links = {
        "CUSTOMER_DORMANT": known["customer"],
        "ACCOUNT_CHURN_RISK": known["account"],
        "TENANT_HEALTH_LOW": known["organization"],
        "ACCOUNT_TYPE_SHARE": "TARGET",
        "REFRESH_FAILED": "refresh_nightly",
    }
    for kind in (*KINDS, "TENANTS"):
        section = section_of(
            *("alerts", "team", known["tenant"]),
            section=f"{kind} raised",
            link=links.get(kind),
        )
        where = urlsplit(section.lines[0].link)
        if kind not in links and not where.path:
            continue
        shown = page(where.path.removeprefix("/"), **parse_qs(where.query))
        assert "not found" not in text(shown), kind
        # the page shows what the address names; it leaves out choices that are the default
        for name, values in parse_qs(where.query).items():
            kept = shown.query_params.get(name, values)
            assert values == ([kept] if isinstance(kept, str) else kept), kind


def test_a_rep_s_weekly_message_leads_to_the_rep_s_list(
    marts: Database, look_at: Point
) -> None:
    look_at(marts.as_user(OPERATOR))
    [rep] = marts.rows(
        "select sales_rep_id::text, tenant_slug, count(*) as count from analytics.due_to_order"
        " where sales_rep_id is not null group by 1, 2 order by 3 desc limit 1"
    )
    section = section_of(
        *("weekly", "owner", rep["tenant_slug"]),
        section="CALL_FIRST",
        sales_rep_id=rep["sales_rep_id"],
        week_begins_on="2026-06-08",
    )
    where = parse_qs(urlsplit(section.link).query)
    assert where["owner"] == [rep["sales_rep_id"]]
    shown = page("due_to_order", **where)
    assert sum(int(figure) for figure in tiles(shown).values()) == rep["count"]


def test_a_customer_shows_the_rows_behind_a_figure(
    analyst: Database, files: dict[str, tuple[str, Any]]
) -> None:
    [one] = analyst.rows(
        "select tenant_id, customer_id, total_delivered_orders, recent_average_amount"
        " from analytics.customer_risk_status where revenue_basis = 'EVALUATED'"
        " order by total_delivered_orders limit 1"
    )
    key = f"{one['tenant_id']}/{one['customer_id']}"
    page("customer", customer=key, figure="total_delivered_orders")
    _, made = files["The orders behind the figures"]
    assert len(rows_in(made)) == one["total_delivered_orders"]
    files.clear()
    page("customer", customer=key, figure="recent_average_amount")
    _, made = files["The orders behind the figures"]
    amounts = [float(row["amount"]) for row in rows_in(made)]
    assert round(sum(amounts) / len(amounts), 2) == float(one["recent_average_amount"])


def test_a_customer_that_books_shows_the_rows_behind_a_figure(
    analyst: Database, files: dict[str, tuple[str, Any]]
) -> None:
    [one] = analyst.rows(
        "select organization_id, square_customer_id, total_visits, total_revenue_cents"
        " from analytics.customer_analytics order by total_visits desc limit 1"
    )
    key = f"{one['organization_id']}/{one['square_customer_id']}"
    for figure, expected in (
        ("total_visits", one["total_visits"]),
        ("total_revenue_cents", one["total_revenue_cents"]),
    ):
        files.clear()
        page("customer", system="Bookings", visitor=key, figure=figure)
        rows = rows_in(files["The rows behind the figures"][1])
        if figure == "total_visits":
            assert len(rows) == expected
        else:
            assert sum(int(row["amount_cents"]) for row in rows) == expected


def test_two_days_of_a_customer_say_what_lies_between(
    analyst: Database, files: dict[str, tuple[str, Any]]
) -> None:
    [one] = analyst.rows(
        "select changes.*, tenants.today from analytics.customer_status_changes as changes"
        " inner join analytics.tenants using (tenant_id)"
        " where status_kind = 'risk_status' and change_cause = 'ORDER'"
        " and from_status is not null and changed_on between today - 300 and today - 10"
        " order by changed_on desc, customer_id limit 1"
    )
    day = one["changed_on"]
    shown = page(
        "customer",
        customer=f"{one['tenant_id']}/{one['customer_id']}",
        **{"from": str(day - timedelta(days=1)), "to": str(day)},
    )
    changed = rows_in(files["What changed between the two days"][1])
    assert [row["change_cause"] for row in changed if row["status_kind"] == "risk_status"] == [
        "ORDER"
    ]
    came = rows_in(files["Orders that came or changed between the two days"][1])
    arrived = [row for row in came if row["event"] == "DELIVERED"]
    assert {row["delivered_on"] for row in arrived} == {str(day)}
    for row in arrived:
        assert f"delivered that day: {row['order_id']}" in text(shown) or len(arrived) > 1
    [statuses, *_] = rows_in(files["The customer on two days"][1])
    assert list(statuses.values()) == [
        "Risk status",
        *(
            look.status_of("risk_status", one[f"{which}_status"]).word
            for which in ("from", "to")
        ),
    ]


def test_a_change_of_account_type_names_the_order_that_was_placed(analyst: Database) -> None:
    [one] = analyst.rows(
        "select changes.tenant_id, changes.customer_id, changed_on, orders.id as order_id"
        " from analytics.customer_status_changes as changes"
        " inner join analytics.tenants using (tenant_id)"
        " inner join commerce.orders using (tenant_id, customer_id)"
        " where status_kind = 'account_type' and change_cause = 'ORDER'"
        " and (ordered_at at time zone time_zone)::date = changed_on"
        " and status in ('CONFIRMED', 'SUBMITTED', 'SHIPPED') and changed_on <= today"
        " order by orders.id limit 1"
    )
    day = one["changed_on"]
    shown = page(
        "customer",
        customer=f"{one['tenant_id']}/{one['customer_id']}",
        **{"from": str(day - timedelta(days=1)), "to": str(day)},
    )
    assert f"placed that day: {one['order_id']}" in text(shown)


def test_a_correction_names_the_orders_that_were_entered_late_or_changed(
    refreshed: Database, look_at: Point, files: dict[str, tuple[str, Any]]
) -> None:
    look_at(refreshed.as_user(ANALYST))
    # one that bought nothing lately
    orders = refreshed.rows(
        "select orders.id::text, tenant_id, customer_id, delivered_at::date as delivered_on"
        " from commerce.orders where status = 'DELIVERED' and (tenant_id, customer_id) = ("
        " select tenant_id, customer_id from analytics.customer_risk_status"
        " where last_order_date < '2026-05-01' and total_delivered_orders > 4"
        " order by customer_id limit 1) order by delivered_at desc limit 3"
    )
    keys = {name: orders[0][name] for name in ("tenant_id", "customer_id")}
    late, cancelled, changed = (order["id"] for order in orders)
    for order, columns in (
        (late, "created_at = '2026-06-10 13:00+00'"),
        (cancelled, "status = 'CANCELLED', updated_at = '2026-06-10 14:00+00'"),
        (changed, "updated_at = '2026-06-10 15:00+00'"),
    ):
        refreshed.execute(f"update commerce.orders set {columns} where id = %s", order)
    for day, cause in ((10, "ROWS"), (11, "ROWS"), (12, "RULES"), (13, "UNKNOWN")):
        refreshed.execute(
            "insert into analytics.customer_status_revisions (tenant_id, customer_id, said_at,"
            " status_of, revised_at, status_before, status_now, revision_cause)"
            " values (%s, %s, %s, %s, %s, 'HEALTHY', 'DORMANT', %s)",
            *keys.values(),
            f"2026-06-{day} 12:00+00",
            f"2026-06-{day}",
            f"2026-06-{day + 1} 12:00+00",
            cause,
        )
    shown = page(
        "customer",
        customer=f"{keys['tenant_id']}/{keys['customer_id']}",
        **{"from": "2026-06-09", "to": "2026-06-15"},
    )
    table = tables(shown)["What changed between the two days"]
    said = [plain(html.unescape(row)) for row in table if "correction of" in row]
    when = {order["id"]: look.day(order["delivered_on"]) for order in orders}
    for event, order in (
        ("entered late", late),
        ("cancelled", cancelled),
        ("changed", changed),
    ):
        assert plain(f"{event}: {order} (delivered {when[order]})") in said[0]
    assert "Which one cannot be told" in said[1]
    assert "the limits or the rules have changed; its orders have not" in said[2]
    assert "both its orders and the rules have changed" in said[3]
    came = rows_in(files["Orders that came or changed between the two days"][1])
    assert {row["order_id"]: row["event"] for row in came} == {
        late: "ENTERED",
        cancelled: "CANCELLED",
        changed: "CHANGED",
    }
    assert "An order that was removed cannot be listed." in text(shown)
