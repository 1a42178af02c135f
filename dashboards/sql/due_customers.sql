-- The customers to call: the highest expected order value first or, without a forecast,
-- the highest usual order value.
select
    due.tenant_id,
    due.tenant_slug,
    due.customer_id,
    coalesce(due.customer_name, due.customer_id::text) as customer_name,
    -- an owner without a name is not the same as no owner
    case
        when due.sales_rep_id is not null
            then coalesce(due.sales_rep_name, sales_reps.sales_rep_email, 'no name')
    end as sales_rep_name,
    due.due_bucket,
    due.urgency,
    due.days_past_expected,
    due.last_order_date,
    due.next_expected_order_date,
    due.cadence_days,
    due.risk_status,
    due.revenue_at_risk,
    due.outlook,
    due.p_order_90d,
    due.expected_amount_90d,
    due.currency,
    due.reason,
    due.disagreement,
    due.last_contacted_at,
    (due.last_contacted_at at time zone tenants.time_zone)::date as last_contacted_on,
    due.last_outcome,
    due.snoozed_until,
    due.snooze_outcome
from analytics.due_to_order as due
left join analytics.sales_reps
    on
        due.tenant_id = sales_reps.tenant_id
        and due.sales_rep_id = sales_reps.sales_rep_id
-- last, because Citus refuses it before an outer join
inner join analytics.tenants
    on due.tenant_id = tenants.tenant_id
where
    (%(tenant)s is null or due.tenant_id = %(tenant)s)
    and (%(sales_rep)s is null or due.sales_rep_id = %(sales_rep)s)
    and (not %(is_unowned)s or due.sales_rep_id is null)
    and (
        %(search)s is null
        or strpos(lower(due.customer_name), lower(%(search)s)) > 0
        or due.customer_id::text = %(search)s
    )
    and due.due_bucket = any(%(buckets)s)
    and not due.is_held_out
    and (
        %(is_snoozed_shown)s
        -- a set that is computed once; the column would be computed for each due
        -- customer
        or (due.tenant_id, due.customer_id) not in (
            select
                states.tenant_id,
                states.customer_id
            from analytics.customer_contact_states as states
            where states.snoozed_until is not null
        )
    )
order by
    due.expected_amount_90d desc nulls last,
    due.revenue_at_risk desc nulls last,
    due.days_past_expected desc,
    due.tenant_id asc,
    due.customer_id asc
limit %(limit)s offset %(offset)s
