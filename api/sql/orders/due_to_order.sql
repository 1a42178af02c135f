-- The customers of a tenant that should order soon or should have ordered, without
-- snoozed customers and the hold-out. Every row says how likely the customer is to
-- order. The expected amount is NULL unless the list is sorted by it, because it takes
-- longest to compute.
with states as materialized (
    select
        customer_id,
        last_contacted_at,
        last_outcome,
        snoozed_until,
        snooze_outcome
    from analytics.customer_contact_states
    where tenant_id = %(tenant_id)s
),

-- one of these; the amounts only if the list is sorted by them
listed as (
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
        is_held_out,
        null::numeric as expected_amount_90d
    from analytics.due_customers
    where
        tenant_id = %(tenant_id)s
        and %(sort)s != '-expected_amount_90d'

    union all

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
        is_held_out,
        expected_amount_90d
    from analytics.due_to_order
    where
        tenant_id = %(tenant_id)s
        and %(sort)s = '-expected_amount_90d'
),

due as materialized (
    select *
    from listed
    where
        (%(due_bucket)s is null or due_bucket = %(due_bucket)s)
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
            -- as a set, because the mart's own column would be looked up row by row
            or customer_id not in (
                select states.customer_id
                from states
                where states.snoozed_until is not null
            )
        )
),

page as materialized (
    select
        *,
        row_number() over (
            order by
                -- one of these is a column, the others are NULL
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
        ) as place,
        (select count(*) from due) as total
    from due
    order by place asc
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
    outlook.outlook,
    outlook.p_order_90d,
    page.expected_amount_90d,
    page.currency,
    page.reason,
    outlook.disagreement,
    states.last_contacted_at,
    states.last_outcome,
    states.snoozed_until,
    states.snooze_outcome,
    page.total
from page
cross join
    lateral (
        select
            customer_outlook.outlook,
            customer_outlook.p_order_90d,
            customer_outlook.disagreement
        from analytics.customer_outlook
        where
            customer_outlook.tenant_id = %(tenant_id)s
            and customer_outlook.customer_id = page.customer_id
        -- a fence: by its key for each row, because a join would compute it for all
        order by customer_outlook.customer_id asc
        offset 0
    ) as outlook
left join states
    on page.customer_id = states.customer_id
order by page.place asc
