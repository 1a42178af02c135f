-- The tenants for which the last write-back held back changes, by the run log.
select
    guard.entry ->> 'tenant_slug' as tenant_slug,
    (guard.entry ->> 'is_tripped')::boolean as is_tripped,
    (guard.entry ->> 'changed_count')::bigint as changed_count,
    (guard.entry ->> 'customers_count')::bigint as customers_count,
    (guard.entry ->> 'newly_dormant_count')::bigint as newly_dormant_count,
    (guard.entry ->> 'held_count')::bigint as held_count,
    (guard.entry ->> 'last_delivery_on')::date as last_delivery_on,
    latest.created_at
from (
    select
        payload,
        created_at
    from operations.application_logs
    where payload ? 'write_back_guards'
    order by log_id desc
    limit 1
) as latest
cross join
    lateral jsonb_array_elements(latest.payload -> 'write_back_guards') as guard (entry)
where
    (guard.entry ->> 'is_tripped')::boolean
    or (guard.entry ->> 'held_count')::bigint > 0
order by tenant_slug
