"""The rows of the application behind each figure of a customer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dashboards import data, look

Row = dict[str, Any]

ALL = "all"
SHOWN = 50
# of the figures that one row counts in
MOST_NAMED = 8
FIGURES = {
    "total_delivered_orders": "Delivered orders",
    "last_order_date": "Last delivery",
    "average_order_interval_days": "Usual gap, days",
    "next_expected_order_date": "Next order expected",
    "revenue_basis": "Can revenue be compared?",
    "recent_average_amount": "Average of the last deliveries",
    "baseline_average_amount": "Average of earlier deliveries",
    "reactivated_date": "Came back from dormancy",
    "last_ordered_at": "Last order, for the account type",
}
# words for the codes of figures and rules
VALUES: dict[tuple[str, object], str] = {
    ("cadence_source", "MEASURED"): "its own deliveries",
    ("cadence_source", "FALLBACK"): "the default, as there is no gap yet",
    ("revenue_basis", "EVALUATED"): "can be compared",
    ("revenue_basis", "INSUFFICIENT_HISTORY"): "too few deliveries",
    ("revenue_basis", "MIXED_CURRENCY"): "several currencies",
}
LEFT_OUT = {
    "cancelled": "cancelled",
    "draft": "a draft",
    "not_delivered": "not delivered",
    "after_the_refresh": "delivered after the refresh",
}


# the figure behind each tile, in the order of the tiles
BUYER_TILES = (
    "next_expected_order_date",
    "last_order_date",
    "average_order_interval_days",
    "recent_average_amount",
)
VISITOR_TILES = (
    "recent_cadence_days",
    "total_visits",
    "total_no_shows",
    "total_revenue_cents",
)


def leading_of_buyer(
    tiles: Sequence[look.Tile], slug: str, keys: Mapping[str, Any]
) -> list[look.Tile]:
    """Return a buyer's tiles, each with a link to the orders behind it."""
    rows = _of_buyer(keys)["customer_rows"]
    key = f"{keys['tenant']}/{keys['customer']}"
    return _leading(tiles, BUYER_TILES, rows, tenant=slug, customer=key)


def leading_of_visitor(
    tiles: Sequence[look.Tile], slug: str, keys: Mapping[str, Any]
) -> list[look.Tile]:
    """Return a visitor's tiles, each with a link to the rows behind it."""
    rows = _of_visitor(keys)["visitor_rows"]
    key = f"{keys['organization']}/{keys['visitor']}"
    return _leading(
        tiles, VISITOR_TILES, rows, system="Bookings", organization=slug, visitor=key
    )


def _leading(
    tiles: Sequence[look.Tile], figures: Sequence[str], rows: data.Rows, **whose: str
) -> list[look.Tile]:
    # a figure that no row counts in leads nowhere
    behind = {name for row in rows for name in row["counts_in"]}
    return [
        look.leading(tile, "customer", **whose, figure=figure) if figure in behind else tile
        for tile, figure in zip(tiles, figures, strict=True)
    ]


def _of_buyer(keys: Mapping[str, Any]) -> dict[str, data.Rows]:
    return data.read("customer_figures", "customer_rows", **keys)


def _of_visitor(keys: Mapping[str, Any]) -> dict[str, data.Rows]:
    return data.read("visitor_figures", "visitor_rows", **keys)


def show_buyer(keys: Mapping[str, Any]) -> None:
    """Show a buyer's figures and the orders behind them."""
    found = _of_buyer(keys)
    known = data.only(found["customer_figures"])
    rows = found["customer_rows"]
    _head(
        f"Limits from the row “{known['threshold_row']}”. The usual gap comes from the last"
        f" {known['cadence_orders']} deliveries. The last {known['recent_orders']} are"
        f" compared with the {known['baseline_orders']} before them. A customer is late from"
        f" {known['grace_days']} and dormant from {known['dormant_days']} days past the"
        " expected date; it has less revenue if the average falls by"
        f" {known['revenue_decline_pct'].normalize():f} % or more. It is active for"
        f" {known['active_days']} and a target for {known['target_days']} days after an order."
    )
    figure = _pick({name: (words, known[name]) for name, words in FIGURES.items()}, rows)
    _say_if_others(rows, known, "total_delivered_orders", known["total_delivered_orders"])
    shown = [row for row in rows if figure in (ALL, *row["counts_in"])]
    look.table(
        ["Order", "Delivered", "Gap, days", "Total", "Counts in"],
        [
            [
                look.escape(row["order_id"]) + look.small(row["order_status"].lower()),
                look.figures(look.day(row["delivered_on"])),
                look.count(row["gap_days"]),
                look.figures(_amount(row)),
                _counts(row, FIGURES),
            ]
            for row in shown[:SHOWN]
        ],
        "The orders behind the figures",
        shown,
        len(shown),
    )
    look.say_if_cut(shown, SHOWN, "The file has all of them.")


