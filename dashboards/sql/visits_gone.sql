-- What became of LOST customers, split by whether they had been LOST for less than the
-- limit: see forecast_gone.
with positions as (
    select
        segments.square_customer_id,
        organizations.segment_at_risk_days,
        segments.days_since_last_visit <= 2 * organizations.segment_at_risk_days
            as is_recent,
        count(*) as positions_count,
        count(*) filter (where segments.days_until_next_visit <= 90) as visited_count
    from analytics.customer_segment_positions as segments
    inner join analytics.booking_organizations as organizations
        on segments.organization_id = organizations.organization_id
    where
        segments.organization_id = %(organization)s
        and segments.customer_segment = 'LOST'
    group by
        segments.square_customer_id,
        organizations.segment_at_risk_days,
        is_recent
),

shares as (
    select
        segment_at_risk_days as recent_days,
        (
            sum(visited_count) filter (where is_recent)
            / sum(positions_count) filter (where is_recent)
        )::double precision as recent_share,
        (
            sum(visited_count) filter (where not is_recent)
            / sum(positions_count) filter (where not is_recent)
        )::double precision as other_share,
        -- a customer has one row in each part
        least(
            count(*) filter (where is_recent), count(*) filter (where not is_recent)
        ) as customers_count
    from positions
    group by segment_at_risk_days
)

select
    shares.recent_days,
    shares.recent_share,
    shares.other_share,
    shares.recent_share >= 0.25 and shares.other_share < 0.25 as is_recent_first
from shares
inner join analytics.visit_backtest_periods as periods
    on shares.customers_count >= periods.min_customers
where periods.organization_id = %(organization)s
