"""The pages without a browser: their figures are those of SQL, and errors say what to do."""

import csv
import html
import io
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from conftest import PROJECT, Database, new_database
from reading import (
    ANALYST,
    NOBODY,
    OPERATOR,
    Point,
    came_of,
    drawn,
    everything,
    fitted,
    markup,
    page,
    plain,
    screens,
    text,
    tiles,
)
from settings_of_others import set_as_usual, set_otherwise
from streamlit.testing.v1 import AppTest

from dashboards import data, look
from dashboards.downloads import MARK, due_to_order, file_of
from dashboards.queries import FOLDER, PAGES
from flows.messages import DUE

pytest_plugins = ("reading",)


def counts(database: Database, query: str) -> dict[str, int]:
    return {row["name"]: row["count"] for row in database.rows(query)}


def test_every_query_is_that_of_a_page() -> None:
    assert {file.stem for file in FOLDER.glob("*.sql")} == {
        query for queries in PAGES.values() for query in queries
    }


def test_a_status_has_a_mark_and_a_word_of_its_own() -> None:
    for kind, statuses in look.STATUSES.items():
        words = [status.word for status in statuses.values()]
        assert len(set(words)) == len(words), kind
        if kind in {"risk_status", "account_type", "segment", "due"}:
            marks = [status.mark for status in statuses.values()]
            assert len(set(marks)) == len(marks), kind


@pytest.mark.usefixtures("analyst")
def test_a_weekly_message_leads_to_all_groups_of_the_list() -> None:
    assert [status.word for status in look.STATUSES["due"].values()] == list(DUE)


def test_the_app_opens_with_the_overview() -> None:
    shown = AppTest.from_file(str(PROJECT / "dashboards" / "app.py"), default_timeout=30)
    shown.run()
    assert not shown.exception
    assert [title.value for title in shown.title] == ["Overview"]


@pytest.mark.parametrize("tenant", [None, "harbor-foods"])
def test_overview_counts_customers_as_the_marts_do(
    analyst: Database, tenant: str | None
) -> None:
    shown = page("overview", **({"tenant": tenant} if tenant else {}))
    where = f"where tenant_slug = '{tenant}'" if tenant else ""
    figures = tiles(shown)
    for kind, query in {
        "risk_status": "select risk_status as name, sum(customers_count)::int as count"
        f" from analytics.customer_health_summary {where} group by 1",
        "account_type": "select name, sum(count)::int as count"
        " from analytics.account_type_summary cross join lateral (values"
        " ('ACTIVE', active_count), ('TARGET', target_count), ('PROSPECT', prospect_count)"
        f") as types (name, count) {where} group by 1",
    }.items():
        found = counts(analyst, query)
        for name in look.STATUSES[kind]:
            word = look.status_of(kind, name).word
            assert figures[word] == f"{found.get(name, 0):,}", word
    at_risk = analyst.rows(
        "select currency, sum(revenue_at_risk) as amount from analytics.customer_risk_status"
        " inner join analytics.tenants using (tenant_id)"
        f" {where} {'and' if where else 'where'} currency is not null"
        " and risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE') group by 1"
    )
    assert at_risk
    for row in at_risk:
        assert figures[row["currency"]] == f"{row['amount']:,.0f}"
    ordered, all_of_them = (
        analyst.value(
            f"select count(*) from analytics.{mart} inner join analytics.tenants"
            f" using (tenant_id) {where}"
        )
        for mart in ("customer_risk_status", "customer_account_types")
    )
    assert isinstance(ordered, int)
    assert isinstance(all_of_them, int)
    assert ordered < all_of_them
    assert (
        f"{ordered:,} customers with a delivered order. {all_of_them - ordered:,} more have"
        " none yet" in text(shown)
    )
    assert "Dormant customers do not count" in text(shown)
    # an arrow, escaped as in JSON
    assert re.search(r"if nobody orders \\+u2192", everything(shown))


def test_days_are_what_the_histories_say(analyst: Database) -> None:
    days = data.fetch(["overview_days"], {"tenant": None})["overview_days"]
    found = {
        (row["status_kind"], row["status"], row["day"]): row["customers_count"]
        for row in days
        if row["customers_count"]
    }
    expected = {
        (row["status_kind"], row["status"], row["day"]): row["customers_count"]
        for row in analyst.rows(
            """
            with steps as (
                select 'risk_status' as status_kind, tenant_id, status, valid_from, valid_to
                from analytics.customer_risk_status_history
                union all
                select 'account_type', tenant_id, status, valid_from, valid_to
                from analytics.customer_account_type_history
            )
            select
                status_kind, status, (select max(today) from analytics.tenants) + ahead as day,
                count(*) as customers_count
            from analytics.tenants
            cross join generate_series(-90, 30) as ahead
            inner join steps using (tenant_id)
            where valid_from <= today + ahead and coalesce(valid_to > today + ahead, true)
            group by 1, 2, 3
            """
        )
    }
    assert found == expected
    last = {
        (row["status_kind"], row["status"], row["day"]): row["change_in_a_week"]
        for row in days
        if row["is_today"]
    }
    assert last
    for (kind, status, day), change in last.items():
        now, before = (
            expected.get((kind, status, when), 0) for when in (day, day - timedelta(days=7))
        )
        assert change == now - before


def test_value_at_risk_is_compared_with_the_statuses_of_a_week_ago(analyst: Database) -> None:
    found = data.fetch(["overview_value_at_risk"], {"tenant": None})["overview_value_at_risk"]
    expected = {
        row["currency"]: row["amount"]
        for row in analyst.rows(
            """
            select
                risk_status.currency,
                coalesce(sum(risk_status.revenue_at_risk) filter (
                    where risk_status.risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')
                ), 0) - coalesce(sum(risk_status.revenue_at_risk) filter (
                    where history.status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')
                ), 0) as amount
            from analytics.customer_risk_status as risk_status
            inner join analytics.tenants using (tenant_id)
            left join analytics.customer_risk_status_history as history
                on history.tenant_id = risk_status.tenant_id
                and history.customer_id = risk_status.customer_id
                and history.valid_from <= tenants.today - 7
                and coalesce(history.valid_to > tenants.today - 7, true)
            group by 1
            """
        )
    }
    changes = {row["currency"]: row["change_in_a_week"] for row in found}
    # if no customer is at risk, there is no row
    assert changes | {key: 0 for key in expected if key not in changes} == expected
    # customers without a currency count, too, and come last
    assert found[-1]["currency"] is None
    assert sum(row["customers_count"] for row in found) == analyst.value(
        "select count(*) from analytics.customer_risk_status"
        " where risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')"
    )
    assert tiles(page("overview"))["Several currencies, or none"] == "no sum"


def test_without_any_currency_the_value_at_risk_is_a_sum(
    refreshed: Database, look_at: Point
) -> None:
    refreshed.execute("update analytics.customer_risk_status set currency = null")
    amount = refreshed.value(
        "select sum(revenue_at_risk) from analytics.customer_risk_status"
        " where risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')"
    )
    look_at(refreshed.as_user(ANALYST))
    assert tiles(page("overview"))["No currency known"] == f"{amount:,.0f}"


