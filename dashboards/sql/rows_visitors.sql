-- Customers that book, by segment, the latest visit first.
select
    customers.organization_id,
    organizations.organization_slug,
    customers.square_customer_id,
    customers.display_name as customer_name,
    customers.customer_segment,
    customers.segment_since,
    customers.total_visits,
    customers.last_visit_at,
    customers.last_visit_at at time zone organizations.time_zone as local_last_visit_at,
    customers.next_booking_at,
    customers.net_revenue_cents / 100.0 as net_revenue_amount,
    count(*) over () as rows_count
from analytics.customer_analytics as customers
inner join analytics.booking_organizations as organizations
    on customers.organization_id = organizations.organization_id
where
    (%(organization)s is null or customers.organization_id = %(organization)s)
    and (%(segment)s is null or customers.customer_segment = %(segment)s)
order by
    customers.last_visit_at desc nulls last,
    customers.organization_id asc,
    customers.square_customer_id asc
limit %(limit)s offset %(offset)s
