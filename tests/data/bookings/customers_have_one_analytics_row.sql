{{ config(tags=['sanity'], meta={'sanity_check': 2}) }}

-- States: every customer of an assessed organization has one row in customer_analytics.
-- Matters: before anything is published; sums over customers count nobody twice.
-- To resolve: a join in int_customer_analytics finds several rows, or none, for a
-- customer.
with customers as (
    select * from {{ ref('int_booking_customers') }}
),

analytics as (
    select
        organization_id,
        square_customer_id,
        count(*) as rows_count
    from {{ ref('int_customer_analytics') }}
    group by organization_id, square_customer_id
)

select
    coalesce(customers.organization_id, analytics.organization_id) as organization_id,
    coalesce(customers.square_customer_id, analytics.square_customer_id)
        as square_customer_id,
    analytics.rows_count
from customers
full join analytics
    on
        customers.organization_id = analytics.organization_id
        and customers.square_customer_id = analytics.square_customer_id
where
    customers.organization_id is null
    or analytics.rows_count is distinct from 1
