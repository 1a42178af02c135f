select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        campaign_id,
        {{ plausible('starts_at') }} as starts_at,
        {{ plausible('ends_at') }} as ends_at,
        {{ quarantine_reason(
            key='campaign_id',
            copy_number=copy_number('input_usage__campaigns', newest='starts_at'),
            required=['organization_id'],
        ) }} as quarantine_reason,
        {{ dates_lost(['starts_at', 'ends_at']) }} as lost_dates
    from (
        select {{ columns_of_input('input_usage__campaigns') }}
        from {{ ref('input_usage__campaigns') }}
    ) as given
) as judged
