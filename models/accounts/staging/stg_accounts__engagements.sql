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
        -- an outcome that is not known is none: the engagement took place all the same
        case
            when outcome in ('positive', 'neutral', 'negative', 'action_required')
                then outcome
        end as outcome,
        scheduled_at,
        completed_at,
        attendees,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='engagement_id',
            required=['organization_id', 'account_id'],
            timestamps=['scheduled_at', 'completed_at', 'created_at', 'updated_at'],
            known_values={
                'engagement_type': [
                    'meeting', 'call', 'email', 'note', 'demo', 'training'
                ]
            },
        ) }} as quarantine_reason
    from (
        select
            id as engagement_id,
            organization_id,
            account_id,
            type as engagement_type,
            title,
            outcome,
            scheduled_at,
            completed_at,
            attendees,
            created_at,
            updated_at,
            {{ copy_number(
                source('accounts', 'engagements'),
                key=['organization_id', 'id'],
                newest='updated_at',
            ) }} as copy_number
        from {{ source('accounts', 'engagements') }}
    ) as renamed
) as judged