def test_the_week_moves_as_many_as_the_transitions_say(analyst: Database) -> None:
    shown = page("overview")
    expected = analyst.rows(
        "select status_kind, from_status, to_status, sum(customers_count)::int as count"
        " from analytics.status_transitions_daily inner join analytics.tenants"
        " using (tenant_id) where transition_date > today - 7 and transition_date <= today"
        " group by 1, 2, 3"
    )
    assert len(expected) > 3
    listed = re.findall(r'<li>.*?<span class="ch-count">(.*?)</span>', markup(shown))
    assert sorted(listed) == sorted(f"{row['count']:,}" for row in expected)


def test_due_to_order_ranks_by_expected_amount(analyst: Database) -> None:
    shown = page("due_to_order")
    figures = tiles(shown)
    found = counts(
        analyst, "select due_bucket as name, count(*) from analytics.due_to_order group by 1"
    )
    for name, status in look.STATUSES["due"].items():
        assert figures[status.word] == f"{found.get(name, 0):,}"
    expected = analyst.rows(
        "select customer_name, reason, sales_rep_name, expected_amount_90d, currency,"
        " outlook, p_order_90d, days_past_expected"
        " from analytics.due_to_order"
        " where due_bucket in ('OVERDUE', 'DUE_TODAY') order by expected_amount_90d desc"
        " nulls last, revenue_at_risk desc nulls last, days_past_expected desc, tenant_id,"
        " customer_id limit 25"
    )
    listed = re.findall(r'<a href="customer[^>]*>(.*?)</a>', markup(shown))
    assert listed == [row["customer_name"] for row in expected]
    for row in expected:
        assert plain(look.sentence(row["reason"])) in text(shown)
        assert (row["sales_rep_name"] or "Nobody") in text(shown)
        assert f"{row['expected_amount_90d']:,.0f} {row['currency']}" in text(shown)
        word = look.status_of("outlook", row["outlook"]).word.lower()
        assert f"{word}: {plain(look.chance(row['p_order_90d']))}" in text(shown)
        if row["days_past_expected"]:
            days = look.count_of(row["days_past_expected"], "day")
            assert f"{days} past the expected date" in text(shown)
    said = text(shown)
    assert (
        "Sorted: highest expected order value first, regardless of currency; those without one"
        " last, by usual value." in said
    )
    # before the list, not only after it
    assert said.index("regardless of currency") < said.index(
        plain(look.sentence(expected[0]["reason"]))
    )
    # amounts in several currencies are not summed
    has_others = False
    for name in look.STATUSES["due"]:
        rows = analyst.rows(
            "select currency, count(*), sum(revenue_at_risk) as amount"
            " from analytics.due_to_order where due_bucket = %s group by 1"
            " order by currency is null, count(*) desc, currency",
            name,
        )
        words = "used to order" if name == "DORMANT" else "usual order value"
        amount = look.money(rows[0]["amount"], rows[0]["currency"])
        others = sum(row["count"] for row in rows[1:])
        has_others = has_others or bool(others)
        customers = f"{others:,} customer{'' if others == 1 else 's'}"
        left_out = (
            f", not counting {customers} with other or several currencies" if others else ""
        )
        assert f"{words} per 30 days: {amount}{left_out} " in said
    assert has_others
    # the expected amount may exceed the usual one, and is only an expectation
    assert "from the customer's whole history" in said
    for words in ("less than the usual ones", "least likely to come"):
        assert words not in said
    # without an order model, the page says so
    without = analyst.rows(
        "select customer_name from analytics.due_to_order where tenant_slug = 'north-dairy'"
        " and due_bucket in ('OVERDUE', 'DUE_TODAY')"
        " order by revenue_at_risk desc nulls last, days_past_expected desc, customer_id"
        " limit 25"
    )
    shown = page("due_to_order", tenant="north-dairy")
    listed = re.findall(r'<a href="customer[^>]*>(.*?)</a>', markup(shown))
    assert listed == [row["customer_name"] for row in without]
    said = text(shown)
    assert (
        "Sorted: highest expected order value first; those without one last, by usual" in said
    )


def test_due_to_order_is_filtered_and_searched(analyst: Database) -> None:
    [rep] = analyst.rows(
        "select sales_rep_id::text as owner, tenant_id, tenant_slug, count(*) as count"
        " from analytics.due_to_order"
        " where sales_rep_id is not null group by 1, 2, 3 order by 4 desc limit 1"
    )
    owner = rep["owner"]
    for query in (
        {"tenant": rep["tenant_slug"], "owner": owner},
        {"owner": f"{rep['tenant_id']}/{owner}"},
    ):
        shown = page("due_to_order", **query)
        assert sum(int(figure) for figure in tiles(shown).values()) == rep["count"]
    shown = page("due_to_order", tenant=rep["tenant_slug"], owner="nobody")
    assert sum(int(figure) for figure in tiles(shown).values()) == analyst.value(
        "select count(*) from analytics.due_to_order where sales_rep_id is null"
        " and tenant_slug = %s",
        rep["tenant_slug"],
    )
    # signs of LIKE patterns match only themselves
    for search in ("grill", "%", "it's"):
        shown.text_input(key="find").set_value(search)
        shown.selectbox(key="owner").set_value("everybody")
        shown.selectbox(key="tenant").set_value("All tenants").run()
        assert not shown.exception
        expected = analyst.value(
            "select count(*) from analytics.due_to_order"
            " where position(%s in lower(customer_name)) > 0",
            search,
        )
        assert sum(int(figure) for figure in tiles(shown).values()) == expected
    assert "Nobody is due" in text(shown)


def test_the_list_turns_its_pages(analyst: Database) -> None:
    shown = page("due_to_order", due="Dormant")
    shown.pagination(key="page").set_value(2).run()
    assert not shown.exception
    expected = analyst.rows(
        "select customer_name from analytics.due_to_order where due_bucket = 'DORMANT'"
        " order by expected_amount_90d desc nulls last, revenue_at_risk desc nulls last,"
        " days_past_expected desc, tenant_id, customer_id limit 25 offset 25"
    )
    listed = re.findall(r'<a href="customer[^>]*>(.*?)</a>', markup(shown))
    assert listed == [row["customer_name"] for row in expected]


def test_the_file_has_all_rows_and_no_formulas(refreshed: Database, look_at: Point) -> None:
    refreshed.execute(
        "update analytics.customer_risk_status set customer_name = '=1+1'"
        " where ctid = (select min(ctid) from analytics.customer_risk_status"
        " where risk_status = 'DORMANT')"
    )
    look_at(refreshed.as_user(ANALYST))
    chosen = {
        "tenant": None,
        "sales_rep": None,
        "is_unowned": False,
        "is_snoozed_shown": False,
        "search": None,
        "buckets": list(look.STATUSES["due"]),
    }
    rows = list(csv.DictReader(io.StringIO(file_of(due_to_order(chosen)).removeprefix(MARK))))
    assert len(rows) == refreshed.value("select count(*) from analytics.due_to_order")
    assert "'=1+1" in {row["customer_name"] for row in rows}
    assert "=1+1" not in {row["customer_name"] for row in rows}


