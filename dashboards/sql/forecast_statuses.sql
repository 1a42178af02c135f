-- How many customers with each status ordered, and what that says about the status.
-- DORMANT means gone if the whole interval of the share is below a quarter. HEALTHY can
-- be counted on if the whole interval is three quarters or more. The others are
-- compared with HEALTHY.
with shares as (
    select
        *,
        max(ordered_share) filter (where risk_status = 'HEALTHY')
            over of_horizon as healthy_share,
        max(ordered_share_low) filter (where risk_status = 'HEALTHY')
            over of_horizon as healthy_low,
        positions_count - ordered_count as gone_count,
        sum(positions_count - ordered_count) over of_horizon as all_gone_count
    from analytics.risk_status_backtest_summary
    where tenant_id = %(tenant)s
    window of_horizon as (partition by horizon_days)
)

select
    risk_status as status,
    horizon_days,
    positions_count,
    customers_count,
    ordered_share as share,
    ordered_share_low as share_low,
    ordered_share_high as share_high,
    median_days_until_next_order as median_days,
    healthy_share as share_to_compare,
    -- which of all customers that did not order had the status
    (gone_count / nullif(all_gone_count, 0))::double precision as share_of_gone,
    case
        when ordered_share is null then 'TOO_FEW'
        when risk_status = 'DORMANT'
            then
                case
                    when ordered_share_high < 0.25 then 'YES'
                    when ordered_share_low >= 0.25 then 'NO'
                    else 'NOT_SURE'
                end
        when risk_status = 'HEALTHY'
            then
                case
                    when ordered_share_low >= 0.75 then 'YES'
                    when ordered_share_high < 0.75 then 'NO'
                    else 'NOT_SURE'
                end
        when ordered_share_high < healthy_low then 'YES'
        when healthy_low is not null then 'NO'
        else 'NOTHING_TO_COMPARE'
    end as verdict
from shares
order by horizon_days, risk_status
