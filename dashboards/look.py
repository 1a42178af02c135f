"""How everything looks: each status has one color, one mark and one word on every page."""

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import altair as alt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import data, downloads

STYLE = Path(__file__).parent / "style.css"

# the most customers in a list to pick from, and the most notes shown of one
MOST_CUSTOMERS, MOST_NOTES = 50, 20

SPACE = "\N{NO-BREAK SPACE}"
ISO_DATE = re.compile(r"\b[12]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b")

# in place of a missing figure
NONE = "\N{EM DASH}"

INK = "#22302f"
FAINT = "#6d7673"
LINE = "#e2ded3"
PAPER = "#fbfaf7"

GREEN, BLUE, SAND, RUST, PLUM, GREY = (
    "#2c8c7c",
    "#3f6fa8",
    "#d9a93f",
    "#c9622f",
    "#5d4a72",
    "#8d9491",
)


@dataclass(frozen=True)
class Status:
    """How one status looks. Word and mark identify it without the color."""

    word: str
    mark: str
    colour: str


STATUSES: Mapping[str, Mapping[str, Status]] = {
    "risk_status": {
        "HEALTHY": Status("Healthy", "●", GREEN),
        "AT_RISK_REVENUE": Status("Less revenue", "◆", SAND),
        "AT_RISK_CADENCE": Status("Late", "▲", RUST),
        "DORMANT": Status("Dormant", "■", PLUM),
    },
    "account_type": {
        "ACTIVE": Status("Active", "●", GREEN),
        "TARGET": Status("Target", "◆", SAND),
        "PROSPECT": Status("Prospect", "○", GREY),
    },
    "segment": {
        "NEW": Status("New", "★", BLUE),
        "ACTIVE": Status("Active", "●", GREEN),
        "AT_RISK": Status("At risk", "▲", RUST),
        "LOST": Status("Lost", "■", PLUM),
        "NEVER_VISITED": Status("Never visited", "○", GREY),
    },
    "outlook": {
        "LIKELY": Status("Likely to order", "●", GREEN),
        "UNSURE": Status("May or may not order", "◆", SAND),
        "UNLIKELY": Status("Unlikely to order", "■", PLUM),
    },
    # what a person has noted; the status stays what the rule says
    "judgement": {"SAID": Status("Noted:", "✎", BLUE)},
    "due": {
        "OVERDUE": Status("Overdue", "▲", RUST),
        "DUE_TODAY": Status("Due today", "◆", SAND),
        "DUE_SOON": Status("Due soon", "●", GREEN),
        "DORMANT": Status("Dormant", "■", PLUM),
    },
    "risk_level": {
        "HIGH": Status("High risk", "▲", RUST),
        "MEDIUM": Status("Medium risk", "◆", SAND),
        "LOW": Status("Low risk", "●", GREEN),
    },
    "trend": {
        "IMPROVING": Status("Improving", "↑", GREEN),
        "STABLE": Status("Stable", "→", GREY),
        "DECLINING": Status("Declining", "↓", RUST),
    },
    "account": {
        "onboarding": Status("Onboarding", "★", BLUE),
        "active": Status("Active", "●", GREEN),
        "at_risk": Status("At risk", "▲", RUST),
        "churned": Status("Churned", "■", PLUM),
    },
    "goal": {
        "on_track": Status("On track", "●", GREEN),
        "at_risk": Status("At risk", "▲", RUST),
        "achieved": Status("Achieved", "★", BLUE),
        "missed": Status("Missed", "■", PLUM),
    },
    "booking": {
        "ACCEPTED": Status("Accepted", "●", GREEN),
        "PENDING": Status("Pending", "○", GREY),
        "NO_SHOW": Status("No-show", "▲", RUST),
        "CANCELLED_BY_CUSTOMER": Status("Cancelled by customer", "◆", SAND),
        "CANCELLED_BY_SELLER": Status("Cancelled by seller", "◆", SAND),
        "DECLINED": Status("Declined", "■", PLUM),
    },
    "reliability": {
        "RELIABLE": Status("Reliable", "●", GREEN),
        "WATCH": Status("Watch", "◆", SAND),
        "UNRELIABLE": Status("Unreliable", "▲", RUST),
        "NO_HISTORY": Status("No history", "○", GREY),
    },
    "run": {
        "success": Status("Done", "●", GREEN),
        "running": Status("Running", "○", BLUE),
        "held": Status("Held", "◆", SAND),
        "tests_failed": Status("Check failed", "▲", RUST),
        "failed": Status("Failed", "■", PLUM),
        "interrupted": Status("Interrupted", "■", PLUM),
        "wrong_argument": Status("Wrong argument", "■", PLUM),
    },
    "alert": {
        "sent": Status("Sent", "●", GREEN),
        "pending": Status("Waiting", "○", GREY),
        "sending": Status("Sending", "○", BLUE),
        "unknown": Status("May have arrived", "◆", SAND),
        "failed": Status("Refused", "■", PLUM),
        "passed_on": Status("Told by a message", "●", GREEN),
        "expired": Status("Expired", "○", GREY),
    },
    "message": {
        "unknown": Status("May have arrived", "◆", SAND),
        "failed": Status("Refused", "■", PLUM),
        "pending": Status("Waiting", "○", GREY),
        "quiet": Status("Held by quiet hours", "○", BLUE),
        "withdrawn": Status("Withdrawn", "○", GREY),
        "expired": Status("Expired", "○", GREY),
        "sending": Status("Sending", "○", BLUE),
        "sent": Status("Sent", "●", GREEN),
    },
    # why somebody gets no messages
    "unreached": {
        "unsubscribed": Status("Unsubscribed", "○", GREY),
        "has left": Status("Has left", "■", PLUM),
        "no e-mail address": Status("No e-mail address", "▲", RUST),
        "no valid e-mail address": Status("No valid e-mail address", "▲", RUST),
        "unknown sales rep": Status("Unknown sales rep", "▲", RUST),
        "quiet hours": Status("In quiet hours", "○", BLUE),
    },
    "week": {
        "NEW": Status("New", "★", BLUE),
        "RETURNING": Status("Returning", "●", GREEN),
        "RESURRECTED": Status("Resurrected", "◆", SAND),
        "GONE": Status("Gone", "■", PLUM),
    },
    "edge": {
        "raised": Status("Raised", "▲", RUST),
        "recovered": Status("Recovered", "●", GREEN),
    },
}

