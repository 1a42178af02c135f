{{ config(unique_key=['organization_id']) }}

with organizations as (
    select * from {{ ref('stg_accounts__organizations') }}
),

final as (
    select
        organization_id,
        organization_slug,
        organization_name,
        time_zone,
        created_at,
        {{ as_of() }} as as_of,
        {{ local_date(as_of(), 'time_zone') }} as today,
        true as is_due
    from organizations
    where
        is_active
        and is_valid
        and {{ is_asked_for('organization_slug') }}
)

select * from final
