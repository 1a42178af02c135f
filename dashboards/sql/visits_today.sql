-- Today's limits of the segments, and how many customers are in each segment.
select
    organizations.segment_new_days,
    organizations.segment_active_days,
    organizations.segment_at_risk_days,
    customers.customer_segment as status,
    count(customers.square_customer_id) as customers_count
from analytics.booking_organizations as organizations
left join analytics.customer_analytics as customers
    on organizations.organization_id = customers.organization_id
where organizations.organization_id = %(organization)s
group by
    organizations.segment_new_days,
    organizations.segment_active_days,
    organizations.segment_at_risk_days,
    customers.customer_segment
