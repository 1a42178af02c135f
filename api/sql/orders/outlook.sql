-- The outlook of one customer, including the expected amount.
select *
from analytics.customer_outlook
where
    tenant_id = %(tenant_id)s
    and customer_id = %(customer_id)s
