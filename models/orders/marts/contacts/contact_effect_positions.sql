{{ config(materialized='view_in_place') }}

with stays as (
    select * from {{ ref('contacts_since_order') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

periods as (
    select * from {{ ref('backtest_periods') }}
),

models as (
    select * from {{ ref('order_model_periods') }}
),

-- up to the last day whose next 14 days are known and over, until the customer orders
listed as (
    select
        stays.*,
        stays.order_day_number - 1 as repeats_count,
        stays.delivered_on - stays.first_delivered_on as recency_days,
        tenants.dormant_days,
        least(periods.observed_until, tenants.today - 1) as observed_until,
        least(
            stays.next_delivered_on - 1, periods.observed_until - 14, tenants.today - 15
        ) as last_day_on
    from stays
    inner join tenants
        on stays.tenant_id = tenants.tenant_id
    inner join periods
        on stays.tenant_id = periods.tenant_id
),

-- one pass over the stays, so that those of one tenant are found by the key
chosen as (
    select
        listed.*,
        positions.comparison,
        positions.is_treated,
        weeks.day::date as judged_on
    from listed
    cross join
        lateral (
            values
            ('CONTACTED', true, listed.first_contacted_on, listed.first_contacted_on),
            -- each Monday without a contact so far, even if one comes later: leaving
            -- those out would favor customers who order soon, because nobody calls them
            -- any more
            (
                'CONTACTED',
                false,
                case
                    when listed.recorded_from is not null
                        then
                            date_trunc(
                                'week',
                                greatest(
                                    listed.listed_on, listed.recorded_from
                                )::timestamp
                                + interval '6 days'
                            )::date
                end,
                least(listed.last_day_on, listed.first_contacted_on - 1)
            ),
            -- random assignment, whether they were called or not
            (
                'SHOWN',
                not {{ is_held_out(
                    'listed', 'listed.delivered_on', 'listed.last_day_on'
                ) }},
                case
                    when {{ hold_out_from() }} is not null
                        then greatest(listed.listed_on, {{ hold_out_from() }})
                end,
                greatest(listed.listed_on, {{ hold_out_from() }})
            )
        ) as positions (comparison, is_treated, from_day, to_day)
    cross join
        lateral generate_series(
            positions.from_day::timestamp,
            positions.to_day::timestamp,
            interval '1 week'
        ) as weeks (day)
    where
        positions.from_day >= listed.listed_on
        and positions.from_day <= listed.last_day_on
),

aged as (
    select
        *,
        judged_on - first_delivered_on as age_days,
        judged_on - expected_on as days_past_expected,
        greatest(1, expected_on - delivered_on) as usual_gap_days
    from chosen
),

foreseen as (
    select
        aged.*,
        {{ p_order(90, 'aged', 'models') }} as p_order_90d
    from aged
    left join models
        on
            aged.tenant_id = models.tenant_id
            and aged.judged_on >= models.valid_from
            and (aged.judged_on < models.valid_to or models.valid_to is null)
),

named as (
    select
        *,
        case
            when days_past_expected >= dormant_days then 'DORMANT'
            when days_past_expected >= {{ var('critical_after_days') }} then 'CRITICAL'
            when days_past_expected >= {{ var('urgent_after_days') }} then 'URGENT'
            when days_past_expected > 0 then 'MODERATE'
            when days_past_expected = 0 then 'DUE_TODAY'
            else 'DUE_SOON'
        end as lateness,
        case
            when p_order_90d >= {{ var('outlook_likely_from') }} then 'LIKELY'
            when p_order_90d < {{ var('outlook_unlikely_below') }} then 'UNLIKELY'
            when p_order_90d is not null then 'UNSURE'
            else 'UNKNOWN'
        end as outlook,
        -- where chance makes the groups alike, the buckets need not be as narrow
        case
            when comparison = 'SHOWN' or days_past_expected >= dormant_days then null
            when days_past_expected >= {{ var('critical_after_days') }}
                then days_past_expected - days_past_expected % 7
            else days_past_expected
        end as late_days,
        case when comparison = 'CONTACTED' then round(4 * log(2, usual_gap_days)) end
            as gap_class
    from foreseen
),

final as (
    select
        tenant_id,
        customer_id,
        comparison,
        judged_on,
        is_treated,
        lateness,
        outlook,
        concat_ws('/', lateness, outlook, late_days, gap_class) as bucket,
        observed_until - judged_on as observed_days,
        next_delivered_on - judged_on as days_until_next_order
    from named
)

select * from final
