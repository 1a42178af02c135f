"""Whether contacts help: contacted customers compared with others like them."""

from collections.abc import Mapping
from typing import Any

from dashboards import data, look

Row = Mapping[str, Any]

NO_EXPERIMENT = (
    "This is not an experiment. Somebody chose whom to contact, and may know more than"
    " lateness, usual gap and outlook show. Some of the others are contacted later."
)
ADVICE = (
    " To be sure, hold some customers out of the list at random: set `hold_out_rate` to 0.2"
    " and `hold_out_from` to today."
)
EXPERIMENT = (
    "This is an experiment: chance decides who is shown in the list, so the two groups differ"
    " in nothing else."
)


def show(tenant_id: str) -> None:
    """Show how much contacts with a tenant's customers helped, with intervals."""
    look.heading(
        "Do contacts help?",
        "How many customers ordered after a contact, compared with others that were as late,"
        " usually order as often and were as likely to order. Deliveries count, from the day"
        " after the contact on.",
    )
    # it takes the longest, so all else is on the page before it
    rows = data.read("contact_effect", tenant=tenant_id)["contact_effect"]
    kinds = [row["comparison"] for row in rows]
    for comparison in dict.fromkeys([*kinds, "CONTACTED"]):
        told = [row for row in rows if row["comparison"] == comparison]
        is_experiment = comparison == "SHOWN"
        who = "shown" if is_experiment else "contacted"
        for row in told:
            if row["sales_rep_id"] is None:
                look.show(f"<p>{look.with_code(_in_words(row))}</p>")
        if not told:
            look.empty("Nothing to compare yet: no contact is old enough, or nobody was due.")
        by_rep = [
            row
            for row in told
            if row["sales_rep_id"] is not None and row["difference"] is not None
        ]
        if by_rep:
            look.table(
                ["Customers of", "Within", who.capitalize(), "Others", "Difference"],
                [_cells(row) for row in by_rep],
                f"Effect of {'the list' if is_experiment else 'contacts'}, by sales rep",
                by_rep,
            )
        advice = "" if "SHOWN" in kinds else ADVICE
        said = EXPERIMENT if is_experiment else NO_EXPERIMENT + advice
        look.show(f'<p class="ch-explained">{look.with_code(said)}</p>')


def _in_words(row: Row) -> str:
    who = "shown" if row["comparison"] == "SHOWN" else "contacted"
    days = row["horizon_days"]
    if row["difference"] is None:
        return (
            f"Within {days} days: too few customers to tell. {row['treated_customers']:,} were"
            f" {who}, {row['others_customers']:,} were not. A comparison needs"
            " more of each that are alike in lateness, usual gap and outlook."
        )
    low, high = _points(row["difference_low"]), _points(row["difference_high"])
    return (
        f"Of 100 customers that were {who}, {look.of_100(row['treated_share'])} ordered within"
        f" {days} days; of 100 others, {look.of_100(row['others_share'])}. The difference is"
        f" {_points(row['difference'])} (95 % interval: {low} to {high}).{_so(row)}"
    )


def _so(row: Row) -> str:
    if row["difference_low"] > 0:
        return " More of them order."
    if row["difference_high"] < 0:
        return " Fewer of them order."
    return " Whether it helps is not clear."


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
