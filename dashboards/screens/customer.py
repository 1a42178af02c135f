"""Customer: one customer's timeline, and why it has its status."""

from typing import Any

import altair as alt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import belief, contacts, data, downloads, look, rows_behind, why

Row = dict[str, Any]

# a narrower band has no room for its mark
DAYS_FOR_A_MARK = 14
# without those of the chart
COLUMNS_OF_STEPS = ("status_kind", "status", "valid_from", "valid_to", "is_forecast")

# labels for the inputs and limits of the rules of the risk status
RULE_WORDS = {
    "last_order_date": "Last delivery",
    "cadence_days": "Usual gap, days",
    "cadence_source": "Source of the gap",
    "next_expected_order_date": "Next order expected",
    "revenue_basis": "Revenue",
    "recent_orders_count": "Last deliveries",
    "recent_average_amount": "Their average",
    "baseline_orders_count": "Earlier deliveries",
    "baseline_average_amount": "Average of the earlier ones",
    "currency": "Currency",
    "dormant_days": "days past the expected date",
    "grace_days": "days past the expected date",
    "revenue_decline_pct": "decline, %",
}


def show() -> None:
    """Show the page."""
    system, tenants, age = look.choose_orders_or_bookings()
    if system == "Orders":
        _show_buyer(tenants, age)
    else:
        _show_visitor(tenants, age)


def _show_buyer(tenants: list[Row], age: DeltaGenerator) -> None:
    where, who, which = st.columns([1, 1, 1])
    with where:
        tenant = look.choose("tenant", tenants, key="tenant", age=age, forgets=("customer",))
    tenant_id = tenant and str(tenant["tenant_id"])
    with who:
        search = st.text_input(
            "Search", key="name", placeholder="Name of a customer", bind="query-params"
        )
    with which:
        row = _choose("customers", "customer", search, tenant=tenant_id)
    keys: dict[str, Any] = {
        "tenant": str(row["tenant_id"]),
        "customer": str(row["customer_id"]),
    }
    read = data.read(
        "customer",
        "customer_outlook",
        "customer_rules",
        "customer_steps",
        "customer_orders",
        "customer_judgement",
        "customer_contacts",
        **keys,
    )
    customer = data.only(read["customer"])
    # it is empty without an order model
    outlook = next((row for row in read["customer_outlook"] if row["outlook"]), None)
    seen = belief.seen_of(keys["tenant"], outlook) if outlook else None
    doubt = belief.against(outlook, seen) if outlook else ""
    _head(
        customer["customer_name"],
        [
            look.pill("risk_status", customer["risk_status"])
            if customer["risk_status"]
            else "",
            look.pill("account_type", customer["account_type"]),
            look.pill("outlook", outlook["outlook"]) if outlook and not doubt else "",
            *map(_judgement, read["customer_judgement"]),
        ],
        [
            customer["risk_status_reason"] or "Nothing delivered yet, so no risk to assess",
            customer["account_type_reason"],
            outlook["reason"] if outlook and not doubt else "",
        ],
        f"{customer['tenant_slug']} · sales rep: {customer['sales_rep_name'] or 'nobody'}",
    )
    look.tiles(
        [
            *rows_behind.leading_of_buyer(
                _buyer_tiles(customer), customer["tenant_slug"], keys
            ),
            *_outlook_tiles(outlook, seen, doubt),
        ],
        in_threes=outlook is not None,
    )
    if read["customer_outlook"]:
        look.show(f'<p class="ch-age">{_how_good(customer, has_outlook=bool(outlook))}</p>')
    _contacts(row["key"], customer["customer_name"], read["customer_contacts"])
    look.heading(
        "Timeline",
        f"Bands are statuses. Marks are the last {len(read['customer_orders'])} deliveries,"
        " larger for larger amounts. The part to the right of the line assumes that nothing"
        " is ordered.",
    )
    look.chart(_buyer_line(customer, read), _line_in_words(customer))
    if read["customer_rules"]:
        look.heading(
            "Rules",
            "What each rule looks at, its limit, and how far away the limit is. The first rule"
            " that applies decides.",
        )
        look.show(f'<div class="ch-rules">{"".join(map(_rule, read["customer_rules"]))}</div>')
    with st.expander("The timeline as a table"):
        _steps_table(read["customer_steps"])
    rows_behind.show_buyer(keys)
    why.show(keys, customer["today"])


