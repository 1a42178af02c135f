select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        feature_key,
        first_used_at,
        last_used_at,
        {{ quarantine_reason(
            key='feature_key',
            copy_number=copy_number(
                'input_usage__feature_adoptions', newest='last_used_at'
            ),
            required=['organization_id'],
            timestamps=['first_used_at', 'last_used_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_usage__feature_adoptions') }}
        from {{ ref('input_usage__feature_adoptions') }}
    ) as given
) as judged
