{{ config(materialized='table') }}

-- a table on marts: dbt builds it when their rows are there
select
    customers.customer_id,
    customers.risk_status,
    customers.next_expected_order_date,
    due.days_past_expected
from {{ ref('customer_health', 'customer_risk_status') }} as customers
left join {{ ref('customer_health', 'due_to_order') }} as due
    on
        customers.tenant_id = due.tenant_id
        and customers.customer_id = due.customer_id
