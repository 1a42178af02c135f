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

models as (
    select * from {{ ref('order_model_periods') }}
),

effective_contacts as (
    select * from {{ ref('effective_contacts') }}
),

contacts as (
    select
        effective_contacts.tenant_id,
        effective_contacts.customer_id,
        {{ local_date('effective_contacts.contacted_at', 'tenants.time_zone') }}
            as contacted_on
    from effective_contacts
    inner join tenants
        on effective_contacts.tenant_id = tenants.tenant_id
),

-- since when contacts are written down: before, nobody can be told to have had none
recorded as (
    select
        tenant_id,
        min(contacted_on) as recorded_from
    from contacts
    group by tenant_id
),

-- from an order day to the next one
stays as (
    select
        order_days.tenant_id,
        order_days.customer_id,
        order_days.delivered_on,
        order_days.next_delivered_on,
        order_days.first_delivered_on,
        order_days.order_day_number - 1 as repeats_count,
        order_days.delivered_on - order_days.first_delivered_on as recency_days,
        order_days.delivered_on
        + coalesce(order_days.average_order_interval_days, tenants.fallback_cadence_days)
            as expected_on,
        tenants.dormant_days,
        periods.observed_until
    from order_days
    inner join tenants
        on order_days.tenant_id = tenants.tenant_id
    inner join periods
        on order_days.tenant_id = periods.tenant_id
),

first_contacts as (
    select
        stays.tenant_id,
        stays.customer_id,
        stays.delivered_on,
        min(contacts.contacted_on) as contacted_on
    from stays
    inner join contacts
        on
            stays.tenant_id = contacts.tenant_id
            and stays.customer_id = contacts.customer_id
            and stays.delivered_on <= contacts.contacted_on
            and coalesce(contacts.contacted_on < stays.next_delivered_on, true)
    group by stays.tenant_id, stays.customer_id, stays.delivered_on
),

-- while the list of due orders has the customer
listed as (
    select
        stays.*,
        greatest(stays.delivered_on, stays.expected_on - {{ var('due_soon_days') }})
            as listed_on,
        -- a day from which 14 days are known, and the customer has not ordered yet
        least(stays.next_delivered_on - 1, stays.observed_until - 14) as last_day_on,
        first_contacts.contacted_on,
        recorded.recorded_from
    from stays
    left join first_contacts
        on
            stays.tenant_id = first_contacts.tenant_id
            and stays.customer_id = first_contacts.customer_id
            and stays.delivered_on = first_contacts.delivered_on
    left join recorded
        on stays.tenant_id = recorded.tenant_id
),

chosen as (
    select
        listed.*,
        'CONTACTED' as comparison,
        true as is_treated,
        listed.contacted_on as judged_on
    from listed
    where
        listed.contacted_on >= listed.listed_on
        and listed.contacted_on <= listed.last_day_on

    union all

    -- each Monday without a contact so far. Whether one comes later is not looked at:
    -- who orders soon is called by nobody any more
    select
        listed.*,
        'CONTACTED' as comparison,
        false as is_treated,
        mondays.day::date as judged_on
    from listed
    cross join
        lateral generate_series(
            date_trunc(
                'week', greatest(listed.listed_on, listed.recorded_from)::timestamp + interval '6 days'
            ),
            least(listed.last_day_on, listed.contacted_on - 1)::timestamp,
            interval '1 week'
        ) as mondays (day)
    where listed.recorded_from is not null

    {%- if var('hold_out_rate') %}

    union all

    -- by lot, whether they were called or not
    select
        listed.*,
        'SHOWN' as comparison,
        not {{ is_held_out('listed', 'listed.delivered_on', 'listed.last_day_on') }}
            as is_treated,
        greatest(listed.listed_on, '{{ var("hold_out_from") }}') as judged_on
    from listed
    where greatest(listed.listed_on, '{{ var("hold_out_from") }}') <= listed.last_day_on
    {%- endif %}
),

aged as (
    select
        *,
        judged_on - first_delivered_on as age_days,
        judged_on - expected_on as days_past_expected
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

final as (
    select
        tenant_id,
        customer_id,
        comparison,
        judged_on,
        is_treated,
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
        observed_until - judged_on as observed_days,
        next_delivered_on - judged_on as days_until_next_order
    from foreseen
)

select * from final
