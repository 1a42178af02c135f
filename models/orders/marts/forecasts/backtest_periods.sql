{{ config(materialized='view_in_place') }}

with order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

days as (
    select
        tenant_id,
        min(delivered_on) as observed_from,
        max(delivered_on) as last_delivered_on
    from order_days
    group by tenant_id
),

observed as (
    select
        days.tenant_id,
        days.observed_from,
        least(days.last_delivered_on, tenants.today) as observed_until
    from days
    inner join tenants
        on days.tenant_id = tenants.tenant_id
),

cuts as (
    select
        *,
        {{ month_from('observed_from + 90') }} as first_cut_on,
        {{ month_to('observed_until - 90') }} as last_cut_on
    from observed
),

counted as (
    select
        *,
        greatest(0, {{ months_between("first_cut_on", "last_cut_on") }} + 1)
            as cuts_count
    from cuts
),

final as (
    select
        tenant_id,
        observed_from,
        observed_until,
        first_cut_on,
        last_cut_on,
        case
            when cuts_count > 0
                then
                    (
                        first_cut_on
                        + (cuts_count - 1) / 2 * interval '1 month'
                    )::date
        end as middle_cut_on,
        cuts_count,
        {{ var('backtest_min_customers') }} as min_customers
    from counted
)

select * from final
