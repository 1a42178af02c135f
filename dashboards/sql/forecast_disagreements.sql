-- Customers whose status and forecast disagree, the most valuable of each kind first,
-- and how many there are of each kind.
with ranked as (
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
        value_rank,
        reason,
        outlook_reason,
        count(*) over (partition by disagreement) as kind_count,
        row_number() over (partition by disagreement order by value_rank) as kind_rank
    from analytics.status_disagreements
    where tenant_id = %(tenant)s
)

select * from ranked
where kind_rank <= 20
order by value_rank
