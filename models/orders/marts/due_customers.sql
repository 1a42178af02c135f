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
    -- the date by itself, so that an index finds it
    where
        risk_status.next_expected_order_date
        <= tenants.today + {{ var('due_soon_days') }}
),

due as (
    select
        *,
        {{ due_bucket('days_past_expected', 'risk_status') }} as due_bucket
    from aged
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
        {{ due_urgency('due.due_bucket', 'due.days_past_expected') }} as urgency,
        due.days_past_expected,
        due.days_since_last_order,
        due.last_order_date,
        due.next_expected_order_date,
        due.cadence_days,
        due.risk_status,
        due.revenue_at_risk,
        due.currency,
        due.reason,
        {{ is_held_out('due', 'due.last_order_date', 'due.today') }} as is_held_out
    from due
    left join sales_reps
        on
            due.tenant_id = sales_reps.tenant_id
            and due.sales_rep_id = sales_reps.sales_rep_id
)

select * from final
