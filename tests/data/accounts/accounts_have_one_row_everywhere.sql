{{ config(tags=['sanity', 'accounts'], meta={'sanity_check': 2}) }}

-- States: every account that is not archived has one profile, one summary of
-- engagements, one score and one churn risk for today, and no other account has.
-- Matters: before anything is published; a join may have lost or duplicated an account.
-- To resolve: a relation whose count is not 1 has no row of the account, or several.
with expected as (
    select * from {{ ref('int_accounts') }}
    where not is_archived
),

rows_of_today as (
    select
        organization_id,
        account_id,
        'profiles' as found_in
    from {{ ref('int_account_profiles') }}

    union all

    select
        organization_id,
        account_id,
        'summaries' as found_in
    from {{ ref('int_account_engagement_summary') }}

    union all

    select
        scores.organization_id,
        scores.account_id,
        'scores' as found_in
    from {{ ref('int_account_health_scores') }} as scores
    inner join {{ ref('int_accounts_organizations') }} as organizations
        on
            scores.organization_id = organizations.organization_id
            and scores.score_date = organizations.today

    union all

    select
        churn_risk.organization_id,
        churn_risk.account_id,
        'churn risks' as found_in
    from {{ ref('int_account_churn_risk') }} as churn_risk
    inner join {{ ref('int_accounts_organizations') }} as organizations
        on
            churn_risk.organization_id = organizations.organization_id
            and churn_risk.score_date = organizations.today
),

counted as (
    select
        organization_id,
        account_id,
        count(*) filter (where found_in = 'profiles') as profiles_count,
        count(*) filter (where found_in = 'summaries') as summaries_count,
        count(*) filter (where found_in = 'scores') as scores_count,
        count(*) filter (where found_in = 'churn risks') as churn_risks_count
    from rows_of_today
    group by organization_id, account_id
)

select
    expected.account_id as expected_account_id,
    counted.*
from expected
full join counted
    on
        expected.organization_id = counted.organization_id
        and expected.account_id = counted.account_id
where
    expected.account_id is null
    or counted.account_id is null
    or counted.profiles_count != 1
    or counted.summaries_count != 1
    or counted.scores_count != 1
    or counted.churn_risks_count != 1
