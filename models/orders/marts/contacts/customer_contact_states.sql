{{ config(materialized='view_in_place') }}

with contacts as (
    select * from {{ ref('effective_contacts') }}
),

customers as (
    select * from {{ ref('customer_account_types') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, tenant_id
            order by contacted_at desc, recorded_at desc, contact_id desc
        ) as recency,
        -- a contact without a snooze leaves the snooze of an earlier one in place
        row_number() over (
            partition by customer_id, tenant_id, snoozed_until is null
            order by contacted_at desc, recorded_at desc, contact_id desc
        ) as snooze_recency
    from contacts
),

summed as (
    select
        tenant_id,
        customer_id,
        count(*) as contacts_count,
        max(contacted_at) as last_contacted_at,
        max(contacted_by) filter (where recency = 1) as last_contacted_by,
        max(channel) filter (where recency = 1) as last_channel,
        max(outcome) filter (where recency = 1) as last_outcome,
        max(snoozed_until) filter (where snooze_recency = 1) as snoozed_until,
        max(outcome) filter (where snooze_recency = 1 and snoozed_until is not null)
            as snooze_outcome,
        max(contacted_at) filter (
            where snooze_recency = 1 and snoozed_until is not null
        ) as snoozed_at
    from ranked
    group by tenant_id, customer_id
),

judged as (
    select
        summed.*,
        summed.snoozed_until > tenants.today
        and coalesce(
            customers.last_ordered_at <= summed.snoozed_at
            -- the day's midnight is a date without a time: it may have come later
            and customers.last_ordered_at
            != {{ local_midnight(
                local_date('summed.snoozed_at', 'tenants.time_zone'), 'tenants.time_zone'
            ) }},
            true
        ) as is_snoozed
    from summed
    inner join tenants
        on summed.tenant_id = tenants.tenant_id
    inner join customers
        on
            summed.tenant_id = customers.tenant_id
            and summed.customer_id = customers.customer_id
),

final as (
    select
        tenant_id,
        customer_id,
        contacts_count,
        last_contacted_at,
        last_contacted_by,
        last_channel,
        last_outcome,
        case when is_snoozed then snoozed_until end as snoozed_until,
        case when is_snoozed then snooze_outcome end as snooze_outcome
    from judged
)

select * from final
