-- The customers of a tenant that should order soon or should have ordered.
with due as not materialized (
    select
        due_to_order.tenant_id,
        due_to_order.customer_id,
        due_to_order.customer_name,
        due_to_order.sales_rep_id,
        due_to_order.sales_rep_name,
        due_to_order.due_bucket,
        due_to_order.urgency,
        due_to_order.days_past_expected,
        due_to_order.days_since_last_order,
        due_to_order.last_order_date,
        due_to_order.next_expected_order_date,
        due_to_order.cadence_days,
        due_to_order.risk_status,
        due_to_order.revenue_at_risk,
        due_to_order.outlook,
        due_to_order.p_order_90d,
        due_to_order.expected_amount_90d,
        due_to_order.currency,
        due_to_order.reason,
        due_to_order.disagreement
    from analytics.due_to_order
    where
        due_to_order.tenant_id = %(tenant_id)s
        and (%(due_bucket)s is null or due_to_order.due_bucket = %(due_bucket)s)
        and (%(urgency)s is null or due_to_order.urgency = %(urgency)s)
        and (%(sales_rep)s is null or due_to_order.sales_rep_id = %(sales_rep)s)
        and (
            %(search)s is null
            or strpos(lower(due_to_order.customer_name), lower(%(search)s)) > 0
            or due_to_order.customer_id::text = %(search)s
        )
)

select
    due.*,
    (select count(*) from due) as total
from due
order by
    -- one of these is a column, the others are nothing
    case when %(sort)s = 'customer_name' then customer_name end asc,
    case when %(sort)s = '-days_past_expected' then days_past_expected end desc,
    case
        when %(sort)s = 'next_expected_order_date' then next_expected_order_date
    end asc,
    case
        when %(sort)s = '-expected_amount_90d' then expected_amount_90d
    end desc nulls last,
    case when %(sort)s = '-revenue_at_risk' then revenue_at_risk end desc nulls last,
    customer_id asc
limit %(limit)s offset %(offset)s
