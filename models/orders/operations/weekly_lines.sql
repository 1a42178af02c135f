-- What the weekly message says about each customer: a filter on the histories, like
-- weekly_summary, and the list of whom to call.
with tenants as (
    select * from {{ ref('tenants') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

risk_history as (
    select * from {{ ref('customer_risk_status_history') }}
),

due as (
    select * from {{ ref('due_to_order') }}
),

contact_states as (
    select * from {{ ref('customer_contact_states') }}
),

weeks as (
    select
        tenant_id,
        date_trunc('week', today)::date - 7 as week_begins_on,
        date_trunc('week', today)::date - 1 as week_ends_on
    from tenants
),

-- the steps that began in the week
steps as (
    select
        weeks.tenant_id,
        weeks.week_begins_on,
        steps.customer_id,
        steps.status,
        steps.previous_status,
        steps.valid_from,
        coalesce(steps.valid_to > weeks.week_ends_on, true) as is_at_end,
        max(steps.valid_from) filter (where steps.previous_status = 'DORMANT')
            over (partition by steps.tenant_id, steps.customer_id)
            as came_back_on
    from weeks
    inner join risk_history as steps
        on
            weeks.tenant_id = steps.tenant_id
            and weeks.week_begins_on <= steps.valid_from
            and weeks.week_ends_on >= steps.valid_from
),

changed as (
    select
        *,
        case
            when status = 'DORMANT' then 'LOST'
            when status = 'AT_RISK_CADENCE' then 'BECAME_LATE'
            when came_back_on is not null then 'CAME_BACK'
        end as section
    from steps
    where is_at_end
),

-- as on the page "Due to order": nobody who is snoozed or held out
to_call as (
    select due.*
    from due
    where
        not due.is_held_out
        -- a set that is computed once; the column, or a join, would be computed for
        -- each due customer
        and (due.tenant_id, due.customer_id) not in (
            select
                contact_states.tenant_id,
                contact_states.customer_id
            from contact_states
            where contact_states.snoozed_until is not null
        )
),

told as (
    select
        changed.tenant_id,
        changed.customer_id,
        changed.week_begins_on,
        changed.section,
        risk_status.sales_rep_id,
        risk_status.customer_name,
        case
            when changed.section = 'LOST' then 'dormant since '
            when changed.section = 'CAME_BACK' then 'ordered again, delivered on '
            else 'late since '
        end || {{ iso_date(
            "case when changed.section = 'CAME_BACK' then changed.came_back_on"
            ~ " else changed.valid_from end"
        ) }} as words,
        null::numeric as expected_amount_90d,
        risk_status.revenue_at_risk,
        risk_status.currency
    from changed
    inner join risk_status
        on
            changed.tenant_id = risk_status.tenant_id
            and changed.customer_id = risk_status.customer_id
    where changed.section is not null

    union all

    select
        to_call.tenant_id,
        to_call.customer_id,
        weeks.week_begins_on,
        'CALL_FIRST' as section,
        to_call.sales_rep_id,
        to_call.customer_name,
        to_call.reason as words,
        to_call.expected_amount_90d,
        to_call.revenue_at_risk,
        to_call.currency
    from to_call
    inner join weeks
        on to_call.tenant_id = weeks.tenant_id
),

final as (
    select
        tenant_id,
        customer_id,
        week_begins_on,
        section,
        sales_rep_id,
        coalesce(customer_name, customer_id::text) as customer_name,
        words,
        expected_amount_90d::numeric(18, 2) as expected_amount_90d,
        revenue_at_risk,
        currency
    from told
)

select * from final