def _judgement(row: Row) -> str:
    # shown beside the status, which only the rule decides
    said = contacts.outcome_of(row, "snooze_outcome")
    return look.pill(
        "judgement", "SAID", f"{said.lower()}, snoozed until {look.day(row['snoozed_until'])}"
    )


def _contacts(key: str, name: str, rows: list[Row]) -> None:
    look.heading(
        "Contacts",
        "What people have noted. Contacts do not change a status.",
        contacts.ANCHOR,
    )
    shown = rows[: look.MOST_NOTES]
    look.show("".join(map(_contact, shown)) or '<p class="ch-age">No contacts yet.</p>')
    if rows:
        look.say_if_cut(rows, look.MOST_NOTES, "The file has all of them.")
        downloads.offer("Contacts", rows, len(rows))
    contacts.offer({key: name}, shown)


def _contact(row: Row) -> str:
    words = contacts.words_of(row)
    if row["snoozed_until"]:
        words += f", snoozed until {look.day(row['snoozed_until'])}"
    note = f'<p class="ch-said">{look.escape(row["note"])}</p>' if row["note"] else ""
    corrected = " · corrected" if row["is_corrected"] else ""
    when = look.escape(look.instant(row["local_contacted_at"]))
    return (
        f'<div class="ch-note"><p class="ch-age">{when} · {look.escape(row["contacted_by"])}'
        f"{corrected}</p><p>{look.escape(words)}</p>{note}</div>"
    )


def _show_visitor(organizations: list[Row], age: DeltaGenerator) -> None:
    where, who, which = st.columns([1, 1, 1])
    with where:
        organization = look.choose(
            "organization",
            organizations,
            key="organization",
            age=age,
            forgets=("visitor",),
        )
    organization_id = organization and str(organization["organization_id"])
    with who:
        search = st.text_input(
            "Search", key="name", placeholder="Name of a customer", bind="query-params"
        )
    with which:
        row = _choose(
            "visitors", "visitor", search, organization=organization_id, has_notes=False
        )
    keys: dict[str, Any] = {
        "organization": str(row["organization_id"]),
        "visitor": str(row["square_customer_id"]),
    }
    read = data.read(
        "visitor", "visitor_segments", "visitor_bookings", "visitor_notes", **keys
    )
    visitor = data.only(read["visitor"])
    _head(
        visitor["customer_name"],
        [
            look.pill("segment", visitor["customer_segment"]),
            look.pill("reliability", visitor["reliability_tier"]),
        ],
        [visitor["summary"]],
        visitor["organization_slug"],
    )
    look.tiles(
        rows_behind.leading_of_visitor(
            _visitor_tiles(visitor), visitor["organization_slug"], keys
        )
    )
    look.heading(
        "Timeline",
        "Bands are the current segment and the next one; marks are bookings. The part to the"
        " right of the line is the future.",
    )
    look.chart(
        _visitor_line(visitor, read),
        f"Bookings and segment of {visitor['customer_name']}: {visitor['summary']}",
    )
    look.heading("Notes")
    look.notes(read["visitor_notes"])
    rows_behind.show_visitor(keys)


def _choose(query: str, key: str, search: str | None, **where: Any) -> Row:
    """Let the reader pick a customer from the search, or the one that the address names."""
    search = (search or "").strip() or None
    rows = data.read(query, search=search, **where)[query]
    if not rows:
        raise data.NothingToShow(
            "No customer has that name. Part of a name is enough. Closed customers are not"
            " listed."
            if search
            else "There are no customers yet."
        )
    found = look.with_linked(rows[: look.MOST_CUSTOMERS], query, key, search, **where)
    several = len({row["slug"] for row in found.values()}) > 1
    names = {
        name: f"{row['customer_name']} · {row['slug']}" if several else row["customer_name"]
        for name, row in found.items()
    }
    missing = (
        ""
        if search
        else "That customer was not found: it is closed, or you may not see it. Choose another"
        " one."
    )
    picked = look.pick("Customer", names, key, missing)
    look.say_if_cut(rows, look.MOST_CUSTOMERS, "Search to find others.")
    return found[picked]


def _head(name: str, pills: list[str], reasons: list[str], owner: str) -> None:
    said = "".join(
        f"<p>{look.escape(look.sentence(reason))}.</p>" for reason in reasons if reason
    )
    look.show(
        f'<div class="ch-head"><h3>{look.escape(name)}</h3>'
        f'<p class="ch-age">{look.escape(owner)}</p>'
        f"<p>{' '.join(filter(None, pills))}</p>{said}</div>"
    )


