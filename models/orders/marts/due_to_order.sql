{{ config(materialized='view_in_place') }}

with due as (
    select * from {{ ref('due_customers') }}
),

outlook as (
    select * from {{ ref('customer_outlook') }}
),

-- subqueries, because a join would compute the states of all customers for each due one
states as not materialized (
    select * from {{ ref('customer_contact_states') }}
),

final as (
    select
        due.tenant_id,
        due.tenant_slug,
        due.customer_id,
        due.customer_name,
        due.sales_rep_id,
        due.sales_rep_name,
        due.due_bucket,
        due.urgency,
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
        due.is_held_out
    from due
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
