{{ config(materialized='view_in_place') }}

with order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

contacts as (
    select * from {{ ref('effective_contacts') }}
),

stays as (
    select
        order_days.tenant_id,
        order_days.customer_id,
        order_days.delivered_on,
        order_days.next_delivered_on,
        order_days.delivered_on + coalesce(
            order_days.average_order_interval_days, tenants.fallback_cadence_days
        ) as expected_on,
        order_days.first_delivered_on,
        order_days.order_day_number,
        tenants.time_zone
    from order_days
    inner join tenants
        on order_days.tenant_id = tenants.tenant_id
),

-- looked up by the customer's key. A join would be as fast, but only if the planner
-- guesses well how few contacts there are
contacted as (
    select
        *,
        (
            select min({{ local_date('contacts.contacted_at', 'stays.time_zone') }})
            from contacts
            where
                stays.tenant_id = contacts.tenant_id
                and stays.customer_id = contacts.customer_id
                and {{ local_date('contacts.contacted_at', 'stays.time_zone') }}
                > stays.delivered_on
                and coalesce(
                    {{ local_date('contacts.contacted_at', 'stays.time_zone') }}
                    < stays.next_delivered_on,
                    true
                )
        ) as first_contacted_on
    from stays
),

final as (
    select
        tenant_id,
        customer_id,
        delivered_on,
        next_delivered_on,
        expected_on,
        greatest(delivered_on, expected_on - {{ var('due_soon_days') }}) as listed_on,
        first_contacted_on,
        -- before that day, we cannot know that a customer had no contact. A contact
        -- before its customer's first order does not count: it may have a wrong year
        min(first_contacted_on) over by_tenant as recorded_from,
        first_delivered_on,
        order_day_number
    from contacted
    window by_tenant as (partition by tenant_id)
)

select * from final
