-- One customer's figures that come from its orders, and the limits in force.
select
    risk_status.total_delivered_orders,
    risk_status.last_order_date,
    risk_status.average_order_interval_days,
    risk_status.next_expected_order_date,
    risk_status.revenue_basis,
    risk_status.recent_average_amount,
    risk_status.baseline_average_amount,
    risk_status.reactivated_date,
    account_types.last_ordered_at at time zone tenants.time_zone as last_ordered_at,
    tenants.as_of,
    tenants.threshold_row,
    tenants.cadence_orders,
    tenants.recent_orders,
    tenants.baseline_orders,
    tenants.min_baseline_orders,
    tenants.fallback_cadence_days,
    tenants.grace_days,
    tenants.dormant_days,
    tenants.revenue_decline_pct,
    tenants.active_days,
    tenants.target_days
from analytics.customer_account_types as account_types
inner join analytics.tenants
    on account_types.tenant_id = tenants.tenant_id
left join analytics.customer_risk_status as risk_status
    on
        account_types.tenant_id = risk_status.tenant_id
        and account_types.customer_id = risk_status.customer_id
where
    account_types.tenant_id = %(tenant)s
    and account_types.customer_id = %(customer)s
