select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        campaign_id,
        starts_at,
        ends_at,
        {{ quarantine_reason(
            key='campaign_id',
            required=['organization_id'],
            timestamps=['starts_at', 'ends_at'],
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            id as campaign_id,
            starts_at,
            ends_at,
            {{ copy_number(
                source('usage', 'campaigns'),
                key=['organization_id', 'id'],
                newest='starts_at',
            ) }} as copy_number
        from {{ source('usage', 'campaigns') }}
    ) as renamed
) as judged