def _buyer_tiles(customer: Row) -> list[look.Tile]:
    late = customer["days_past_expected"]
    if late is None:
        expected = "no delivery to predict it from"
    elif late > 0:
        expected = f"{look.count_of(late, 'day')} ago"
    elif late < 0:
        expected = f"in {look.count_of(-late, 'day')}"
    else:
        expected = "today"
    cadence = customer["cadence_days"]
    deliveries = customer["total_delivered_orders"] or 0
    return [
        (
            "Next order expected",
            look.day(customer["next_expected_order_date"]),
            expected,
            look.INK,
        ),
        (
            "Last delivery",
            look.day(customer["last_order_date"]),
            f"{deliveries:,} {'delivery' if deliveries == 1 else 'deliveries'} in total",
            look.INK,
        ),
        (
            "Usual gap",
            look.NONE if cadence is None else look.count_of(cadence, "day"),
            "between deliveries",
            look.INK,
        ),
        (
            "Usual value per 30 days",
            look.money(customer["revenue_at_risk"], customer["currency"]),
            "going by its recent averages",
            look.INK,
        ),
    ]


def _outlook_tiles(
    outlook: Row | None, seen: Row | None, doubt: str
) -> list[tuple[str, str, str, str]]:
    if outlook is None:
        return []
    amount = outlook["expected_amount_90d"]
    return [
        (
            "Order within 90 days",
            # the large figure is the one to believe
            f"{look.of_100(seen['share'])} of 100"
            if seen and doubt
            else look.chance(outlook["p_order_90d"]),
            doubt or "by the order model; see “How good is it?” below",
            look.INK,
        ),
        (
            "Expected value, next 90 days",
            look.money(amount, outlook["currency"]),
            _whence(amount, doubt),
            look.INK,
        ),
    ]


def _whence(amount: float | None, doubt: str) -> str:
    if amount is None:
        return "several currencies, or none known"
    if doubt:
        return "from the same forecast: do not count on it"
    return "the model's forecast, from the customer's whole history"


def _how_good(customer: Row, *, has_outlook: bool) -> str:
    words = "How good is it?" if has_outlook else "No probability of an order: see why"
    return look.link("how_good_is_it", words, tenant=customer["tenant_slug"])


def _visitor_tiles(visitor: Row) -> list[look.Tile]:
    ahead = visitor["days_until_next_booking"]
    return [
        (
            "Next visit expected",
            look.day(visitor["expected_next_visit_date"]),
            "nothing booked"
            if ahead is None
            else f"next booking in {look.count_of(ahead, 'day')}",
            look.INK,
        ),
        (
            "Visits",
            look.count(visitor["total_visits"]),
            "none yet"
            if visitor["days_since_last_visit"] is None
            else f"the last one {look.count_of(visitor['days_since_last_visit'], 'day')} ago",
            look.INK,
        ),
        (
            "No-shows",
            look.count(visitor["total_no_shows"]),
            f"rate {look.share(visitor['no_show_rate'])}",
            look.INK,
        ),
        (
            "Paid, less refunds",
            f"{visitor['net_revenue_amount']:,.0f}",
            _paid(visitor),
            look.INK,
        ),
    ]


def _paid(visitor: Row) -> str:
    """Say what was paid and how much of it was refunded; the summary says only the former."""
    if not visitor["total_payments"]:
        return "no payment yet"
    payments = look.count_of(visitor["total_payments"], "payment")
    refunded = (
        f"{visitor['refunded_amount']:,.0f}" if visitor["refunded_amount"] else "nothing"
    )
    return f"{payments}, {visitor['revenue_amount']:,.0f} in total, {refunded} of it refunded"


