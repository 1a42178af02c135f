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

-- for the tenant, and for the rep who looks after the customer
told_of as (
    select
        positions.*,
        owners.sales_rep_id
    from positions
    left join risk_status
        on
            positions.tenant_id = risk_status.tenant_id
            and positions.customer_id = risk_status.customer_id
    cross join
        lateral (
            values
            (true, null::{{ var('orders_sales_rep_id_type') }}),
            (false, risk_status.sales_rep_id)
        ) as owners (is_tenant, sales_rep_id)
    where owners.is_tenant or owners.sales_rep_id is not null
),

by_customer as (
    select
        told_of.tenant_id,
        told_of.sales_rep_id,
        told_of.comparison,
        horizons.horizon_days,
        told_of.lateness,
        told_of.outlook,
        told_of.customer_id,
        count(*) filter (where told_of.is_treated) as treated_positions,
        count(*) filter (where not told_of.is_treated) as others_positions,
        count(*) filter (
            where told_of.is_treated
            and told_of.days_until_next_order <= horizons.horizon_days
        ) as treated_ordered,
        count(*) filter (
            where not told_of.is_treated
            and told_of.days_until_next_order <= horizons.horizon_days
        ) as others_ordered
    from told_of
    inner join (values (14), (30)) as horizons (horizon_days)
        on told_of.observed_days >= horizons.horizon_days
    group by
        told_of.tenant_id,
        told_of.sales_rep_id,
        told_of.comparison,
        horizons.horizon_days,
        told_of.lateness,
        told_of.outlook,
        told_of.customer_id
),

in_buckets as (
    select
        *,
        sum(treated_positions) over by_bucket as bucket_treated,
        sum(others_positions) over by_bucket as bucket_others,
        count(*) filter (where treated_positions > 0) over by_bucket
            as bucket_treated_customers,
        count(*) filter (where others_positions > 0) over by_bucket
            as bucket_others_customers
    from by_customer
    window
        by_bucket as (
            partition by
                tenant_id, sales_rep_id, comparison, horizon_days, lateness, outlook
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

summed as (
    select
        tenant_id,
        sales_rep_id,
        comparison,
        horizon_days,
        count(distinct customer_id) filter (where treated_positions > 0)
            as treated_customers,
        count(distinct customer_id) filter (where others_positions > 0)
            as others_customers,
        sum(weight * treated_positions / bucket_treated) as total_weight,
        sum(weight * treated_ordered / bucket_treated) as treated_weight,
        sum(weight * others_ordered / bucket_others) as others_weight,
        sum((weight / bucket_treated_customers) ^ 2) filter (
            where treated_positions > 0
        ) as treated_square,
        sum((weight / bucket_others_customers) ^ 2) filter (
            where others_positions > 0
        ) as others_square,
        least(
            count(distinct customer_id) filter (where treated_positions > 0),
            count(distinct customer_id) filter (where others_positions > 0)
        ) >= {{ var('backtest_min_customers') }} as has_enough
    from weighed
    group by tenant_id, sales_rep_id, comparison, horizon_days
),

-- trials: customers of one bucket that would carry as much information
shares as (
    select
        *,
        case when has_enough then treated_weight / total_weight end as treated_share,
        case when has_enough then others_weight / total_weight end as others_share,
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
