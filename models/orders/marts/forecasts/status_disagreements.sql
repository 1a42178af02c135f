{{ config(materialized='view_in_place') }}

with outlook as (
    select * from {{ ref('customer_outlook') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

judged as (
    select
        risk_status.*,
        outlook.tenant_slug,
        outlook.outlook,
        outlook.p_order_90d,
        outlook.expected_value_90d,
        outlook.expected_amount_90d,
        outlook.reason as outlook_reason,
        {{ disagreement('risk_status.risk_status', 'outlook.p_order_90d') }}
            as disagreement
    from risk_status
    inner join outlook
        on
            risk_status.tenant_id = outlook.tenant_id
            and risk_status.customer_id = outlook.customer_id
),

final as (
    select
        tenant_id,
        tenant_slug,
        customer_id,
        customer_name,
        sales_rep_id,
        disagreement,
        risk_status,
        outlook,
        p_order_90d,
        expected_value_90d,
        expected_amount_90d,
        currency,
        row_number() over (
            partition by tenant_id
            order by
                expected_value_90d desc nulls last,
                {{ by_code_point('customer_id', var('orders_customer_id_type')) }} asc
        ) as value_rank,
        reason,
        outlook_reason
    from judged
    where disagreement is not null
)

select * from final
