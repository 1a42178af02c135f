"""The statement that records a contact, for the pages and the API."""

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
