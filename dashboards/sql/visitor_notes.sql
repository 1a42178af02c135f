-- Notes on one customer's bookings, newest first.
select
    (note.entry ->> 'start_at')::timestamptz as start_at,
    (note.entry ->> 'start_at')::timestamptz at time zone organizations.time_zone
        as local_start_at,
    note.entry ->> 'status' as booking_status,
    note.entry ->> 'customer_note' as customer_note,
    note.entry ->> 'seller_note' as seller_note
from analytics.customer_analytics as customers
inner join analytics.booking_organizations as organizations
    on customers.organization_id = organizations.organization_id
cross join
    lateral jsonb_array_elements(customers.booking_notes)
    with ordinality as note (entry, position)
where
    customers.organization_id = %(organization)s
    and customers.square_customer_id = %(visitor)s
order by note.position
