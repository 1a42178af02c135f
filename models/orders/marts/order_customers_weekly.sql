{{ config(materialized='view_in_place') }}

with customer_weeks as (
    select * from {{ ref('customer_order_weeks') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

counted as (
    select
        customer_weeks.tenant_id,
        tenants.tenant_slug,
        date_trunc('week', tenants.today)::date as this_week_begins_on,
        customer_weeks.week_begins_on,
        count(*) filter (where customer_weeks.activity = 'NEW') as new_customers,
        count(*) filter (where customer_weeks.activity = 'RETURNING')
            as returning_customers,
        count(*) filter (where customer_weeks.activity = 'RESURRECTED')
            as resurrected_customers,
        count(*) filter (where customer_weeks.activity = 'GONE') as gone_customers
    from customer_weeks
    inner join tenants
        on customer_weeks.tenant_id = tenants.tenant_id
    group by
        customer_weeks.tenant_id,
        tenants.tenant_slug,
        tenants.today,
        customer_weeks.week_begins_on
),

summed as (
    select
        *,
        (
            sum(new_customers + resurrected_customers - gone_customers) over by_week
        )::bigint as active_customers,
        lead(week_begins_on, 1, this_week_begins_on) over by_week
            as next_week_begins_on
    from counted
    window by_week as (partition by tenant_id order by week_begins_on)
),

-- adds the weeks without changes, up to the next week with one
spread as (
    select
        summed.*,
        weeks.number,
        (weeks.number = 0)::integer as has_happened
    from summed
    cross join
        lateral generate_series(
            0, (summed.next_week_begins_on - summed.week_begins_on) / 7 - 1
        ) as weeks (number)
),

final as (
    select
        tenant_id,
        tenant_slug,
        week_begins_on + 7 * number as week_begins_on,
        active_customers,
        new_customers * has_happened as new_customers,
        returning_customers * has_happened as returning_customers,
        resurrected_customers * has_happened as resurrected_customers,
        active_customers
        - has_happened * (new_customers + returning_customers + resurrected_customers)
            as quiet_customers,
        gone_customers * has_happened as gone_customers,
        {{ var('gone_after_days') }} as gone_after_days
    from spread
)

select * from final
