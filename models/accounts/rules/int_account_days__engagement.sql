with account_days as not materialized (
    select * from {{ ref('int_account_days') }}
),

engagements as (
    select * from {{ ref('int_engagements') }}
),

outcome_scores as (
    select * from {{ ref('account_outcome_scores') }}
),

-- whole words, of which one may begin or end with a sign, such as C++; NULL without any
competitors as (
    select
        '(?<!\w)('
        || string_agg(regexp_replace(term, '([^[:alnum:] ])', '\\\1', 'g'), '|')
        || ')(?!\w)' as pattern
    from
        unnest({{ text_array(var('competitor_terms')) }}) as term
),

completed as not materialized (
    select
        engagements.organization_id,
        engagements.account_id,
        engagements.completed_on,
        engagements.attendees,
        outcome_scores.score as outcome_score,
        coalesce(engagements.title ~* competitors.pattern, false) as names_competitor
    from engagements
    cross join competitors
    left join outcome_scores
        on engagements.outcome = outcome_scores.outcome
    where engagements.is_completed
),

counted as (
    select
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on,
        max(completed.completed_on) as last_engaged_on,
        count(*) filter (
            where
            completed.completed_on
            > account_days.evaluated_on - {{ var('account_recent_days') }}
        ) as completed_count,
        {{ exact_mean(
            'completed.outcome_score',
            'completed.completed_on > account_days.evaluated_on - '
            ~ var('account_outcome_days')
        ) }} as outcome_score,
        coalesce(bool_or(completed.names_competitor) filter (
            where
            completed.completed_on
            > account_days.evaluated_on - {{ var('account_outcome_days') }}
        ), false) as has_competitor
    from account_days
    inner join completed
        on
            account_days.organization_id = completed.organization_id
            and account_days.account_id = completed.account_id
            and account_days.evaluated_on >= completed.completed_on
    group by
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on
),

attended as (
    select
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on,
        count(distinct person) as attendees_count
    from account_days
    inner join completed
        on
            account_days.organization_id = completed.organization_id
            and account_days.account_id = completed.account_id
            and account_days.evaluated_on >= completed.completed_on
            and account_days.evaluated_on - {{ var('account_outcome_days') }}
            < completed.completed_on
    cross join lateral jsonb_array_elements_text(completed.attendees) as person
    group by
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on
),

final as (
    select
        counted.organization_id,
        counted.account_id,
        counted.evaluated_on,
        counted.last_engaged_on,
        counted.completed_count,
        counted.outcome_score,
        counted.has_competitor,
        coalesce(attended.attendees_count, 0) as attendees_count
    from counted
    left join attended
        on
            counted.organization_id = attended.organization_id
            and counted.account_id = attended.account_id
            and counted.evaluated_on = attended.evaluated_on
)

select * from final
