{{ config(materialized='view_in_place') }}

with profiles as (
    select * from {{ ref('account_profiles') }}
),

distributions as (
    select * from {{ ref('account_distributions') }}
),

final as (
    select
        profiles.organization_id,
        profiles.account_id,
        distributions.dimension,
        distributions.bucket,
        distributions.peers_count,
        profiles.health_score,
        distributions.health_score_q1,
        distributions.health_score_median,
        distributions.health_score_q3,
        case
            when distributions.health_score_median is null then null
            when profiles.health_score >= distributions.health_score_q3 then 4
            when profiles.health_score >= distributions.health_score_median then 3
            when profiles.health_score >= distributions.health_score_q1 then 2
            when profiles.health_score is not null then 1
        end as health_quartile
    from profiles
    inner join distributions
        on
            profiles.organization_id = distributions.organization_id
            and distributions.bucket = case
                when distributions.dimension = 'organization' then 'all'
                when distributions.dimension = 'industry'
                    then coalesce(profiles.industry, 'not given')
                else coalesce(profiles.account_size, 'not given')
            end
)

select * from final
