-- Customers that book, by part of their name; if asked, only those with notes.
select
    customers.organization_id::text || '/' || customers.square_customer_id::text as key,
    customers.organization_id,
    customers.square_customer_id,
    organizations.organization_slug as slug,
    customers.display_name as customer_name,
    customers.notes_count
from analytics.customer_analytics as customers
inner join analytics.booking_organizations as organizations
    on customers.organization_id = organizations.organization_id
where
    (%(organization)s is null or customers.organization_id = %(organization)s)
    and (
        %(search)s is null
        or strpos(lower(customers.display_name), lower(%(search)s)) > 0
        or customers.square_customer_id::text = %(search)s
        -- of a link
        or concat_ws('/', customers.organization_id, customers.square_customer_id)
        = %(search)s
    )
    and (not %(has_notes)s or customers.notes_count > 0)
order by
    -- a match by id before matches by name
    coalesce(customers.square_customer_id::text = %(search)s, false) desc,
    customers.display_name asc,
    customers.organization_id asc,
    customers.square_customer_id asc
limit 51