# a mark with this `href` leads to the address in its value `leads`. Keys do not reach marks,
# so the rows must also be behind a link of the page
LEADS = alt.expr("datum.leads")

# Altair's names for the marks
SHAPES = {
    "●": "circle",
    "○": "circle",
    "◆": "diamond",
    "▲": "triangle-up",
    "■": "square",
    "★": "cross",
}


def status_of(kind: str, name: str | None) -> Status:
    """Return how a status looks; an unknown one is plain, under its own name."""
    if name is None:
        return Status("No status", "·", FAINT)
    return STATUSES[kind].get(name) or Status(name.replace("_", " ").capitalize(), "?", FAINT)


def pill(kind: str, name: str | None, more: str = "") -> str:
    """Return the HTML of a status: its mark and word, in its color."""
    status = status_of(kind, name)
    words = escape(f"{status.word} {more}".strip())
    return (
        f'<span class="ch-pill" style="--tone:{status.colour}">'
        f'<span class="ch-mark" aria-hidden="true">{status.mark}</span>{words}</span>'
    )


def colour_scale(kind: str) -> alt.Scale:
    """Return the colors of a kind of status, for charts."""
    looks = STATUSES[kind]
    return alt.Scale(
        domain=[status.word for status in looks.values()],
        range=[status.colour for status in looks.values()],
    )


def escape(value: object) -> str:
    """Escape text for HTML."""
    return html.escape(str(value), quote=True)


