-- Customers whose status and forecast disagree, the most valuable first, without those
-- who are snoozed or held out.
select
    tenant_id,
    tenant_slug,
    customer_id,
    coalesce(customer_name, customer_id::text) as customer_name,
    disagreement,
    risk_status,
    outlook,
    p_order_90d,
    expected_amount_90d,
    currency,
    reason,
    outlook_reason,
    count(*) over () as rows_count
from analytics.status_disagreements
where
    (%(tenant)s is null or tenant_id = %(tenant)s)
    and (%(disagreement)s is null or disagreement = %(disagreement)s)
    and (tenant_id, customer_id) not in (
        select
            due.tenant_id,
            due.customer_id
        from analytics.due_customers as due
        where
            (%(tenant)s is null or due.tenant_id = %(tenant)s)
            and due.is_held_out
        union all
        select
            states.tenant_id,
            states.customer_id
        from analytics.customer_contact_states as states
        where
            (%(tenant)s is null or states.tenant_id = %(tenant)s)
            and states.snoozed_until is not null
    )
order by value_rank asc, tenant_id asc, customer_id asc
limit %(limit)s offset %(offset)s
