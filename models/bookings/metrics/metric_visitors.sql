with customers as (
    select * from {{ ref('customer_analytics') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

final as (
    select
        customers.organization_id,
        customers.square_customer_id,
        organizations.today as metric_day,
        customers.preferred_location_id,
        customers.customer_segment,
        customers.total_visits,
        customers.total_payments,
        customers.total_revenue_cents,
        customers.revenue_last_30d_cents
    from customers
    inner join organizations
        on customers.organization_id = organizations.organization_id
)

select * from final