def test_a_customer_is_shown_with_its_rules_and_its_orders(analyst: Database) -> None:
    [customer] = analyst.rows(
        "select risk_status.*, tenant_slug, today, cardinality(delivered_dates) as orders"
        " from analytics.customer_risk_status as risk_status"
        " inner join analytics.tenants using (tenant_id)"
        " inner join analytics.customer_recent_orders using (tenant_id, customer_id)"
        " where risk_status = 'AT_RISK_REVENUE' order by customer_id limit 1"
    )
    key = str(customer["customer_id"])
    shown = page("customer", customer=f"{customer['tenant_id']}/{key}")
    said = text(shown)
    assert f"<h3>{customer['customer_name']}</h3>" in html.unescape(markup(shown))
    assert plain(look.sentence(customer["reason"])) in said
    for reason in customer["reasons"]:
        for name, value in [*reason["inputs"].items(), *reason["threshold"].items()]:
            words = {
                "cadence_source": "its own deliveries",
                "revenue_basis": "can be compared",
            }
            assert plain(words.get(name, look.sentence(str(value)))) in said
            # no column names
            assert "_" not in name or name.replace("_", " ") not in said
    assert said.count("Limit:") == 3
    # in money, not as a percentage of an amount that the reader must look for
    amounts = customer["reasons"][2]["inputs"]
    assert (
        f"“Less revenue”: the average fell from {amounts['baseline_average_amount']:,.2f} to"
        f" {amounts['recent_average_amount']:,.2f} {amounts['currency']};"
        f" the limit is {0.85 * amounts['baseline_average_amount']:,.2f}" in said
    )
    orders = data.fetch(
        ["customer_orders"], {"tenant": customer["tenant_id"], "customer": key}
    )
    assert len(orders["customer_orders"]) == analyst.value(
        "select count(*) from analytics.customer_recent_orders"
        " cross join lateral unnest(delivered_dates) as delivered_on"
        " where customer_id = %s and delivered_on >= %s::date - interval '18 months'",
        key,
        customer["today"],
    )
    for row in orders["customer_orders"]:
        assert row["delivered_on"].isoformat() in everything(shown)


def test_the_distance_to_less_revenue_is_shown_in_money(
    analyst: Database,
) -> None:
    [customer] = analyst.rows(
        "select tenant_id, customer_id, reasons -> 2 -> 'inputs' as amounts"
        " from analytics.customer_risk_status where not (reasons -> 2 ->> 'fired')::boolean"
        " and (reasons -> 2 ->> 'fires_after_pct')::numeric > 0 limit 1"
    )
    amounts = customer["amounts"]
    now, then = (amounts[f"{when}_average_amount"] for when in ("recent", "baseline"))
    shown = page("customer", customer=f"{customer['tenant_id']}/{customer['customer_id']}")
    assert (
        f"Becomes “Less revenue” if the average falls from {now:,.2f} to {0.85 * then:,.2f}"
        f" {amounts['currency']} or less" in text(shown)
    )


def test_a_customer_is_shown_with_its_outlook(analyst: Database) -> None:
    for outlook in look.STATUSES["outlook"]:
        [customer] = analyst.rows(
            "select * from analytics.customer_outlook where outlook = %s"
            " and disagreement is null"
            " and expected_value_90d is not null order by expected_value_90d desc limit 1",
            outlook,
        )
        shown = page("customer", customer=f"{customer['tenant_id']}/{customer['customer_id']}")
        figures = tiles(shown)
        assert figures["Order within 90 days"] == f"{100 * customer['p_order_90d']:.0f} %"
        # the mart has cents
        amount = f"{customer['expected_value_90d'] / 100:,.0f} {customer['currency']}"
        assert figures["Expected value, next 90 days"] == amount
        assert plain(look.sentence(customer["reason"])) in text(shown)
        assert look.status_of("outlook", outlook).word in text(shown)
        assert "by the order model; see “How good is it?” below" in text(shown)
        assert "the model's forecast, from the customer's whole history" in text(shown)
        assert f"how_good_is_it?tenant={customer['tenant_slug']}" in markup(shown)
    [mixed] = analyst.rows(
        "select * from analytics.customer_outlook where outlook is not null"
        " and expected_value_90d is null limit 1"
    )
    shown = page("customer", customer=f"{mixed['tenant_id']}/{mixed['customer_id']}")
    assert tiles(shown)["Expected value, next 90 days"] == "unknown"
    [unforeseen] = analyst.rows(
        "select * from analytics.customer_outlook where tenant_slug = 'north-dairy' limit 1"
    )
    shown = page("customer", customer=f"{unforeseen['tenant_id']}/{unforeseen['customer_id']}")
    assert "Order within 90 days" not in tiles(shown)
    assert "No probability of an order" in text(shown)


