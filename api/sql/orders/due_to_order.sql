-- The customers of a tenant that should order soon or should have ordered. How likely
-- they order is told of all; what to expect of their money only where they stand in the
-- order of it, for that takes longer than all the rest.
with due as materialized (
    select
        tenant_id,
        customer_id,
        customer_name,
        sales_rep_id,
        sales_rep_name,
        due_bucket,
        urgency,
        days_past_expected,
        days_since_last_order,
        last_order_date,
        next_expected_order_date,
        cadence_days,
        risk_status,
        revenue_at_risk,
        outlook,
        p_order_90d,
        case when %(sort)s = '-expected_amount_90d' then expected_amount_90d end
            as expected_amount_90d,
        currency,
        reason,
        disagreement
    from analytics.due_to_order
    where
        tenant_id = %(tenant_id)s
        and (%(due_bucket)s is null or due_bucket = %(due_bucket)s)
        and (%(urgency)s is null or urgency = %(urgency)s)
        and (%(sales_rep)s is null or sales_rep_id = %(sales_rep)s)
        and (
            %(search)s is null
            or strpos(lower(customer_name), lower(%(search)s)) > 0
            or customer_id::text = %(search)s
        )
        and not is_held_out
        and (
            %(snoozed)s
            -- as a set, worked out once: the column would be looked up for each that is due
            or (tenant_id, customer_id) not in (
                select
                    states.tenant_id,
                    states.customer_id
                from analytics.customer_contact_states as states
                where
                    states.tenant_id = %(tenant_id)s
                    and states.snoozed_until is not null
            )
        )
)

select
    *,
    (select count(*) from due) as total
from due
order by
    -- one of these is a column, the others are nothing
    case when %(sort)s = 'customer_name' then customer_name end asc,
    case
        when %(sort)s = 'next_expected_order_date' then next_expected_order_date
    end asc,
    case
        when %(sort)s = '-expected_amount_90d' then expected_amount_90d
    end desc nulls last,
    case when %(sort)s = '-revenue_at_risk' then revenue_at_risk end desc nulls last,
    customer_id asc
limit %(limit)s offset %(offset)s
