"""Overview: how many customers have each status, and how that changes."""

from datetime import timedelta
from typing import Any

import altair as alt
import streamlit as st

from dashboards import data, look

Row = dict[str, Any]


def show() -> None:
    """Show the page."""
    tenants = data.read("tenants")["tenants"]
    tenant = look.choose("tenant", tenants, key="tenant", age=st.container())
    # links keep the chosen tenant
    slug = str(tenant["tenant_slug"]) if tenant else None
    found = data.read(
        "overview_days",
        "overview_value_at_risk",
        "overview_transitions",
        tenant=tenant and str(tenant["tenant_id"]),
    )
    days = found["overview_days"]
    if not days:
        raise data.NothingToShow(
            "No customer has been assessed yet. `operations.quarantined_rows` lists the source"
            " rows that no rule could use."
        )

    look.heading("Risk status today", _how_many(days))
    look.tiles(_tiles(days, "risk_status", slug))
    look.heading(
        "Value at risk",
        "What late customers and those with less revenue usually order in 30 days,"
        " by their recent averages. Dormant customers do not count.",
    )
    value = _value(found["overview_value_at_risk"], slug)
    if value:
        look.tiles(value)
    else:
        look.empty("There are no such customers, and there were none a week ago.")
    look.heading(
        "Over time",
        "Customers by risk status. The part to the right of the line assumes that nobody"
        " orders.",
    )
    look.chart(_areas(days), _in_words(days))
    look.heading("Account types today")
    look.tiles(_tiles(days, "account_type", slug))

    look.heading("Changes in the last 7 days", "Customers by old and new status.")
    risk, account = st.columns(2, gap="large")
    with risk:
        _transitions(found["overview_transitions"], "risk_status", "Risk status", slug)
    with account:
        _transitions(found["overview_transitions"], "account_type", "Account type", slug)


def _how_many(days: list[Row]) -> str:
    """Say why there are more customers by account type than by risk status."""
    counts = dict.fromkeys(("risk_status", "account_type"), 0)
    for row in days:
        if row["is_today"]:
            counts[row["status_kind"]] += row["customers_count"]
    never = counts["account_type"] - counts["risk_status"]
    said = f"{look.count_of(counts['risk_status'], 'customer')} with a delivered order."
    if never <= 0:
        return said
    return f"{said} {look.count(never)} more have none yet, so they have an account type only."


def _tiles(days: list[Row], kind: str, slug: str | None) -> list[look.Tile]:
    today = {
        row["status"]: row for row in days if row["is_today"] and row["status_kind"] == kind
    }
    none = {"customers_count": 0, "customers_rate": 0, "change_in_a_week": 0}
    tiles: list[look.Tile] = []
    for name in look.STATUSES[kind]:
        row = today.get(name, none)
        explained = (
            f"{look.share(row['customers_rate'])} · {look.change(row['change_in_a_week'])}"
        )
        tile = look.status_tile(kind, name, look.count(row["customers_count"]), explained)
        tiles.append(look.leading(tile, "rows", of="customers", tenant=slug, **{kind: name}))
    return tiles


def _value(rows: list[Row], slug: str | None) -> list[look.Tile]:
    tiles: list[look.Tile] = []
    for row in rows:
        customers = look.count_of(row["customers_count"], "customer")
        currency = row["currency"]
        # if no currency is known at all, all amounts are taken to be in the same one
        if currency is None and (len(rows) > 1 or not row["at_risk_amount"]):
            tile = ("Several currencies, or none", "no sum", customers, look.INK)
        else:
            changed = look.change(round(row["change_in_a_week"]))
            tile = (
                look.escape(currency or "No currency known"),
                look.money(row["at_risk_amount"], None),
                f"{customers} · {changed}",
                look.INK,
            )
        tiles.append(
            look.leading(
                tile, "rows", of="value_at_risk", tenant=slug, currency=currency or "none"
            )
        )
    return tiles


