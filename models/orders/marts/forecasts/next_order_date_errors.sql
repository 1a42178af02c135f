{{ config(materialized='view_in_place') }}

with order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

periods as (
    select * from {{ ref('backtest_periods') }}
),

-- order days for which the next 90 days are known
judged as (
    select
        order_days.tenant_id,
        tenants.tenant_slug,
        case
            when order_days.average_order_interval_days is null then 'FALLBACK'
            else 'MEASURED'
        end as cadence_source,
        case
            when order_days.next_delivered_on - order_days.delivered_on <= 90
                then
                    order_days.next_delivered_on - order_days.delivered_on
                    - coalesce(
                        order_days.average_order_interval_days,
                        tenants.fallback_cadence_days
                    )
        end as error_days
    from order_days
    inner join tenants
        on order_days.tenant_id = tenants.tenant_id
    inner join periods
        on order_days.tenant_id = periods.tenant_id
    where order_days.delivered_on + 90 <= periods.observed_until
),

final as (
    select
        tenant_id,
        tenant_slug,
        cadence_source,
        count(*) as order_days_count,
        count(error_days) as followed_count,
        avg(abs(error_days))::double precision as mean_absolute_error_days,
        avg(error_days)::double precision as mean_error_days,
        percentile_disc(0.5) within group (order by error_days) as median_error_days,
        count(*) filter (where abs(error_days) <= 7) as within_7_days_count,
        count(*) filter (where abs(error_days) <= 7) / count(*)::double precision
            as within_7_days_share
    from judged
    group by tenant_id, tenant_slug, cadence_source
)

select * from final
