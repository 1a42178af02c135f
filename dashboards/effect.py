"""Whether contacts help: what is told of those contacted and of others like them."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards import look

Row = Mapping[str, Any]

NO_EXPERIMENT = (
    "This is no experiment: whoever is called was chosen by somebody, who may know more than"
    " lateness and outlook say. Some of the others are called later. To know, let the lot hold"
    " a few customers out of the list: set `hold_out_rate` to 0.2 and `hold_out_from` to"
    " today."
)
EXPERIMENT = (
    "This is an experiment: the lot decides who is shown, so that nothing but being shown, and"
    " called for it, sets the two apart."
)


def show(rows: Sequence[Row]) -> None:
    """Show what contacts have been worth, with how sure that is."""
    look.heading(
        "Do contacts help?",
        "How many ordered after a contact, and how many of others that were as late and as"
        " likely to order. Deliveries count, from the day of the contact on.",
    )
    kinds = [row["comparison"] for row in rows]
    for comparison in dict.fromkeys([*kinds, "CONTACTED"]):
        told = [row for row in rows if row["comparison"] == comparison]
        is_experiment = comparison == "SHOWN"
        for row in told:
            if row["sales_rep_id"] is None:
                look.show(f"<p>{look.escape(_in_words(row))}</p>")
        if not told:
            look.empty("Nothing can be told yet: no contact is old enough, or nobody was due.")
        by_rep = [
            row
            for row in told
            if row["sales_rep_id"] is not None and row["difference"] is not None
        ]
        if by_rep:
            look.table(
                ["Customers of", "Within", "Ordered", "The others", "Difference"],
                [_cells(row) for row in by_rep],
                "What came of contacts, by sales rep",
            )
        look.show(
            '<p class="ch-explained">'
            f"{look.with_code(EXPERIMENT if is_experiment else NO_EXPERIMENT)}</p>"
        )


def _in_words(row: Row) -> str:
    who = "shown" if row["comparison"] == "SHOWN" else "contacted"
    days = row["horizon_days"]
    if row["difference"] is None:
        return (
            f"Within {days} days: too few customers to tell. {row['treated_customers']:,} were"
            f" {who}, {row['others_customers']:,} not; it takes 30 of each, as late and as"
            " likely to order."
        )
    low, high = _points(row["difference_low"]), _points(row["difference_high"])
    return (
        f"Within {days} days, of 100 customers that were {who}"
        f" {look.of_100(row['treated_share'])} ordered, of 100 others"
        f" {look.of_100(row['others_share'])}: {_points(row['difference'])} and, 19 times in"
        f" 20, between {low} and {high}.{_so(row)}"
    )


def _so(row: Row) -> str:
    if row["difference_low"] > 0:
        return " More order."
    if row["difference_high"] < 0:
        return " Fewer order."
    return " It cannot be told whether that helps."


def _points(difference: float) -> str:
    return f"{round(100 * difference):+d}"


def _cells(row: Row) -> list[str]:
    low, high = _points(row["difference_low"]), _points(row["difference_high"])
    return [
        look.escape(row["sales_rep_name"]),
        look.figures(f"{row['horizon_days']} days"),
        look.figures(f"{look.of_100(row['treated_share'])} of 100")
        + look.small(look.count_of(row["treated_customers"], "customer")),
        look.figures(f"{look.of_100(row['others_share'])} of 100")
        + look.small(look.count_of(row["others_customers"], "customer")),
        look.figures(_points(row["difference"])) + look.small(f"{low} to {high}"),
    ]
