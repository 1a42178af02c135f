"""Turn a row of message_outbox into the text that a person reads.

flows/sql/messages.sql decides who gets which message. flows/messages/formats.py makes the
formats in which it is sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

# titles by kind of alert, when it begins and when it ends, in the order of the sections
KINDS = {
    "REFRESH_OVERDUE": ("Refresh overdue", "Refreshes succeed again"),
    "REFRESH_FAILED": ("Refreshes fail", "Refreshes no longer fail"),
    "SOURCE_STALE": ("Stale source", "Source changes again"),
    "FEED_SILENT": ("Orders no longer arrive", "Orders arrive again"),
    "GUARD_TRIPPED": ("Write-back held", "Write-back no longer held"),
    "HIGH_VALUE_CUSTOMER_DORMANT": (
        "High-value customers now dormant",
        "High-value customers back",
    ),
    "CUSTOMER_DORMANT": ("Customers now dormant", "Customers back"),
    "ACCOUNT_TARGET": ("Customers to win back", "Customers ordering again"),
    "ACCOUNT_CHURN_RISK": ("High churn risk", "Churn risk no longer high"),
    "ACCOUNT_CHURN_RISING": ("Rising churn risk", "Churn risk no longer rising"),
    "ACCOUNT_TICKET_ESCALATED": ("Escalated tickets", "Tickets no longer escalated"),
    "ACCOUNT_ENGAGEMENT_GAP": ("No recent contact", "In contact again"),
    "TENANT_HEALTH_CRITICAL": ("Very low health score", "Health score no longer very low"),
    "TENANT_HEALTH_LOW": ("Low health score", "Health score no longer low"),
    "ACCOUNT_TYPE_SHARE": ("Unusual account type shares", "Account type shares as usual"),
}
SECTIONS = {
    "TENANTS": "The week by tenant",
    "CALL_FIRST": "Call first",
    "BECAME_LATE": "Became late",
    "LOST": "Lost",
    "CAME_BACK": "Came back",
    **{f"{kind} raised": begun for kind, (begun, _) in KINDS.items()},
    **{f"{kind} recovered": ended for kind, (_, ended) in KINDS.items()},
}

# the groups on the page Due to order, which at first shows two of them
DUE = ("Overdue", "Due today", "Due soon", "Dormant")

LONGEST_NAME, LONGEST_WORDS, LONGEST_SUBJECT = 120, 300, 150
# characters that hide or reverse the text around them
INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)


@dataclass(frozen=True)
class Line:
    """One customer, account or tenant, and the news about it."""

    name: str
    words: str
    # URL of its page; empty if there are no links
    link: str


@dataclass(frozen=True)
class Section:
    """Lines of one kind, most important first."""

    title: str
    lines: tuple[Line, ...]
    # total number of that kind, including those not shown
    count: int
    # URL of the page that lists all of them; empty if there is none
    link: str = ""

    @property
    def more(self) -> int:
        """The number of lines that are not shown."""
        return self.count - len(self.lines)


@dataclass(frozen=True)
class Message:
    """One message to one person or channel."""

    message_id: str
    address: str
    subject: str
    # the text before the first section; closing is the text after the last
    opening: str
    sections: tuple[Section, ...]
    closing: str
    # in a fleet, the one that it is about
    database: str | None = None

    def with_at_most(self, lines: int) -> "Message":
        """Return the message with at most that many lines in each section."""
        return replace(
            self,
            sections=tuple(
                replace(section, lines=section.lines[:lines]) for section in self.sections
            ),
        )


def message_of(row: Mapping[str, Any], pages: str, database: str | None = None) -> Message:
    """Return the message for a row of message_outbox.

    database: in a fleet, the one that holds the row.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for line in row["body"]:
        found.setdefault(line["section"], []).append(line)
    order = list(SECTIONS)
    sections = [
        Section(
            SECTIONS.get(name, _plain(name.replace("_", " ").capitalize())),
            tuple(_line(line, row["reach"], pages) for line in found[name]),
            found[name][0]["of"],
            _due_to_order(row, found[name][0], pages) if name == "CALL_FIRST" else "",
        )
        for name in sorted(found, key=lambda n: order.index(n) if n in order else len(order))
    ]
    where = _plain(row["tenant_slug"])
    if row["reach"] == "team":
        where = f"all tenants of {database}" if database else "all tenants"
    what = ", ".join(
        f"{section.title[0].lower()}{section.title[1:]} ({section.count})"
        for section in sections
    )
    if row["kind"] == "weekly":
        week = date.fromisoformat(row["body"][0]["week_begins_on"])
        subject = f"{where}, week of {_day(week)}: {what}"
        news, when = "what happened", f" in the week of {_day(week)}"
    else:
        subject = f"{where}: {what}"
        news, when = "what is new", ""
    return Message(
        message_id=str(row["message_id"]),
        address=row["address"],
        subject=_cut(subject, LONGEST_SUBJECT),
        opening=_opening(row, news, where + when),
        sections=tuple(sections),
        closing=CLOSINGS[row["reach"]].replace("{where}", where),
        database=database,
    )


