-- Whether orders still arrive. A stopped feed makes every customer look late. The
-- customers' cadences distinguish it from a quiet week: many were due, and none
-- ordered.
with tenants as (
    select * from {{ ref('tenants') }}
),

-- read twice by few columns: kept, it would be written to disk
risk_status as not materialized (
    select * from {{ ref('customer_risk_status') }}
),

deliveries as (
    select
        tenant_id,
        max(last_order_date) as last_delivery_on
    from risk_status
    group by tenant_id
),

counted as (
    select
        tenants.tenant_id,
        tenants.tenant_slug,
        deliveries.last_delivery_on,
        tenants.today - deliveries.last_delivery_on as silent_days,
        (
            select count(*)
            from risk_status
            where
                risk_status.tenant_id = tenants.tenant_id
                and risk_status.cadence_source = 'MEASURED'
                and risk_status.next_expected_order_date > deliveries.last_delivery_on
                and risk_status.next_expected_order_date < tenants.today
        ) as missed_customers_count
    from tenants
    left join deliveries
        on tenants.tenant_id = deliveries.tenant_id
),

final as (
    select
        tenant_id,
        tenant_slug,
        last_delivery_on,
        silent_days,
        missed_customers_count,
        coalesce(
            silent_days >= {{ var('feed_silent_days') }}
            and missed_customers_count >= {{ var('feed_missed_customers') }},
            false
        ) as is_silent
    from counted
)

select * from final