def _band_layers(rows: list[Row], lanes: list[str]) -> list[Any]:
    bands = alt.Chart(look.values(rows)).encode(
        x=alt.X("begins_on:T", title=None, axis=alt.Axis(format="%b %y", grid=False)),
        x2="ends_on:T",
        y=alt.Y("lane:N", sort=lanes, scale=alt.Scale(domain=lanes), title=None),
        color=alt.Color("colour:N", scale=None),
        tooltip=[
            alt.Tooltip("status:N", title="Status"),
            # as text, because the band may be cut off
            alt.Tooltip("since:N", title="From"),
            alt.Tooltip("until:N", title="To"),
        ],
    )
    return [
        bands.transform_filter("!datum.is_forecast").mark_bar(height=22, opacity=0.9),
        bands.transform_filter("datum.is_forecast").mark_bar(
            height=22, opacity=0.35, stroke=look.INK, strokeWidth=0.8, strokeDash=[3, 2]
        ),
        bands.transform_filter("datum.has_room")
        .mark_text(align="left", dx=4, fontSize=11, fontWeight=700)
        .encode(
            text="mark:N",
            x2=alt.X2(),
            color=alt.condition(
                "datum.is_forecast", alt.value(look.INK), alt.value("#ffffff")
            ),
        ),
    ]


def _until(row: Row, what: str = "an order") -> str:
    if row["is_last"]:
        return f"no end without {what}"
    return look.day(row["valid_to"])


def _band(kind: str, lane: str, row: Row, until: str) -> Row:
    status = look.status_of(kind, row["status"])
    return {
        "lane": lane,
        "status": status.word,
        "mark": status.mark,
        "colour": status.colour,
        "since": look.day(row["valid_from"]),
        "until": until,
        "begins_on": row["begins_on"],
        "ends_on": row["ends_on"],
        "is_forecast": row["is_forecast"],
        "has_room": (row["ends_on"] - row["begins_on"]).days >= DAYS_FOR_A_MARK,
    }


def _today(day: Any) -> list[Any]:
    rows = look.values([{"day": day}])
    return [
        alt.Chart(rows).mark_rule(color=look.INK, strokeWidth=1.2).encode(x="day:T"),
        alt.Chart(rows)
        .mark_text(align="left", dx=5, dy=-8, color=look.INK, fontSize=12)
        .encode(x="day:T", y=alt.value(0), text=alt.value("today")),
    ]


def _buyer_line(customer: Row, read: dict[str, list[Row]]) -> Any:
    lanes = ["Deliveries", "Risk status", "Account type"]
    names = {"risk_status": "Risk status", "account_type": "Account type"}
    # a step that covers today is cut there: the rest of it is a forecast
    bands = [
        _band(row["status_kind"], names[row["status_kind"]], part, _until(row))
        for row in read["customer_steps"]
        for part in _cut(row, customer["today"])
    ]
    orders = look.values(
        [
            {
                "day": row["delivered_on"],
                "lane": "Deliveries",
                "amount": None if row["amount"] is None else float(row["amount"]),
            }
            for row in read["customer_orders"]
        ]
    )
    marks = (
        alt.Chart(orders)
        .mark_point(filled=True, color=look.INK, opacity=0.65, shape="circle")
        .encode(
            x="day:T",
            y=alt.Y("lane:N", sort=lanes),
            size=alt.Size(
                "amount:Q", legend=None, scale=alt.Scale(range=[25, 160], zero=True)
            ),
            tooltip=[
                alt.Tooltip("day:T", title="Delivered", format="%-d %b %Y"),
                alt.Tooltip("amount:Q", title="Total", format=",.2f"),
            ],
        )
    )
    layers = [*_band_layers(bands, lanes), marks, *_today(customer["today"])]
    if customer["next_expected_order_date"]:
        layers.append(_expected(customer["next_expected_order_date"], "Deliveries", lanes))
    return alt.layer(*layers).properties(
        height=140, padding={"top": 18, "left": 4, "right": 8, "bottom": 4}
    )


def _cut(row: Row, today: Any) -> list[Row]:
    if not row["begins_on"] <= today < row["ends_on"]:
        return [row]
    ahead = {**row, "begins_on": today, "is_forecast": True}
    return [{**row, "ends_on": today}, ahead] if row["begins_on"] < today else [ahead]


def _expected(day: Any, lane: str, lanes: list[str]) -> Any:
    return (
        alt.Chart(look.values([{"day": day, "lane": lane}]))
        .mark_point(shape="diamond", size=150, filled=False, color=look.RUST, strokeWidth=2)
        .encode(
            x="day:T",
            y=alt.Y("lane:N", sort=lanes),
            tooltip=[alt.Tooltip("day:T", title="Expected", format="%-d %b %Y")],
        )
    )


