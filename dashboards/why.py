"""Why a customer's status differs between two days."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import streamlit as st

from dashboards import data, look

Row = dict[str, Any]

KINDS = {"risk_status": "Risk status", "account_type": "Account type"}
CAUSES = {
    "TIME": "no order came in time, and a limit was reached",
    "CREATED": "the customer was created",
    "RULES": "the limits or the rules have changed; its orders have not",
    "UNKNOWN": "both its orders and the rules have changed, or neither visibly has",
}
# without an order to name
UNNAMED = {
    "risk_status": "an order was delivered",
    "account_type": "an order was placed",
    "correction": (
        "an order was corrected, cancelled, removed or entered late. Which one cannot be told:"
        " it was removed, has changed again since, or has no dates of entry and change"
    ),
}
# what happened to an order: as a reason, and in the list of orders
EVENTS = {
    "DELIVERED": ("order delivered that day", "Delivered"),
    "PLACED": ("order placed that day", "Placed"),
    "ENTERED": ("order entered late", "Entered late"),
    "CANCELLED": ("order cancelled", "Cancelled"),
    "CHANGED": ("order changed", "Changed"),
}
# the most orders of the list
SHOWN = 50


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
    orders = found["customer_rows"]
    _say_changes(found["customer_changes"], orders, first, last)
    _say_orders(
        [
            {**order, "event": event}
            for order in orders
            if (event := _event_between(order, first, last))
        ]
    )


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


def _changed(order: Row, after: datetime, until: datetime) -> str | None:
    """Return what happened to an order's row in the application between two instants."""
    entered, changed = order["created_at"], order["updated_at"]
    if entered and after < entered <= until and not order["left_out_because"]:
        return "ENTERED"
    if changed and after < changed <= until:
        return "CANCELLED" if order["order_status"] == "CANCELLED" else "CHANGED"
    return None


def _event_between(order: Row, first: Row, last: Row) -> str | None:
    """Return what happened to an order between two days; None if nothing of interest."""
    delivered, placed = order["delivered_on"], order["placed_on"]
    if delivered and not order["left_out_because"] and first["day"] < delivered <= last["day"]:
        return "DELIVERED"
    is_cancelled = order["order_status"] == "CANCELLED"
    if delivered and delivered <= (last if is_cancelled else first)["day"]:
        return _changed(order, first["ends_at"], last["ends_at"])
    return "PLACED" if placed and first["day"] < placed <= last["day"] else None


def _event_behind(order: Row, change: Row) -> str | None:
    """Return what happened to an order that is behind a change; None if it is not."""
    day, delivered = change["happened_on"], order["delivered_on"]
    match change["change_cause"], change["status_kind"]:
        case "ORDER", "account_type":
            return "PLACED" if order["placed_on"] == day else None
        case "ORDER", _:
            is_its = delivered == day and not order["left_out_because"]
            return "DELIVERED" if is_its else None
        case "ROWS" | "UNKNOWN", _ if delivered and delivered <= change["status_of"]:
            return _changed(order, change["said_at"], change["revised_at"])
    return None


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


def _say_changes(changes: data.Rows, orders: data.Rows, first: Row, last: Row) -> None:
    st.markdown("**What changed**")
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
                look.figures(look.day(row["happened_on"])),
                look.escape(KINDS[row["status_kind"]]) + look.small(_corrected(row)),
                _moved(row),
                look.escape(_because(row, orders)),
            ]
            for row in changes
        ],
        "What changed between the two days",
        changes,
    )
    if any(row["said_at"] for row in changes):
        look.show(
            '<p class="ch-age">A correction is of a status that was shown before. The two days'
            " above already include it.</p>"
        )


def _corrected(row: Row) -> str:
    if not row["said_at"]:
        return ""
    return f"correction of what was shown for {look.instant(row['said_at'])}"


def _moved(row: Row) -> str:
    kind = row["status_kind"]
    before, after = (
        look.pill(kind, row[f"{which}_status"]) if row[f"{which}_status"] else look.NONE
        for which in ("from", "to")
    )
    return f"{before} → {after}"


def _because(change: Row, orders: data.Rows) -> str:
    behind: dict[str, list[str]] = {}
    for order in orders:
        if event := _event_behind(order, change):
            behind.setdefault(event, []).append(_named(order, event))
    named = "; ".join(
        f"{EVENTS[event][0]}: {', '.join(found)}" for event, found in behind.items()
    )
    cause = change["change_cause"]
    if cause == "UNKNOWN" and named:
        return f"{named}; the limits or the rules have changed, too"
    if cause in CAUSES:
        return CAUSES[cause]
    return named or UNNAMED["correction" if change["said_at"] else change["status_kind"]]


def _named(order: Row, event: str) -> str:
    if event in {"DELIVERED", "PLACED"}:
        return str(order["order_id"])
    return f"{order['order_id']} (delivered {look.day(order['delivered_on'])})"


def _say_orders(orders: data.Rows) -> None:
    st.markdown("**Orders**")
    if orders:
        look.table(
            ["Order", "What happened", "Placed", "Delivered", "Total"],
            [
                [
                    look.escape(row["order_id"]),
                    look.escape(EVENTS[row["event"]][1]) + look.small(_when(row)),
                    look.figures(look.day(row["placed_on"])),
                    look.figures(look.day(row["delivered_on"])),
                    look.figures(
                        look.NONE
                        if row["amount"] is None
                        else f"{row['amount']:,.2f} {row['currency'] or ''}".strip()
                    ),
                ]
                for row in orders[:SHOWN]
            ],
            "Orders that came or changed between the two days",
            orders,
            len(orders),
        )
        look.say_if_cut(orders, SHOWN, "The file has all of them.")
    else:
        look.empty("No order came or changed between the two days.")
    look.show(
        '<p class="ch-age">An order that was removed cannot be listed. If an order changed'
        " several times, only the last is known.</p>"
    )


def _when(row: Row) -> str:
    entered, delivered = row["created_at"], row["delivered_at"]
    if row["event"] in {"CANCELLED", "CHANGED"}:
        return f"on {look.instant(row['updated_at'])}"
    if row["event"] == "ENTERED":
        return f"on {look.instant(entered)}"
    if entered and delivered and entered - delivered >= timedelta(days=1):
        return f"entered on {look.instant(entered)}"
    return ""
