{{ config(materialized='view_in_place') }}

with rep_weeks as (
    select * from {{ ref('rep_weeks') }}
),

-- a rep whose first customer is new has no week before
compared as (
    select
        *,
        coalesce(lag(healthy_count) over by_week, 0) as healthy_count_before,
        coalesce(lag(at_risk_cadence_count) over by_week, 0)
            as at_risk_cadence_count_before,
        coalesce(lag(dormant_count) over by_week, 0) as dormant_count_before,
        coalesce(lag(active_count) over by_week, 0) as active_count_before,
        coalesce(lag(newly_dormant_count) over by_week, 0)
            as newly_dormant_count_before,
        coalesce(lag(reactivated_count) over by_week, 0) as reactivated_count_before,
        lag(reactivation_rate) over by_week as reactivation_rate_before,
        lag(at_risk_amount) over by_week as at_risk_amount_before
    from rep_weeks
    window by_week as (partition by tenant_id, sales_rep_id order by week_begins_on)
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
        this_week.healthy_count - this_week.healthy_count_before
            as healthy_count_change,
        this_week.at_risk_cadence_count - this_week.at_risk_cadence_count_before
            as at_risk_cadence_count_change,
        this_week.dormant_count - this_week.dormant_count_before
            as dormant_count_change,
        this_week.active_count - this_week.active_count_before as active_count_change,
        this_week.newly_dormant_count - this_week.newly_dormant_count_before
            as newly_dormant_count_change,
        this_week.reactivated_count - this_week.reactivated_count_before
            as reactivated_count_change,
        (
            this_week.reactivation_rate - this_week.reactivation_rate_before
        )::numeric(5, 4) as reactivation_rate_change,
        (
            this_week.at_risk_amount - this_week.at_risk_amount_before
        )::numeric(18, 2) as at_risk_amount_change
    from compared as this_week
    inner join tenants
        on this_week.tenant_id = tenants.tenant_id
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