CLOSINGS = {
    "owner": "You receive this because you look after these customers. To change the address,"
    " set quiet hours or unsubscribe, ask your administrator.",
    "tenant": "You receive this because you follow all customers of this tenant.",
    "team": "You receive this because you run customer_health. It covers {where}.",
}


def _opening(row: Mapping[str, Any], news: str, where: str) -> str:
    if row["reach"] != "owner":
        return f"Here is {news} at {where}."
    name = _plain(row["recipient_name"] or "")
    return f"Hello{f' {name}' if name else ''}, here is {news} with your customers at {where}."


def _line(line: Mapping[str, Any], reach: str, pages: str) -> Line:
    tenant = _plain(line.get("tenant") or "")
    # the id of a customer or an account whose name nobody sees
    subject = (line.get("link") or "").partition("/")[2]
    name = _cut(_plain(line.get("name") or "") or _plain(subject), LONGEST_NAME)
    if reach == "team" and tenant:
        name = f"{tenant}: {name}" if name else tenant
    words = _cut(_plain(line["words"]), LONGEST_WORDS)
    if (expected := line.get("expected_amount_90d")) is not None:
        words += f" · {_money(expected, line)} expected within 90 days"
    elif (ordered := line.get("revenue_at_risk")) is not None:
        words += f" · usually orders {_money(ordered, line)} in 30 days"
    page = _page(line, reach)
    if not pages or page is None:
        return Line(name, words, "")
    # a link needs a name to click on
    return Line(name or tenant or "Operations", words, _url(pages, *page))


def _page(line: Mapping[str, Any], reach: str) -> tuple[str, dict[str, Any]] | None:
    """Return the page that shows what a line is about, and what to choose there."""
    found: tuple[str, dict[str, Any]] | None = None
    about = line.get("link")
    tenant = {"tenant": line.get("tenant")}
    match line["section"].partition(" ")[0]:
        case "TENANTS":
            found = "due_to_order", {**tenant, "due": DUE}
        case "FEED_SILENT":
            found = "due_to_order", {**tenant, "due": DUE[0]}
        case "ACCOUNT_TYPE_SHARE" if about:
            found = "rows", {"of": "customers", **tenant, "account_type": about}
        case "GUARD_TRIPPED" if reach != "team":
            # they may not see Operations
            found = "rows", {"of": "moves", **tenant, "kind": "risk_status"}
        case "GUARD_TRIPPED" | "REFRESH_OVERDUE" | "SOURCE_STALE":
            found = "operations", {}
        case "REFRESH_FAILED" if about:
            found = "rows", {"of": "runs", "job": about}
        case "TENANT_HEALTH_CRITICAL" | "TENANT_HEALTH_LOW" if about:
            found = "usage_and_accounts", {"of": "Usage", "organization_id": about}
        case (
            "ACCOUNT_CHURN_RISK"
            | "ACCOUNT_CHURN_RISING"
            | "ACCOUNT_TICKET_ESCALATED"
            | "ACCOUNT_ENGAGEMENT_GAP"
        ) if about:
            found = "usage_and_accounts", {"of": "Accounts", "account": about}
        case _ if about:
            found = "customer", {"customer": about}
    return found


def _due_to_order(row: Mapping[str, Any], line: Mapping[str, Any], pages: str) -> str:
    """Return the URL of the list of whom to call, of the rep or of the whole tenant."""
    if not pages:
        return ""
    # none if several reps share the address
    owner = line.get("sales_rep_id")
    whose = {"owner": owner} if owner else {}
    return _url(pages, "due_to_order", {"tenant": row["tenant_slug"], **whose, "due": DUE})


def _url(pages: str, page: str, chosen: Mapping[str, Any]) -> str:
    query = urlencode(chosen, doseq=True)
    return f"{pages}/{page}?{query}" if query else f"{pages}/{page}"


def _money(amount: Any, line: Mapping[str, Any]) -> str:
    return f"{float(amount):,.0f} {_plain(line.get('currency') or '')}".strip()


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _plain(text: str) -> str:
    """Return text as one line, without invisible characters."""
    return " ".join(INVISIBLE.sub(" ", text).split())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
