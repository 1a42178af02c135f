{{ config(materialized='view_in_place') }}

with tenants as (
    select * from {{ ref('tenants') }}
),

settings as (
    select
        tenants.tenant_id,
        tenants.tenant_slug,
        tenants.grace_days,
        tenants.dormant_days,
        setting.name as setting,
        setting.current_value
    from tenants
    cross join
        lateral (
            values
            ('dormant_days', tenants.dormant_days),
            ('grace_days', tenants.grace_days),
            ('fallback_cadence_days', tenants.fallback_cadence_days)
        ) as setting (name, current_value)
),

final as (
    select
        settings.tenant_id,
        settings.tenant_slug,
        settings.setting,
        limits.value,
        limits.value = settings.current_value as is_current
    from settings
    cross join generate_series(1, {{ var('what_if_most_days') }}) as limits (value)
    -- other values are refused, because grace_days must be less than dormant_days
    where
        case settings.setting
            when 'dormant_days' then limits.value > settings.grace_days
            when 'grace_days' then limits.value < settings.dormant_days
            else true
        end

    union all

    select
        tenant_id,
        tenant_slug,
        setting,
        current_value as value,
        true as is_current
    from settings
    where current_value not between 1 and {{ var('what_if_most_days') }}
)

select * from final
