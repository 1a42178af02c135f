-- Predicted and actual: how many customers were expected to visit, and how many did.
select
    horizon_days,
    band,
    positions_count,
    customers_count,
    mean_p_visit as told,
    visited_share as share,
    visited_share_low as share_low,
    visited_share_high as share_high,
    case
        when mean_p_visit > visited_share_high then 'TOO_MUCH'
        when mean_p_visit < visited_share_low then 'TOO_LITTLE'
        else 'RIGHT'
    end as verdict,
    abs(mean_p_visit - visited_share) as off_by,
    sum(mean_p_visit * positions_count) over of_horizon
    / sum(positions_count) over of_horizon as all_told_share,
    (
        sum(visited_count) over of_horizon / sum(positions_count) over of_horizon
    )::double precision as all_seen_share
from analytics.visit_model_calibration
where organization_id = %(organization)s
window of_horizon as (partition by horizon_days)
order by horizon_days, band
