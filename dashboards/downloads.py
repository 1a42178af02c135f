"""CSV files: the rows of each table, as filtered."""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from dashboards import data

Rows = Sequence[Mapping[str, Any]]
# rows, or a function that reads all of them if the table shows one page
Found = Rows | Callable[[], Rows]

# more than anybody reads, less than a browser chokes on
MOST_ROWS = 100_000
# without it, Excel does not read the file as UTF-8
MARK = "\N{BYTE ORDER MARK}"
# of the list as a whole, although each row has it
OF_THE_LIST = {
    *("rows_count", "all_accepted", "all_no_shows", "all_cancelled"),
    *("kind_count", "kind_rank", "is_left_out"),
}
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
    "last_contacted_at",
    "last_outcome",
    "snoozed_until",
)


def offer(caption: str, found: Found, rows_count: int) -> None:
    """Offer the file of a table. It is made when the reader clicks."""
    rows = f"{rows_count:,} row{'' if rows_count == 1 else 's'}"
    if callable(found) and rows_count > MOST_ROWS:
        rows = f"the first {MOST_ROWS:,} of {rows}"
    st.download_button(
        f"Download as CSV: {rows}",
        partial(file_of, found),
        file_name=f"{re.sub('[^a-z0-9]+', '_', caption.lower())[:60].strip('_')}.csv",
        mime="text/csv",
        key=f"file of {caption}",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
    )


def file_of(found: Found) -> str:
    """Return rows as CSV, with a header."""
    rows = found() if callable(found) else found
    columns = [name for name in (rows[0] if rows else ()) if name not in OF_THE_LIST]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow(_plain(row[name]) for name in columns)
    return MARK + text.getvalue()


def all_of(query: str, chosen: Mapping[str, Any], *, is_for_operators: bool = False) -> Rows:
    """Return all rows of a query whose table shows one page of them."""
    all_rows = {**chosen, "limit": MOST_ROWS, "offset": 0}
    return data.fetch([query], all_rows, is_for_operators=is_for_operators)[query]


def due_to_order(chosen: Mapping[str, Any]) -> Rows:
    """Return all customers that are due, with the columns worth reading."""
    rows = all_of("due_customers", chosen)
    return [{column: row[column] for column in COLUMNS} for row in rows]


def words_of(cell: str) -> str:
    """Return the text of an HTML cell, without its marks."""
    without = re.sub(r'<span class="ch-mark".*?</span>', "", cell)
    apart = re.sub(r"<br>|<span class=\"ch-small\">", "; ", without)
    words = html.unescape(re.sub(r"<[^>]+>", "", apart)).replace("\N{NO-BREAK SPACE}", " ")
    return words.strip().removesuffix(";").strip()


def _plain(value: object) -> object:
    # a spreadsheet runs text that begins like this as a formula, and names may be anything
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    return value
