{{ config(materialized='view_in_place') }}

with open_days as (
    select * from {{ ref('customer_order_days') }}
),

closed_days as (
    select * from {{ ref('closed_customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

order_days as (
    select
        tenant_id,
        customer_id,
        delivered_on
    from open_days

    union all

    select
        closed_days.tenant_id,
        closed_days.customer_id,
        closed_days.delivered_on
    from closed_days
    inner join tenants
        on
            closed_days.tenant_id = tenants.tenant_id
            and closed_days.delivered_at <= tenants.as_of
),

-- and the week in which the customer would be gone without another order
weeks as (
    select
        tenant_id,
        customer_id,
        date_trunc('week', delivered_on)::date as week_begins_on,
        date_trunc('week', max(delivered_on) + {{ var('gone_after_days') }} + 1)::date
            as gone_week_begins_on
    from order_days
    group by customer_id, tenant_id, week_begins_on
),

followed as (
    select
        *,
        lag(gone_week_begins_on) over in_sequence as gone_before,
        lead(week_begins_on) over in_sequence as next_week_begins_on
    from weeks
    window in_sequence as (
        partition by customer_id, tenant_id order by week_begins_on
    )
),

final as (
    select
        followed.tenant_id,
        followed.customer_id,
        activities.week_begins_on,
        activities.activity
    from followed
    cross join
        lateral (
            values
            (
                followed.week_begins_on,
                case
                    when followed.gone_before is null then 'NEW'
                    when followed.gone_before < followed.week_begins_on
                        then 'RESURRECTED'
                    else 'RETURNING'
                end
            ),
            (
                followed.gone_week_begins_on,
                -- a customer that comes back in that week is not gone at its end
                case
                    when
                        coalesce(
                            followed.gone_week_begins_on < followed.next_week_begins_on,
                            true
                        )
                        then 'GONE'
                end
            )
        ) as activities (week_begins_on, activity)
    inner join tenants
        on
            followed.tenant_id = tenants.tenant_id
            and activities.week_begins_on + 7 <= tenants.today
    where activities.activity is not null
)

select * from final
