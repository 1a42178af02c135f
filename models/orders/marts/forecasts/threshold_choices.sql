{{ config(materialized='view_in_place') }}

with backtest as (
    select * from {{ ref('threshold_backtest') }}
),

status_backtest as (
    select * from {{ ref('risk_status_backtest') }}
),

order_days as (
    select * from {{ ref('customer_order_days') }}
),

middles as (
    select
        tenant_id,
        percentile_disc(0.5) within group (order by cut_on) as middle_cut_on
    from (select distinct
        tenant_id,
        cut_on
    from status_backtest) as cuts
    group by tenant_id
),

-- the limit that tells best who is gone; of equal ones the smallest
limits as (
    select distinct on (tenant_id, cuts)
        tenant_id,
        setting,
        cuts,
        value
    from backtest
    where
        setting = 'dormant_days'
        and cuts in ('ALL', 'EARLIER')
        and value <= {{ var('what_if_most_days') }}
        and balanced_accuracy is not null
    order by tenant_id asc, cuts asc, round(balanced_accuracy::numeric, 12) desc, value
),

-- the gap that half of the gaps do not exceed
gaps as (
    select
        order_days.tenant_id,
        'fallback_cadence_days' as setting,
        halves.cuts,
        percentile_disc(0.5) within group (
            order by order_days.next_delivered_on - order_days.delivered_on
        ) as value
    from order_days
    inner join middles
        on order_days.tenant_id = middles.tenant_id
    cross join (values ('ALL'), ('EARLIER')) as halves (cuts)
    where
        order_days.next_delivered_on <= middles.middle_cut_on
        or (halves.cuts = 'ALL' and order_days.next_delivered_on is not null)
    group by order_days.tenant_id, halves.cuts
),

final as (
    select
        tenant_id,
        setting,
        cuts,
        value
    from limits

    union all

    select
        tenant_id,
        setting,
        cuts,
        value
    from gaps
)

select * from final
