{{ config(materialized='view_in_place') }}

with visit_days as (
    select * from {{ ref('customer_visit_days') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

-- and the week in which the customer would be gone without another visit
weeks as (
    select
        organization_id,
        square_customer_id,
        date_trunc('week', visit_on)::date as week_begins_on,
        date_trunc('week', max(visit_on) + {{ var('gone_after_days') }} + 1)::date
            as gone_week_begins_on
    from visit_days
    group by square_customer_id, organization_id, week_begins_on
),

followed as (
    select
        *,
        lag(gone_week_begins_on) over in_sequence as gone_before,
        lead(week_begins_on) over in_sequence as next_week_begins_on
    from weeks
    window in_sequence as (
        partition by square_customer_id, organization_id order by week_begins_on
    )
),

final as (
    select
        followed.organization_id,
        followed.square_customer_id,
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
    inner join organizations
        on
            followed.organization_id = organizations.organization_id
            and activities.week_begins_on + 7 <= organizations.today
    where activities.activity is not null
)

select * from final
