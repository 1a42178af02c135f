-- What the next write-back would change for each tenant, and whether that is too much
-- to be plausible.
with account_types as (
    select * from {{ ref('customer_account_types') }}
),

pending as (
    select * from {{ ref('pending_customer_updates') }}
),

feeds as (
    select * from {{ ref('tenant_feeds') }}
),

customers as (
    select
        tenant_id,
        count(*) as customers_count
    from account_types
    group by tenant_id
),

judged as (
    select
        tenant_id,
        tenant_slug,
        (held_because is not null) as is_held,
        is_initial,
        coalesce(
            expected_risk_status = 'DORMANT'
            and current_risk_status is distinct from 'DORMANT',
            false
        ) as is_newly_dormant,
        (
            expected_reactivated_date is distinct from current_reactivated_date
            and expected_reactivated_date is not null
        ) as is_reactivated
    from pending
),

counted as (
    select
        tenant_id,
        tenant_slug,
        count(*) as pending_count,
        count(*) filter (where is_newly_dormant) as pending_dormant_count,
        count(*) filter (where is_reactivated) as pending_reactivated_count,
        count(*) filter (where is_held) as held_count,
        -- a customer's first statuses are not a change
        count(*) filter (where is_initial) as initial_count,
        count(*) filter (where not is_held and not is_initial) as changed_count,
        count(*) filter (where not is_held and not is_initial and is_newly_dormant)
            as newly_dormant_count
    from judged
    group by tenant_id, tenant_slug
),

final as (
    select
        counted.tenant_id,
        counted.tenant_slug,
        customers.customers_count,
        counted.pending_count,
        counted.pending_dormant_count,
        counted.pending_reactivated_count,
        counted.initial_count,
        counted.held_count,
        feeds.last_delivery_on,
        feeds.missed_customers_count,
        counted.changed_count,
        {{ percentage('counted.changed_count', 'customers.customers_count') }}
            as changed_pct,
        counted.newly_dormant_count,
        {{ percentage('counted.newly_dormant_count', 'customers.customers_count') }}
            as newly_dormant_pct,
        (
            counted.changed_count > {{ var('guard_min_customers') }}
            and counted.changed_count * 100
            > customers.customers_count * {{ var('guard_changed_pct') }}
        )
        or (
            counted.newly_dormant_count > {{ var('guard_min_customers') }}
            and counted.newly_dormant_count * 100
            > customers.customers_count * {{ var('guard_newly_dormant_pct') }}
        ) as is_tripped
    from counted
    inner join customers
        on counted.tenant_id = customers.tenant_id
    inner join feeds
        on counted.tenant_id = feeds.tenant_id
)

select * from final
