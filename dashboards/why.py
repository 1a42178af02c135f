"""Why a customer's status differs between two days."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import streamlit as st

from dashboards import data, look

Row = dict[str, Any]

KINDS = {"risk_status": "Risk status", "account_type": "Account type"}
REVISED = {
    "ROWS": "a past order was corrected, cancelled, removed or added late",
    "RULES": "the limits or the rules have changed; its orders have not",
    "UNKNOWN": "both its orders and the rules have changed, or neither visibly has",
}


def show(keys: Mapping[str, Any], today: date) -> None:
    """Show a customer on two days, what changed between them, and why if that is known."""
    look.heading(
        "Why did it change?",
        "Two days side by side, by today's orders and limits, and what happened between them.",
    )
    before, after = _days(today)
    found = data.read(
        "customer_two_days",
        "customer_changes",
        "customer_revisions",
        "customer_rows",
        **keys,
        from_day=before,
        to_day=after,
    )
    first, last = found["customer_two_days"]
    look.table(
        ["At the end of", look.day(before), look.day(after)],
        [[look.escape(words), write(first), write(last)] for words, write in LINES.items()],
        "The customer on two days",
    )
    arrived = [
        row
        for row in found["customer_rows"]
        if "total_delivered_orders" in row["counts_in"]
        and before < row["delivered_on"] <= after
    ]
    _say_changes(found["customer_changes"], arrived, first, last)
    _say_orders(arrived)
    _say_revisions(found["customer_revisions"])


def _days(today: date) -> tuple[date, date]:
    first, last = st.columns([1, 1])
    with first:
        before = st.date_input(
            "From",
            today - timedelta(days=30),
            max_value=today,
            key="from",
            bind="query-params",
        )
    with last:
        after = st.date_input("To", today, max_value=today, key="to", bind="query-params")
    if not isinstance(before, date) or not isinstance(after, date) or before >= after:
        raise data.NothingToShow("Choose a day, and a later one to compare it with.")
    return before, after


def _past(row: Row) -> str:
    days = row["days_past_expected"]
    if days is None:
        return look.NONE
    if days > 0:
        return look.figures(f"{look.count_of(days, 'day')} ago")
    return look.figures(f"in {look.count_of(-days, 'day')}" if days else "that day")


def _revenue(row: Row) -> str:
    if not row["is_revenue_evaluated"]:
        return "cannot be compared"
    return (
        "fell by the limit or more"
        if row["is_revenue_declined"]
        else "fell by less, or not at all"
    )


def _status(column: str, kind: str) -> Any:
    return lambda row: look.pill(kind, row[column]) if row[column] else look.NONE


LINES = {
    "Risk status": _status("risk_status", "risk_status"),
    "Account type": _status("account_type", "account_type"),
    "Delivered orders": lambda row: look.figures(look.count(row["delivered_orders"] or 0)),
    "Last delivery": lambda row: look.figures(look.day(row["last_order_date"])),
    "Usual gap": lambda row: (
        look.figures(
            look.NONE
            if row["cadence_days"] is None or row["last_order_date"] is None
            else look.count_of(row["cadence_days"], "day")
        )
        + look.small("" if row["is_measured"] or row["last_order_date"] is None else "assumed")
    ),
    "Next order expected": lambda row: look.figures(look.day(row["next_expected_order_date"])),
    "How far away": _past,
    "Revenue": lambda row: look.escape(_revenue(row)),
}


def _say_changes(changes: data.Rows, arrived: list[Row], first: Row, last: Row) -> None:
    if not changes:
        same = all(first[kind] == last[kind] for kind in KINDS)
        look.empty(
            "No status changed between the two days."
            if same
            else "The statuses differ, but no change is listed. Run a refresh and look again."
        )
        return
    look.table(
        ["On", "Kind", "Change", "Because"],
        [
            [
                look.figures(look.day(row["changed_on"])),
                look.escape(KINDS[row["status_kind"]]),
                _moved(row),
                look.escape(_because(row, arrived)),
            ]
            for row in changes
        ],
        "What changed between the two days",
        changes,
    )


def _moved(row: Row) -> str:
    kind = row["status_kind"]
    return f"{look.pill(kind, row['from_status'])} → {look.pill(kind, row['to_status'])}"


def _because(row: Row, arrived: list[Row]) -> str:
    if row["change_cause"] == "TIME":
        return "no order came in time, and a limit was reached"
    if row["change_cause"] == "CREATED":
        return "the customer was created"
    if row["status_kind"] == "account_type":
        return "an order was placed"
    orders = [one["order_id"] for one in arrived if one["delivered_on"] == row["changed_on"]]
    return f"delivered that day: {', '.join(orders)}" if orders else "an order was delivered"


def _say_orders(arrived: list[Row]) -> None:
    if not arrived:
        look.empty("No order was delivered between the two days.")
        return
    look.table(
        ["Order", "Delivered", "Total"],
        [
            [
                look.escape(row["order_id"]),
                look.figures(look.day(row["delivered_on"])),
                look.figures(
                    look.NONE
                    if row["amount"] is None
                    else f"{row['amount']:,.2f} {row['currency'] or ''}".strip()
                ),
            ]
            for row in arrived
        ],
        "Orders delivered between the two days",
        arrived,
    )


def _say_revisions(revisions: data.Rows) -> None:
    if not revisions:
        look.show(
            '<p class="ch-age">No refresh between the two days revised an earlier status.</p>'
        )
        return
    look.table(
        ["Refresh", "Status as of", "Published", "Revised to", "Because"],
        [
            [
                look.figures(look.instant(row["revised_at"])),
                look.figures(look.instant(row["said_at"])),
                look.pill("risk_status", row["status_before"]),
                look.pill("risk_status", row["status_now"])
                if row["status_now"]
                else look.NONE,
                look.escape(REVISED[row["revision_cause"]]),
            ]
            for row in revisions
        ],
        "Statuses that refreshes between the two days revised",
        revisions,
    )
