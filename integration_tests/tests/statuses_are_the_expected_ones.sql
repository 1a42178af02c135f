-- worked out by hand: every ten days; dormant 45 days after the expected order
with expected (customer_id, risk_status, next_expected_order_date, days_past_expected) as (
    values
    ('ann', 'HEALTHY', '2026-06-20'::date, -5),
    ('bob', 'AT_RISK_CADENCE', '2026-06-09'::date, 6),
    ('cem', 'DORMANT', '2026-01-30'::date, 136)
)

(select * from expected except select * from {{ ref('customers_to_call') }})
union all
(select * from {{ ref('customers_to_call') }} except select * from expected)
