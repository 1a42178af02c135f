{{ config(materialized='view_in_place') }}

with rep_weeks as (
    select * from {{ ref('rep_weeks') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

sales_reps as (
    select * from {{ ref('sales_reps') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

outlook as (
    select * from {{ ref('customer_outlook') }}
),

-- an amount of several currencies means nothing. Worked out once, and not for each line
expected as materialized (
    select
        risk_status.tenant_id,
        risk_status.sales_rep_id,
        case
            when
                count(distinct coalesce(outlook.currency, '')) filter (
                    where outlook.expected_value_90d is not null
                ) <= 1
                then (sum(outlook.expected_value_90d) / 100)::numeric(18, 2)
        end as expected_amount_90d
    from risk_status
    inner join outlook
        on
            risk_status.tenant_id = outlook.tenant_id
            and risk_status.customer_id = outlook.customer_id
    group by risk_status.tenant_id, risk_status.sales_rep_id
),

final as (
    select
        this_week.tenant_id,
        tenants.tenant_slug,
        this_week.sales_rep_id,
        sales_reps.sales_rep_name,
        this_week.week_begins_on,
        this_week.active_count,
        this_week.target_count,
        this_week.prospect_count,
        this_week.healthy_count,
        this_week.at_risk_revenue_count,
        this_week.at_risk_cadence_count,
        this_week.dormant_count,
        this_week.risk_transitions_count,
        this_week.account_transitions_count,
        this_week.newly_late_count,
        this_week.newly_dormant_count,
        this_week.reactivated_count,
        this_week.newly_target_count,
        this_week.at_risk_amount,
        expected.expected_amount_90d,
        this_week.reactivation_rate,
        this_week.healthy_count
        - coalesce(week_before.healthy_count, 0) as healthy_count_change,
        this_week.at_risk_cadence_count
        - coalesce(week_before.at_risk_cadence_count, 0)
            as at_risk_cadence_count_change,
        this_week.dormant_count
        - coalesce(week_before.dormant_count, 0) as dormant_count_change,
        this_week.active_count
        - coalesce(week_before.active_count, 0) as active_count_change,
        this_week.newly_dormant_count
        - coalesce(week_before.newly_dormant_count, 0) as newly_dormant_count_change,
        this_week.reactivated_count
        - coalesce(week_before.reactivated_count, 0) as reactivated_count_change,
        (
            this_week.reactivation_rate - week_before.reactivation_rate
        )::numeric(5, 4) as reactivation_rate_change,
        (
            this_week.at_risk_amount - week_before.at_risk_amount
        )::numeric(18, 2) as at_risk_amount_change
    from rep_weeks as this_week
    inner join tenants
        on this_week.tenant_id = tenants.tenant_id
    -- a rep whose first customer is new has no week before
    left join rep_weeks as week_before
        on
            this_week.tenant_id = week_before.tenant_id
            and this_week.sales_rep_id is not distinct from week_before.sales_rep_id
            and this_week.week_begins_on = week_before.week_begins_on + 7
    left join expected
        on
            this_week.tenant_id = expected.tenant_id
            and this_week.sales_rep_id is not distinct from expected.sales_rep_id
    left join sales_reps
        on
            this_week.tenant_id = sales_reps.tenant_id
            and this_week.sales_rep_id = sales_reps.sales_rep_id
    where this_week.week_begins_on = date_trunc('week', tenants.today)::date - 7
)

select * from final
