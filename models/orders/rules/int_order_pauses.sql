-- Everything that account types depend on: each customer's latest order, and earlier
-- orders that were followed by a pause of more than active_days.
with orders as (
    select * from {{ ref('int_orders') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

neighbours as (
    select
        tenant_id,
        customer_id,
        ordered_at,
        ordered_on,
        first_value(ordered_on) over in_sequence as first_ordered_on,
        lead(ordered_on) over in_sequence as next_ordered_on
    from orders
    where
        ordered_at <= {{ as_of() }}
        and not is_draft
    window in_sequence as (
        -- by date first, as in int_deliveries
        partition by customer_id, tenant_id order by ordered_on, ordered_at
    )
),

final as (
    select
        neighbours.tenant_id,
        neighbours.customer_id,
        neighbours.first_ordered_on,
        neighbours.ordered_at as last_ordered_at,
        neighbours.ordered_on as last_ordered_on,
        -- the first days on which more than active_days or target_days have passed
        neighbours.ordered_on + tenants.active_days + 1 as target_on,
        neighbours.ordered_on + tenants.target_days + 1 as prospect_on,
        neighbours.next_ordered_on
    from neighbours
    inner join tenants
        on neighbours.tenant_id = tenants.tenant_id
    where
        neighbours.next_ordered_on is null
        or neighbours.next_ordered_on - neighbours.ordered_on > tenants.active_days
)

select * from final
