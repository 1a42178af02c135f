{{ config(materialized='view_in_place') }}

-- not materialized, so that the customers of one organization are found by the key
with customers as not materialized (
    select * from {{ ref('customer_analytics') }}
),

groups as (
    select * from {{ ref('rfm_groups') }}
),

ranked as (
    select
        organization_id,
        square_customer_id,
        last_visit_at,
        total_visits,
        total_revenue_cents,
        count(*) over (partition by organization_id) as visitors_count,
        percent_rank() over (
            partition by organization_id order by last_visit_at
        ) as recency_rank,
        percent_rank() over (
            partition by organization_id order by total_visits
        ) as frequency_rank,
        percent_rank() over (
            partition by organization_id order by total_revenue_cents
        ) as monetary_rank
    from customers
    where total_visits > 0
),

scored as (
    select
        *,
        least(1 + floor(5 * recency_rank), 5)::integer as recency_score,
        least(1 + floor(5 * frequency_rank), 5)::integer as frequency_score,
        least(1 + floor(5 * monetary_rank), 5)::integer as monetary_score
    from ranked
    where visitors_count >= {{ var('rfm_min_visitors') }}
),

final as (
    select
        customers.organization_id,
        customers.square_customer_id,
        scored.recency_score,
        scored.frequency_score,
        scored.monetary_score,
        groups.rfm_group,
        round(scored.monetary_rank::numeric, 4)::numeric(5, 4)
            as revenue_percentile_rate
    from customers
    left join scored
        on
            customers.organization_id = scored.organization_id
            and customers.square_customer_id = scored.square_customer_id
    left join groups
        on
            scored.recency_score = groups.recency_score
            -- rounded half up
            and (scored.frequency_score + scored.monetary_score + 1) / 2
            = groups.value_score
)

select * from final
