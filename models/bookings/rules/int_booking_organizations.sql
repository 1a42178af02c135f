with organizations as (
    select * from {{ ref('stg_bookings__organizations') }}
),

thresholds as not materialized (
    select * from {{ ref('int_risk_thresholds') }}
),

assessed as (
    select
        organization_id,
        organization_slug,
        organization_name,
        time_zone,
        {{ as_of() }} as as_of,
        {{ local_date(as_of(), 'time_zone') }} as today
    from organizations
    where
        is_active
        and is_valid
),

final as (
    select
        assessed.organization_id,
        assessed.organization_slug,
        assessed.organization_name,
        assessed.time_zone,
        assessed.as_of,
        assessed.today,
        coalesce(own.tenant_slug, standard.tenant_slug) as threshold_row,
        coalesce(own.segment_new_days, standard.segment_new_days) as segment_new_days,
        coalesce(own.segment_active_days, standard.segment_active_days)
            as segment_active_days,
        coalesce(own.segment_at_risk_days, standard.segment_at_risk_days)
            as segment_at_risk_days
    from assessed
    inner join thresholds as standard
        on standard.tenant_slug = 'default'
    left join thresholds as own
        on assessed.organization_slug = own.tenant_slug
)

select * from final