def show_visitor(keys: Mapping[str, Any]) -> None:
    """Show a visitor's figures and the rows behind them."""
    found = _of_visitor(keys)
    known = data.only(found["visitor_figures"])
    rows = found["visitor_rows"]
    _head(
        f"Limits from the row “{known['threshold_row']}”. A customer is new for"
        f" {known['segment_new_days']} days after the first visit, active for"
        f" {known['segment_active_days']} days after the last one, and then at risk until"
        f" {known['segment_at_risk_days']} days after it."
    )
    names = {name for row in rows for name in row["counts_in"]}
    words = {
        name: name.replace("_", " ").capitalize() for name in known["figures"] if name in names
    }
    figure = _pick({name: (words[name], known["figures"][name]) for name in words}, rows)
    _say_if_others(rows, known, "total_bookings", known["figures"]["total_bookings"])
    shown = [row for row in rows if figure in (ALL, *row["counts_in"])]
    look.table(
        ["Row", "When", "Status", "Amount", "Counts in"],
        [
            [
                look.escape(row["row_kind"]) + look.small(row["row_id"]),
                look.figures(look.day(row["happened_on"])),
                look.escape((row["row_status"] or look.NONE).replace("_", " ").lower()),
                look.figures(
                    look.NONE
                    if row["amount_cents"] is None
                    else f"{row['amount_cents'] / 100:,.2f}"
                ),
                _counts(row, words),
            ]
            for row in shown[:SHOWN]
        ],
        "The rows behind the figures",
        shown,
        len(shown),
    )
    look.say_if_cut(shown, SHOWN, "The file has all of them.")


def _head(limits: str) -> None:
    look.heading("Rows behind the figures", limits)


def _pick(figures: Mapping[str, tuple[str, object]], rows: data.Rows) -> str:
    """Let the reader pick one figure or all. Each option has a value and a count of rows."""
    behind = {name: sum(name in row["counts_in"] for row in rows) for name in figures}
    words = {
        name: f"{said}: {_value(name, value)} · {look.count_of(behind[name], 'row')}"
        for name, (said, value) in figures.items()
        if behind[name]
    }
    everything = f"All · {look.count_of(len(rows), 'row')}"
    return look.pick("Figure", {ALL: everything, **words}, "figure")


def _value(name: str, value: object) -> str:
    if value is None:
        return look.NONE
    if name.endswith("_at"):
        return look.instant(datetime.fromisoformat(str(value)))
    return VALUES.get((name, str(value)), look.sentence(str(value)[:40]))


def _say_if_others(rows: data.Rows, known: Row, figure: str, held: int | None) -> None:
    """Say if the application's rows have changed since the figures were computed."""
    changed = sum(row["has_changed_since"] for row in rows)
    now = sum(figure in row["counts_in"] for row in rows)
    if changed or now != (held or 0):
        look.empty(
            f"The figures are as of {look.instant(known['as_of'])}. Since then the application"
            f" has changed {look.count_of(changed, 'row')} of this customer or removed some."
            " The next refresh will read them."
        )


def _amount(row: Row) -> str:
    if row["amount"] is None:
        return look.NONE
    return f"{row['amount']:,.2f} {row['currency'] or ''}".strip()


def _counts(row: Row, words: Mapping[str, str]) -> str:
    first = [words.get(name, name) for name in row["counts_in"][:MOST_NAMED]]
    others = len(row["counts_in"]) - len(first)
    counted = ", ".join(first) + (f" and {others} more" if others else "")
    why = row["left_out_because"]
    said = LEFT_OUT.get(why, f"left out: {why}") if why else ""
    if row["has_changed_since"]:
        said = f"{said}; changed after the refresh".removeprefix("; ")
    return look.escape(counted or look.NONE) + look.small(said)