def small(value: object) -> str:
    """Return the HTML of small text on a line of its own."""
    return f'<span class="ch-small">{escape(value)}</span>'


def aside(value: object) -> str:
    """Return the HTML of a remark in parentheses after a figure, kept on one line."""
    return f'<span class="ch-aside">({escape(value)})</span>'


def figures(value: object) -> str:
    """Return the HTML of a figure or date, kept on one line."""
    return f'<span class="ch-figures">{escape(value)}</span>'


def count_of(value: int, what: str) -> str:
    """Write a count with its noun."""
    return f"{value:,} {what}{'' if value == 1 else 's'}"


def show(markup: str) -> None:
    """Put HTML on the page. The caller has passed text from the database through `escape`."""
    st.html(markup)


def count(value: int | None) -> str:
    """Write a count."""
    return NONE if value is None else f"{value:,}"


def change(value: float | None, words: str = "in a week", *, unit: str = "") -> str:
    """Write a change as an arrow, a figure and words."""
    if value is None:
        return "no earlier figure to compare with"
    figure = f"{abs(value):,.1f}".removesuffix(".0") if value % 1 else f"{abs(value):,.0f}"
    if figure == "0":
        return f"→ no change {words}"
    return f"{'↑' if value > 0 else '↓'} {figure}{unit} {words}"


def share(rate: float | None) -> str:
    """Write a rate between 0 and 1 as a percentage."""
    return NONE if rate is None else f"{rate * 100:.1f}{SPACE}%"


def chance(probability: float) -> str:
    """Write a probability in whole percent; 0 and 100 only if it is certain."""
    return f"{_whole(probability, 'under 1', 'over 99')}{SPACE}%"


def of_100(share: float) -> str:
    """Write a share as a number of 100; 0 and 100 only if it is none or all."""
    return _whole(share, "fewer than 1", "more than 99")


def _whole(share: float, hardly_any: str, nearly_all: str) -> str:
    """Write a share in whole hundredths, with words for almost none and almost all."""
    whole = round(100 * share)
    if whole == 0 and share > 0:
        return hardly_any
    if whole == 100 and share < 1:  # noqa: PLR2004
        return nearly_all
    return str(whole)


def money(amount: float | None, currency: str | None) -> str:
    """Write an amount without its cents."""
    return "unknown" if amount is None else f"{amount:,.0f} {currency or ''}".strip()


def day(value: date | None) -> str:
    """Write a date, kept on one line."""
    return NONE if value is None else f"{value.day}{SPACE}{value:%b}{SPACE}{value:%Y}"


def sentence(text: str) -> str:
    """Write the dates in a sentence of a mart the way the pages do."""
    return ISO_DATE.sub(lambda found: day(date.fromisoformat(found[0])), text)


def instant(value: datetime | None) -> str:
    """Write an instant; one without a time zone is in the tenant's own."""
    if value is None:
        return NONE
    return f"{value.day} {value:%b %Y, %H:%M}{' UTC' if value.tzinfo else ''}"


Tile = tuple[str, str, str, str] | tuple[str, str, str, str, str]


def tiles(items: Sequence[Tile], *, in_threes: bool = False) -> None:
    """Show figures side by side: heading as HTML, figure, explanation, color.

    A fifth part, if any, is the address of the rows that the figure counts. There are three
    in a row, or as many as fit.
    """
    body = "".join(
        f'<{_tag(leads)} class="ch-tile" style="--tone:{tone}">'
        f'<div class="ch-word">{heading}</div>'
        f'<div class="ch-figure">{escape(figure)}</div>'
        f'<div class="ch-sub">{escape(explained)}</div></{"a" if leads else "div"}>'
        for heading, figure, explained, tone, *leads in items
    )
    show(f'<div class="ch-tiles{" ch-threes" if in_threes else ""}">{body}</div>')


