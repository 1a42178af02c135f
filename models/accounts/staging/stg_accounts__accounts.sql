select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        account_id,
        account_name,
        {{ trimmed('industry') }} as industry,
        -- an unknown size becomes NULL, because no rule depends on it
        {{ known_word('input_accounts__accounts', 'account_size') }} as account_size,
        case
            when {{ is_amount('arr') }} then arr::numeric(42, 30)
        end as arr,
        reported_status,
        reported_health_score,
        reported_churn_risk_score,
        {{ plausible('renewal_on') }} as renewal_on,
        {{ plausible('archived_at') }} as archived_at,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='account_id',
            copy_number=copy_number('input_accounts__accounts', newest='updated_at'),
            required=['organization_id', 'created_at'],
            timestamps=['created_at', 'updated_at'],
            amounts=['arr'],
            known_values=words_of_input('input_accounts__accounts'),
        ) }} as quarantine_reason,
        {{ dates_lost(['renewal_on', 'archived_at']) }} as lost_dates
    from (
        select {{ columns_of_input('input_accounts__accounts') }}
        from {{ ref('input_accounts__accounts') }}
    ) as given
) as judged
