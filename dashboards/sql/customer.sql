-- One customer that orders: what it is today and what comes next.
select
    account_types.customer_id,
    coalesce(account_types.customer_name, account_types.customer_id::text)
        as customer_name,
    tenants.tenant_slug,
    tenants.today,
    -- an owner without a name is not the same as no owner
    case
        when account_types.sales_rep_id is not null
            then coalesce(
                sales_reps.sales_rep_name, sales_reps.sales_rep_email, 'no name'
            )
    end as sales_rep_name,
    account_types.account_type,
    account_types.reason as account_type_reason,
    account_types.next_account_type,
    account_types.next_account_type_on,
    risk_status.risk_status,
    risk_status.reason as risk_status_reason,
    risk_status.next_status,
    risk_status.next_status_on,
    risk_status.last_order_date,
    risk_status.next_expected_order_date,
    tenants.today - risk_status.next_expected_order_date as days_past_expected,
    risk_status.cadence_days,
    risk_status.total_delivered_orders,
    risk_status.revenue_at_risk,
    risk_status.currency
from analytics.customer_account_types as account_types
inner join analytics.tenants
    on account_types.tenant_id = tenants.tenant_id
left join analytics.customer_risk_status as risk_status
    on
        account_types.tenant_id = risk_status.tenant_id
        and account_types.customer_id = risk_status.customer_id
left join analytics.sales_reps
    on
        account_types.tenant_id = sales_reps.tenant_id
        and account_types.sales_rep_id = sales_reps.sales_rep_id
where
    account_types.tenant_id = %(tenant)s
    and account_types.customer_id = %(customer)s
