"""The form for contacts, and what saves them. Everything else on the pages only reads."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
import streamlit as st
from psycopg.rows import dict_row

from dashboards import data, look
from flows.contacts import TABLE, WRITER, record
from flows.database import one_line
from flows.schemas import OPERATIONS
from flows.session import ARGUMENTS, use_settings

Row = Mapping[str, Any]

OUTCOMES = {
    "REACHED": "Reached",
    "WILL_ORDER": "Will order",
    "LOST": "Lost",
    "WRONG_NUMBER": "Wrong number",
    "OTHER": "Other",
}
WITHDRAWN = {"WITHDRAWN": "It never took place"}
CHANNELS = {
    "PHONE": "Phone",
    "EMAIL": "E-mail",
    "MESSAGE": "Message",
    "VISIT": "Visit",
    "OTHER": "Other",
}
# of the contacts on the page Customer
ANCHOR = "contacts"
DAYS_AT_FIRST, MOST_DAYS = 7, 366
LONGEST_NOTE, LONGEST_NAME = 2000, 200

# from the catalog: a login that may not use the schema may not name what is in it
RIGHT = f"""
    select
        current_user::text as login,
        to_regrole('{WRITER}') is not null as is_role_there,
        coalesce(bool_or(
            has_schema_privilege(relnamespace, 'usage')
            and has_column_privilege(pg_class.oid, 'channel', 'insert')
        ), false) as may_write
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    where nspname = '{OPERATIONS}' and relname = 'customer_contacts'
"""


class NotWritten(Exception):
    """The contact was not saved. The message says why, and what to do."""


def _connect() -> data.Connection:
    # with the rights of the login itself: it may write, the roles of the pages may not
    return psycopg.connect(
        **ARGUMENTS,
        application_name="customer_health contacts",
        row_factory=dict_row,
        cursor_factory=psycopg.ClientCursor,
    )


@st.cache_data(ttl=data.SECONDS_KEPT, show_spinner=False)
def lacking() -> str:
    """Return which right this login lacks to save contacts, or "" if it lacks none.

    Raises NothingToShow if the database cannot be reached.
    """
    try:
        with _connect() as connection:
            connection.read_only = True
            [found] = connection.execute(RIGHT.encode()).fetchall()
    except psycopg.OperationalError as error:
        raise data.NothingToShow(
            f"The database cannot be reached ({one_line(error)})."
        ) from error
    if found["may_write"]:
        return ""
    grant = WRITER if found["is_role_there"] else f"insert on {TABLE}"
    return (
        f"This login may not save contacts. To allow it: `grant {grant} to {found['login']}`."
    )


def write(contact: Row) -> None:
    """Save a contact. Saving the same contact twice writes one row.

    Raises NotWritten, which says what to do.
    """
    try:
        with _connect() as connection:
            # whatever the database's defaults are
            connection.read_only = False
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            use_settings(connection, data.SETTINGS, is_local=True)
            if not record(connection, contact):
                raise NotWritten(
                    "An earlier try has saved this contact, before you changed it. Reload the"
                    " page and correct it."
                )
    except psycopg.errors.UniqueViolation as error:
        raise NotWritten(
            "This contact already has a correction. Reload the page and correct the"
            " correction."
        ) from error
    except psycopg.errors.FeatureNotSupported as error:
        raise NotWritten(
            "These pages read from a standby, which takes no contacts. Use the pages of the"
            " primary server."
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotWritten(
            f"This login may not save this contact ({one_line(error)})."
        ) from error
    except (psycopg.errors.CheckViolation, psycopg.DataError) as error:
        raise NotWritten(f"This contact cannot be saved ({one_line(error)}).") from error
    except psycopg.OperationalError as error:
        raise NotWritten(
            f"The database cannot be reached ({one_line(error)}). If you press Save again"
            " without changes, the contact is saved once."
        ) from error
    # for all readers
    data.read.clear()


def offer(customers: Mapping[str, str], former: Sequence[Row] = ()) -> None:
    """Show the form for a contact with one of these customers, or say which right is missing.

    customers: names by tenant/customer. former: contacts of the one customer, to correct.
    """
    if missing := lacking():
        look.show(f'<p class="ch-age">{look.with_code(missing)}</p>')
        return
    # a place of its own: otherwise the form would move and lose the focus
    with st.container():
        if done := st.session_state.pop("contact_done", None):
            # not as look.empty() does: a name may have backticks
            said = look.escape(_say_done(done))
            look.show(f'<p class="ch-empty" role="status">{said}</p>')
    # if a link led here, and after one was saved
    is_open = "contact" in st.query_params or "contact_saved" in st.session_state
    with st.expander("Add a contact", expanded=is_open):
        _form(look.told_apart(customers), former)


def today_of_reader() -> date:
    """Return the day in the time zone of the browser; UTC if it names none."""
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return datetime.now(zone).date()


def _form(customers: Mapping[str, str], former: Sequence[Row]) -> None:
    keys = list(customers)
    contact_id = st.session_state.setdefault("contact_id", uuid.uuid4())
    said: dict[str, Any] = {"contact_id": contact_id}
    # not in the form, which would not show what the chosen contact says before it is saved
    corrected = _corrected(former)
    # a new contact starts with nothing of the one before, a correction with all of its own
    of_this = f"of {contact_id}{corrected and corrected['contact_id']}"
    outcomes = OUTCOMES | (WITHDRAWN if corrected else {})
    with st.form("contact", border=False):
        picked = keys[0]
        if len(keys) > 1:
            picked = st.selectbox(
                "Customer",
                keys,
                format_func=lambda key: customers.get(key, key),
            )
        before = corrected or {"outcome": None, "channel": None}
        said["outcome"] = _one_of(outcomes, "Outcome", before["outcome"], f"outcome {of_this}")
        said["channel"] = _one_of(CHANNELS, "How", before["channel"], f"how {of_this}")
        until = _until(corrected, f"until {of_this}")
        note = st.text_area(
            "Note",
            (corrected and corrected["note"]) or "",
            max_chars=LONGEST_NOTE,
            height=68,
            key=f"note {of_this}",
        )
        mine = st.session_state.get("contact_name", "")
        name = st.text_input(
            "Your name",
            corrected["contacted_by"] if corrected else mine,
            max_chars=LONGEST_NAME,
            autocomplete="name",
            key=f"name {of_this}",
        )
        if not st.form_submit_button("Save", type="primary"):
            return
    if not corrected:
        st.session_state["contact_name"] = name
    said["tenant_id"], _, said["customer_id"] = picked.partition("/")
    said |= {
        "note": note.strip() or None,
        "contacted_by": name.strip() or None,
        "snoozed_until": until,
        "corrects_contact_id": corrected and corrected["contact_id"],
        # a correction keeps the time of its contact
        "contacted_at": corrected and corrected["contacted_at"],
    }
    _save(said, customers[picked])


def _one_of(words: Mapping[str, str], label: str, before: str | None, key: str) -> str:
    """Ask for one of our words, at first the one before or, without one, the first."""
    values = list(words)
    return st.radio(
        label,
        values,
        values.index(before) if before else 0,
        format_func=words.__getitem__,
        horizontal=True,
        key=key,
    )


def _until(corrected: Row | None, key: str) -> date | None:
    """Ask until when to snooze. Return None for today, which is no snooze."""
    today = today_of_reader()
    # the table counts the days from the contact, in UTC
    since = min(today, corrected["contacted_at"].date()) if corrected else today
    before = corrected and corrected["snoozed_until"]
    first = before or (today if corrected else today + timedelta(DAYS_AT_FIRST))
    until = st.date_input(
        "Snooze until this day or the next order",
        first,
        # a correction may leave a snooze that is over
        min_value=min(first, today),
        max_value=max(first, since + timedelta(MOST_DAYS - 1)),
        format="YYYY-MM-DD",
        key=key,
    )
    if not isinstance(until, date):
        return None
    return until if until > today or until == before else None


def _corrected(former: Sequence[Row]) -> Row | None:
    if not former:
        return None
    by_id = {str(row["contact_id"]): row for row in former}
    names = look.told_apart({key: _name_of(row) for key, row in by_id.items()})
    picked = st.selectbox(
        "This is", ["", *names], format_func=lambda key: names.get(key, "a new contact")
    )
    return by_id.get(picked)


def _name_of(row: Row) -> str:
    when = look.instant(row["local_contacted_at"])
    return f"a correction of “{words_of(row)}”, {when}"


def words_of(row: Row) -> str:
    """Return how somebody contacted a customer, and what came of it."""
    return f"{CHANNELS[row['channel']]}, {outcome_of(row).lower()}"


def outcome_of(row: Row, column: str = "outcome") -> str:
    """Return the outcome of a contact in words."""
    return OUTCOMES.get(row[column], str(row[column]))


def _save(said: dict[str, Any], customer: str) -> None:
    if said["outcome"] == "LOST" and said["snoozed_until"] is None:
        look.empty("“Lost” needs a day after today, on which the customer is due again.")
        return
    if said["outcome"] in WITHDRAWN:
        said["snoozed_until"] = None
    try:
        write(said)
    except NotWritten as reason:
        look.empty(str(reason))
        return
    st.session_state["contact_done"] = said | {"customer": customer}
    st.session_state["contact_saved"] = True
    # the next contact starts with an empty note
    del st.session_state["contact_id"]
    st.query_params.pop("contact", None)
    st.rerun()


def _say_done(said: Row) -> str:
    """Say what was saved, and whether the customer is snoozed now."""
    outcome = (OUTCOMES | WITHDRAWN)[said["outcome"]]
    whose = {"tenant": said["tenant_id"], "customer": said["customer_id"]}
    # another contact may decide, and an order ends a snooze
    snoozed = data.read("customer_judgement", **whose)["customer_judgement"]
    now = "Not snoozed."
    if snoozed:
        now = f"Snoozed until {look.day(snoozed[0]['snoozed_until'])} or its next order."
    elif said["snoozed_until"]:
        now = "Not snoozed: it has ordered since, or a later contact decides."
    return f"Saved: {said['customer']}, {outcome.lower()}. {now}"
