-- One customer of an organization that takes bookings, with everything stored about it.
select *
from analytics.customer_analytics
where
    organization_id = %(organization_id)s
    and square_customer_id = %(square_customer_id)s
