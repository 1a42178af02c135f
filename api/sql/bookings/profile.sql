-- One customer of an organization that takes bookings, with the values that change
-- every day, and a summary in words.
select *
from analytics.customer_profiles
where
    organization_id = %(organization_id)s
    and square_customer_id = %(square_customer_id)s
