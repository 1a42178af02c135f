-- One customer: its account type, its risk status with all reasons, both histories with
-- future steps, and how likely it is to order.
select
    account_types.tenant_id,
    account_types.customer_id,
    account_types.customer_name,
    account_types.sales_rep_id,
    account_types.account_type,
    account_types.reason as account_type_reason,
    account_types.last_ordered_at,
    account_types.next_account_type,
    account_types.next_account_type_on,
    risk_status.risk_status,
    risk_status.reason,
    risk_status.reasons,
    risk_status.last_order_date,
    risk_status.total_delivered_orders,
    risk_status.average_order_interval_days,
    risk_status.cadence_days,
    risk_status.cadence_source,
    risk_status.next_expected_order_date,
    risk_status.dormancy_since,
    risk_status.reactivated_date,
    risk_status.revenue_basis,
    risk_status.recent_average_amount,
    risk_status.baseline_average_amount,
    risk_status.revenue_change_pct,
    risk_status.revenue_at_risk,
    risk_status.currency,
    risk_status.next_status,
    risk_status.next_status_on,
    outlook.outlook,
    outlook.p_order_30d,
    outlook.p_order_60d,
    outlook.p_order_90d,
    outlook.reason as outlook_reason,
    outlook.disagreement,
    array(
        select
            jsonb_build_object(
                'status', history.status,
                'valid_from', history.valid_from,
                'valid_to', history.valid_to
            )
        from analytics.customer_risk_status_history as history
        where
            history.tenant_id = account_types.tenant_id
            and history.customer_id = account_types.customer_id
        order by history.valid_from
    ) as risk_status_history,
    array(
        select
            jsonb_build_object(
                'status', history.status,
                'valid_from', history.valid_from,
                'valid_to', history.valid_to
            )
        from analytics.customer_account_type_history as history
        where
            history.tenant_id = account_types.tenant_id
            and history.customer_id = account_types.customer_id
        order by history.valid_from
    ) as account_type_history
from analytics.tenants
inner join analytics.customer_account_types as account_types
    on tenants.tenant_id = account_types.tenant_id
left join analytics.customer_risk_status as risk_status
    on
        account_types.tenant_id = risk_status.tenant_id
        and account_types.customer_id = risk_status.customer_id
left join analytics.customer_outlook as outlook
    on
        risk_status.tenant_id = outlook.tenant_id
        and risk_status.customer_id = outlook.customer_id
where
    -- not a constant, or the outlook would compute the usual values of all customers
    tenants.tenant_id::text = rtrim(cast(%(tenant_id)s as text))
    and account_types.customer_id = %(customer_id)s
