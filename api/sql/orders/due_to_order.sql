-- The customers of a tenant that should order soon or should have ordered, without those
-- whom somebody has put off and the hold-out. What is told of one is looked up for those
-- on the page; what to expect of their money only where they stand in the order of it,
-- for that takes longer than all the rest.
with due as materialized (
    select
        tenant_id,
        customer_id,
        case when %(sort)s = '-expected_amount_90d' then expected_amount_90d end
            as expected_amount_90d,
        row_number() over (
            order by
                -- one of these is a column, the others are nothing
                case when %(sort)s = 'customer_name' then customer_name end asc,
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
),

page as materialized (
    select *
    from due
    order by place
    limit %(limit)s offset %(offset)s
)

select
    told.tenant_id,
    told.customer_id,
    told.customer_name,
    told.sales_rep_id,
    told.sales_rep_name,
    told.due_bucket,
    told.urgency,
    told.days_past_expected,
    told.days_since_last_order,
    told.last_order_date,
    told.next_expected_order_date,
    told.cadence_days,
    told.risk_status,
    told.revenue_at_risk,
    told.outlook,
    told.p_order_90d,
    page.expected_amount_90d,
    told.currency,
    told.reason,
    told.disagreement,
    told.last_contacted_at,
    told.last_outcome,
    told.snoozed_until,
    told.snooze_outcome,
    (select count(*) from due) as total
from page
inner join analytics.due_to_order as told
    on
        page.tenant_id = told.tenant_id
        and page.customer_id = told.customer_id
order by page.place
