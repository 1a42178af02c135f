-- How many customers in each segment visited, and what that says about the segment: see
-- forecast_statuses. LOST is judged like DORMANT, ACTIVE and NEW like HEALTHY; AT_RISK
-- is compared with ACTIVE.
with shares as (
    select
        *,
        max(visited_share) filter (where customer_segment = 'ACTIVE')
            over of_horizon as active_share,
        max(visited_share_low) filter (where customer_segment = 'ACTIVE')
            over of_horizon as active_low,
        positions_count - visited_count as gone_count,
        sum(positions_count - visited_count) over of_horizon as all_gone_count
    from analytics.customer_segment_backtest_summary
    where organization_id = %(organization)s
    window of_horizon as (partition by horizon_days)
)

select
    customer_segment as status,
    horizon_days,
    positions_count,
    customers_count,
    visited_share as share,
    visited_share_low as share_low,
    visited_share_high as share_high,
    median_days_until_next_visit as median_days,
    active_share as share_to_compare,
    -- which of all customers that did not visit were in the segment
    (gone_count / nullif(all_gone_count, 0))::double precision as share_of_gone,
    case
        when visited_share is null then 'TOO_FEW'
        when customer_segment = 'LOST'
            then
                case
                    when visited_share_high < 0.25 then 'YES'
                    when visited_share_low >= 0.25 then 'NO'
                    else 'NOT_SURE'
                end
        when customer_segment in ('ACTIVE', 'NEW')
            then
                case
                    when visited_share_low >= 0.75 then 'YES'
                    when visited_share_high < 0.75 then 'NO'
                    else 'NOT_SURE'
                end
        when visited_share_high < active_low then 'YES'
        when active_low is not null then 'NO'
        else 'NOTHING_TO_COMPARE'
    end as verdict
from shares
order by horizon_days, customer_segment
