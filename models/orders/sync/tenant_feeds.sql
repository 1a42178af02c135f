-- Whether orders still arrive. A stopped feed makes every customer look late. The
-- customers' cadences distinguish it from a quiet week: many were due, and none
-- ordered.
with tenants as (
    select * from {{ ref('tenants') }}
),

-- read twice, by indexes: kept, it would be written to disk
risk_status as not materialized (
    select * from {{ ref('customer_risk_status') }}
),

deliveries as (
    select
        tenants.*,
        (
            select max(risk_status.last_order_date)
            from risk_status
            where risk_status.tenant_id = tenants.tenant_id
        ) as last_delivery_on
    from tenants
),

counted as (
    select
        tenant_id,
        tenant_slug,
        last_delivery_on,
        today - last_delivery_on as silent_days,
        (
            select count(*)
            from risk_status
            where
                risk_status.tenant_id = deliveries.tenant_id
                and risk_status.cadence_source = 'MEASURED'
                and risk_status.next_expected_order_date > deliveries.last_delivery_on
                and risk_status.next_expected_order_date < deliveries.today
        ) as missed_customers_count
    from deliveries
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
