"""Due to order: the list that a rep opens in the morning."""

from functools import partial
from typing import Any

import streamlit as st

from dashboards import belief, contacts, data, downloads, look

ON_A_PAGE = 25
NOBODY = "Nobody"


def show() -> None:
    """Show the page."""
    tenants = data.read("tenants")["tenants"]
    chosen = _filters(tenants)
    # the box stands below what it decides; from a link only the address has its choice yet
    chosen["is_snoozed_shown"] = bool(
        st.session_state.get("snoozed", st.query_params.get("snoozed") == "true")
    )
    found = data.read("due_totals", **chosen)["due_totals"]
    totals = {row["due_bucket"]: row for row in found if row["customers_count"]}
    # what comes and goes has a place of its own: otherwise the form below would move and
    # lose the focus
    with st.container():
        _say_who_is_left_out(found)
    if not totals:
        raise data.NothingToShow(
            f"Nobody {'else ' if found else ''}is due. Customers appear here shortly before"
            " their next order is expected. If a filter is set, widen it."
        )
    look.tiles([_leading(name, totals.get(name), chosen) for name in look.STATUSES["due"]])

    buckets = st.pills(
        "Show",
        list(look.STATUSES["due"]),
        selection_mode="multi",
        default=["OVERDUE", "DUE_TODAY"],
        format_func=lambda name: look.status_of("due", name).word,
        key="due",
        bind="query-params",
    )
    rows_count = sum(totals[name]["customers_count"] for name in buckets if name in totals)
    if not rows_count:
        look.empty("Nobody is in these groups. Choose more of them above.")
        return
    pages = -(-rows_count // ON_A_PAGE)
    number = 1
    with st.container():
        if pages > 1:
            number = st.pagination(pages, key="page", bind="query-params") or 1
    chosen |= {"buckets": list(buckets)}
    rows = data.read(
        "due_customers", **chosen, limit=ON_A_PAGE, offset=(number - 1) * ON_A_PAGE
    )["due_customers"]
    if not rows:
        raise data.NothingToShow(data.HAS_CHANGED)
    contacts.offer(
        {_key(row): _name(row, has_tenant=chosen["tenant"] is None) for row in rows}
    )
    look.show(f'<p class="ch-explained">{_explained(rows, chosen["tenant"])}</p>')
    look.show(f'<p class="ch-age">Sorted: {_order(rows)}.</p>')
    look.table(
        [
            "Customer",
            "Sales rep",
            "Due",
            "Expected value, next 90 days",
            "Usual value per 30 days",
            "Order expected on",
        ],
        [_cells(row, has_tenant=chosen["tenant"] is None) for row in rows],
        f"Customers due to order, {_order(rows)}",
        partial(downloads.due_to_order, chosen),
        rows_count,
    )
    look.show(
        f'<p class="ch-age">{look.count_of(rows_count, "customer")}. Page {number} of'
        f" {pages}.</p>"
    )


def _say_who_is_left_out(found: list[dict[str, Any]]) -> None:
    snoozed, held_out = (
        sum(row[f"{which}_count"] for row in found) for which in ("snoozed", "held_out")
    )
    if snoozed:
        st.checkbox(
            f"Also show {look.count_of(snoozed, 'customer')} that somebody has contacted and"
            " snoozed",
            key="snoozed",
            bind="query-params",
        )
    if held_out:
        look.show(
            '<p class="ch-age">Held out at random, to compare with those shown:'
            f" {look.count_of(held_out, 'more customer')}.</p>"
        )


def _key(row: dict[str, Any]) -> str:
    return f"{row['tenant_id']}/{row['customer_id']}"


def _name(row: dict[str, Any], *, has_tenant: bool) -> str:
    name: str = row["customer_name"]
    return f"{name} · {row['tenant_slug']}" if has_tenant else name


def _order(rows: list[dict[str, Any]]) -> str:
    currencies = {row["currency"] for row in rows if row["currency"]}
    whatever = ", regardless of currency" if len(currencies) > 1 else ""
    return (
        f"highest expected order value first{whatever}; those without one last, by usual value"
    )


def _explained(rows: list[dict[str, Any]], tenant_id: str | None) -> str:
    words = (
        "“Overdue” means past the expected date; moderate, urgent and critical say by how"
        " much. The expected value is what the order model forecasts for the next 90 days,"
        " from the customer's whole history; the usual value is that of recent orders, per"
        " 30 days. If status and forecast disagree, see which of the two to believe:"
    )
    tenant = {"tenant": rows[0]["tenant_slug"]} if tenant_id else {}
    return f"{look.escape(words)} {look.link('how_good_is_it', 'How good is it?', **tenant)}"


def _filters(tenants: list[dict[str, Any]]) -> dict[str, Any]:
    age = st.container()
    where, who, what = st.columns([1, 1, 1])
    with where:
        tenant = look.choose("tenant", tenants, key="tenant", age=age, forgets=("owner",))
    tenant_id = tenant and str(tenant["tenant_id"])
    reps = data.read("sales_reps", tenant=tenant_id)["sales_reps"]
    by_key = {str(rep["sales_rep_id"]) if tenant else rep["key"]: rep for rep in reps}
    labels = {
        key: rep["sales_rep_name"]
        if tenant
        else f"{rep['sales_rep_name']} · {rep['tenant_slug']}"
        for key, rep in by_key.items()
    }
    with who:
        owner = look.pick(
            "Sales rep",
            {"everybody": "Everybody", **labels, "nobody": NOBODY},
            "owner",
            "That sales rep was not found. Choose another one.",
        )
    with what:
        search = st.text_input(
            "Search", key="find", placeholder="Name of a customer", bind="query-params"
        )
    rep = by_key.get(owner)
    return {
        # a rep's id is unique only within its tenant
        "tenant": str(rep["tenant_id"]) if rep else tenant_id,
        "slug": tenant and tenant["tenant_slug"],
        "owner": rep and owner,
        "sales_rep": rep and str(rep["sales_rep_id"]),
        "is_unowned": owner == "nobody",
        "search": (search or "").strip() or None,
    }


def _address(chosen: dict[str, Any]) -> dict[str, str | None]:
    """Return the parameters of the list's address with its filters."""
    return {
        "tenant": chosen["slug"],
        "owner": "nobody" if chosen["is_unowned"] else chosen["owner"],
        "find": chosen["search"],
        "snoozed": "true" if chosen["is_snoozed_shown"] else None,
    }


def _leading(name: str, row: dict[str, Any] | None, chosen: dict[str, Any]) -> look.Tile:
    """Return a tile that links to its part of the list, with all other filters kept."""
    return look.leading(
        _tile(name, row),
        "due_to_order",
        **_address(chosen),
        due=look.status_of("due", name).word,
    )


def _tile(name: str, row: dict[str, Any] | None) -> tuple[str, str, str, str]:
    if row is None:
        return look.status_tile("due", name, "0", "nobody")
    value = look.money(row["at_risk_amount"], row["currency"])
    words = (
        "used to order per 30 days" if name == "DORMANT" else "usual order value per 30 days"
    )
    words += f": {value}"
    if row["left_out_count"]:
        words += (
            f", not counting {look.count_of(row['left_out_count'], 'customer')} with other or"
            " several currencies"
        )
    if row["critical_count"]:
        words += f" · {look.count(row['critical_count'])} critical"
    return look.status_tile("due", name, look.count(row["customers_count"]), words)


def _cells(row: dict[str, Any], *, has_tenant: bool) -> list[str]:
    late = row["days_past_expected"]
    words = ""
    if late > 0:
        words = f"{look.count_of(late, 'day')} past the expected date"
    elif late < 0:
        words = f"in {look.count_of(-late, 'day')}"
    if row["urgency"]:
        words += f", {row['urgency'].lower()}"
    customer = look.link(
        "customer",
        row["customer_name"],
        tenant=row["tenant_slug"],
        customer=_key(row),
    )
    contacted = ""
    if row["last_contacted_on"]:
        contacted = (
            f"Contacted {look.day(row['last_contacted_on'])}:"
            f" {contacts.outcome_of(row, 'last_outcome').lower()}."
        )
    if row["snoozed_until"]:
        contacted += f" Snoozed until {look.day(row['snoozed_until'])}."
    write_down = ""
    if not contacts.lacking():
        write_down = look.link(
            "customer",
            "Contact",
            contacts.ANCHOR,
            aloud=f"Contact {row['customer_name']}",
            tenant=row["tenant_slug"],
            customer=_key(row),
            contact="new",
        )
    owner = look.escape(row["sales_rep_name"] or NOBODY)
    if has_tenant:
        owner += look.small(row["tenant_slug"])
    return [
        customer
        + look.small(look.sentence(row["reason"]))
        + look.small(contacted)
        + f'<span class="ch-small">{write_down}</span>',
        f'<span class="ch-whole">{owner}</span>',
        look.pill("due", row["due_bucket"]) + look.small(words),
        look.figures(look.money(row["expected_amount_90d"], row["currency"]))
        + look.small(_outlook(row, of_all=has_tenant)),
        look.figures(look.money(row["revenue_at_risk"], row["currency"])),
        look.figures(look.day(row["next_expected_order_date"])),
    ]


def _outlook(row: dict[str, Any], *, of_all: bool) -> str:
    if row["outlook"] is None:
        return ""
    if of_all and row["disagreement"] == "LIKELY_THOUGH_DORMANT":
        return "Status and forecast disagree: open the customer."
    # reading the past of every tenant would take longer than the list
    if not of_all and (
        doubt := belief.against(row, belief.seen_of(str(row["tenant_id"]), row))
    ):
        return doubt
    word = look.status_of("outlook", row["outlook"]).word
    return f"{word.lower()}: {look.chance(row['p_order_90d'])}"


with look.page(
    "Due to order",
    "Customers whose order is due, those with the highest expected order value first.",
):
    show()
