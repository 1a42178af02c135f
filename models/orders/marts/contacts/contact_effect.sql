{{ config(materialized='view_in_place') }}

with positions as (
    select * from {{ ref('contact_effect_positions') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

sales_reps as (
    select * from {{ ref('sales_reps') }}
),

observed as (
    select
        positions.*,
        horizons.horizon_days,
        coalesce(positions.days_until_next_order <= horizons.horizon_days, false)
            as has_ordered
    from positions
    inner join (values (14), (30)) as horizons (horizon_days)
        on positions.observed_days >= horizons.horizon_days
),

by_customer as (
    select
        tenant_id,
        customer_id,
        comparison,
        bucket,
        horizon_days,
        count(*) filter (where is_treated) as treated_positions,
        count(*) filter (where not is_treated) as others_positions,
        count(*) filter (where is_treated and has_ordered) as treated_ordered,
        count(*) filter (where not is_treated and has_ordered) as others_ordered
    from observed
    group by tenant_id, customer_id, comparison, bucket, horizon_days
),

-- for the tenant, and for the rep who looks after the customer
told_of as (
    select
        by_customer.*,
        owners.sales_rep_id
    from by_customer
    left join risk_status
        on
            by_customer.tenant_id = risk_status.tenant_id
            and by_customer.customer_id = risk_status.customer_id
    cross join
        lateral (
            values
            (true, null::{{ var('orders_sales_rep_id_type') }}),
            (false, risk_status.sales_rep_id)
        ) as owners (is_tenant, sales_rep_id)
    where owners.is_tenant or owners.sales_rep_id is not null
),

in_buckets as (
    select
        *,
        sum(treated_positions) over by_bucket as bucket_treated,
        sum(others_positions) over by_bucket as bucket_others
    from told_of
    window
        by_bucket as (
            partition by tenant_id, sales_rep_id, comparison, horizon_days, bucket
        )
),

-- Cochran-Mantel-Haenszel weights; buckets with only one of the groups say nothing
weighed as (
    select
        *,
        (bucket_treated * bucket_others / (bucket_treated + bucket_others))
        ::double precision as weight
    from in_buckets
    where bucket_treated > 0 and bucket_others > 0
),

-- a customer may be in several buckets, on different days
parts as (
    select
        tenant_id,
        sales_rep_id,
        comparison,
        horizon_days,
        customer_id,
        sum(weight * treated_positions / bucket_treated) as treated_part,
        sum(weight * others_positions / bucket_others) as others_part,
        sum(weight * treated_ordered / bucket_treated) as treated_ordered,
        sum(weight * others_ordered / bucket_others) as others_ordered
    from weighed
    group by tenant_id, sales_rep_id, comparison, horizon_days, customer_id
),

summed as (
    select
        tenant_id,
        sales_rep_id,
        comparison,
        horizon_days,
        count(nullif(treated_part, 0)) as treated_customers,
        count(nullif(others_part, 0)) as others_customers,
        -- so with too few customers no share is told
        case
            when
                least(count(nullif(treated_part, 0)), count(nullif(others_part, 0)))
                >= {{ var('backtest_min_customers') }}
                then sum(treated_part)
        end as total_weight,
        sum(treated_ordered) as treated_weight,
        sum(others_ordered) as others_weight,
        sum(treated_part ^ 2) as treated_square,
        sum(others_part ^ 2) as others_square
    from parts
    group by tenant_id, sales_rep_id, comparison, horizon_days
),

-- trials: how many customers of equal weight would carry as much information
shares as (
    select
        *,
        treated_weight / total_weight as treated_share,
        others_weight / total_weight as others_share,
        total_weight ^ 2 / treated_square as treated_trials,
        total_weight ^ 2 / others_square as others_trials
    from summed
),

final as (
    select
        shares.tenant_id,
        tenants.tenant_slug,
        shares.sales_rep_id,
        sales_reps.sales_rep_name,
        shares.comparison,
        shares.horizon_days,
        shares.treated_customers,
        shares.others_customers,
        shares.treated_share,
        shares.others_share,
        shares.treated_share - shares.others_share as difference,
        {{ newcombe('shares.treated', 'shares.others', '-') }} as difference_low,
        {{ newcombe('shares.treated', 'shares.others', '+') }} as difference_high
    from shares
    inner join tenants
        on shares.tenant_id = tenants.tenant_id
    left join sales_reps
        on
            shares.tenant_id = sales_reps.tenant_id
            and shares.sales_rep_id = sales_reps.sales_rep_id
)

select * from final