def _areas(days: list[Row]) -> Any:
    order = list(look.STATUSES["risk_status"])
    [today, *_] = [row["day"] for row in days if row["is_today"]]
    named_on = today - timedelta(days=45)
    rows = [
        {
            "day": row["day"],
            "customers": row["customers_count"],
            "status": look.status_of("risk_status", row["status"]).word,
            "mark": look.status_of("risk_status", row["status"]).mark,
            # the healthy are at the bottom
            "order": -order.index(row["status"]) if row["status"] in order else 1,
            "is_forecast": row["is_forecast"],
            "is_today": row["is_today"],
            "has_name": row["day"] == named_on,
        }
        for row in days
        if row["status_kind"] == "risk_status"
    ]
    base = alt.Chart(look.values(rows)).encode(
        x=alt.X("day:T", title=None, axis=alt.Axis(format="%-d %b", grid=False, tickCount=8)),
        y=alt.Y("customers:Q", title=None, stack="zero", axis=alt.Axis(format=",d")),
        order=alt.Order("order:Q", sort="descending"),
        color=alt.Color("status:N", scale=look.colour_scale("risk_status"), legend=None),
        tooltip=[
            alt.Tooltip("day:T", title="Day", format="%-d %b %Y"),
            alt.Tooltip("status:N", title="Status"),
            alt.Tooltip("customers:Q", title="Customers", format=",d"),
            alt.Tooltip("is_forecast:N", title="Forecast"),
        ],
    )
    line = {"color": look.PAPER, "strokeWidth": 1.5}
    past = base.transform_filter("!datum.is_forecast").mark_area(line=line, opacity=0.92)
    ahead = base.transform_filter("datum.is_forecast || datum.is_today").mark_area(
        line={**line, "strokeDash": [4, 3]}, opacity=0.42
    )
    names = (
        base.transform_filter("datum.has_name")
        .transform_calculate(label="datum.mark + ' ' + datum.status")
        .mark_text(fontSize=12, fontWeight=600)
        .encode(
            text="label:N",
            y=alt.Y("customers:Q", stack="zero", bandPosition=0.5),
            # white is hard to read on sand
            color=alt.condition(
                "datum.mark == '◆'", alt.value(look.INK), alt.value("#ffffff")
            ),
        )
    )
    rule = (
        alt.Chart(look.values([row for row in rows if row["is_today"]][:1]))
        .mark_rule(color=look.INK, strokeWidth=1.2)
        .encode(x="day:T")
    )
    word = (
        alt.Chart(look.values([row for row in rows if row["is_today"]][:1]))
        .mark_text(align="left", dx=6, dy=-8, color=look.INK, fontSize=12)
        .encode(x="day:T", y=alt.value(0), text=alt.value("if nobody orders →"))
    )
    return alt.layer(past, ahead, names, rule, word).properties(
        height=300, padding={"top": 18, "left": 4, "right": 8, "bottom": 4}
    )


def _in_words(days: list[Row]) -> str:
    last = max(row["day"] for row in days)
    words = [
        f"{look.status_of('risk_status', row['status']).word} {row['customers_count']}"
        for row in days
        if row["day"] == last and row["status_kind"] == "risk_status"
    ]
    return (
        "Customers by risk status over the last 90 days and the next 30. On"
        f" {look.day(last)}, if nobody orders: {', '.join(words)}."
    )


def _transitions(rows: list[Row], kind: str, title: str, slug: str | None) -> None:
    st.markdown(f"**{title}**")
    moved = [row for row in rows if row["status_kind"] == kind]
    if not moved:
        look.empty("No status changed in these seven days.")
        return
    look.bars(
        [
            (
                f"{look.pill(kind, row['from_status'])} → {look.pill(kind, row['to_status'])}",
                row["customers_count"],
                look.status_of(kind, row["to_status"]).colour,
                "" if row["is_expected_transition"] else "unusual change: check these",
                look.address(
                    "rows",
                    of="moves",
                    tenant=slug,
                    kind=kind,
                    before=row["from_status"] or "none",
                    after=row["to_status"],
                ),
            )
            for row in moved
        ],
        f"{title}: changes in the last 7 days",
    )


with look.page("Overview", "Who is healthy, who is late, and how that changes."):
    show()
