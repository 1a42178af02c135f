"""Bookings: who comes, where and when, and who stays away."""

from datetime import timedelta
from typing import Any

import altair as alt
import streamlit as st

from dashboards import data, look

Row = dict[str, Any]

PERIODS = {28: "28 days", 90: "90 days", 365: "A year"}
NEW, RETURNING = look.BLUE, look.GREEN


def show() -> None:
    """Show the page."""
    organizations = data.read("organizations")["organizations"]
    chosen = _filters(organizations)
    found = data.read(
        "bookings_totals",
        "bookings_days",
        "bookings_locations",
        "bookings_segments",
        **chosen,
    )
    period = PERIODS[chosen["days"]].lower()
    if found["bookings_totals"]:
        look.tiles(_leading(_tiles(found["bookings_totals"][0], chosen["days"]), chosen))
        look.heading(
            "Appointments by day",
            "First-time and returning customers. Paler bars are in the future. A bar leads to"
            " its day.",
        )
        look.chart(
            _days(found["bookings_days"], chosen),
            f"Customers by day, new and returning, over {period} and the two weeks ahead.",
        )
        look.heading("By location", f"Over {period}.")
        _locations(found["bookings_locations"], has_organization=not chosen["organization"])
    else:
        look.empty(
            "There was no appointment in this period. Choose more days or another location."
        )
    look.heading("Segments today", "All customers of the organization, at all locations.")
    _segments(found["bookings_segments"], chosen["slug"])
    look.heading("Notes of a customer")
    _notes(chosen)


def _filters(organizations: list[Row]) -> dict[str, Any]:
    age = st.container()
    where, place, when = st.columns([1, 1, 1])
    with where:
        organization = look.choose(
            "organization",
            organizations,
            key="organization",
            age=age,
            forgets=("location", "noted"),
        )
    organization_id = organization and str(organization["organization_id"])
    location_id = None
    if organization_id:
        places = {
            str(row["location_id"]): row["location_name"]
            for row in data.read("locations", organization=organization_id)["locations"]
        }
        with place:
            location_id = look.pick(
                "Location",
                {"all": "All locations", **places},
                "location",
                "That location was not found. Choose another one.",
            )
        if location_id not in places:
            location_id = None
    with when:
        days = st.segmented_control(
            "Time",
            list(PERIODS),
            default=90,
            required=True,
            format_func=lambda number: PERIODS[number],
            key="days",
            bind="query-params",
        )
    days = days or 90
    return {
        "organization": organization_id,
        "slug": organization and organization["organization_slug"],
        "location": location_id,
        "days": days,
        # two periods back from the earliest today: the second is for the comparison
        "first_day": min(row["today"] for row in organizations) - timedelta(days=2 * days),
    }


