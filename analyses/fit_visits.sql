-- Run by `customer-health fit-visits`: see macros/forecasts/fit_model.sql.
{{ fit_model(
    tenant='organization',
    tenant_id_type=var('bookings_organization_id_type'),
    tenants=ref('booking_organizations'),
    days=ref('customer_visit_days'),
    day='visit_on',
    day_number='visit_day_number',
    backtest_periods=ref('visit_backtest_periods'),
    parameters=ref('visit_model_parameters'),
    periods=ref('visit_model_periods'),
    model=var('visit_model'),
    least={
        'customers': var('visit_model_min_customers'),
        'repeaters': var('visit_model_min_repeaters'),
        'days': var('visit_model_min_days'),
    },
    words={'done': 'visited', 'things': 'visits'},
) }}
