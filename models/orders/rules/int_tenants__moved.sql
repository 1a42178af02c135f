{{ config(materialized='ephemeral') }}

-- Tenants that came, left, or have another slug or time zone since the last refresh.
-- Whatever else changes in their rows, their customers keep their figures.
with tenants as (
    select * from {{ ref('int_tenants') }}
),

published as (
    select * from {{ as_before_refresh('tenants') }} as tenants
),

final as (
    select coalesce(tenants.tenant_id, published.tenant_id) as tenant_id
    from tenants
    full outer join published
        on tenants.tenant_id = published.tenant_id
    where
        (
            tenants.tenant_slug is distinct from published.tenant_slug
            or tenants.time_zone is distinct from published.time_zone
        )
        -- which takes everything anyway
        and not {{ is_first_refresh('tenants') }}
)

select * from final
