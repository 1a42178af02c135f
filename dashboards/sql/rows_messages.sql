-- Messages to people, the latest first, and whether they arrived.
select
    created_at,
    kind,
    reach,
    tenant_slug,
    recipient_name,
    channel,
    address,
    lines_count,
    state,
    quiet_to,
    attempts,
    next_attempt_at,
    finished_at,
    error,
    count(*) over () as rows_count
from operations.message_states
where
    (%(message_state)s is null or state = %(message_state)s)
    and (%(message_kind)s is null or kind = %(message_kind)s)
order by created_at desc, message_id asc
limit %(limit)s offset %(offset)s
