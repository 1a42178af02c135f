-- Run by `customer-health fit-orders`: see macros/forecasts/fit_model.sql.
{{ fit_model(
    tenant='tenant',
    tenant_id_type=var('orders_tenant_id_type'),
    tenants=ref('tenants'),
    days=ref('customer_order_days'),
    day='delivered_on',
    day_number='order_day_number',
    backtest_periods=ref('backtest_periods'),
    parameters=ref('order_model_parameters'),
    periods=ref('order_model_periods'),
    model=var('order_model'),
    least={
        'customers': var('order_model_min_customers'),
        'repeaters': var('order_model_min_repeaters'),
        'days': var('order_model_min_days'),
    },
    words={'done': 'ordered', 'things': 'orders'},
) }}
