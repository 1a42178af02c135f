{#- columns of an order day that depend on its orders alone, not on a threshold -#}
{%- set fact_columns = 'delivered_on, orders_count, delivered_cents, currency' -%}
{#- compared one by one: Citus loses the column names of a whole row -#}
{%- set limits = [
    'dormant_days', 'grace_days', 'revenue_decline_pct', 'cadence_orders', 'recent_orders',
    'baseline_orders', 'min_baseline_orders', 'fallback_cadence_days', 'active_days',
    'target_days', 'time_zone'
] -%}

-- Statuses that this refresh computes differently for the instant of the previous one.
-- No time has passed, so past rows or the rules have changed.
with customers as (
    select * from {{ ref('int_customers') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

orders as (
    select * from {{ ref('int_orders') }}
),

risk_history as (
    select * from {{ ref('int_customers__risk_history') }}
),

order_days as (
    select tenant_id, customer_id, {{ fact_columns }}
    from {{ ref('int_customers__order_days') }}
),

held_tenants as (
    select * from {{ as_before_refresh('tenants') }} as published
),

held_statuses as (
    select * from {{ as_before_refresh('customer_risk_status') }} as published
),

held_days as (
    select tenant_id, customer_id, {{ fact_columns }}
    from {{ as_before_refresh('customer_order_days') }} as published
),

-- a refresh for an earlier instant compares nothing
compared_tenants as (
    select
        held_tenants.tenant_id,
        held_tenants.as_of as said_at,
        held_tenants.today as status_of,
        ({{ differ('held_tenants', 'tenants', limits) | indent(4) }}
        ) as has_other_limits
    from tenants
    inner join held_tenants
        on tenants.tenant_id = held_tenants.tenant_id
    where held_tenants.as_of <= tenants.as_of
),

-- a day's status is that at its end, so a delivery later on that day has changed it
delivered_since as (
    select distinct
        orders.tenant_id,
        orders.customer_id
    from orders
    inner join compared_tenants
        on orders.tenant_id = compared_tenants.tenant_id
    where
        orders.delivered_at > compared_tenants.said_at
        and orders.delivered_at <= {{ as_of() }}
        and orders.delivered_on <= compared_tenants.status_of
),

revised as (
    select
        held_statuses.tenant_id,
        held_statuses.customer_id,
        compared_tenants.said_at,
        compared_tenants.status_of,
        held_statuses.risk_status as status_before,
        risk_history.status as status_now,
        compared_tenants.has_other_limits
        or {{ rules_have_changed() }} as has_other_rules
    from customers
    inner join held_statuses
        on
            customers.tenant_id = held_statuses.tenant_id
            and customers.customer_id = held_statuses.customer_id
    inner join compared_tenants
        on customers.tenant_id = compared_tenants.tenant_id
    left join risk_history
        on
            customers.tenant_id = risk_history.tenant_id
            and customers.customer_id = risk_history.customer_id
            and compared_tenants.status_of >= risk_history.valid_from
            and coalesce(compared_tenants.status_of < risk_history.valid_to, true)
    left join delivered_since
        on
            customers.tenant_id = delivered_since.tenant_id
            and customers.customer_id = delivered_since.customer_id
    where
        delivered_since.tenant_id is null
        and risk_history.status is distinct from held_statuses.risk_status
),

-- the order days up to then, before and now: unchanged ones occur twice
days as (
    select held_days.*
    from revised
    inner join held_days
        on
            revised.tenant_id = held_days.tenant_id
            and revised.customer_id = held_days.customer_id
            and revised.status_of >= held_days.delivered_on

    union all

    select order_days.*
    from revised
    inner join order_days
        on
            revised.tenant_id = order_days.tenant_id
            and revised.customer_id = order_days.customer_id
            and revised.status_of >= order_days.delivered_on
),

changed as (
    select
        tenant_id,
        customer_id
    from days
    group by tenant_id, customer_id
    having count(*) != 2 * count(distinct row({{ fact_columns }}))
),

final as (
    select
        revised.tenant_id,
        revised.customer_id,
        {{ as_of() }} as revised_at,
        revised.said_at,
        revised.status_of,
        revised.status_before,
        revised.status_now,
        -- a cause is named only if exactly one of the two has changed
        case
            when changed.tenant_id is not null and not revised.has_other_rules
                then 'ROWS'
            when changed.tenant_id is null and revised.has_other_rules then 'RULES'
            else 'UNKNOWN'
        end as revision_cause
    from revised
    left join changed
        on
            revised.tenant_id = changed.tenant_id
            and revised.customer_id = changed.customer_id
)

select * from final
