-- Predicted and actual: how many customers were expected to order, and how many did.
select
    horizon_days,
    band,
    positions_count,
    customers_count,
    mean_p_order as told,
    ordered_share as share,
    ordered_share_low as share_low,
    ordered_share_high as share_high,
    case
        when mean_p_order > ordered_share_high then 'TOO_MUCH'
        when mean_p_order < ordered_share_low then 'TOO_LITTLE'
        else 'RIGHT'
    end as verdict,
    abs(mean_p_order - ordered_share) as off_by,
    sum(mean_p_order * positions_count) over of_horizon
    / sum(positions_count) over of_horizon as all_told_share,
    (
        sum(ordered_count) over of_horizon / sum(positions_count) over of_horizon
    )::double precision as all_seen_share
from analytics.order_model_calibration
where tenant_id = %(tenant)s
window of_horizon as (partition by horizon_days)
order by horizon_days, band
