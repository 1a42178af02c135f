-- People who get no messages now, and why, those with the most customers first.
select
    tenant_slug,
    recipient_name,
    channel,
    address,
    customers_count,
    reason,
    why,
    count(*) over () as rows_count
from operations.unreached(null)
where %(reason)s is null or reason = %(reason)s
order by customers_count desc nulls first, tenant_slug asc, recipient_name asc
limit %(limit)s offset %(offset)s
