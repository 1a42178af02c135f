-- status_transitions_daily by sales rep. Its running totals give the customers in a
-- status on any day, by rep, without a row for each customer and day.
with customers as (
    select * from {{ ref('customer_account_types') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

risk_history as (
    select * from {{ ref('customer_risk_status_history') }}
),

account_history as (
    select * from {{ ref('customer_account_type_history') }}
),

steps as (
    select
        tenant_id,
        customer_id,
        valid_from,
        'risk_status' as status_kind,
        previous_status,
        status
    from risk_history
    union all
    select
        tenant_id,
        customer_id,
        valid_from,
        'account_type' as status_kind,
        previous_status,
        status
    from account_history
),

final as (
    select
        steps.tenant_id,
        customers.sales_rep_id,
        steps.valid_from as metric_day,
        steps.status_kind,
        steps.previous_status as from_status,
        steps.status as to_status,
        count(*) as customers_count
    from steps
    inner join tenants
        on
            steps.tenant_id = tenants.tenant_id
            and steps.valid_from <= tenants.today
    inner join customers
        on
            steps.tenant_id = customers.tenant_id
            and steps.customer_id = customers.customer_id
    group by
        steps.tenant_id,
        customers.sales_rep_id,
        steps.valid_from,
        steps.status_kind,
        steps.previous_status,
        steps.status
)

select * from final
