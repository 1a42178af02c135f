"""The statement that records a contact, for the pages and the API, and what it met."""

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

# whether a contact with this id has the same content
SAME = f"""
    select true as is_same
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
"""
