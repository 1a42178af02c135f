-- Which weights a day is scored by, and which day came before it.
with components as (
    select * from {{ ref('int_tenant_health_components') }}
),

weights as (
    select * from {{ ref('tenant_health_weights') }}
),

versions as (
    select
        weights_version,
        min(valid_from) as valid_from,
        lead(min(valid_from)) over (order by min(valid_from)) as valid_to
    from weights
    group by weights_version
),

days as (
    select distinct
        organization_id,
        metric_date
    from components
),

final as (
    select
        days.organization_id,
        days.metric_date,
        versions.weights_version,
        lag(days.metric_date) over every_day as previous_metric_date,
        lag(versions.weights_version) over every_day as previous_weights_version,
        lead(versions.weights_version) over every_day as next_weights_version
    from days
    inner join versions
        on
            days.metric_date >= versions.valid_from
            and (
                days.metric_date < versions.valid_to
                or versions.valid_to is null
            )
    window every_day as (
        partition by days.organization_id order by days.metric_date
    )
)

select * from final
