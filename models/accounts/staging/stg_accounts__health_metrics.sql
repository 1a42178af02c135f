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
                then training_completion_pct::numeric(5, 2)
        end as training_completion_pct,
        created_at,
        {{ quarantine_reason(
            key='metric_id',
            required=['organization_id', 'account_id', 'metric_date'],
            timestamps=['metric_date', 'created_at'],
            ranges={
                'logins_per_week': [0, none],
                'feature_adoption_score': [0, none],
                'training_completion_pct': [0, 999],
            },
        ) }} as quarantine_reason
    from (
        select
            id as metric_id,
            organization_id,
            account_id,
            metric_date,
            login_frequency as logins_per_week,
            feature_adoption_score,
            training_completion_rate as training_completion_pct,
            created_at,
            {{ copy_number(
                source('accounts', 'health_metrics'),
                key=['organization_id', 'id'],
                newest='created_at',
            ) }} as copy_number
        from {{ source('accounts', 'health_metrics') }}
    ) as renamed
) as judged
