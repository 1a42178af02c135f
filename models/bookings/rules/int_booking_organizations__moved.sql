{{ config(materialized='ephemeral') }}

-- Organizations that came, left, or have another slug or time zone since the last
-- refresh. Whatever else changes in their rows, their customers keep their figures.
with organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

published as (
    select * from {{ as_before_refresh('booking_organizations') }} as organizations
),

final as (
    select
        coalesce(organizations.organization_id, published.organization_id)
            as organization_id
    from organizations
    full outer join published
        on organizations.organization_id = published.organization_id
    where
        (
            organizations.organization_slug is distinct from published.organization_slug
            or organizations.time_zone is distinct from published.time_zone
        )
        -- which takes everything anyway
        and not {{ is_first_refresh('booking_organizations') }}
)

select * from final
