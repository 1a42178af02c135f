"""The charts of the page "How good is it?"."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboards import look

Row = dict[str, Any]

# dashboards/sql/forecast_calibration.sql and visits_calibration.sql choose one
VERDICTS = {
    "RIGHT": look.Status("As predicted", "●", look.GREEN),
    "TOO_MUCH": look.Status("Fewer than predicted", "▲", look.RUST),
    "TOO_LITTLE": look.Status("More than predicted", "◆", look.SAND),
}


def calibration(rows: Sequence[Row], did: str) -> Any:
    """Return a chart of predicted and actual shares, with the line where they are equal."""
    points = look.values(
        [
            {
                "told": row["told"],
                "seen": row["share"],
                "low": row["share_low"],
                "high": row["share_high"],
                "customers": row["customers_count"],
                "verdict": VERDICTS[row["verdict"]].word,
            }
            for row in rows
        ]
    )
    percent: dict[str, Any] = {
        "scale": alt.Scale(domain=[0, 1]),
        "axis": alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1]),
    }
    # the legend has only verdicts that occur
    found = {row["verdict"] for row in rows}
    verdicts = [status for name, status in VERDICTS.items() if name in found]
    words = [status.word for status in verdicts]
    base = alt.Chart(points).encode(
        x=alt.X("told:Q", title="predicted", **percent),
        color=alt.Color(
            "verdict:N",
            scale=alt.Scale(domain=words, range=[status.colour for status in verdicts]),
            legend=alt.Legend(title=None, orient="bottom", columns=2),
        ),
        tooltip=[
            alt.Tooltip("told:Q", title="Predicted", format=".1%"),
            alt.Tooltip("seen:Q", title=did.capitalize(), format=".1%"),
            alt.Tooltip("low:Q", title="From", format=".1%"),
            alt.Tooltip("high:Q", title="To", format=".1%"),
            alt.Tooltip("customers:Q", title="Customers", format=",d"),
            alt.Tooltip("verdict:N", title="Verdict"),
        ],
    )
    intervals = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title=did, **percent), y2="high:Q"
    )
    marks = base.mark_point(filled=True, opacity=1, size=90).encode(
        y=alt.Y("seen:Q", **percent),
        shape=alt.Shape(
            "verdict:N",
            scale=alt.Scale(
                domain=words,
                range=[look.SHAPES[status.mark] for status in verdicts],
            ),
            legend=alt.Legend(title=None, orient="bottom", columns=2),
        ),
    )
    diagonal = (
        alt.Chart(look.values([{"told": 0, "seen": 0}, {"told": 1, "seen": 1}]))
        .mark_line(color=look.FAINT, strokeDash=[5, 4], strokeWidth=1)
        .encode(x="told:Q", y="seen:Q")
    )
    return alt.layer(diagonal, intervals, marks).properties(
        height=320, padding={"top": 8, "left": 4, "right": 8, "bottom": 4}
    )


def limits(rows: Sequence[Row], chosen: Row, current: Row) -> Any:
    """Return a chart of customers by status at each value of a limit, with today's marked."""
    order = list(look.STATUSES["risk_status"])
    points = look.values(
        [
            {
                "value": row["value"],
                "customers": row[f"{name.lower()}_count"],
                "status": look.status_of("risk_status", name).word,
                "order": -order.index(name),
            }
            for row in rows
            for name in order
        ]
    )
    areas = (
        alt.Chart(points)
        .mark_area(line={"color": look.PAPER, "strokeWidth": 1.5}, opacity=0.92)
        .encode(
            x=alt.X(
                "value:Q",
                title="days",
                axis=alt.Axis(grid=False, tickCount=8, labelSeparation=8),
            ),
            y=alt.Y(
                "customers:Q", title="customers", stack="zero", axis=alt.Axis(format=",d")
            ),
            order=alt.Order("order:Q", sort="descending"),
            color=alt.Color(
                "status:N",
                scale=look.colour_scale("risk_status"),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
            tooltip=[
                alt.Tooltip("value:Q", title="Days"),
                alt.Tooltip("status:N", title="Status"),
                alt.Tooltip("customers:Q", title="Customers", format=",d"),
            ],
        )
    )
    lines = [{"value": current["value"], "label": "today", "dash": False}]
    if not chosen["is_current"]:
        lines.append({"value": chosen["value"], "label": "chosen", "dash": True})
    marks = alt.Chart(look.values(lines)).encode(x="value:Q")
    rules = marks.mark_rule(color=look.INK, strokeWidth=1.4).encode(
        strokeDash=alt.condition("datum.dash", alt.value([4, 3]), alt.value([1, 0]))
    )
    names = marks.mark_text(align="left", dx=5, dy=-8, color=look.INK, fontSize=12).encode(
        y=alt.value(0), text="label:N"
    )
    return alt.layer(areas, rules, names).properties(
        height=240, padding={"top": 18, "left": 4, "right": 8, "bottom": 4}
    )
