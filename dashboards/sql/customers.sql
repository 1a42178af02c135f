-- Customers that order, by part of their name.
select
    account_types.tenant_id::text || '/' || account_types.customer_id::text as key,
    account_types.tenant_id,
    account_types.customer_id,
    tenants.tenant_slug as slug,
    coalesce(account_types.customer_name, account_types.customer_id::text)
        as customer_name
from analytics.customer_account_types as account_types
inner join analytics.tenants
    on account_types.tenant_id = tenants.tenant_id
where
    (%(tenant)s is null or account_types.tenant_id = %(tenant)s)
    and (
        %(search)s is null
        or strpos(lower(account_types.customer_name), lower(%(search)s)) > 0
        or account_types.customer_id::text = %(search)s
        -- of a link
        or concat_ws('/', account_types.tenant_id, account_types.customer_id)
        = %(search)s
    )
order by
    -- a match by id before matches by name
    coalesce(account_types.customer_id::text = %(search)s, false) desc,
    customer_name asc,
    account_types.tenant_id asc,
    account_types.customer_id asc
limit 51
