{{ config(materialized='view_in_place') }}

with risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

sales_reps as (
    select * from {{ ref('sales_reps') }}
),

outlook as (
    select * from {{ ref('customer_outlook') }}
),

-- subqueries, because a join would compute the states of all customers for each due one
states as not materialized (
    select * from {{ ref('customer_contact_states') }}
),

aged as (
    select
        risk_status.*,
        tenants.tenant_slug,
        tenants.today,
        tenants.today - risk_status.next_expected_order_date as days_past_expected,
        tenants.today - risk_status.last_order_date as days_since_last_order
    from risk_status
    inner join tenants
        on risk_status.tenant_id = tenants.tenant_id
),

due as (
    select
        *,
        case
            when risk_status = 'DORMANT' then 'DORMANT'
            when days_past_expected > 0 then 'OVERDUE'
            when days_past_expected = 0 then 'DUE_TODAY'
            else 'DUE_SOON'
        end as due_bucket
    from aged
    where days_past_expected >= -{{ var('due_soon_days') }}
),

final as (
    select
        due.tenant_id,
        due.tenant_slug,
        due.customer_id,
        due.customer_name,
        due.sales_rep_id,
        sales_reps.sales_rep_name,
        due.due_bucket,
        case
            when due.due_bucket != 'OVERDUE' then null
            when due.days_past_expected >= {{ var('critical_after_days') }}
                then 'CRITICAL'
            when due.days_past_expected >= {{ var('urgent_after_days') }} then 'URGENT'
            else 'MODERATE'
        end as urgency,
        due.days_past_expected,
        due.days_since_last_order,
        due.last_order_date,
        due.next_expected_order_date,
        due.cadence_days,
        due.risk_status,
        due.revenue_at_risk,
        outlook.outlook,
        outlook.p_order_90d,
        outlook.expected_amount_90d,
        due.currency,
        due.reason,
        {{ disagreement('due.risk_status', 'outlook.p_order_90d') }} as disagreement,
        (
            select states.last_contacted_at
            from states
            where
                due.tenant_id = states.tenant_id
                and due.customer_id = states.customer_id
        ) as last_contacted_at,
        (
            select states.last_outcome
            from states
            where
                due.tenant_id = states.tenant_id
                and due.customer_id = states.customer_id
        ) as last_outcome,
        (
            select states.snoozed_until
            from states
            where
                due.tenant_id = states.tenant_id
                and due.customer_id = states.customer_id
        ) as snoozed_until,
        (
            select states.snooze_outcome
            from states
            where
                due.tenant_id = states.tenant_id
                and due.customer_id = states.customer_id
        ) as snooze_outcome,
        {{ is_held_out('due', 'due.last_order_date', 'due.today') }} as is_held_out
    from due
    left join sales_reps
        on
            due.tenant_id = sales_reps.tenant_id
            and due.sales_rep_id = sales_reps.sales_rep_id
    -- every customer with a status has an outlook. An outer join would compute it for
    -- all customers, this inner join only for due ones, whose last order days are
    -- looked up by the whole key
    inner join outlook
        on
            due.tenant_id = outlook.tenant_id
            and due.customer_id = outlook.customer_id
            and due.last_order_date = outlook.last_order_date
)

select * from final
