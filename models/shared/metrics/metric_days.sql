with todays as (
    select max(today) as today from {{ ref('tenants') }}
    union all
    select max(today) as today from {{ ref('booking_organizations') }}
    union all
    select max(today) as today from {{ ref('platform_organizations') }}
    union all
    select max(today) as today from {{ ref('success_organizations') }}
),

latest as (
    select max(today) as today from todays
),

-- no future days: a cumulative metric would show today's value for them
final as (
    select latest.today - back.days as metric_day
    from latest
    cross join generate_series(0, {{ var('metric_days_back') }}) as back (days)
    where latest.today is not null
)

select * from final
