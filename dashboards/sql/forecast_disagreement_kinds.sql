-- What came of customers on whom status and forecast disagreed, and whom to believe:
-- the forecast where surely at least half ordered of those that it called likely, or
-- surely less than half of those that it called unlikely; the status where it is the
-- other way round.
select
    disagreement,
    customers_count,
    ordered_share as share,
    ordered_share_low as share_low,
    ordered_share_high as share_high,
    case
        when ordered_share is null then 'TOO_FEW'
        when disagreement = 'UNLIKELY_THOUGH_ON_TIME'
            then
                case
                    when ordered_share_high < 0.5 then 'FORECAST'
                    when ordered_share_low >= 0.5 then 'STATUS'
                    else 'NOT_SURE'
                end
        when ordered_share_low >= 0.5 then 'FORECAST'
        when ordered_share_high < 0.5 then 'STATUS'
        else 'NOT_SURE'
    end as verdict
from analytics.status_disagreement_backtest
where tenant_id = %(tenant)s