def _where(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return what is chosen as the choices of the page Rows."""
    return {
        "organization": chosen["slug"],
        "location": chosen["location"],
        "days": PERIODS[chosen["days"]],
    }


def _leading(tiles: list[look.Tile], chosen: dict[str, Any]) -> list[look.Tile]:
    """Return tiles with links to the days or new customers that they count."""
    return [
        look.leading(tile, "rows", of=of, **_where(chosen))
        for tile, of in zip(
            tiles,
            ("appointment_days", "new_visitors", "appointment_days", "appointment_days"),
            strict=True,
        )
    ]


def _tiles(total: Row, days: int) -> list[look.Tile]:
    words = f"compared with the {days} days before"
    rate = total["no_show_rate_change"]
    return [
        look.status_tile(
            "booking",
            "ACCEPTED",
            look.count(total["accepted_appointments"]),
            look.change(total["accepted_change"], words),
        ),
        look.status_tile(
            "segment",
            "NEW",
            look.count(total["new_customers"]),
            look.change(total["new_customers_change"], words),
        ),
        look.status_tile(
            "booking",
            "NO_SHOW",
            look.share(total["no_show_rate"]),
            f"{look.count(total['no_show_appointments'])} ·"
            f" {look.change(None if rate is None else rate * 100, words, unit=' points')}",
        ),
        (
            "Cancelled",
            look.count(total["cancelled_appointments"]),
            "by customer or seller",
            look.SAND,
        ),
    ]


def _days(rows: list[Row], chosen: dict[str, Any]) -> Any:
    values = [
        {
            "day": row["day"],
            "who": who,
            "customers": row[column],
            "is_future": row["is_future"],
            "no_shows": row["no_show_appointments"],
            "leads": look.address("rows", of=of, day=row["day"], **_where(chosen)),
        }
        for row in rows
        for who, column, of in (
            ("★ New", "new_customers", "new_visitors"),
            ("● Returning", "returning_customers", "appointment_days"),
        )
    ]
    return (
        alt.Chart(look.values(values))
        .mark_bar(href=look.LEADS)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%-d %b", grid=False)),
            y=alt.Y("customers:Q", title=None, axis=alt.Axis(format=",d")),
            color=alt.Color(
                "who:N",
                title=None,
                scale=alt.Scale(domain=["★ New", "● Returning"], range=[NEW, RETURNING]),
                legend=alt.Legend(orient="top"),
            ),
            opacity=alt.condition("datum.is_future", alt.value(0.4), alt.value(0.95)),
            tooltip=[
                alt.Tooltip("day:T", title="Day", format="%-d %b %Y"),
                alt.Tooltip("who:N", title="Customers"),
                alt.Tooltip("customers:Q", title="Count", format=",d"),
                alt.Tooltip("no_shows:Q", title="No-shows of the day", format=",d"),
            ],
        )
        .properties(height=260)
    )


def _locations(rows: list[Row], *, has_organization: bool) -> None:
    look.table(
        ["Location", "Appointments", "New customers", "Returning visits", "No-shows", "Rate"],
        [
            [
                f"<strong>{look.escape(row['location_name'])}</strong>"
                + (look.small(row["organization_slug"]) if has_organization else ""),
                *(
                    look.figures(look.count(row[column]))
                    for column in (
                        "accepted_appointments",
                        "new_customers",
                        "returning_visits",
                        "no_show_appointments",
                    )
                ),
                look.figures(look.share(row["no_show_rate"])),
            ]
            for row in rows
        ],
        "Appointments by location",
        rows,
    )


def _segments(rows: list[Row], slug: str | None) -> None:
    found = {row["customer_segment"]: row for row in rows}
    look.tiles(
        [
            look.leading(
                look.status_tile(
                    "segment",
                    name,
                    look.count(found[name]["customers_count"] if name in found else 0),
                    look.share(found[name]["customers_rate"] if name in found else 0),
                ),
                "rows",
                of="visitors",
                organization=slug,
                segment=name,
            )
            for name in look.STATUSES["segment"]
        ]
    )


def _notes(chosen: dict[str, Any]) -> None:
    who, which = st.columns([1, 1])
    with who:
        named = st.text_input(
            "Search",
            key="note_of",
            placeholder="Name of a customer with notes",
            bind="query-params",
        )
    search = (named or "").strip() or None
    where: dict[str, Any] = {"organization": chosen["organization"], "has_notes": True}
    rows = data.read("visitors", search=search, **where)["visitors"]
    if not rows:
        look.empty(
            "No customer with that name has a note on a booking."
            if search
            else "No customer has a note on a booking."
        )
        return
    by_key = look.with_linked(
        rows[: look.MOST_CUSTOMERS], "visitors", "noted", search, **where
    )
    names = {
        key: f"{row['customer_name']} · {look.count(row['notes_count'])}"
        for key, row in by_key.items()
    }
    missing = (
        ""
        if search
        else "That customer was not found: it has no notes, or you may not see it. Choose"
        " another one."
    )
    with which:
        row = by_key[look.pick("Customer", names, "noted", missing)]
        look.say_if_cut(rows, look.MOST_CUSTOMERS, "Search to find others.")
    look.notes(
        data.read(
            "visitor_notes",
            organization=str(row["organization_id"]),
            visitor=str(row["square_customer_id"]),
        )["visitor_notes"]
    )
    look.show(
        "<p>"
        + look.link(
            "customer",
            f"All about {row['customer_name']}",
            system="Bookings",
            organization=row["slug"],
            visitor=row["key"],
        )
        + "</p>"
    )


with look.page("Bookings", "Who comes, who is new, and who stays away."):
    show()
