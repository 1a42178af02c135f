"""Retention: who comes back, by month, week, location, service and team member."""

from collections.abc import Callable
from typing import Any

import altair as alt
import streamlit as st

from dashboards import data, downloads, look

Row = dict[str, Any]

WINDOWS = (30, 60, 90)
# how many months of a cohort, and how many weeks, fit on the page
SHOWN_MONTHS = 12
SHOWN_WEEKS = 26
MOST_ROWS = 15
# noun, verb and first event, in the words of each system
WORDS = {
    "orders": ("order", "ordered", "first delivered order"),
    "bookings": ("visit", "came", "first visit"),
}
# by the column that counts them
WEEK = {f"{name.lower()}_customers": status for name, status in look.STATUSES["week"].items()}
DIMENSIONS = {
    "location": "By location",
    "service": "By service",
    "team_member": "By team member",
}


def show() -> None:
    """Show the page."""
    name, sources, age = look.choose_orders_or_bookings()
    system = name.lower()
    key = "tenant" if system == "orders" else "organization"
    chosen = look.choose(key, sources, key=key, age=age, has_all=False)
    assert chosen is not None  # noqa: S101 - there is at least one
    chosen_id: dict[str, Any] = {key: str(chosen[f"{key}_id"])}
    cohorts, weeks = f"retention_{system}_cohorts", f"retention_{system}_weeks"
    found = data.read(cohorts, weeks, **chosen_id)
    thing, did, first = WORDS[system]
    if not found[cohorts]:
        look.empty(f"Nobody has had a {first} yet, so there is no retention to show.")
        return

    _weeks(found[weeks], thing, {key: chosen[f"{key}_slug"]})
    _cohorts(found[cohorts], did, first)
    if system == "bookings":
        _of_visits(chosen_id)


def _weeks(rows: list[Row], thing: str, whose: dict[str, Any]) -> None:
    look.heading(
        "The last week",
        ""
        if not rows
        else f"From Monday {look.day(rows[-1]['week_begins_on'])} to Sunday."
        f" Gone: no {thing} for more than {rows[-1]['gone_after_days']} days."
        " Resurrected: back after being gone.",
    )
    if not rows:
        look.empty("No full week has passed since the first customer came.")
        return
    last, before = rows[-1], rows[-2] if len(rows) > 1 else None

    def behind(row: Row, name: str) -> dict[str, Any]:
        """Return the choices of the page Rows for a figure of a week."""
        return {
            "of": f"{thing}_weeks",
            "week": row["week_begins_on"],
            "activity": name,
            **whose,
        }

    look.tiles(
        [
            look.leading(
                look.status_tile(
                    "week",
                    name,
                    look.count(last[column]),
                    look.change(None if before is None else last[column] - before[column]),
                ),
                "rows",
                **behind(last, name),
            )
            for name, column in zip(look.STATUSES["week"], WEEK, strict=True)
        ]
    )
    look.show(
        f'<p class="ch-age">{look.count_of(last["active_customers"], "active customer")} at'
        f" the end of the week; {look.count(last['quiet_customers'])} of them did not"
        f" {thing} that week.</p>"
    )
    shown = rows[-SHOWN_WEEKS:]
    look.heading(
        f"The last {len(shown)} weeks",
        "Gone customers are below the line. A bar leads to its customers.",
    )
    look.chart(
        _by_week(shown, behind),
        f"Customers by week over {len(shown)} weeks: new, returning and resurrected above the"
        " line, gone below it. The table has the figures.",
    )
    with st.expander("As a table"):
        look.table(
            ["Week from", *(status.word for status in WEEK.values()), "Active at the end"],
            [
                [
                    look.figures(look.day(row["week_begins_on"])),
                    *(
                        look.link("rows", look.count(row[column]), **behind(row, name))
                        if row[column]
                        else look.figures("0")
                        for name, column in zip(look.STATUSES["week"], WEEK, strict=True)
                    ),
                    look.figures(look.count(row["active_customers"])),
                ]
                for row in reversed(shown)
            ],
            "Customers by week, the latest first",
            rows,
            len(rows),
        )


def _by_week(rows: list[Row], behind: Callable[[Row, str], dict[str, Any]]) -> Any:
    values = [
        {
            "week": row["week_begins_on"],
            "who": f"{status.mark} {status.word}",
            "customers": row[column],
            "height": -row[column] if column == "gone_customers" else row[column],
            "leads": look.address("rows", **behind(row, name)),
        }
        for row in rows
        for name, (column, status) in zip(look.STATUSES["week"], WEEK.items(), strict=True)
    ]
    return (
        alt.Chart(look.values(values))
        .mark_bar(href=look.LEADS)
        .encode(
            x=alt.X(
                # one slot per week, so that bars are as wide as they can be
                "yearmonthdate(week):O",
                title=None,
                axis=alt.Axis(format="%-d %b", labelAngle=0, labelOverlap=True),
            ),
            y=alt.Y("height:Q", title="customers", axis=alt.Axis(format=",d")),
            color=alt.Color(
                "who:N",
                title=None,
                scale=alt.Scale(
                    domain=[f"{status.mark} {status.word}" for status in WEEK.values()],
                    range=[status.colour for status in WEEK.values()],
                ),
                legend=alt.Legend(orient="top", columns=2),
            ),
            tooltip=[
                alt.Tooltip("week:T", title="Week from", format="%-d %b %Y"),
                alt.Tooltip("who:N", title="Customers"),
                alt.Tooltip("customers:Q", title="Count", format=",d"),
            ],
        )
        .properties(height=260)
    )


