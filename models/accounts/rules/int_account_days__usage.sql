-- Each account's newest metrics up to each day; if they are too old, only their date.
-- The history is long and few of its rows are needed, so they are read through an index
-- if there is one, otherwise in two passes over all rows.
{%- set has_index = has_lookup_index(
    ref('stg_accounts__health_metrics'), ['organization_id', 'account_id', 'metric_date']
) %}
{%- set is_of_the_day = 'evaluated_on - measured_on <= ' ~ var('account_usage_days') %}
with account_days as not materialized (
    select * from {{ ref('int_account_days') }}
),

metrics as not materialized (
    select * from {{ ref('stg_accounts__health_metrics') }}
),

looked_up as (
    select
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on,
        newest.metric_date as measured_on,
        newest.logins_per_week,
        newest.feature_adoption_score,
        newest.training_completion_pct
    from account_days
    cross join
        lateral (
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
                {{ by_code_point('metrics.metric_id', var('accounts_id_type')) }} desc
            limit 1
        ) as newest
    where {{ has_index }}
),

dated as (
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
    where
        metrics.is_valid
        and not {{ has_index }}
    group by
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on
),

scanned as (
    select distinct on (dated.account_id, dated.organization_id, dated.evaluated_on)
        dated.organization_id,
        dated.account_id,
        dated.evaluated_on,
        dated.measured_on,
        metrics.logins_per_week,
        metrics.feature_adoption_score,
        metrics.training_completion_pct
    from dated
    inner join metrics
        on
            dated.organization_id = metrics.organization_id
            and dated.account_id = metrics.account_id
            and dated.measured_on = metrics.metric_date
    where
        metrics.is_valid
        and not {{ has_index }}
    order by
        dated.account_id asc,
        dated.organization_id asc,
        dated.evaluated_on asc,
        metrics.created_at desc nulls last,
        {{ by_code_point('metrics.metric_id', var('accounts_id_type')) }} desc
),

newest as (
    select * from looked_up
    union all
    select * from scanned
),

final as (
    select
        organization_id,
        account_id,
        evaluated_on,
        measured_on,
        case when {{ is_of_the_day }} then logins_per_week end as logins_per_week,
        case when {{ is_of_the_day }} then feature_adoption_score end
            as feature_adoption_score,
        case when {{ is_of_the_day }} then training_completion_pct end
            as training_completion_pct
    from newest
)

select * from final
