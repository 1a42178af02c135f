"""Runs, alerts, messages and people who get none: their columns on the pages for operators."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from dashboards import data, look
from flows.run_log import Job

Row = dict[str, Any]
Columns = Mapping[str, Callable[[Row], str]]

# by their names in the run log
JOBS = {name: name.replace("_", " ").capitalize() for name in get_args(Job)}
KINDS = {"alerts": "Alerts", "weekly": "Weekly"}
REACHES = {"team": "the team", "tenant": "the whole tenant", "owner": "a sales rep"}


def of(pill: str, name: str, remark: str) -> str:
    """Return the HTML of a status, what has it, and a remark below."""
    return f"{pill} {look.escape(name)}{look.small(remark)}"


def _full(row: Row) -> str:
    return f"recomputed everything: {row['full_because']}" if row["full_because"] else ""


def _idle(row: Row) -> str:
    """Say how many runs in a row had nothing to do: they share one row of the log."""
    count = row["runs_count"]
    if not count:
        return ""
    often = f", {count:,} times since {look.instant(row['runs_since'])}" if count > 1 else ""
    return f"nothing to do{often}"


def _remark(row: Row) -> str:
    return "; ".join(filter(None, (row["error"], _full(row), _idle(row))))


def _recipient(row: Row) -> str:
    name = row["recipient_name"] or REACHES[row["reach"]]
    return f"<strong>{look.escape(name)}</strong>" + look.small(
        row["tenant_slug"] or "all tenants"
    )


def _way(row: Row) -> str:
    return look.escape(row["channel"]) + look.small(row["address"] or "")


def _count(column: str) -> Callable[[Row], str]:
    return lambda row: look.figures(look.count(row[column]))


def _instant(column: str) -> Callable[[Row], str]:
    return lambda row: look.figures(look.instant(row[column]))


RUNS: Columns = {
    "Run": lambda row: of(look.pill("run", row["status"]), row["job"], _remark(row)),
    "Began": _instant("created_at"),
    "Seconds": lambda row: look.NONE if row["seconds"] is None else f"{row['seconds']}",
    "Mart rows": _count("rows_moved"),
    "Written back": _count("rows_written"),
    "Drift": _count("drift"),
}
ALERTS: Columns = {
    "Message": lambda row: of(
        look.pill("edge", row["edge"]), row["tenant_slug"], row["message"]
    ),
    "Kind": lambda row: look.escape(row["kind"].replace("_", " ").lower()),
    "When": _instant("created_at"),
    "Delivery": lambda row: look.pill("alert", row["state"]) + look.small(row["error"] or ""),
}
MESSAGES: Columns = {
    "To": _recipient,
    "By": _way,
    "Kind": lambda row: (
        look.escape(KINDS[row["kind"]]) + look.small(look.count_of(row["lines_count"], "line"))
    ),
    "Made": _instant("created_at"),
    "State": lambda row: (
        look.pill("message", row["state"])
        + look.small(row["error"] or "")
        + look.small(f"until {row['quiet_to']:%H:%M}" if row["state"] == "quiet" else "")
    ),
}
UNREACHED: Columns = {
    "Who": lambda row: (
        f"<strong>{look.escape(row['recipient_name'])}</strong>"
        + look.small(row["tenant_slug"])
    ),
    "By": _way,
    "Customers": _count("customers_count"),
    "Why": lambda row: (
        look.pill("unreached", row["reason"])
        + look.small(row["why"] if row["reason"] == "quiet hours" else "")
    ),
}


def table(columns: Columns, rows: data.Rows, caption: str) -> None:
    """Show rows in these columns."""
    look.table(
        list(columns),
        [[cell(row) for cell in columns.values()] for row in rows],
        caption,
        rows,
    )
