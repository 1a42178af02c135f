-- Customers of whom status and outlook say different things, the most valuable first,
-- and how many there are of each kind.
select
    tenant_id,
    tenant_slug,
    customer_id,
    coalesce(customer_name, customer_id::text) as customer_name,
    risk_status,
    outlook,
    p_order_90d,
    expected_amount_90d,
    currency,
    reason,
    outlook_reason,
    count(*) over () as customers_count,
    count(*) filter (where disagreement = 'LIKELY_THOUGH_DORMANT') over ()
        as likely_though_dormant_count,
    count(*) filter (where disagreement = 'LIKELY_THOUGH_LATE') over ()
        as likely_though_late_count,
    count(*) filter (where disagreement = 'UNLIKELY_THOUGH_ON_TIME') over ()
        as unlikely_though_on_time_count
from analytics.status_disagreements
where tenant_id = %(tenant)s
order by value_rank
limit 20
