-- What to expect of one customer, and of its money.
select *
from analytics.customer_outlook
where
    tenant_id = %(tenant_id)s
    and customer_id = %(customer_id)s
