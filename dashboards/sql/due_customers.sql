-- The customers to call: the highest expected order value first or, without a forecast,
-- the highest usual order value.
with states as materialized (
    select
        states.tenant_id,
        states.customer_id,
        states.last_contacted_at,
        (states.last_contacted_at at time zone tenants.time_zone)::date
            as last_contacted_on,
        states.last_outcome,
        states.snoozed_until,
        states.snooze_outcome
    from analytics.customer_contact_states as states
    inner join analytics.tenants
        on states.tenant_id = tenants.tenant_id
    where %(tenant)s is null or states.tenant_id = %(tenant)s
),

reps as materialized (
    select
        tenant_id,
        sales_rep_id,
        sales_rep_email
    from analytics.sales_reps
    where %(tenant)s is null or tenant_id = %(tenant)s
),

-- without the mart's own columns about contacts, which would be looked up for each due
-- customer
page as materialized (
    select
        tenant_id,
        tenant_slug,
        customer_id,
        customer_name,
        sales_rep_id,
        sales_rep_name,
        due_bucket,
        urgency,
        days_past_expected,
        last_order_date,
        next_expected_order_date,
        cadence_days,
        risk_status,
        revenue_at_risk,
        outlook,
        p_order_90d,
        expected_amount_90d,
        currency,
        reason,
        disagreement
    from analytics.due_to_order
    where
        (%(tenant)s is null or tenant_id = %(tenant)s)
        and (%(sales_rep)s is null or sales_rep_id = %(sales_rep)s)
        and (not %(is_unowned)s or sales_rep_id is null)
        and (
            %(search)s is null
            or strpos(lower(customer_name), lower(%(search)s)) > 0
            or customer_id::text = %(search)s
        )
        and due_bucket = any(%(buckets)s)
        and not is_held_out
        and (
            %(is_snoozed_shown)s
            or (tenant_id, customer_id) not in (
                select
                    states.tenant_id,
                    states.customer_id
                from states
                where states.snoozed_until is not null
            )
        )
    order by
        expected_amount_90d desc nulls last,
        revenue_at_risk desc nulls last,
        days_past_expected desc,
        tenant_id asc,
        customer_id asc
    limit %(limit)s offset %(offset)s
)

select
    page.tenant_id,
    page.tenant_slug,
    page.customer_id,
    coalesce(page.customer_name, page.customer_id::text) as customer_name,
    -- an owner without a name is not the same as no owner
    case
        when page.sales_rep_id is not null
            then coalesce(page.sales_rep_name, reps.sales_rep_email, 'no name')
    end as sales_rep_name,
    page.due_bucket,
    page.urgency,
    page.days_past_expected,
    page.last_order_date,
    page.next_expected_order_date,
    page.cadence_days,
    page.risk_status,
    page.revenue_at_risk,
    page.outlook,
    page.p_order_90d,
    page.expected_amount_90d,
    page.currency,
    page.reason,
    page.disagreement,
    states.last_contacted_at,
    states.last_contacted_on,
    states.last_outcome,
    states.snoozed_until,
    states.snooze_outcome
from page
left join reps
    on
        page.tenant_id = reps.tenant_id
        and page.sales_rep_id = reps.sales_rep_id
left join states
    on
        page.tenant_id = states.tenant_id
        and page.customer_id = states.customer_id
order by
    page.expected_amount_90d desc nulls last,
    page.revenue_at_risk desc nulls last,
    page.days_past_expected desc,
    page.tenant_id asc,
    page.customer_id asc
