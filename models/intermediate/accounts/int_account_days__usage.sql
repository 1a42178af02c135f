-- The newest metrics of each account up to each day. The history of metrics is long, and
-- two rows of it are wanted: through the index that the yml of the source names, where
-- there is such an index, else in two passes over all rows.
with account_days as (
    select * from {{ ref('int_account_days') }}
),

metrics as (
    select * from {{ ref('stg_success__health_metrics') }}
),

{% if has_lookup_index('success', 'health_metrics') -%}
final as (
    select
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on,
        newest.metric_date as measured_on,
        newest.logins_per_week,
        newest.feature_adoption_score,
        newest.training_completion_pct
    from account_days
    cross join lateral (
        select
            metrics.metric_date,
            metrics.logins_per_week,
            metrics.feature_adoption_score,
            metrics.training_completion_pct
        from metrics
        where
            account_days.organization_id = metrics.organization_id
            and account_days.account_id = metrics.account_id
            and account_days.evaluated_on >= metrics.metric_date
            and metrics.is_valid
        order by
            metrics.metric_date desc,
            metrics.created_at desc nulls last,
            metrics.metric_id desc
        limit 1
    ) as newest
)
{%- else -%}
measured as (
    select
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on,
        max(metrics.metric_date) as measured_on
    from account_days
    inner join metrics
        on
            account_days.organization_id = metrics.organization_id
            and account_days.account_id = metrics.account_id
            and account_days.evaluated_on >= metrics.metric_date
    where metrics.is_valid
    group by
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on
),

final as (
    select distinct on (
        measured.account_id, measured.organization_id, measured.evaluated_on
    )
        measured.organization_id,
        measured.account_id,
        measured.evaluated_on,
        measured.measured_on,
        metrics.logins_per_week,
        metrics.feature_adoption_score,
        metrics.training_completion_pct
    from measured
    inner join metrics
        on
            measured.organization_id = metrics.organization_id
            and measured.account_id = metrics.account_id
            and measured.measured_on = metrics.metric_date
    where metrics.is_valid
    order by
        measured.account_id,
        measured.organization_id,
        measured.evaluated_on,
        metrics.created_at desc nulls last,
        metrics.metric_id desc
)
{%- endif %}

select * from final
