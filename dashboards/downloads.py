"""Files to take away."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from dashboards import data

# more than anybody reads, less than a browser chokes on
MOST_ROWS = 100_000
COLUMNS = (
    "tenant_slug",
    "customer_id",
    "customer_name",
    "sales_rep_name",
    "due_bucket",
    "urgency",
    "days_past_expected",
    "last_order_date",
    "next_expected_order_date",
    "cadence_days",
    "risk_status",
    "revenue_at_risk",
    "outlook",
    "p_order_90d",
    "expected_amount_90d",
    "currency",
    "reason",
)


def whole(query: str, chosen: dict[str, Any]) -> str:
    """Return all rows and columns of a query, as CSV."""
    rows = data.fetch([query], chosen)[query]
    return _csv(list(rows[0]) if rows else [], rows)


def due_to_order(chosen: dict[str, Any]) -> str:
    """Return the whole list of those who are due, as CSV."""
    parameters = {**chosen, "limit": MOST_ROWS, "offset": 0}
    rows = data.fetch(["due_customers"], parameters)["due_customers"]
    return _csv(COLUMNS, rows)


def _csv(columns: Sequence[str], rows: data.Rows) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_plain(row[column]) for column in columns])
    return text.getvalue()


def _plain(value: object) -> object:
    # a spreadsheet runs text that begins so as a formula, and names are not ours
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value
