-- The latest alert messages, and whether they were delivered.
select
    created_at,
    edge,
    kind,
    tenant_slug,
    message,
    state,
    error
from operations.alert_outbox
where state != 'digested'
order by created_at desc, message_id asc
limit 50
