select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        account_id,
        metric_id,
        metric_date,
        logins_per_week,
        feature_adoption_score,
        case
            when training_completion_pct between 0 and 999
                then training_completion_pct::numeric(42, 30)
        end as training_completion_pct,
        created_at,
        {{ quarantine_reason(
            key='metric_id',
            copy_number=copy_number(
                'input_accounts__health_metrics', newest='created_at'
            ),
            required=['organization_id', 'account_id', 'metric_date'],
            timestamps=['metric_date', 'created_at'],
            ranges={
                'logins_per_week': [0, none],
                'feature_adoption_score': [0, none],
                'training_completion_pct': [0, 999],
            },
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_accounts__health_metrics') }}
        from {{ ref('input_accounts__health_metrics') }}
    ) as given
) as judged