def test_a_forecast_that_the_past_refutes_is_not_shown_as_a_likely_order(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(fitted("harbor-foods"))
    # rarer orders than any customer has; the factors are not tested here
    refreshed.execute("update analytics.order_model_parameters set b = 0.5, a = 0.5")
    asked = {
        "LIKELY_THOUGH_DORMANT": "only 12",
        "LIKELY_THOUGH_LATE": "only 12",
        "UNLIKELY_THOUGH_ON_TIME": "12",
    }
    seen = set()
    for kind, ordered in asked.items():
        found = refreshed.rows(
            "select outlook.*, risk_status.customer_name"
            " from analytics.customer_outlook as outlook"
            " inner join analytics.customer_risk_status as risk_status"
            " using (tenant_id, customer_id)"
            " where disagreement = %s and outlook.tenant_slug = 'harbor-foods'"
            " and expected_amount_90d is not null limit 1",
            kind,
        )
        if not found:
            continue
        [one] = found
        seen.add(kind)
        chance = plain(look.chance(one["p_order_90d"]))
        word = look.status_of("outlook", one["outlook"]).word
        doubt = (
            f"The forecast says {chance}, but of 100 such customers {ordered} ordered."
            " Believe the status."
        )
        for believe in ("STATUS", "FORECAST", "NOT_SURE", "TOO_FEW"):
            refreshed.execute(came_of({kind: believe}))
            data.read.clear()
            of_one = page("customer", customer=f"{one['tenant_id']}/{one['customer_id']}")
            listed = page(
                "due_to_order",
                tenant="harbor-foods",
                find=str(one["customer_id"]),
                due="Overdue,Due today,Due soon,Dormant",
            )
            is_doubted = believe == "STATUS"
            assert (doubt in text(of_one)) is is_doubted
            assert (word in text(of_one)) is not is_doubted
            # nor as a sentence of the mart
            assert (plain(look.sentence(one["reason"])) in text(of_one)) is not is_doubted
            assert ("do not count on it" in text(of_one)) is is_doubted
            figure = plain(tiles(of_one)["Order within 90 days"])
            assert figure == ("12 of 100" if is_doubted else chance)
            if one["customer_name"] in text(listed):
                assert (doubt in text(listed)) is is_doubted
                assert (f"{word.lower()}: {chance}" in text(listed)) is not is_doubted
    assert seen == set(asked)


def test_a_status_without_an_end_gets_none(analyst: Database) -> None:
    [one] = analyst.rows(
        "select tenant_id || '/' || customer_id as key, previous.valid_to"
        " from analytics.customer_risk_status_history as last"
        " inner join analytics.customer_risk_status_history as previous"
        " using (tenant_id, customer_id)"
        " inner join analytics.tenants using (tenant_id)"
        " where last.valid_to is null and previous.valid_to = last.valid_from"
        " and last.valid_from < today order by 1 limit 1"
    )
    shown = page("customer", customer=one["key"])
    [table] = re.findall(
        r"<caption>Statuses of the last 18 months.*?</table>", markup(shown), re.DOTALL
    )
    ends = re.findall(r'<td data-label="To">(.*?)</td>', table)
    assert "no end without an order" in ends
    assert plain(look.day(one["valid_to"])) in ends
    # in the chart, too
    steps = drawn(shown, ("status", "until"))
    assert "no end without an order" in {until for _, until in steps}
    [visitor] = analyst.rows(
        "select organization_id || '/' || square_customer_id as key"
        " from analytics.customer_analytics where customer_segment = 'LOST' limit 1"
    )
    shown = page("customer", system="Bookings", visitor=visitor["key"])
    steps = drawn(shown, ("status", "until"))
    assert {until for _, until in steps} == {"no end without a visit"}


def test_one_delivery_is_not_called_deliveries(analyst: Database) -> None:
    key = analyst.value(
        "select tenant_id || '/' || customer_id from analytics.customer_risk_status"
        " where total_delivered_orders = 1 limit 1"
    )
    assert "1 delivery in total" in text(page("customer", customer=str(key)))


def test_a_customer_without_deliveries_is_shown(analyst: Database) -> None:
    [customer] = analyst.rows(
        "select tenant_id, customer_id, reason from analytics.customer_account_types"
        " inner join analytics.tenants using (tenant_id) where not exists (select from"
        " analytics.customer_risk_status as risk_status where risk_status.customer_id ="
        " customer_account_types.customer_id) limit 1"
    )
    shown = page("customer", customer=f"{customer['tenant_id']}/{customer['customer_id']}")
    assert "no risk to assess" in text(shown)
    assert plain(look.sentence(customer["reason"])) in text(shown)


def as_in_california(instant: datetime) -> str:
    local = instant.astimezone(ZoneInfo("America/Los_Angeles"))
    return f"{local.day} {local:%b %Y, %H:%M} "


def test_a_customer_that_books_is_shown_with_its_notes(analyst: Database) -> None:
    [visitor] = analyst.rows(
        "select organization_id, organization_slug, square_customer_id, profiles.summary,"
        " booking_notes,"
        " profiles.total_visits, total_payments, total_revenue_cents, refunded_cents"
        " from analytics.customer_profiles as profiles inner join"
        " analytics.booking_organizations using (organization_id)"
        " where time_zone = 'America/Los_Angeles'"
        " order by refunded_cents > 0 desc, notes_count desc, square_customer_id limit 1"
    )
    shown = page(
        "customer",
        system="Bookings",
        visitor=f"{visitor['organization_id']}/{visitor['square_customer_id']}",
    )
    assert visitor["summary"] in text(shown)
    # the summary shows what was paid, the tile what remains after refunds
    paid, refunded = (visitor[f"{kind}_cents"] / 100 for kind in ("total_revenue", "refunded"))
    assert tiles(shown)["Paid, less refunds"] == f"{paid - refunded:,.0f}"
    assert (
        f"{look.count_of(visitor['total_payments'], 'payment')}, {paid:,.0f} in total,"
        f" {refunded:,.0f} of it refunded" in text(shown)
    )
    assert tiles(shown)["Visits"] == f"{visitor['total_visits']:,}"
    assert visitor["booking_notes"]
    for note in visitor["booking_notes"]:
        when = as_in_california(datetime.fromisoformat(note["start_at"]))
        for words in filter(None, (when, note["customer_note"], note["seller_note"])):
            assert words in text(shown)
    last = analyst.value(
        "select max(last_visit_at) from analytics.customer_analytics"
        " where organization_id = %s",
        visitor["organization_id"],
    )
    assert isinstance(last, datetime)
    rows = page("rows", of="visitors", organization=visitor["organization_slug"])
    assert as_in_california(last) in text(rows)


def test_bookings_add_up_as_the_location_view_does(analyst: Database) -> None:
    [one] = analyst.rows(
        "select organization_slug, location_id, location_name from analytics.booking_locations"
        " inner join analytics.booking_organizations using (organization_id)"
        " order by 1, 2 limit 1"
    )
    of_one = f"organization_slug = '{one['organization_slug']}'"
    for query, where in (
        ({}, "true"),
        (
            {"organization": one["organization_slug"], "days": "28 days"},
            of_one,
        ),
        (
            {"organization": one["organization_slug"], "location": one["location_id"]},
            f"{of_one} and location_id = '{one['location_id']}'",
        ),
    ):
        shown = page("bookings", **query)
        days = query.get("days", "90")[:2]
        [expected] = analyst.rows(
            f"""
            select
                sum(accepted_appointments) as accepted,
                sum(new_customers) as new,
                sum(cancelled_appointments) as cancelled,
                round(100.0 * sum(no_show_appointments)
                    / sum(no_show_appointments + accepted_appointments), 2) as no_show_pct
            from analytics.analytics_appointments_by_location_daily
            inner join analytics.booking_organizations using (organization_id)
            where {where} and date <= today and date > today - {days}
            """
        )
        figures = tiles(shown)
        assert figures["Accepted"] == f"{expected['accepted']:,}"
        assert figures["New"] == f"{expected['new']:,}"
        assert figures["Cancelled"] == f"{expected['cancelled']:,}"
        shown_pct = float(figures["No-show"].removesuffix(" %"))
        assert abs(shown_pct - float(expected["no_show_pct"])) <= 0.051


def test_tenants_are_ranked_by_score_and_lose_what_they_lack(analyst: Database) -> None:
    shown = page("usage_and_accounts")
    figures = tiles(shown)
    found = counts(
        analyst,
        "select risk_level as name, count(*) from analytics.tenant_latest_health group by 1",
    )
    for name, status in look.STATUSES["risk_level"].items():
        assert figures[status.word] == f"{found.get(name, 0)}"
    lowest, *_ = analyst.rows(
        "select * from analytics.tenant_latest_health order by overall_score, organization_id"
    )
    said = text(shown)
    assert f"Score {lowest['overall_score']} on" in said
    factors = analyst.rows(
        "select component, round(points_lost, 1) as points_lost"
        " from analytics.tenant_health_factors"
        " where organization_id = %s and metric_date = %s and points_lost > 0",
        lowest["organization_id"],
        lowest["metric_date"],
    )
    assert factors
    for row in factors:
        assert f"{row['component'].replace('_', ' ').capitalize()}" in said
        assert f"{row['points_lost']}" in said
    left = data.fetch(["tenant_factors"], {"organization": lowest["organization_id"]})
    # the score is rounded half up to a whole number
    ends = left["tenant_factors"][-1]["points_left"]
    assert abs(ends - lowest["overall_score"]) <= 1
    # a history of one day is not a line, and the page says how to get more
    assert "--backfill-days" in said


def test_accounts_are_ranked_by_risk_and_shown_with_its_terms(analyst: Database) -> None:
    shown = page("usage_and_accounts", of="Accounts")
    figures = tiles(shown)
    found = counts(
        analyst,
        "select suggested_status as name, count(*) from analytics.account_profiles group by 1",
    )
    for name, status in look.STATUSES["account"].items():
        assert figures[status.word] == f"{found.get(name, 0)}"
    ranked = analyst.rows(
        "select * from analytics.account_profiles"
        " order by churn_risk_score desc nulls last, organization_id, account_id"
    )
    listed = re.findall(r'<a href="usage_and_accounts[^>]*>(.*?)</a>', markup(shown))
    assert listed == [row["account_name"] for row in ranked[:15]]
    # a customer further down the list, by a link
    for one in (ranked[0], ranked[-1]):
        account = f"{one['organization_id']}/{one['account_id']}"
        shown = page("usage_and_accounts", of="Accounts", account=account)
        keys = {"organization": one["organization_id"], "account": one["account_id"]}
        terms = data.fetch(["account_churn"], keys)["account_churn"]
        total = terms[0]["total_points"]
        assert f"{total} points in total" in text(shown) or not total
        assert tiles(shown)["Churn risk"] == f"{one['churn_risk_score']:.0f}"
        factors = data.fetch(["account_factors"], keys)["account_factors"]
        if one["health_score"] is not None:
            assert abs(factors[-1]["points_left"] - one["health_score"]) < 0.01
        goals = analyst.rows(
            "select title from analytics.goal_progress where account_id = %s",
            one["account_id"],
        )
        for goal in goals:
            assert goal["title"] in text(shown)


def test_terms_of_the_churn_risk_add_up_as_they_are_shown(analyst: Database) -> None:
    accounts = analyst.rows(
        "select organization_id as organization, account_id as account"
        " from analytics.account_profiles where churn_risk_score is not null"
    )
    for keys in accounts:
        terms = data.fetch(["account_churn"], keys)["account_churn"]
        assert sum(row["points"] or 0 for row in terms) == terms[0]["total_points"]
        assert all(row["points"] is None or row["points"] >= 0 for row in terms)


KIWI_IS_HELD = (
    '"write_back_guards": [{"tenant_slug": "kiwi-produce", "is_tripped": true,'
    ' "changed_count": 77, "customers_count": 100, "newly_dormant_count": 5,'
    ' "held_count": 0, "last_delivery_on": "2026-06-01", "missed_customers_count": 0}]'
)


def test_operations_shows_runs_alerts_and_what_was_held(
    refreshed: Database, look_at: Point
) -> None:
    refreshed.execute(
        "insert into operations.application_logs (logid, log_type, status, payload) values"
        " ('idle', 'refresh', 'success', $$"
        '{"cron_name": "refresh_hourly", "seconds": 0.3, "is_idle": true, "runs_count": 312,'
        ' "runs_since": "2026-06-15T08:00:00+00:00"}'
        "$$), ('held', 'refresh', 'held', $$"
        '{"cron_name": "refresh_hourly", "seconds": 7.5, "drift": 3, "error": "is <held>",'
        f" {KIWI_IS_HELD}}}"
        "$$);"
        "insert into operations.alert_outbox (edge, kind, tenant_slug, subject, message,"
        " details) values ('raised', 'FEED_SILENT', 'kiwi-produce', 'x', 'no orders', '{}');"
        "create table analytics_internal_failures.visits_add_up (organization_id text)"
    )
    look_at(refreshed.as_user(OPERATOR))
    said = text(page("operations"))
    for words in (
        "is <held>",
        "nothing to do, 312 times since 15 Jun 2026, 08:00 UTC",
        "77 of 100",
        "too many changes at once",
        "no orders",
        "feed silent",
        "drift 3",
        "refresh nightly",
        "visits add up",
    ):
        assert words in said, words
    shown = page("operations")
    assert "<held>" not in markup(shown)
    # like the axis, and not in the zone of the browser
    assert all(began.endswith(" UTC") for (began,) in drawn(shown, ("began",)))


@pytest.mark.parametrize(
    ("status", "payload", "said"),
    [
        # stale, so nothing was compared
        ("held", '"error": "source orders is <stale>"', "source orders is <stale>"),
        # tripped, and written nevertheless
        ("success", f'"is_forced": true, {KIWI_IS_HELD}', "held nothing back"),
        # no write-back at all
        ("success", '"seconds": 1', "No write-back has run yet."),
    ],
)
def test_operations_says_what_the_last_write_back_held(
    refreshed: Database, look_at: Point, status: str, payload: str, said: str
) -> None:
    refreshed.execute("delete from operations.application_logs")
    for ended, found in (
        # an older run, if there is to be any
        *([("success", '"write_back_guards": []')] if "seconds" not in payload else []),
        (status, payload),
    ):
        refreshed.execute(
            "insert into operations.application_logs (logid, log_type, status, payload) values"
            " (gen_random_uuid(), 'refresh', %s, %s)",
            ended,
            f'{{"cron_name": "refresh_nightly", {found}}}',
        )
    look_at(refreshed.as_user(OPERATOR))
    shown = text(page("operations"))
    section = shown[shown.index("--dry-run") : shown.index("What sales reps")]
    assert said in section
    assert ("held nothing back" in section) is (said == "held nothing back")
    assert "kiwi-produce" not in section
    assert (" 1 failure in a row" in shown) is (status == "held")


def test_operations_shows_which_messages_did_not_arrive_and_who_gets_none(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(OPERATOR))
    assert "No message has been made yet." in text(page("operations"))
    # of each state, one more than of that before; the day is one long quiet hour for some
    states = ("unknown", "failed", "pending", "quiet", "withdrawn", "sending", "sent")
    for count, state in enumerate(states, 1):
        refreshed.execute(
            "insert into operations.message_outbox (message_id, kind, reach, tenant_id,"
            " tenant_slug, channel, address, recipient_name, body, state, error, quiet_from,"
            " quiet_to, time_zone) select gen_random_uuid(), 'weekly', 'owner', 't',"
            " 'kiwi-produce', 'mail', 'ann@kiwi.example', '<Ann>', '[{}, {}]', %s, %s,"
            " '00:00', case %s when 'quiet' then '23:59:59.999999'::time else '00:00' end,"
            " 'Asia/Tokyo' from generate_series(1, %s)",
            "pending" if state == "quiet" else state,
            "mailbox <full>" if state == "failed" else None,
            state,
            count,
        )
    refreshed.execute(
        """
        update analytics.sales_reps
        set
            is_active = place != 2,
            sales_rep_email = case when place not in (3, 4) then 'rep@kiwi.example' end
        from (
            select tenant_id, sales_rep_id, row_number() over (order by sales_rep_id) as place
            from analytics.sales_reps
        ) as numbered
        where
            sales_reps.tenant_id = numbered.tenant_id
            and sales_reps.sales_rep_id = numbered.sales_rep_id
        """
    )
    # reps without customers are not told anything
    unreached = {
        row["reason"]: row["number"]
        for row in refreshed.rows(
            "select not_told_because as reason, count(*) as number from operations.recipients"
            " inner join (select distinct tenant_id::text, sales_rep_id::text"
            " from analytics.customer_account_types) as with_customers"
            " using (tenant_id, sales_rep_id) where not_told_because is not null group by 1"
        )
    }
    assert unreached.keys() == {"has left", "no e-mail address"}
    data.read.clear()
    shown = page("operations")
    figures = tiles(shown)
    for kind, counts in (
        ("message", {state: count for count, state in enumerate(states, 1)}),
        ("unreached", unreached),
    ):
        for name, status in look.STATUSES[kind].items():
            count = counts.get(name, 0)
            assert figures[status.word] == str(count), name
            key = "message_state" if kind == "message" else "reason"
            of = "messages" if kind == "message" else "unreached"
            assert f"rows?of={of}&amp;{key}={name.replace(' ', '+')}" in markup(shown)
            rows = page("rows", of=of, **{key: name})
            said = f"{look.count_of(count, 'row')}. Page" if count else "No row matches."
            assert said in text(rows), name
    refused = page("rows", of="messages", message_state="failed")
    assert "mailbox <full>" in text(refused)
    assert "<Ann>" in text(refused)
    assert "<Ann>" not in markup(refused)

    # without the view the rest of the page is there
    refreshed.execute("drop view operations.recipients")
    data.read.clear()
    shown = page("operations")
    assert "operations.recipients" in text(shown)
    assert tiles(shown)["Refused"] == "2"


def test_operations_shows_the_jobs_of_a_fleet(
    refreshed: Database, look_at: Point, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = refreshed.as_user(OPERATOR).environment
    (tmp_path / "services").write_text(
        f"[berlin]\nhost={there['PGHOST']}\nport={there['PGPORT']}\n"
        f"dbname={there['PGDATABASE']}\nuser={OPERATOR}\n\n"
        "[paris]\nhost=/nonexistent\nport=1\ndbname=x\nuser=x\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    look_at(refreshed.as_user(OPERATOR))
    assert "The jobs of all databases" not in text(page("operations"))
    monkeypatch.setenv("FLEET", "berlin, paris")
    said = text(page("operations"))
    found = re.search("The jobs of all.*?berlin(.*?)paris(.*)", said, re.DOTALL)
    assert found
    assert "refresh_nightly" in found[1]
    assert "No such file" in found[2]
    assert "psql service=paris" in found[2]


def test_names_are_no_markup(refreshed: Database, look_at: Point) -> None:
    nasty = "<img src=x onerror=alert(1)> **fat** ![](http://evil.example)"
    [late] = refreshed.rows(
        "select tenant_id, customer_id from analytics.due_to_order"
        " where due_bucket = 'OVERDUE'"
        # on the first page of the list
        " order by expected_amount_90d desc nulls last limit 1"
    )
    refreshed.execute(
        "update analytics.customer_risk_status set customer_name = %s, revenue_at_risk = 1e9"
        " where customer_id = %s",
        nasty,
        late["customer_id"],
    )
    refreshed.execute(
        "update analytics.customer_account_types set customer_name = %s"
        " where customer_id = %s",
        nasty,
        late["customer_id"],
    )
    look_at(refreshed.as_user(ANALYST))
    link = f"{late['tenant_id']}/{late['customer_id']}"
    for shown in (page("due_to_order"), page("customer", customer=link)):
        assert nasty not in markup(shown)
        assert nasty in text(shown)
        # signs that Streamlit reads as Markdown
        for element in (*shown.subheader, *shown.markdown, *shown.caption):
            assert nasty not in element.value


def test_people_of_one_name_are_told_apart(refreshed: Database, look_at: Point) -> None:
    refreshed.execute("update analytics.sales_reps set sales_rep_name = 'Kim Lee'")
    [one, two] = refreshed.rows(
        "select organization_id || '/' || square_customer_id as key, square_customer_id as id,"
        " total_visits from analytics.customer_analytics where (organization_id, display_name)"
        " = (select organization_id, display_name from analytics.customer_analytics"
        " group by 1, 2 having count(*) > 1 and count(distinct total_visits) > 1"
        " order by 1, 2 limit 1) order by 1 limit 2"
    )
    look_at(refreshed.as_user(ANALYST))
    for visitor in (one, two):
        shown = page("customer", system="Bookings", visitor=visitor["key"])
        box = shown.selectbox(key="visitor")
        assert len(set(box.options)) == len(box.options)
        assert visitor["id"] in box.options[box.index or 0]
        # and again after another interaction
        shown.run()
        assert shown.query_params["visitor"] in (visitor["key"], [visitor["key"]])
        assert tiles(shown)["Visits"] == str(visitor["total_visits"])
    owners = page("due_to_order").selectbox(key="owner").options
    assert len(set(owners)) == len(owners)


def test_equal_ids_of_two_organizations_are_two_customers(
    refreshed: Database, look_at: Point
) -> None:
    refreshed.execute(
        "update analytics.customer_analytics set square_customer_id = 'SAME',"
        " display_name = 'Aaa ' || total_visits where (organization_id, square_customer_id) in"
        " (select organization_id, min(square_customer_id) from analytics.customer_analytics"
        " group by 1)"
    )
    organizations = refreshed.rows(
        "select organization_id, display_name from analytics.customer_analytics"
        " where square_customer_id = 'SAME'"
    )
    assert len(organizations) > 1
    look_at(refreshed.as_user(ANALYST))
    for one in organizations:
        visitor = f"{one['organization_id']}/SAME"
        shown = page("customer", system="Bookings", visitor=visitor)
        assert one["display_name"] in text(shown)


def test_equal_ids_of_two_tenants_are_two_reps(refreshed: Database, look_at: Point) -> None:
    kim = "00000000-0000-0000-0000-00000000000a"
    for mart in ("sales_reps", "customer_risk_status", "customer_account_types"):
        refreshed.execute(
            f"update analytics.{mart} set sales_rep_id = '{kim}' where (tenant_id,"
            " sales_rep_id) in (select distinct on (tenant_id) tenant_id, sales_rep_id"
            " from analytics.due_to_order where sales_rep_id is not null order by 1, 2)"
        )
    reps = refreshed.rows(
        "select tenant_id || '/' || sales_rep_id as key, count(*) as due_count"
        " from analytics.due_to_order where sales_rep_id::text = %s group by 1",
        kim,
    )
    assert len(reps) > 1
    look_at(refreshed.as_user(ANALYST))
    for rep in reps:
        shown = page("due_to_order", owner=rep["key"])
        assert sum(map(int, tiles(shown).values())) == rep["due_count"]
        # and every tile keeps the choice
        assert markup(shown).count(f"owner={rep['key'].replace('/', '%2F')}") == 4


def test_equal_ids_of_many_organizations_are_as_many_accounts(
    refreshed: Database, look_at: Point
) -> None:
    # more than the list has rows
    accounts = refreshed.rows(
        """
        with organizations as (
            insert into analytics.success_organizations
            select (jsonb_populate_record(null::analytics.success_organizations,
                to_jsonb(one) || jsonb_build_object(
                'organization_id', md5(number::text)::uuid,
                'organization_slug', 'of-' || number
            ))).*
            from (select * from analytics.success_organizations limit 1) as one
            cross join generate_series(1, 20) as number
            returning organization_id, organization_slug
        )

        insert into analytics.account_profiles
        select (jsonb_populate_record(null::analytics.account_profiles,
            to_jsonb(one) || jsonb_build_object(
            'organization_id', organizations.organization_id,
            'account_name', 'Acme',
            'arr', 1000 + substr(organizations.organization_slug, 4)::int
        ))).*
        from (
            select * from analytics.account_profiles
            order by churn_risk_score desc nulls last limit 1
        ) as one
        cross join organizations
        returning organization_id || '/' || account_id as key, arr
        """
    )
    look_at(refreshed.as_user(ANALYST))
    accounts.sort(key=lambda row: row["key"])
    for account in (accounts[0], accounts[-1]):
        shown = page("usage_and_accounts", of="Accounts", account=account["key"])
        for _ in range(2):
            assert "was not found" not in text(shown)
            box = shown.selectbox(key="account")
            assert len(set(box.options)) == len(box.options)
            amount = f"{account['arr']:,.0f}"
            assert f"{amount} a year" in text(shown)
            assert f"Acme · of-{amount[-2:].lstrip('0')}" in box.options[box.index or 0]
            # and again after another interaction
            shown.run()


@pytest.mark.parametrize(
    ("before", "after", "table"),
    [
        (
            ("due_to_order", {"due": "Overdue"}),
            ("due_to_order", {"due": "Dormant"}),
            "customer_risk_status",
        ),
        (
            ("rows", {"of": "appointment_days"}),
            ("rows", {"of": "appointment_days", "page": "2"}),
            "booking_location_days",
        ),
        (("customer", {}), ("customer", {"customer": "customers"}), "customer_account_types"),
        (
            ("customer", {"system": "Bookings"}),
            ("customer", {"system": "Bookings", "visitor": "visitors"}),
            "customer_analytics",
        ),
        (
            ("usage_and_accounts", {"of": "Accounts"}),
            ("usage_and_accounts", {"of": "Accounts", "account": "account_risks"}),
            "account_profiles",
        ),
        (
            ("how_good_is_it", {"system": "Bookings"}),
            ("how_good_is_it", {"system": "Orders"}),
            "tenants",
        ),
    ],
)
def test_what_has_gone_since_the_list_was_read_is_said(
    refreshed: Database,
    look_at: Point,
    before: tuple[str, dict[str, str]],
    after: tuple[str, dict[str, str]],
    table: str,
) -> None:
    """The list of the first page is still in the cache when the second page is opened."""
    look_at(refreshed.as_user(ANALYST))
    page(before[0], **before[1])
    where = {"tenant": None, "organization": None, "search": None, "has_notes": False}
    choices = {
        # another one in the list than the first, which the page has read
        name: data.fetch([value], where)[value][2]["key"]
        if (FOLDER / f"{value}.sql").exists()
        else value
        for name, value in after[1].items()
    }
    refreshed.execute(f"truncate analytics.{table}")
    assert "has just changed. Reload the page." in text(page(after[0], **choices))


def test_what_has_gone_since_the_cohorts_were_read_is_said(
    refreshed: Database, look_at: Point
) -> None:
    look_at(refreshed.as_user(ANALYST))
    refreshed.execute(
        "alter view analytics.visit_rebooking rename to visit_rebooking_before;"
        " create view analytics.visit_rebooking with (security_invoker) as"
        " select * from analytics.visit_rebooking_before where false;"
        " grant select on analytics.visit_rebooking to customer_health_analyst"
    )
    assert "has just changed. Reload the page." in text(page("retention", system="Bookings"))


def test_scores_by_day_end_today(refreshed: Database, look_at: Point) -> None:
    look_at(refreshed.as_user(ANALYST))
    for mart, organizations, day, query, keys in (
        (
            *("tenant_health_scores", "platform_organizations", "metric_date"),
            *("tenant_days", ["organization_id"]),
        ),
        (
            *("account_health_scores", "success_organizations", "score_date"),
            *("account_days", ["organization_id", "account_id"]),
        ),
    ):
        [added] = refreshed.rows(
            f"insert into analytics.{mart}"
            " select (jsonb_populate_record(scores,"
            f" jsonb_build_object('{day}', today + 3))).*"
            f" from analytics.{mart} as scores"
            f" inner join analytics.{organizations} using (organization_id) limit 1"
            f" returning {mart}.*"
        )
        chosen = {key.removesuffix("_id"): str(added[key]) for key in keys}
        found = data.fetch([query], chosen)[query]
        assert found
        assert max(row[day] for row in found) < added[day], query


def test_a_status_that_begins_today_is_not_drawn_as_certain(
    refreshed: Database, look_at: Point
) -> None:
    [one] = refreshed.rows(
        "update analytics.customer_risk_status_history as steps set valid_from = today"
        " from analytics.tenants where steps.tenant_id = tenants.tenant_id"
        " and valid_from < today and coalesce(valid_to > today + 20, true)"
        " returning steps.tenant_id || '/' || customer_id as key, status, today"
    )[:1]
    look_at(refreshed.as_user(ANALYST))
    shown = page("customer", customer=one["key"])
    word = look.status_of("risk_status", one["status"]).word
    bands = [
        is_forecast
        for lane, status, begins_on, is_forecast in drawn(
            shown, ("lane", "status", "begins_on", "is_forecast")
        )
        if (lane, status) == ("Risk status", word)
        and str(begins_on).startswith(str(one["today"]))
    ]
    assert bands == [True]


def test_a_link_to_notes_opens_those_of_its_customer_however_far_down(
    analyst: Database,
) -> None:
    [last] = analyst.rows(
        "select organization_id || '/' || square_customer_id as key, display_name,"
        " organization_slug"
        " from analytics.customer_analytics"
        " inner join analytics.booking_organizations using (organization_id)"
        " where notes_count > 0 order by display_name desc, organization_id desc,"
        " square_customer_id desc limit 1"
    )
    first = page("bookings").selectbox(key="noted")
    assert len(first.options) == 50
    assert not any(option.startswith(last["display_name"]) for option in first.options)
    shown = page("bookings", noted=last["key"])
    assert shown.selectbox(key="noted").value == last["key"]
    assert f"All about {last['display_name']}" in text(shown)
    # those of another organization start with its first customer
    other = analyst.value(
        "select organization_slug from analytics.booking_organizations"
        " where organization_slug != %s limit 1",
        last["organization_slug"],
    )
    shown.selectbox(key="organization").set_value(str(other)).run()
    assert not shown.exception
    assert "was not found" not in text(shown)


def test_the_age_is_that_of_the_chosen_tenant(refreshed: Database, look_at: Point) -> None:
    look_at(refreshed.as_user(ANALYST))
    for table, slug in (
        ("tenants", "tenant_slug = 'kiwi-produce'"),
        ("booking_organizations", "organization_slug = 'glow-salon'"),
        ("success_organizations", "organization_slug = 'beacon-software'"),
    ):
        refreshed.execute(f"update analytics.{table} set as_of = now() where {slug}")
    for name, query in (
        *((name, {"tenant": "kiwi-produce"}) for name in ("overview", "due_to_order")),
        *((name, {"tenant": "kiwi-produce"}) for name in ("customer", "retention")),
        ("how_good_is_it", {"tenant": "kiwi-produce"}),
        ("rows", {"of": "customers", "tenant": "kiwi-produce"}),
        ("bookings", {"organization": "glow-salon"}),
        ("customer", {"system": "Bookings", "organization": "glow-salon"}),
        ("usage_and_accounts", {"of": "Accounts", "success": "beacon-software"}),
    ):
        said = text(page(name, **query))
        assert "Figures as of" in said, name
        assert "These figures are" not in said, name
    shown = page("overview")
    assert "These figures are" in text(shown)
    # also after a click
    shown.selectbox(key="tenant").set_value("kiwi-produce").run()
    assert "Figures as of" in text(shown)
    shown.selectbox(key="tenant").set_value("harbor-foods").run()
    assert "These figures are" in text(shown)


UNKNOWN_TENANTS = [
    ("overview", {"tenant": "nobody"}),
    ("due_to_order", {"tenant": "nobody"}),
    ("customer", {"tenant": "nobody"}),
    ("how_good_is_it", {"tenant": "nobody"}),
    ("retention", {"tenant": "nobody"}),
    ("retention", {"system": "Bookings", "organization": "nobody"}),
    ("bookings", {"organization": "nobody"}),
    ("rows", {"of": "customers", "tenant": "nobody"}),
]


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("customer", {"customer": "00000000-0000-0000-0000-000000000000/nobody"}),
        ("customer", {"system": "Bookings", "visitor": "nowhere/nobody"}),
        ("usage_and_accounts", {"of": "Accounts", "account": "nowhere/nobody"}),
        ("usage_and_accounts", {"of": "Usage", "organization_id": "nowhere"}),
        ("due_to_order", {"tenant": "harbor-foods", "owner": "nowhere"}),
        ("bookings", {"organization": "glow-salon", "location": "nowhere"}),
        ("bookings", {"noted": "nowhere/nobody"}),
        *UNKNOWN_TENANTS,
    ],
)
@pytest.mark.usefixtures("analyst")
def test_an_unknown_key_in_a_link_shows_no_other_customer(
    name: str, query: dict[str, str]
) -> None:
    shown = page(name, **query)
    assert "was not found" in text(shown)
    key = list(query)[-1]
    assert shown.selectbox(key=key).value is None
    if (name, query) in UNKNOWN_TENANTS:
        # Streamlit removes it from the address itself
        assert tiles(shown) == {}
    else:
        assert shown.query_params[key] in (query[key], [query[key]])
    # and again after another interaction
    shown.run()
    assert "was not found" in text(shown)
    shown.selectbox(key=key).select_index(1).run()
    assert not shown.exception
    assert "was not found" not in text(shown)


@pytest.mark.usefixtures("analyst")
def test_another_tenant_starts_with_its_first_customer() -> None:
    shown = page("customer", tenant="kiwi-produce")
    shown.selectbox(key="tenant").set_value("harbor-foods").run()
    assert "was not found" not in text(shown)
    assert "harbor-foods" in text(shown)


def test_another_tenant_starts_with_all_its_reps(analyst: Database) -> None:
    rep = analyst.value(
        "select sales_rep_id::text from analytics.due_to_order"
        " where tenant_slug = 'kiwi-produce' and sales_rep_id is not null limit 1"
    )
    shown = page("due_to_order", tenant="kiwi-produce", owner=str(rep))
    assert shown.selectbox(key="owner").value == rep
    shown.selectbox(key="tenant").set_value("harbor-foods").run()
    assert shown.selectbox(key="owner").value == "everybody"
    assert "was not found" not in text(shown)


@pytest.mark.usefixtures("analyst")
def test_long_lists_say_that_they_are_cut_off() -> None:
    shown = page("customer")
    assert len(shown.selectbox(key="customer").options) == 50
    assert "The first 50 are shown. Search to find others." in text(shown)
    shown.text_input(key="name").set_value("nobody is called so").run()
    assert "No customer has that name" in text(shown)
    # no text in the database can contain this
    shown.text_input(key="name").set_value("\x00").run()
    assert "cannot be looked up" in text(shown)


def test_an_owner_without_a_name_is_not_nobody(refreshed: Database, look_at: Point) -> None:
    refreshed.execute("update analytics.sales_reps set sales_rep_name = null")
    look_at(refreshed.as_user(ANALYST))
    [row, *_] = data.fetch(
        ["due_customers"],
        {
            "tenant": None,
            "sales_rep": refreshed.value(
                "select sales_rep_id from analytics.due_to_order"
                " where sales_rep_id is not null limit 1"
            ),
            "is_unowned": False,
            "is_snoozed_shown": False,
            "search": None,
            "buckets": list(look.STATUSES["due"]),
            "limit": 1,
            "offset": 0,
        },
    )["due_customers"]
    assert "@" in row["sales_rep_name"]
    # the placeholder of a missing name can be searched for
    shown = page("due_to_order", find=str(row["customer_id"]))
    assert sum(int(figure) for figure in tiles(shown).values()) == 1


def test_a_day_is_its_own_midnight_in_every_browser() -> None:
    # without the time it would be midnight in UTC
    [day] = look.values([{"day": date(2026, 6, 15)}])["day"]
    assert day == "2026-06-15T00:00:00"


def test_words_fit_their_figures() -> None:
    # dates as the pages write them, not as the marts; dates and percent signs do not wrap
    assert look.sentence(
        "Late since 2026-11-20: last on 2026-01-08, 2026-13-01, 12026-01-08"
    ) == ("Late since 20\xa0Nov\xa02026: last on 8\xa0Jan\xa02026, 2026-13-01, 12026-01-08")
    assert look.chance(0.66) == "66\xa0%"
    assert look.change(0.04) == "→ no change in a week"
    assert look.change(-0.06) == "↓ 0.1 in a week"
    assert look.change(1200) == "↑ 1,200 in a week"
    assert look.told_apart({"a/1": "Ada", "a/2": "Ada", "b/1": "Bea"}) == {
        "a/1": "Ada · 1",
        "a/2": "Ada · 2",
        "b/1": "Bea",
    }
    # whose ids are equal, too
    assert len(set(look.told_apart({"a/1": "Ada", "b/1": "Ada", "b/2": "Ada"}).values())) == 3


@pytest.mark.parametrize("name", screens())
def test_an_empty_database_says_what_to_do(
    server: Database, look_at: Point, name: str
) -> None:
    database = new_database(server)
    look_at(database)
    assert "customer-health refresh --mode nightly --no-write-back" in text(page(name))
    database.drop()


@pytest.mark.parametrize("name", sorted(set(screens()) - {"operations"}))
def test_a_login_without_rights_is_told_whom_to_ask(
    marts: Database, look_at: Point, name: str
) -> None:
    look_at(marts.as_user(NOBODY))
    assert f"grant customer_health_analyst to {NOBODY}" in text(page(name))


def test_operations_is_not_for_analysts(marts: Database, look_at: Point) -> None:
    look_at(marts.as_user(ANALYST))
    shown = page("operations")
    assert "for those who run the refreshes" in text(shown)
    assert tiles(shown) == {}


def test_a_server_that_is_not_there_is_said(marts: Database, look_at: Point) -> None:
    look_at(Database({**marts.environment, "PGPORT": "1"}))
    assert "cannot be reached" in text(page("overview"))


def test_pages_cannot_write(
    marts: Database, look_at: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    # not even with the owner's rights
    look_at(marts.as_user(OPERATOR))
    monkeypatch.setattr(data, "text_of", lambda _: "delete from operations.alert_outbox")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        data.fetch(["operations_alerts"], {}, is_for_operators=True)


def test_old_figures_are_said_to_be_old(refreshed: Database, look_at: Point) -> None:
    look_at(refreshed.as_user(ANALYST))
    # the figures of the tests are from a past day
    for name in ("overview", "due_to_order", "customer", "bookings"):
        assert "days old" in text(page(name)), name
    refreshed.execute("update analytics.tenants set as_of = now() - interval '47 hours'")
    data.read.clear()
    assert "days old" not in text(page("overview"))
    assert "Figures as of" in text(page("overview"))


def test_settings_of_the_database_change_no_page(analyst: Database) -> None:
    before = {name: text(page(name)) for name in screens()}
    set_otherwise(analyst)
    try:
        data.read.clear()
        assert {name: text(page(name)) for name in screens()} == before
    finally:
        set_as_usual(analyst)
