-- Customers of an organization that takes bookings, with segment and reliability.
with customers as not materialized (
    select
        customer_analytics.organization_id,
        customer_analytics.square_customer_id,
        customer_analytics.display_name,
        customer_analytics.email_address,
        customer_analytics.phone_number,
        customer_analytics.customer_segment,
        customer_analytics.segment_since,
        customer_analytics.next_segment,
        customer_analytics.next_segment_on,
        customer_analytics.reliability_tier,
        customer_analytics.no_show_rate,
        customer_analytics.first_visit_at,
        customer_analytics.last_visit_at,
        customer_analytics.last_booking_at,
        customer_analytics.next_booking_at,
        customer_analytics.expected_next_visit_date,
        customer_analytics.total_visits,
        customer_analytics.total_no_shows,
        customer_analytics.total_revenue_cents,
        customer_analytics.revenue_last_365d_cents,
        customer_analytics.avg_ticket_cents
    from analytics.customer_analytics
    where
        customer_analytics.organization_id = %(organization_id)s
        and (
            %(customer_segment)s is null
            or customer_analytics.customer_segment = %(customer_segment)s
        )
        and (
            %(reliability_tier)s is null
            or customer_analytics.reliability_tier = %(reliability_tier)s
        )
        and (
            %(search)s is null
            or strpos(lower(customer_analytics.display_name), lower(%(search)s)) > 0
            or customer_analytics.email_address = lower(%(search)s)
            or customer_analytics.square_customer_id::text = %(search)s
        )
)

select
    *,
    (select count(*) from customers) as total
from customers
order by
    -- one of these is a column, the others are NULL
    case when %(sort)s = 'display_name' then display_name end asc,
    case when %(sort)s = 'last_booking_at' then last_booking_at end asc,
    case when %(sort)s = '-last_booking_at' then last_booking_at end desc nulls last,
    case
        when %(sort)s = '-total_revenue_cents' then total_revenue_cents
    end desc nulls last,
    case when %(sort)s = '-no_show_rate' then no_show_rate end desc nulls last,
    square_customer_id asc
limit %(limit)s offset %(offset)s
