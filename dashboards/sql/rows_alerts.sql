-- Alerts, the latest first, and whether they were delivered.
select
    created_at,
    edge,
    kind,
    tenant_slug,
    message,
    state,
    error,
    count(*) over () as rows_count
from operations.alert_outbox
where
    state != 'digested'
    and (%(alert_state)s is null or state = %(alert_state)s)
    and (%(edge)s is null or edge = %(edge)s)
order by created_at desc, message_id asc
limit %(limit)s offset %(offset)s
