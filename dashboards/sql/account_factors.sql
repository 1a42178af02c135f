-- What reduces one account's score from 100, the largest loss first.
select
    factors.component,
    factors.sub_score,
    factors.score,
    -- rounded half away from zero, which Python does not do
    round(factors.points_lost, 1) as points_lost,
    100 - sum(factors.points_lost) over (
        order by factors.points_lost desc, factors.sub_score asc
    ) as points_left
from analytics.account_profiles as profiles
inner join analytics.account_health_factors as factors
    on
        profiles.organization_id = factors.organization_id
        and profiles.account_id = factors.account_id
        and profiles.score_date = factors.score_date
where
    profiles.organization_id = %(organization)s
    and profiles.account_id = %(account)s
    -- the weight of what was not measured goes to the rest
    and factors.score is not null
order by factors.points_lost desc, factors.sub_score asc
