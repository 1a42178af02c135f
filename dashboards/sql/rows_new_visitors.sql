-- Customers whose first booking is in the chosen days, at the chosen location.
select
    customers.organization_id,
    organizations.organization_slug,
    customers.square_customer_id,
    customers.display_name as customer_name,
    customers.first_booking_date,
    customers.first_booking_id,
    coalesce(locations.location_name, customers.first_booking_location_id::text)
        as location_name,
    customers.customer_segment,
    customers.acquisition_source,
    count(*) over () as rows_count
from analytics.booking_organizations as organizations
inner join analytics.customer_analytics as customers
    on organizations.organization_id = customers.organization_id
left join analytics.booking_locations as locations
    on
        customers.organization_id = locations.organization_id
        and customers.first_booking_location_id = locations.location_id
where
    (%(organization)s is null or organizations.organization_id = %(organization)s)
    and (%(location)s is null or customers.first_booking_location_id = %(location)s)
    and customers.first_booking_date > organizations.today - %(days)s
    and (%(day)s is null or customers.first_booking_date = %(day)s)
    and customers.first_booking_date <= coalesce(%(day)s, organizations.today)
order by
    customers.first_booking_date desc,
    customers.organization_id asc,
    customers.square_customer_id asc
limit %(limit)s offset %(offset)s
