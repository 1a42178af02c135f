{{ config(materialized='view_in_place') }}

with order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

effective_contacts as (
    select * from {{ ref('effective_contacts') }}
),

contacts as (
    select
        effective_contacts.tenant_id,
        effective_contacts.customer_id,
        {{ local_date('effective_contacts.contacted_at', 'tenants.time_zone') }}
            as contacted_on
    from effective_contacts
    inner join tenants
        on effective_contacts.tenant_id = tenants.tenant_id
),

-- not materialized, so that the rows of one tenant are found by the key
stays as not materialized (
    select
        order_days.tenant_id,
        order_days.customer_id,
        order_days.delivered_on,
        order_days.next_delivered_on,
        order_days.delivered_on + coalesce(
            order_days.average_order_interval_days, tenants.fallback_cadence_days
        ) as expected_on,
        order_days.first_delivered_on,
        order_days.order_day_number
    from order_days
    inner join tenants
        on order_days.tenant_id = tenants.tenant_id
),

first_contacts as not materialized (
    select
        stays.tenant_id,
        stays.customer_id,
        stays.delivered_on,
        min(contacts.contacted_on) as contacted_on
    from stays
    inner join contacts
        on
            stays.tenant_id = contacts.tenant_id
            and stays.customer_id = contacts.customer_id
            and stays.delivered_on <= contacts.contacted_on
            and coalesce(stays.next_delivered_on > contacts.contacted_on, true)
    group by stays.tenant_id, stays.customer_id, stays.delivered_on
),

-- before that day, we cannot know that a customer had no contact. A contact before its
-- customer's first order does not count: it may have a wrong year
recorded as (
    select
        tenant_id,
        min(contacted_on) as recorded_from
    from first_contacts
    group by tenant_id
),

final as (
    select
        stays.tenant_id,
        stays.customer_id,
        stays.delivered_on,
        stays.next_delivered_on,
        stays.expected_on,
        greatest(stays.delivered_on, stays.expected_on - {{ var('due_soon_days') }})
            as listed_on,
        first_contacts.contacted_on as first_contacted_on,
        recorded.recorded_from,
        stays.first_delivered_on,
        stays.order_day_number
    from stays
    left join first_contacts
        on
            stays.tenant_id = first_contacts.tenant_id
            and stays.customer_id = first_contacts.customer_id
            and stays.delivered_on = first_contacts.delivered_on
    left join recorded
        on stays.tenant_id = recorded.tenant_id
)

select * from final
