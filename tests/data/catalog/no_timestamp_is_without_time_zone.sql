{{ config(tags=['sanity'], meta={'sanity_check': 24}) }}

-- States: no column of a public table or view is a timestamp without time zone.
-- Matters: after the publication; such a timestamp means something different in each
-- session.
-- To resolve: make the column timestamptz in its model and contract.
select
    table_schema,
    table_name,
    column_name
from information_schema.columns
where
    table_schema in (
        '{{ ref("orders_publications").schema }}',
        '{{ ref("customer_risk_status").schema }}',
        '{{ ref("customer_analytics").schema }}',
        '{{ ref("tenant_health_scores").schema }}',
        '{{ ref("account_health_scores").schema }}'
    )
    and data_type = 'timestamp without time zone'
