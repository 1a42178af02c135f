select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        account_id,
        engagement_id,
        engagement_type,
        {{ trimmed('title') }} as title,
        -- an unknown outcome becomes NULL; the engagement still took place
        {{ known_word('input_accounts__engagements', 'outcome') }} as outcome,
        scheduled_at,
        completed_at,
        attendees,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='engagement_id',
            copy_number=copy_number('input_accounts__engagements', newest='updated_at'),
            required=['organization_id', 'account_id'],
            timestamps=['scheduled_at', 'completed_at', 'created_at', 'updated_at'],
            known_values=words_of_input('input_accounts__engagements'),
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_accounts__engagements') }}
        from {{ ref('input_accounts__engagements') }}
    ) as given
) as judged
