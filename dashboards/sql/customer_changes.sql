-- The changes of one customer's statuses after one day and up to another.
select
    status_kind,
    changed_on,
    from_status,
    to_status,
    change_cause
from analytics.customer_status_changes
where
    tenant_id = %(tenant)s
    and customer_id = %(customer)s
    and changed_on > %(from_day)s
    and changed_on <= %(to_day)s
order by changed_on, status_kind
