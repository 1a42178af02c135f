-- All columns of one customer that books, by name.
select
    to_jsonb(customers) as figures,
    organizations.as_of,
    organizations.threshold_row,
    organizations.segment_new_days,
    organizations.segment_active_days,
    organizations.segment_at_risk_days
from analytics.customer_analytics as customers
inner join analytics.booking_organizations as organizations
    on customers.organization_id = organizations.organization_id
where
    customers.organization_id = %(organization)s
    and customers.square_customer_id = %(visitor)s