def _visitor_line(visitor: Row, read: dict[str, list[Row]]) -> Any:
    lanes = ["Bookings", "Segment"]
    bands = [
        _band("segment", "Segment", part, _until(row, "a visit"))
        for row in read["visitor_segments"]
        for part in _cut(row, visitor["today"])
    ]
    bookings = [
        {
            "day": row["starts_on"],
            "lane": "Bookings",
            "status": look.status_of("booking", row["booking_status"]).word,
            "shape": look.SHAPES.get(
                look.status_of("booking", row["booking_status"]).mark, "cross"
            ),
            "colour": look.status_of("booking", row["booking_status"]).colour,
        }
        for row in read["visitor_bookings"]
    ]
    marks = (
        alt.Chart(look.values(bookings))
        .mark_point(filled=True, size=70, opacity=0.85)
        .encode(
            x="day:T",
            y=alt.Y("lane:N", sort=lanes),
            color=alt.Color("colour:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
            tooltip=[
                alt.Tooltip("day:T", title="Booked for", format="%-d %b %Y"),
                alt.Tooltip("status:N", title="Status"),
            ],
        )
    )
    layers = [*_band_layers(bands, lanes), marks, *_today(visitor["today"])]
    if visitor["expected_next_visit_date"]:
        layers.append(_expected(visitor["expected_next_visit_date"], "Bookings", lanes))
    return alt.layer(*layers).properties(
        height=100, padding={"top": 18, "left": 4, "right": 8, "bottom": 4}
    )


def _line_in_words(customer: Row) -> str:
    said = customer["risk_status_reason"] or customer["account_type_reason"]
    return f"Deliveries and statuses of {customer['customer_name']}. {look.sentence(said)}."


def _rule(row: Row) -> str:
    facts = "".join(
        f"<dt>{look.escape(_words(name))}</dt><dd>{look.escape(_plain(name, value))}</dd>"
        for name, value in sorted(row["inputs"].items(), key=_place)
    )
    limits = "".join(
        f'<dt class="ch-limit">Limit: {look.escape(_words(name))}</dt>'
        f'<dd class="ch-limit">{look.escape(_plain(name, value))}</dd>'
        for name, value in row["threshold"].items()
    )
    return (
        f'<div class="ch-rule">{look.pill("risk_status", row["risk_status"])}'
        f"<p>{look.escape(_margin(row))}</p><dl>{facts}{limits}</dl></div>"
    )


def _place(item: tuple[str, object]) -> int:
    """Return the place of a rule's fact; the database keeps them in no order."""
    return list(RULE_WORDS).index(item[0]) if item[0] in RULE_WORDS else len(RULE_WORDS)


def _margin(row: Row) -> str:
    word = look.status_of("risk_status", row["risk_status"]).word
    if row["fires_on"] is not None:
        if row["has_fired"]:
            return f"{word} since {look.day(row['fires_on'])}"
        left = look.count_of(row["days_left"], "day")
        return (
            f"Becomes “{word}” on {look.day(row['fires_on'])}, in {left}, without a delivery"
        )
    if row["points_left"] is None:
        return "Cannot be compared"
    then, now = (row["inputs"][f"{which}_average_amount"] for which in ("baseline", "recent"))
    # the average at which the rule applies
    limit = then * (1 - row["threshold"]["revenue_decline_pct"] / 100)
    currency = row["inputs"]["currency"] or ""
    if row["has_fired"]:
        said = (
            f"“{word}”: the average fell from {then:,.2f} to {now:,.2f} {currency}; the limit"
            f" is {limit:,.2f}"
        )
    else:
        said = (
            f"Becomes “{word}” if the average falls from {now:,.2f} to {limit:,.2f} {currency}"
            " or less"
        )
    return " ".join(said.split())


def _words(name: str) -> str:
    return RULE_WORDS.get(name) or name.replace("_", " ")


def _plain(name: str, value: object) -> str:
    if value is None:
        return look.NONE
    return rows_behind.VALUES.get((name, value), look.sentence(str(value)))


def _steps_table(rows: list[Row]) -> None:
    look.table(
        ["Status", "Kind", "From", "To"],
        [
            [
                look.pill(row["status_kind"], row["status"]),
                look.escape(row["status_kind"].replace("_", " ")),
                look.day(row["valid_from"]),
                _until(row),
            ]
            for row in reversed(rows)
        ],
        "Statuses of the last 18 months and of the next 90 days",
        [{column: row[column] for column in COLUMNS_OF_STEPS} for row in reversed(rows)],
    )


with look.page("Customer", "One customer: what happened, what comes next, and why."):
    show()
