-- What to expect from one customer, money included.
select *
from analytics.customer_outlook
where
    tenant_id = %(tenant_id)s
    and customer_id = %(customer_id)s
