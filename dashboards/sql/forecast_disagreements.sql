-- Customers whose status and forecast disagree, the most valuable of each kind first,
-- and how many there are of each kind. Of those who are snoozed or held out, one of
-- each kind, with their number.
with judged as (
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
        customer_id in (
            select due.customer_id
            from analytics.due_customers as due
            where due.tenant_id = %(tenant)s and due.is_held_out
            union all
            select states.customer_id
            from analytics.customer_contact_states as states
            where states.tenant_id = %(tenant)s and states.snoozed_until is not null
        ) as is_left_out
    from analytics.status_disagreements
    where tenant_id = %(tenant)s
),

ranked as (
    select
        *,
        count(*) over (partition by disagreement, is_left_out) as kind_count,
        row_number() over (
            partition by disagreement, is_left_out
            order by value_rank
        ) as kind_rank
    from judged
)

select * from ranked
where kind_rank <= case when is_left_out then 1 else 20 end
order by value_rank
