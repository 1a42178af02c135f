{{ config(tags=['settings', 'sanity', 'usage'], meta={'sanity_check': 23}) }}

-- States: every version of the weights has the five components once, weights that sum
-- to exactly 1, targets above 0 and one date; every day has one version.
-- Matters: always; no score is computed with wrong weights.
-- To resolve: correct the row of seeds/tenant_health_weights.csv that the test names.
with weights as (
    select * from {{ ref('tenant_health_weights') }}
),

versions as (
    select
        weights_version,
        count(*) as components_count,
        count(distinct component) filter (
            where component in (
                'login', 'case_resolution', 'campaign_completion', 'feature_adoption',
                'support_tickets'
            )
        ) as known_count,
        sum(weight) as weight,
        min(valid_from) as valid_from,
        count(distinct valid_from) as dates_count
    from weights
    group by weights_version
),

problems as (
    select
        weights_version,
        'weights sum to ' || weight::text || ', must be 1' as problem
    from versions
    where weight is distinct from 1

    union all

    select
        weights_version,
        'must have each of the five components once' as problem
    from versions
    where components_count != 5 or known_count != 5

    union all

    select
        weights_version,
        'must have one valid_from' as problem
    from versions
    where dates_count != 1

    union all

    select
        max(weights_version) as weights_version,
        'valid_from ' || valid_from::text || ' must stand in one version' as problem
    from versions
    group by valid_from
    having count(*) > 1

    union all

    select
        min(weights_version) as weights_version,
        'the first valid_from must be 1970-01-01 or before' as problem
    from versions
    having coalesce(min(valid_from) > '1970-01-01', true)

    union all

    select
        weights_version,
        component || ': must have a weight from 0 to 1, a target over 0 up to 1,'
        || ' a score_without_data from 0 to 100, and points_per_ticket from 1 to 100'
        || ' for support_tickets only' as problem
    from weights
    where
        (
            weight between 0 and 1
            and target > 0
            and target <= 1
            and score_without_data between 0 and 100
            and (component = 'support_tickets') = (points_per_ticket is not null)
            and coalesce(points_per_ticket between 1 and 100, true)
        ) is not true
)

select * from problems
