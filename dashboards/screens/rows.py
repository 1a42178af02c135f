"""Rows: all rows behind a tile or a bar of another page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import streamlit as st

from dashboards import data, downloads, look, operators

Row = dict[str, Any]
ON_A_PAGE = 25
PERIODS = {"28 days": 28, "90 days": 90, "A year": 365}
ALL = "all"
CAUSES = {
    "ORDER": "an order came",
    "TIME": "no order came in time",
    "CREATED": "the customer is new",
}
DISAGREEMENTS = {
    "LIKELY_THOUGH_DORMANT": "Dormant, but likely to order",
    "LIKELY_THOUGH_LATE": "Late, but likely to order",
    "UNLIKELY_THOUGH_ON_TIME": "On time, but unlikely to order",
}


@dataclass(frozen=True)
class Kind:
    """One kind of rows: its title, tenants, filters and columns."""

    title: str
    # the word for its tenants, their key in the address, the query that lists them;
    # None: the rows are of no tenant, and for those who run the refreshes
    tenant: tuple[str, str, str] | None
    # the label and the options of each filter, by its key in the address
    filters: Mapping[str, tuple[str, Mapping[str, str]]]
    columns: Mapping[str, Callable[[Row], str]]
    has_period: bool = False
    # what all customers of all tenants did in a year is too much for a page
    is_of_one: bool = False


def _words(kind: str) -> dict[str, str]:
    return {name: status.word for name, status in look.STATUSES[kind].items()}


def _pill(kind: str, column: str) -> Callable[[Row], str]:
    return lambda row: look.pill(kind, row[column]) if row[column] else look.NONE


def _count(column: str) -> Callable[[Row], str]:
    return lambda row: look.figures(look.count(row[column]))


def _day(column: str) -> Callable[[Row], str]:
    return lambda row: look.figures(look.day(row[column]))


def _money(column: str) -> Callable[[Row], str]:
    return lambda row: look.figures(look.money(row[column], row.get("currency")))


def _buyer(row: Row) -> str:
    if row.get("is_closed"):
        # no page shows it
        return (
            look.escape(row["customer_name"])
            + look.small("closed")
            + look.small(row["tenant_slug"])
        )
    key = f"{row['tenant_id']}/{row['customer_id']}"
    return (
        look.link("customer", row["customer_name"], tenant=row["tenant_slug"], customer=key)
        + look.small(look.sentence(row.get("reason") or ""))
        + look.small(row["tenant_slug"])
    )


def _visitor(row: Row) -> str:
    return look.link(
        "customer",
        row["customer_name"],
        system="Bookings",
        organization=row["organization_slug"],
        visitor=f"{row['organization_id']}/{row['square_customer_id']}",
    ) + look.small(row["organization_slug"])


def _organization(row: Row) -> str:
    return look.link(
        "usage_and_accounts",
        row["organization_name"],
        of="Usage",
        organization_id=row["organization_id"],
    ) + look.small(row["organization_slug"])


def _account(row: Row) -> str:
    return look.link(
        "usage_and_accounts", row["account_name"], of="Accounts", account=row["key"]
    ) + look.small(row["organization_slug"])


def _moved(row: Row) -> str:
    kind = row["status_kind"]
    return f"{look.pill(kind, row['from_status'])} → {look.pill(kind, row['to_status'])}"


OF_ORDERS = ("tenant", "tenant", "tenants")
OF_BOOKINGS = ("organization", "organization", "organizations")
WEEKS = {"week": ("Week from", {}), "activity": ("In the week", _words("week"))}
RISK = ("Risk status", _words("risk_status"))
KINDS = {
    "customers": Kind(
        "Customers",
        OF_ORDERS,
        {"risk_status": RISK, "account_type": ("Account type", _words("account_type"))},
        {
            "Customer": _buyer,
            "Risk status": _pill("risk_status", "risk_status"),
            "Account type": _pill("account_type", "account_type"),
            "Usual value per 30 days": _money("revenue_at_risk"),
            "Last delivery": _day("last_order_date"),
        },
    ),
    "value_at_risk": Kind(
        "Customers that are late or spend less",
        OF_ORDERS,
        {"currency": ("Currency", {"none": "Several, or none known"})},
        {
            "Customer": _buyer,
            "Risk status": _pill("risk_status", "risk_status"),
            "Usual value per 30 days": _money("revenue_at_risk"),
            "Order expected on": _day("next_expected_order_date"),
        },
    ),
    "moves": Kind(
        "Status changes in the last 7 days",
        OF_ORDERS,
        {
            "kind": (
                "Kind",
                {"risk_status": "Risk status", "account_type": "Account type"},
            ),
            "before": (
                "From",
                {
                    "none": "No status",
                    **_words("risk_status"),
                    **_words("account_type"),
                },
            ),
            "after": ("To", {**_words("risk_status"), **_words("account_type")}),
        },
        {
            "Customer": _buyer,
            "Change": _moved,
            "On": _day("changed_on"),
            "Because": lambda row: look.escape(CAUSES[row["change_cause"]]),
        },
    ),
    "disagreements": Kind(
        "Customers whose status and forecast disagree, except snoozed and held-out ones",
        OF_ORDERS,
        {"disagreement": ("Disagreement", DISAGREEMENTS)},
        {
            "Customer": _buyer,
            "Status": _pill("risk_status", "risk_status"),
            "Within 90 days": lambda row: look.figures(look.chance(row["p_order_90d"])),
            "Expected value, next 90 days": _money("expected_amount_90d"),
        },
    ),
    "order_weeks": Kind(
        "What customers did by week: orders",
        OF_ORDERS,
        WEEKS,
        {
            "Customer": _buyer,
            "In the week": _pill("week", "activity"),
            "Week from": _day("week_begins_on"),
            "Risk status today": _pill("risk_status", "risk_status"),
        },
        is_of_one=True,
    ),
    "visitors": Kind(
        "Customers that book",
        OF_BOOKINGS,
        {"segment": ("Segment", _words("segment"))},
        {
            "Customer": _visitor,
            "Segment": _pill("segment", "customer_segment"),
            "Visits": _count("total_visits"),
            "Last visit": lambda row: look.figures(look.instant(row["local_last_visit_at"])),
            "Paid, less refunds": _money("net_revenue_amount"),
        },
    ),
    "new_visitors": Kind(
        "New customers",
        OF_BOOKINGS,
        {"location": ("Location", {}), "day": ("Day", {})},
        {
            "Customer": _visitor,
            "First booking": _day("first_booking_date"),
            "Location": lambda row: look.escape(row["location_name"]),
            "Segment": _pill("segment", "customer_segment"),
        },
        has_period=True,
    ),
    "visit_weeks": Kind(
        "What customers did by week: visits",
        OF_BOOKINGS,
        WEEKS,
        {
            "Customer": _visitor,
            "In the week": _pill("week", "activity"),
            "Week from": _day("week_begins_on"),
            "Segment today": _pill("segment", "customer_segment"),
        },
        is_of_one=True,
    ),
    "appointment_days": Kind(
        "Appointments by day and location",
        OF_BOOKINGS,
        {"location": ("Location", {}), "day": ("Day", {})},
        {
            "Day": _day("date"),
            "Location": lambda row: (
                look.escape(row["location_name"]) + look.small(row["organization_slug"])
            ),
            "Accepted": _count("accepted_appointments"),
            "New": _count("new_customers"),
            "No-shows": _count("no_show_appointments"),
            "Cancelled": _count("cancelled_appointments"),
        },
        has_period=True,
    ),
    "organizations": Kind(
        "Organizations by risk",
        ("organization", "platform", "platform_organizations"),
        {"risk_level": ("Risk", _words("risk_level"))},
        {
            "Organization": _organization,
            "Score": _count("overall_score"),
            "Risk": _pill("risk_level", "risk_level"),
            "Trend": _pill("trend", "trend"),
            "Day": _day("metric_date"),
        },
    ),
    "accounts": Kind(
        "Accounts by status",
        ("organization", "success", "success_organizations"),
        {"account_status": ("Status", {**_words("account"), "none": "No status"})},
        {
            "Account": _account,
            "Churn risk": lambda row: look.figures(
                look.NONE
                if row["churn_risk_score"] is None
                else f"{row['churn_risk_score']:.0f}"
            ),
            "Status": lambda row: look.pill("account", row["suggested_status"]),
            "Reported status": _pill("account", "reported_status"),
            "Revenue a year": _money("arr"),
            "Renewal": _day("renewal_on"),
        },
    ),
    "runs": Kind(
        "Runs",
        None,
        {
            "job": ("Job", operators.JOBS),
            "run_status": ("Ended", _words("run")),
            "run": ("Run", {}),
        },
        operators.RUNS,
    ),
    "alerts": Kind(
        "Alerts",
        None,
        {"alert_state": ("Delivery", _words("alert")), "edge": ("Edge", _words("edge"))},
        operators.ALERTS,
    ),
    "messages": Kind(
        "Messages to people",
        None,
        {
            "message_state": ("State", _words("message")),
            "message_kind": ("Kind", operators.KINDS),
        },
        operators.MESSAGES,
    ),
    "unreached": Kind(
        "People who get no messages now",
        None,
        {"reason": ("Why", _words("unreached"))},
        operators.UNREACHED,
    ),
}


def show() -> None:
    """Show the page."""
    # a system that is off has no tenants, so its lists are not offered
    jobs = _jobs()
    sources = {
        name: data.read(kind.tenant[2])[kind.tenant[2]] if kind.tenant else jobs
        for name, kind in KINDS.items()
    }
    there = {name: kind.title for name, kind in KINDS.items() if sources[name]}
    if not there:
        look.say_age([], "rows")
    name = look.pick("Rows", there, "of", "That list was not found. Choose another one.")
    kind = KINDS[name]
    chosen = _filters(kind, sources[name])
    query = f"rows_{name}"
    read = partial(data.read, query, **chosen, is_for_operators=kind.tenant is None)
    first = read(limit=1, offset=0)[query]
    if not first:
        look.empty("No row matches. Widen the filters above.")
        return
    rows_count = first[0]["rows_count"]
    pages = -(-rows_count // ON_A_PAGE)
    number = st.pagination(pages, key="page", bind="query-params") or 1 if pages > 1 else 1
    rows = read(limit=ON_A_PAGE, offset=(number - 1) * ON_A_PAGE)[query]
    if not rows:
        raise data.NothingToShow(data.HAS_CHANGED)
    if name == "appointment_days":
        look.show(f'<p class="ch-explained">{look.escape(_sums(rows[0]))}</p>')
    look.table(
        list(kind.columns),
        [[cell(row) for cell in kind.columns.values()] for row in rows],
        kind.title,
        partial(downloads.all_of, query, chosen, is_for_operators=kind.tenant is None),
        rows_count,
    )
    look.show(
        f'<p class="ch-age">{look.count_of(rows_count, "row")}. Page {number} of {pages}.</p>'
    )


def _jobs() -> data.Rows:
    """Return the jobs, without which nothing is in the lists for operators.

    If the reader is no operator, return none; raise NothingToShow, which says why, if the
    address asks for such a list.
    """
    try:
        return data.read("operations_jobs", is_for_operators=True)["operations_jobs"]
    except data.NothingToShow:
        asked = KINDS.get(st.query_params.get("of", ""))
        if asked and asked.tenant is None:
            raise
        return []


def _filters(kind: Kind, sources: data.Rows) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    age = st.container()
    columns = st.columns((kind.tenant is not None) + len(kind.filters) + kind.has_period)
    if kind.tenant:
        what, key, _ = kind.tenant
        with columns[0]:
            tenant = look.choose(what, sources, key=key, age=age, has_all=not kind.is_of_one)
        chosen[what] = tenant and str(tenant[f"{what}_id"])
    filters = zip(columns[kind.tenant is not None :], kind.filters.items(), strict=False)
    for column, (name, (label, words)) in filters:
        # a value that only the address names is an option, too: a currency, a location, a day
        wanted = st.query_params.get(name)
        others = {}
        if wanted and wanted not in {ALL, *words}:
            others[wanted] = look.sentence(wanted)
        with column:
            picked = look.pick(label, {ALL: "All", **words, **others}, name)
        chosen[name] = None if picked == ALL else picked
    if kind.has_period:
        with columns[-1]:
            days = PERIODS[look.pick("Time", {name: name for name in PERIODS}, "days")]
        first_day = min(row["today"] for row in sources) - timedelta(days=2 * days)
        chosen |= {"days": days, "first_day": first_day}
    return chosen


def _sums(row: Row) -> str:
    return (
        f"In total: {look.count(row['all_accepted'])} accepted,"
        f" {look.count(row['all_no_shows'])} no-shows and {look.count(row['all_cancelled'])}"
        " cancelled appointments."
    )


with look.page("Rows", "The rows behind a figure on another page."):
    show()
