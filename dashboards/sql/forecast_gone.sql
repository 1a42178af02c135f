-- What became of DORMANT customers, split by whether they had been DORMANT for less
-- than the dormant limit: many of the recent ones may come back even if few do overall.
-- No row if either part is too small.
with positions as (
    select
        risk_status.customer_id,
        tenants.dormant_days,
        risk_status.days_past_expected < 2 * tenants.dormant_days as is_recent,
        count(*) as positions_count,
        count(*) filter (where risk_status.days_until_next_order <= 90) as ordered_count
    from analytics.risk_status_positions as risk_status
    inner join analytics.tenants
        on risk_status.tenant_id = tenants.tenant_id
    where
        risk_status.tenant_id = %(tenant)s
        and risk_status.risk_status = 'DORMANT'
    group by risk_status.customer_id, tenants.dormant_days, is_recent
),

shares as (
    select
        dormant_days as recent_days,
        (
            sum(ordered_count) filter (where is_recent)
            / sum(positions_count) filter (where is_recent)
        )::double precision as recent_share,
        (
            sum(ordered_count) filter (where not is_recent)
            / sum(positions_count) filter (where not is_recent)
        )::double precision as other_share,
        -- a customer has one row in each part
        least(
            count(*) filter (where is_recent), count(*) filter (where not is_recent)
        ) as customers_count
    from positions
    group by dormant_days
)

select
    shares.recent_days,
    shares.recent_share,
    shares.other_share,
    shares.recent_share >= 0.25 and shares.other_share < 0.25 as is_recent_first
from shares
inner join analytics.backtest_periods as periods
    on shares.customers_count >= periods.min_customers
where periods.tenant_id = %(tenant)s
