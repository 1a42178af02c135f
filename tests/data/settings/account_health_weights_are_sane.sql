{{ config(tags=['settings', 'sanity', 'accounts'], meta={'sanity_check': 23}) }}

-- States: every version of the weights has the four components once, weights that sum
-- to exactly 1 and one date; every day has one version; every sub-score has one
-- scale with two different ends, and every outcome one score.
-- Matters: always; no score is computed with wrong weights.
-- To resolve: correct the row of seeds/account_health_weights.csv,
-- account_health_scales.csv or account_outcome_scores.csv that the test names.
with weights as (
    select * from {{ ref('account_health_weights') }}
),

scales as (
    select * from {{ ref('account_health_scales') }}
),

outcomes as (
    select * from {{ ref('account_outcome_scores') }}
),

versions as (
    select
        version,
        count(*) as components_count,
        count(distinct component) filter (
            where component in ('usage', 'support', 'engagement', 'business')
        ) as known_count,
        sum(weight) as weight,
        min(weight) as least_weight,
        min(valid_from) as valid_from,
        count(distinct valid_from) as dates_count
    from weights
    group by version
),

seeds as (
    select
        'scale' as kind,
        sub_score as row_name
    from scales

    union all

    select
        'outcome' as kind,
        outcome as row_name
    from outcomes
),

wanted as (
    select * from (
        values
        ('scale', 'logins'),
        ('scale', 'feature_adoption'),
        ('scale', 'training'),
        ('scale', 'tickets'),
        ('scale', 'severity'),
        ('scale', 'hours_to_resolve'),
        ('scale', 'satisfaction'),
        ('scale', 'completed'),
        ('scale', 'outcomes'),
        ('scale', 'attendees'),
        ('scale', 'arr_rank'),
        ('scale', 'days_to_renewal'),
        ('scale', 'paid_on_time'),
        ('outcome', 'positive'),
        ('outcome', 'neutral'),
        ('outcome', 'action_required'),
        ('outcome', 'negative')
    ) as listed (kind, row_name)
),

problems as (
    select 'version ' || version::text || ': weights sum to ' || weight::text as problem
    from versions
    where
        weight is distinct from 1
        or least_weight < 0

    union all

    select
        'version ' || version::text || ': not each of the four components once'
            as problem
    from versions
    where
        components_count != 4
        or known_count != 4

    union all

    select 'version ' || version::text || ': not one valid_from' as problem
    from versions
    where dates_count != 1

    union all

    select 'valid_from ' || valid_from::text || ': in several versions' as problem
    from versions
    group by valid_from
    having count(*) > 1

    union all

    select 'the first valid_from is after 1970-01-01' as problem
    from versions
    having coalesce(min(valid_from) > '1970-01-01', true)

    union all

    select 'scale ' || sub_score || ': zero_at is full_at, or one is missing' as problem
    from scales
    where (zero_at != full_at) is not true

    union all

    select
        format(
            '%s %s: %s rows instead of %s',
            coalesce(wanted.kind, seeds.kind),
            coalesce(wanted.row_name, seeds.row_name),
            count(seeds.row_name),
            count(distinct wanted.row_name)
        ) as problem
    from wanted
    full outer join seeds
        on
            wanted.kind = seeds.kind
            and wanted.row_name = seeds.row_name
    group by
        coalesce(wanted.kind, seeds.kind), coalesce(wanted.row_name, seeds.row_name)
    having count(seeds.row_name) != count(distinct wanted.row_name)

    union all

    select 'outcome ' || outcome || ': no score from 0 to 100' as problem
    from outcomes
    where (score between 0 and 100) is not true
)

select * from problems
