-- The customers of a tenant that should order soon or should have ordered, without
-- snoozed customers and the hold-out. Every row says how likely the customer is to
-- order. The expected amount is NULL unless the list is sorted by it, because it takes
-- longest to compute.
with snoozed as materialized (
    select customer_id
    from analytics.customer_contact_states
    where
        tenant_id = %(tenant_id)s
        and snoozed_until is not null
        -- an array, because the planner passes it on to the contacts, which are ranked
        and customer_id = any(
            array(
                select effective_contacts.customer_id
                from analytics.effective_contacts
                where
                    effective_contacts.tenant_id = %(tenant_id)s
                    and effective_contacts.snoozed_until is not null
            )
        )
),

-- what filters and sorts, of one of these; the amounts only if the list is sorted by
-- them
listed as (
    select
        customer_id,
        customer_name,
        sales_rep_id,
        due_bucket,
        urgency,
        next_expected_order_date,
        revenue_at_risk,
        is_held_out,
        null::numeric as expected_amount_90d
    from analytics.due_customers
    where
        tenant_id = %(tenant_id)s
        and %(sort)s != '-expected_amount_90d'

    union all

    select
        customer_id,
        customer_name,
        sales_rep_id,
        due_bucket,
        urgency,
        next_expected_order_date,
        revenue_at_risk,
        is_held_out,
        expected_amount_90d
    from analytics.due_to_order
    where
        tenant_id = %(tenant_id)s
        and %(sort)s = '-expected_amount_90d'
),

due as materialized (
    select
        customer_id,
        customer_name,
        next_expected_order_date,
        revenue_at_risk,
        expected_amount_90d
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
                select snoozed.customer_id
                from snoozed
            )
        )
),

page as materialized (
    select
        *,
        (select count(*) from due) as total
    from due
    order by
        -- one of these is a column, the others are NULL
        case when %(sort)s = 'customer_name' then customer_name end asc,
        case
            when %(sort)s = 'next_expected_order_date' then next_expected_order_date
        end asc,
        case
            when %(sort)s = '-expected_amount_90d' then expected_amount_90d
        end desc nulls last,
        case
            when %(sort)s = '-revenue_at_risk' then revenue_at_risk
        end desc nulls last,
        customer_id asc
    limit %(limit)s offset %(offset)s
),

states as materialized (
    select
        customer_id,
        last_contacted_at,
        last_outcome,
        snoozed_until,
        snooze_outcome
    from analytics.customer_contact_states
    where
        tenant_id = %(tenant_id)s
        and customer_id = any(array(
            select page.customer_id
            from page
        ))
)

select
    due_customers.tenant_id,
    due_customers.customer_id,
    due_customers.customer_name,
    due_customers.sales_rep_id,
    due_customers.sales_rep_name,
    due_customers.due_bucket,
    due_customers.urgency,
    due_customers.days_past_expected,
    due_customers.days_since_last_order,
    due_customers.last_order_date,
    due_customers.next_expected_order_date,
    due_customers.cadence_days,
    due_customers.risk_status,
    due_customers.revenue_at_risk,
    outlook.outlook,
    outlook.p_order_90d,
    page.expected_amount_90d,
    due_customers.currency,
    due_customers.reason,
    outlook.disagreement,
    states.last_contacted_at,
    states.last_outcome,
    states.snoozed_until,
    states.snooze_outcome,
    page.total
from page
-- fences: by their keys for each row, because a join would compute them for all
cross join
    lateral (
        select due_customers.*
        from analytics.due_customers
        where
            due_customers.tenant_id = %(tenant_id)s
            and due_customers.customer_id = page.customer_id
        order by due_customers.customer_id asc
        offset 0
    ) as due_customers
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
        order by customer_outlook.customer_id asc
        offset 0
    ) as outlook
left join states
    on page.customer_id = states.customer_id
order by
    case when %(sort)s = 'customer_name' then page.customer_name end asc,
    case
        when %(sort)s = 'next_expected_order_date' then page.next_expected_order_date
    end asc,
    case
        when %(sort)s = '-expected_amount_90d' then page.expected_amount_90d
    end desc nulls last,
    case
        when %(sort)s = '-revenue_at_risk' then page.revenue_at_risk
    end desc nulls last,
    page.customer_id asc
