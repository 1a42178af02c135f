-- One customer's latest bookings, including future ones.
select
    booking.starts_on,
    booking.booking_status,
    booking.starts_on > organizations.today as is_ahead
from analytics.customer_recent_bookings as recent
inner join analytics.booking_organizations as organizations
    on recent.organization_id = organizations.organization_id
cross join
    lateral unnest(recent.start_dates, recent.booking_statuses)
        as booking (starts_on, booking_status)
where
    recent.organization_id = %(organization)s
    and recent.square_customer_id = %(visitor)s
order by booking.starts_on
