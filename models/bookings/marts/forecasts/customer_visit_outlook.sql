{{ config(materialized='view_in_place') }}

with visit_days as (
    select * from {{ ref('customer_visit_days') }}
),

analytics as (
    select * from {{ ref('customer_analytics') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

models as (
    select * from {{ ref('visit_model_periods') }}
),

customers as (
    select
        visit_days.*,
        organizations.organization_slug,
        organizations.time_zone,
        organizations.today,
        visit_days.visit_day_number - 1 as repeats_count,
        visit_days.visit_on - visit_days.first_visit_on as recency_days,
        organizations.today - visit_days.first_visit_on as age_days
    from visit_days
    inner join organizations
        on visit_days.organization_id = organizations.organization_id
    where visit_days.next_visit_on is null
),

foreseen as (
    select
        customers.*,
        {{ local_date('analytics.next_booking_at', 'customers.time_zone') }}
            as next_booking_date,
        models.has_dropouts,
        {{ p_alive('customers', 'models') }} as p_alive,
    {%- for days in [30, 60, 90] %}
        {{ p_order(days, 'customers', 'models') }} as p_visit_{{ days }}d
        {{- ',' if not loop.last }}
    {%- endfor %}
    from customers
    inner join analytics
        on
            customers.organization_id = analytics.organization_id
            and customers.square_customer_id = analytics.square_customer_id
    left join models
        on
            customers.organization_id = models.organization_id
            and customers.today >= models.valid_from
            and (customers.today < models.valid_to or models.valid_to is null)
),

final as (
    select
        organization_id,
        organization_slug,
        square_customer_id,
        visit_day_number as visit_days,
        visit_on as last_visit_date,
        next_booking_date,
        p_visit_30d,
        p_visit_60d,
        p_visit_90d,
        case
            when p_visit_90d >= {{ var('outlook_likely_from') }} then 'LIKELY'
            when p_visit_90d < {{ var('outlook_unlikely_below') }} then 'UNLIKELY'
            when p_visit_90d is not null then 'UNSURE'
        end as outlook,
        case when has_dropouts then p_alive end as p_alive,
        case
            when p_visit_90d is not null
                then
                    format(
                        '%s in %s, the last %s ago: the visit model expects about %s'
                        ' of 100 such customers to visit within 90 days%s',
                        {{ count_of('visit_day_number', 'visit day') }},
                        {{ count_of('age_days', 'day') }},
                        {{ count_of('today - visit_on', 'day') }},
                        round(100 * p_visit_90d),
                        '; booked for ' || {{ iso_date('next_booking_date') }}
                    )
        end as reason
    from foreseen
)

select * from final
