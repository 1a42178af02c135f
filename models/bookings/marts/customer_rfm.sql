{{ config(materialized='view_in_place') }}

with customers as (
    select * from {{ ref('customer_analytics') }}
),

groups as (
    select * from {{ ref('rfm_groups') }}
),

-- visitors are ranked among themselves, and so are customers without visits, who get
-- no scores: one pass, in which those of one organization are found by the key
ranked as (
    select
        organization_id,
        square_customer_id,
        total_visits > 0
        and count(*) over visitors >= {{ var('rfm_min_visitors') }} as is_scored,
        percent_rank() over (visitors order by last_visit_at) as recency_rank,
        percent_rank() over (visitors order by total_visits) as frequency_rank,
        percent_rank() over (visitors order by total_revenue_cents) as monetary_rank
    from customers
    window visitors as (partition by organization_id, total_visits > 0)
),

scored as (
    select
        organization_id,
        square_customer_id,
        case when is_scored then least(1 + floor(5 * recency_rank), 5)::integer end
            as recency_score,
        case when is_scored then least(1 + floor(5 * frequency_rank), 5)::integer end
            as frequency_score,
        case when is_scored then least(1 + floor(5 * monetary_rank), 5)::integer end
            as monetary_score,
        case when is_scored then round(monetary_rank::numeric, 4) end
            as revenue_percentile_rate
    from ranked
),

final as (
    select
        scored.organization_id,
        scored.square_customer_id,
        scored.recency_score,
        scored.frequency_score,
        scored.monetary_score,
        groups.rfm_group,
        scored.revenue_percentile_rate::numeric(5, 4) as revenue_percentile_rate
    from scored
    left join groups
        on
            scored.recency_score = groups.recency_score
            -- rounded half up
            and (scored.frequency_score + scored.monetary_score + 1) / 2
            = groups.value_score
)

select * from final