def _cohorts(rows: list[Row], did: str, first: str) -> None:
    """Show the cohorts as a table: the more customers came, the darker the cell."""
    months = sorted({row["cohort_month"] for row in rows if row["cohort_month"]})
    shown = months[-SHOWN_MONTHS - 1 :]
    look.heading(
        "Cohorts",
        f"Of 100 customers whose {first} was in a month, how many {did} in each month after"
        " it. Darker cells mean more customers. A dashed border means that the month is not"
        " over, an empty cell that it has not begun. Months without new customers are left"
        " out.",
    )
    numbers = range(1, min(SHOWN_MONTHS, max(row["months_since"] for row in rows)) + 1)
    cells = {(row["cohort_month"], row["months_since"]): row for row in rows}
    rates = [
        row["retention_rate"]
        for (_, number), row in cells.items()
        if number in numbers and row["retention_rate"] is not None
    ]
    most = max(rates, default=0) or 1
    head = "".join(f'<th scope="col">{number}</th>' for number in numbers)
    body = "".join(
        f'<tr><th scope="row">{"All months" if month is None else f"{month:%b %y}"}</th>'
        f'<td class="ch-size">{look.count(cells[month, 0]["cohort_customers"])}</td>'
        + "".join(_cell(cells.get((month, number)), most) for number in numbers)
        + "</tr>"
        for month in (None, *reversed(shown))
        if (month, 0) in cells
    )
    caption = look.escape(f"How many of 100 customers {did}, by months since their first")
    look.show(
        f'<table class="ch-cohorts"><caption>{caption}</caption><thead><tr>'
        f'<th scope="col">Month</th><th scope="col">New</th>{head}'
        f"</tr></thead><tbody>{body}</tbody></table>"
    )
    downloads.offer("Cohorts by month", rows, len(rows))
    if len(months) > len(shown):
        look.show(
            f'<p class="ch-age">The last {len(shown)} of {len(months)} cohorts. "All months"'
            " has all of them, and counts only months that are over. The file has every"
            " month.</p>"
        )


def _cell(row: Row | None, most: float) -> str:
    if row is None or row["retention_rate"] is None:
        return "<td></td>"
    rate = row["retention_rate"]
    dashed = "" if row["is_complete"] else ' class="ch-open"'
    words = (
        f"{look.count(row['active_customers'])} of {look.count(row['cohort_customers'])}"
        + ("" if row["is_complete"] else ", not over")
    )
    return (
        f'<td{dashed} style="--share:{float(rate) / float(most):.0%}"'
        f' title="{look.escape(words)}">{round(100 * rate)}</td>'
    )


def _of_visits(chosen: dict[str, Any]) -> None:
    dimensions, services = "retention_bookings_dimensions", "retention_bookings_services"
    found = data.read(dimensions, services, **chosen)
    look.heading("After a first visit")
    window = st.segmented_control(
        "Within",
        WINDOWS,
        default=90,
        required=True,
        format_func=lambda days: f"{days} days",
        key="window",
        bind="query-params",
    )
    rows = [row for row in found[dimensions] if row["window_days"] == (window or 90)]
    whole = data.only([row for row in rows if row["dimension"] == "organization"])
    look.show(f'<p class="ch-explained">{look.escape(_window(whole))}</p>')
    for dimension, title in DIMENSIONS.items():
        look.heading(title)
        _dimension([row for row in rows if row["dimension"] == dimension], title)
    look.heading(
        "Between two visits for a service",
        "Days from a visit for the service to the customer's next visit for it. Half of the"
        " gaps are between the two figures in the last column.",
    )
    look.table(
        ["Service", "Customers", "Came for it again", "Median days", "Middle half"],
        [
            [
                f"<strong>{look.escape(row['service_id'] or 'Unknown')}</strong>",
                look.figures(look.count(row["customers_count"])),
                look.figures(f"{look.count(row['intervals_count'])} times"),
                look.figures(look.count(row["interval_days_median"])),
                look.figures(
                    look.NONE
                    if row["interval_days_q1"] is None
                    else f"{row['interval_days_q1']} to {row['interval_days_q3']}"
                ),
            ]
            for row in found[services][:MOST_ROWS]
        ],
        "Days between two visits for the same service",
        found[services],
        len(found[services]),
    )
    look.say_if_cut(found[services], MOST_ROWS, "The file has all of them.")


def _window(row: Row) -> str:
    days = row["window_days"]
    if row["first_counted_on"] is None:
        return (
            f"No first visit is more than {days} days ago yet, so there is nothing to count."
        )
    return (
        f"{look.count_of(row['new_customers'], 'customer')} had a first visit from"
        f" {look.day(row['first_counted_on'])} to {look.day(row['last_counted_on'])}, and"
        f" {look.share(row['retention_rate'])} of them came again within {days} days."
        f" {look.count(row['waiting_customers'])} more had theirs later; it is too early"
        f" to count them. “Booked again” is the share of visits, more than {days} days ago,"
        f" for which the customer had booked a later day within {days} days."
    )


def _dimension(rows: list[Row], title: str) -> None:
    look.table(
        [
            title.removeprefix("By ").capitalize(),
            *("First visits", "Came again", "Visits", "Booked again"),
        ],
        [
            [
                f"<strong>{look.escape(row['name'] or 'Unknown')}</strong>",
                look.figures(look.count(row["new_customers"])),
                look.figures(look.share(row["retention_rate"])),
                look.figures(look.count(row["visits_count"])),
                look.figures(look.share(row["rebooking_rate"])),
            ]
            for row in rows[:MOST_ROWS]
        ],
        f"Who came again and booked again, {title.lower()}",
        rows,
        len(rows),
    )
    look.say_if_cut(rows, MOST_ROWS, "The file has all of them.")


with look.page("Retention", "Who comes back, and who is gone."):
    show()
