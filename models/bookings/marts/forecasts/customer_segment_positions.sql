{{ config(materialized='view_in_place') }}

with visit_days as (
    select * from {{ ref('customer_visit_days') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

periods as (
    select * from {{ ref('visit_backtest_periods') }}
),

models as (
    select * from {{ ref('visit_model_periods') }}
),

-- the cuts at which a visit day is the customer's last one
stays as (
    select
        visit_days.*,
        visit_days.first_visit_on + organizations.segment_new_days + 1 as new_until,
        visit_days.visit_on + organizations.segment_active_days + 1 as active_until,
        visit_days.visit_on + organizations.segment_at_risk_days + 1 as at_risk_until,
        greatest({{ month_from('visit_days.visit_on') }}, periods.first_cut_on)
            as from_cut_on,
        least({{ month_to('visit_days.next_visit_on - 1') }}, periods.last_cut_on)
            as to_cut_on
    from visit_days
    inner join organizations
        on visit_days.organization_id = organizations.organization_id
    inner join periods
        on visit_days.organization_id = periods.organization_id
),

positions as (
    select
        stays.*,
        cuts.cut_on::date as cut_on,
        stays.visit_day_number - 1 as repeats_count,
        stays.visit_on - stays.first_visit_on as recency_days,
        cuts.cut_on::date - stays.first_visit_on as age_days
    from stays
    cross join
        lateral generate_series(
            stays.from_cut_on::timestamp, stays.to_cut_on::timestamp, interval '1 month'
        ) as cuts (cut_on)
    where stays.from_cut_on <= stays.to_cut_on
),

final as (
    select
        positions.organization_id,
        positions.square_customer_id,
        positions.cut_on,
        {{ customer_segment(
            'positions.cut_on', 'positions.new_until', 'positions.active_until',
            'positions.at_risk_until'
        ) }} as customer_segment,
        positions.visit_on as last_visit_date,
        positions.visit_day_number as visit_days_count,
        positions.recent_cadence_days,
        positions.cadence_confidence,
        positions.cut_on - positions.visit_on as days_since_last_visit,
        positions.cut_on
        - positions.visit_on
        - positions.recent_cadence_days as days_past_expected,
        positions.next_visit_on as next_visit_date,
        positions.next_visit_on - positions.cut_on as days_until_next_visit,
    {%- for days in [30, 60, 90] %}
        {{ p_order(days, 'positions', 'models') }} as p_visit_{{ days }}d
        {{- ',' if not loop.last }}
    {%- endfor %}
    from positions
    left join models
        on
            positions.organization_id = models.organization_id
            and positions.cut_on >= models.valid_from
            and (positions.cut_on < models.valid_to or models.valid_to is null)
)

select * from final
