"""Record a contact, and read it back: for the pages and the API."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import DictRow

from flows.schemas import OPERATIONS, OURS

TABLE = f"{OPERATIONS}.customer_contacts"
# the role that may insert
WRITER = f"{OURS}_contact_writer"

INSERT = f"""
    insert into {TABLE} (
        tenant_id, customer_id, contact_id, contacted_at, contacted_by, channel, outcome,
        note, snoozed_until, corrects_contact_id
    )
    values (
        %(tenant_id)s, %(customer_id)s, %(contact_id)s, coalesce(%(contacted_at)s, now()),
        -- as text: the type of session_user would cut it at 63 bytes
        coalesce(%(contacted_by)s::text, session_user::text), %(channel)s, %(outcome)s,
        %(note)s, %(snoozed_until)s, %(corrects_contact_id)s
    )
    -- a second click, or a retry after a network error
    on conflict (tenant_id, customer_id, contact_id) do nothing
"""

# the contact of this id, if it has this content: it was just recorded, or sent before
RECORDED = f"""
    select
        tenant_id,
        customer_id,
        contact_id,
        contacted_at,
        contacted_by,
        channel,
        outcome,
        note,
        snoozed_until,
        corrects_contact_id,
        recorded_at,
        recorded_by
    from {TABLE}
    where
        tenant_id = %(tenant_id)s
        and customer_id = %(customer_id)s
        and contact_id = %(contact_id)s
        and channel = %(channel)s
        and outcome = %(outcome)s
        and note is not distinct from %(note)s
        and snoozed_until is not distinct from %(snoozed_until)s
        and corrects_contact_id is not distinct from %(corrects_contact_id)s
        -- without them, INSERT chose
        and (%(contacted_by)s::text is null or contacted_by = %(contacted_by)s)
        and (%(contacted_at)s::timestamptz is null or contacted_at = %(contacted_at)s)
"""


def record(
    connection: psycopg.Connection[DictRow], contact: Mapping[str, Any]
) -> DictRow | None:
    """Record a contact unless it exists. Return its row; None if its id has another contact.

    Raises UniqueViolation if another contact corrects the same one already, and
    CheckViolation if a rule of the table is broken.
    """

    def found() -> DictRow | None:
        return connection.execute(RECORDED.encode(), contact).fetchone()

    try:
        with connection.transaction():
            connection.execute(INSERT.encode(), contact)
    except (psycopg.errors.UniqueViolation, psycopg.errors.CheckViolation):
        # `on conflict` covers the id alone, and comes after the checks: a correction sent
        # several times at once, or a contact of another day, with a snooze that was allowed
        if same := found():
            return same
        raise
    return found()
