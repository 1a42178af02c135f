-- The last write-back by the run log, with a row for each tenant whose changes it held
-- back; one without a tenant if there was none. A stale source holds everything back
-- before tenants are looked at.
select
    latest.status,
    latest.error,
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
        status,
        payload ->> 'error' as error,
        -- a forced run has written what was to be held
        case
            when coalesce((payload -> 'is_forced')::boolean, false) then '[]'
            else coalesce(payload -> 'write_back_guards', '[]')
        end as guards,
        created_at
    from operations.application_logs
    where
        payload ? 'write_back_guards'
        or status = 'held' and log_type in ('refresh', 'write_back')
    order by log_id desc
    limit 1
) as latest
left join
    lateral jsonb_array_elements(latest.guards) as guard (entry)
    on
        (guard.entry ->> 'is_tripped')::boolean
        or (guard.entry ->> 'held_count')::bigint > 0
order by tenant_slug
