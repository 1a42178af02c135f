-- The customers of a tenant that should order soon or should have ordered. What is to
-- be expected is worked out for those of the page; for all only where they are ordered
-- by it.
with due as not materialized (
    select *
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
),

page as (
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
        currency,
        reason,
        row_number() over (
            order by
                -- one of these is a column, the others are nothing
                case when %(sort)s = 'customer_name' then customer_name end asc,
                case
                    when %(sort)s = '-days_past_expected' then days_past_expected
                end desc,
                case
                    when %(sort)s = 'next_expected_order_date'
                        then next_expected_order_date
                end asc,
                case
                    when %(sort)s = '-expected_amount_90d' then expected_amount_90d
                end desc nulls last,
                case
                    when %(sort)s = '-revenue_at_risk' then revenue_at_risk
                end desc nulls last,
                customer_id asc
        ) as place
    from due
    order by place
    limit %(limit)s offset %(offset)s
)

select
    page.tenant_id,
    page.customer_id,
    page.customer_name,
    page.sales_rep_id,
    page.sales_rep_name,
    page.due_bucket,
    page.urgency,
    page.days_past_expected,
    page.days_since_last_order,
    page.last_order_date,
    page.next_expected_order_date,
    page.cadence_days,
    page.risk_status,
    page.revenue_at_risk,
    page.currency,
    page.reason,
    outlook.outlook,
    outlook.p_order_90d,
    outlook.expected_amount_90d,
    outlook.disagreement,
    (select count(*) from due) as total
from page
left join analytics.customer_outlook as outlook
    on
        page.tenant_id = outlook.tenant_id
        and page.customer_id = outlook.customer_id
        and page.last_order_date = outlook.last_order_date
order by page.place