def _tag(leads: Sequence[str]) -> str:
    return f'a href="{escape(leads[0])}" target="_self"' if leads else "div"


def leading(tile: Tile, page: str, /, **parameters: object) -> Tile:
    """Return the tile with a link to the rows that it counts, on a page with these filters."""
    return (*tile[:4], address(page, **parameters))


def status_tile(
    kind: str, name: str | None, figure: str, explained: str
) -> tuple[str, str, str, str]:
    """Return a tile with a status as its heading."""
    status = status_of(kind, name)
    heading = f'<span class="ch-mark" aria-hidden="true">{status.mark}</span>'
    return heading + escape(status.word), figure, explained, status.colour


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str,
    found: downloads.Found | None = None,
    rows_count: int | None = None,
) -> None:
    """Show a table of HTML cells that becomes a list of cards on a narrow screen.

    Below it is its file. It has the mart rows behind the table: `found`, or what the function
    `found` returns if the table shows one page of `rows_count` rows. Without `found` the file
    has the text of the cells.
    """
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{escape(column)}">{cell}</td>'
            for column, cell in zip(columns, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    show(
        f'<table class="ch-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    words = downloads.words_of
    said = [dict(zip(map(words, columns), map(words, row), strict=True)) for row in rows]
    downloads.offer(
        caption,
        said if found is None else found,
        len(rows) if rows_count is None else rows_count,
    )


def bars(
    rows: Sequence[tuple[str, float, str, str] | tuple[str, float, str, str, str]],
    caption: str,
) -> None:
    """Show figures as bars: label as HTML, figure, color, remark.

    A fifth part, if any, is the address of the rows that the figure counts.
    """
    most = max((row[1] for row in rows), default=0) or 1
    body = "".join(
        f'<li><span class="ch-what">{what}</span>'
        f"{_led(_counted(figure), leads)}"
        f'<span class="ch-bar" aria-hidden="true"><span style="width:{figure / most:.0%};'
        f'background:{tone}"></span></span><span class="ch-sub">{escape(remark)}</span></li>'
        for what, figure, tone, remark, *leads in rows
    )
    show(f'<ul class="ch-bars" aria-label="{escape(caption)}">{body}</ul>')


def _counted(figure: float) -> str:
    return f'<span class="ch-count">{figure:,}</span>'


def _led(markup: str, leads: Sequence[str]) -> str:
    return f"<{_tag(leads)}>{markup}</a>" if leads else markup


def address(page: str, /, **parameters: object) -> str:
    """Return the address of a page with its choices, leaving out those that are None.

    A list becomes one parameter per value.
    """
    chosen = {name: value for name, value in parameters.items() if value is not None}
    return f"{page}?{urlencode(chosen, doseq=True)}"


def link(
    page: str, words: str, /, anchor: str = "", aloud: str = "", **parameters: object
) -> str:
    """Return the HTML of a link to another page, or to the part of it with that anchor.

    aloud: what a screen reader says, if the words alone do not say where the link leads.
    """
    where = escape(address(page, **parameters) + (anchor and f"#{anchor}"))
    said = f' aria-label="{escape(aloud)}"' if aloud else ""
    return f'<a href="{where}" target="_self"{said}>{escape(words)}</a>'


@contextmanager
def page(title: str, lead: str) -> Iterator[None]:
    """Show the head of a page. If there is nothing to show, say why."""
    show(f"<style>{STYLE.read_text()}</style>")
    st.title(title, anchor=False)
    show(f'<p class="ch-lead">{escape(lead)}</p>')
    try:
        yield
    except data.NothingToShow as nothing:
        empty(str(nothing))


def heading(text: str, explained: str = "", anchor: str | None = None) -> None:
    """Show the heading of a section. anchor: the fragment of links that lead to it."""
    st.subheader(text, anchor=anchor or False)
    # even if empty: it keeps the distance to what follows
    show(f'<p class="ch-explained">{with_code(explained)}</p>')


def empty(message: str) -> None:
    """Say why there is nothing to show, and what to do."""
    show(f'<p class="ch-empty" role="status">{with_code(message)}</p>')


def with_code(message: str) -> str:
    """Return the HTML of a message whose backticks mark code."""
    parts = escape(message).split("`")
    return "".join(
        f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts)
    )


def say_age(sources: Sequence[Mapping[str, Any]], names: str) -> None:
    """Say how old the figures are, and what to do if they are stale."""
    if not sources:
        raise data.NothingToShow(
            f"There are no {names} to show. {data.FIRST_REFRESH} If refreshes do run, the"
            " system may be off, or this login's role may see none."
        )
    oldest = min(source["as_of"] for source in sources)
    if any(source["is_stale"] for source in sources):
        age = datetime.now(oldest.tzinfo) - oldest
        empty(
            f"These figures are {age // timedelta(days=1)} days old: {instant(oldest)}."
            " `customer-health status` says why no refresh has run since."
            " `customer-health refresh --mode nightly` runs one."
        )
    else:
        show(f'<p class="ch-age">Figures as of {escape(instant(oldest))}</p>')


def choose_orders_or_bookings() -> tuple[str, data.Rows, DeltaGenerator]:
    """Let the reader choose orders or bookings. Return what choose_system() does."""
    return choose_system(
        {
            "Orders": data.read("tenants")["tenants"],
            "Bookings": data.read("organizations")["organizations"],
        }
    )


def choose_system(
    sources: Mapping[str, data.Rows], *, label: str = "System", key: str = "system"
) -> tuple[str, data.Rows, DeltaGenerator]:
    """Let the reader choose a system if there are several.

    sources: the tenants of each system, by its name. Return the chosen name, its tenants, and
    the place for the age of its figures.
    """
    there = {name: found for name, found in sources.items() if found}
    if not there:
        say_age([], " or ".join(sources).lower())
    system = next(iter(there))
    if len(there) > 1:
        chosen = st.segmented_control(
            label, list(there), default=system, key=key, bind="query-params"
        )
        system = chosen or system
    return system, there[system], st.container()


def choose(  # noqa: PLR0913 - what differs between pages
    what: str,
    sources: Sequence[Mapping[str, Any]],
    *,
    key: str,
    age: DeltaGenerator,
    forgets: tuple[str, ...] = (),
    has_all: bool = True,
) -> Mapping[str, Any] | None:
    """Let the reader choose a tenant or an organization; None means all of them.

    age: where to say how old the figures of the choice are.

    A new choice clears what was picked under the keys `forgets`. Without `has_all` the reader
    must choose one, and the first is preselected.
    """
    chosen = _chosen(what, sources, key=key, forgets=forgets, has_all=has_all)
    with age:
        say_age([chosen] if chosen else sources, f"{what}s")
    return chosen


def _chosen(
    what: str,
    sources: Sequence[Mapping[str, Any]],
    *,
    key: str,
    forgets: tuple[str, ...],
    has_all: bool,
) -> Mapping[str, Any] | None:
    if not sources:
        say_age([], f"{what}s")
    by_id = {str(source[f"{what}_id"]): source for source in sources}
    names = told_apart({key: row[f"{what}_slug"] or key for key, row in by_id.items()})
    by_name = {name: by_id[key] for key, name in names.items()}
    all_of_them = f"All {what}s"
    options = [all_of_them, *by_name] if has_all else list(by_name)
    wanted = st.query_params.get(key, all_of_them)
    # the choice stays in the session when Streamlit drops an unknown one from the address
    if len(sources) == 1 and st.session_state.get(key, wanted) in (all_of_them, *by_name):
        return sources[0]
    chosen = st.selectbox(
        what.capitalize(),
        options,
        # of an unknown one in the address, nobody may take another's figures for its own
        index=0 if wanted in (all_of_them, *options) else None,
        key=key,
        bind="query-params",
        on_change=partial(_forget, forgets),
        placeholder="Choose",
    )
    if chosen is None:
        raise data.NothingToShow(
            f"That {what} was not found, or you may not see it. Choose another one."
        )
    return by_name.get(chosen)


def _forget(keys: Sequence[str]) -> None:
    for key in keys:
        st.query_params.pop(key, None)
        st.session_state.pop(key, None)


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Add the id to each name that occurs more than once.

    Streamlit knows a choice by its name, and would return the last of several namesakes.
    """
    times = Counter(names.values())
    ids = {key: key.rpartition("/")[2] for key in names}
    if len({(name, ids[key]) for key, name in names.items()}) < len(names):
        # an id is unique only within its tenant
        ids = {key: key for key in names}
    return {
        key: name if times[name] == 1 else f"{name} · {ids[key]}"
        for key, name in names.items()
    }


def pick(label: str, options: Mapping[str, str], key: str, missing: str = "") -> str:
    """Let the reader pick one by its name, and keep its key in the address of the page.

    If the address has a key that is not among them, the first is picked. With a message for
    that, `missing`, none is picked, and the page shows the message.
    """
    names = told_apart(options)
    keys = list(names)
    wanted = st.query_params.get(key, "")
    first = None if missing and wanted else 0
    picked: str | None = st.selectbox(
        label,
        keys,
        index=keys.index(wanted) if wanted in names else first,
        format_func=lambda name: names.get(name, name),
        key=key,
        placeholder="Choose",
    )
    if picked is None:
        raise data.NothingToShow(missing)
    if picked != wanted:
        st.query_params[key] = picked
    return picked


def with_linked(
    rows: Sequence[dict[str, Any]], query: str, key: str, search: str | None, **where: Any
) -> dict[str, dict[str, Any]]:
    """Return rows by key, including the one that the address names, however far down it is."""
    found = {row["key"]: row for row in rows}
    wanted = st.query_params.get(key)
    if wanted and not search:
        linked = data.read(query, search=wanted, **where)[query]
        found |= {row["key"]: row for row in linked if row["key"] == wanted}
    return found


def say_if_cut(rows: Sequence[Any], most: int, others: str) -> None:
    """Say how to reach the other rows if there are more than are shown."""
    if len(rows) > most:
        show(f'<p class="ch-age">The first {most} are shown. {escape(others)}</p>')


def values(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as the data of a chart.

    A data frame, because Altair copies and validates every row of anything else.
    """
    return pd.DataFrame([{name: _plain(v) for name, v in row.items()} for row in rows])


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        # a browser reads a bare date as midnight UTC, which in America is the day before
        return f"{value}T00:00:00"
    return value


def chart(picture: Any, words: str) -> None:
    """Show a chart, with a description for readers who cannot see it."""
    st.altair_chart(
        picture.configure_view(strokeWidth=0)
        .configure_axis(
            labelColor=FAINT,
            titleColor=FAINT,
            gridColor=LINE,
            domainColor=LINE,
            tickColor=LINE,
            labelFontSize=12,
        )
        .configure(background=PAPER),
        width="stretch",
        theme=None,
        alt=words,
    )


def notes(rows: Sequence[Mapping[str, Any]]) -> None:
    """Show the notes of a customer's bookings."""
    if not rows:
        empty("No booking of this customer has a note.")
        return
    show("".join(map(_note, rows[:MOST_NOTES])))
    say_if_cut(rows, MOST_NOTES, "The file has all of them.")
    downloads.offer("Notes", rows, len(rows))


def _note(row: Mapping[str, Any]) -> str:
    said = "".join(
        f'<p class="ch-said">{escape(who)}: {escape(row[column])}</p>'
        for who, column in (("Customer", "customer_note"), ("Seller", "seller_note"))
        if row[column]
    )
    return (
        f'<div class="ch-note"><p class="ch-age">{escape(instant(row["local_start_at"]))}'
        f" {pill('booking', row['booking_status'])}</p>{said}</div>"
    )
