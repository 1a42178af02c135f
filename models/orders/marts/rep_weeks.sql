{{ config(materialized='view_in_place') }}

-- The two last complete weeks, for weekly_summary: a filter on the histories.
with tenants as (
    select * from {{ ref('tenants') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

risk_history as (
    select * from {{ ref('customer_risk_status_history') }}
),

account_types as (
    select * from {{ ref('customer_account_types') }}
),

account_history as (
    select * from {{ ref('customer_account_type_history') }}
),

weeks as (
    select
        tenants.tenant_id,
        date_trunc('week', tenants.today)::date - back.days as week_begins_on,
        date_trunc('week', tenants.today)::date - back.days + 6 as week_ends_on
    from tenants
    cross join (values (7), (14)) as back (days)
),

-- each customer's step at the end of the week, and the steps that began in it
risk_steps as (
    select
        weeks.tenant_id,
        weeks.week_begins_on,
        risk_status.sales_rep_id,
        'risk_status' as status_kind,
        steps.status,
        steps.previous_status,
        coalesce(steps.valid_to > weeks.week_ends_on, true) as is_at_end,
        steps.valid_from >= weeks.week_begins_on as is_new,
        risk_status.revenue_at_risk,
        risk_status.currency
    from weeks
    inner join risk_history as steps
        on
            weeks.tenant_id = steps.tenant_id
            and weeks.week_ends_on >= steps.valid_from
            and coalesce(weeks.week_begins_on <= steps.valid_to, true)
    inner join risk_status
        on
            steps.tenant_id = risk_status.tenant_id
            and steps.customer_id = risk_status.customer_id
),

account_steps as (
    select
        weeks.tenant_id,
        weeks.week_begins_on,
        account_types.sales_rep_id,
        'account_type' as status_kind,
        steps.status,
        steps.previous_status,
        coalesce(steps.valid_to > weeks.week_ends_on, true) as is_at_end,
        steps.valid_from >= weeks.week_begins_on as is_new,
        null::numeric as revenue_at_risk,
        null as currency
    from weeks
    inner join account_history as steps
        on
            weeks.tenant_id = steps.tenant_id
            and weeks.week_ends_on >= steps.valid_from
            and coalesce(weeks.week_begins_on <= steps.valid_to, true)
    inner join account_types
        on
            steps.tenant_id = account_types.tenant_id
            and steps.customer_id = account_types.customer_id
),

steps as (
    select
        *,
        is_at_end and status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE') as is_at_risk
    from risk_steps
    union all
    select
        *,
        false as is_at_risk
    from account_steps
),

counted as (
    select
        tenant_id,
        sales_rep_id,
        week_begins_on,
        count(*) filter (where is_at_end and status = 'ACTIVE') as active_count,
        count(*) filter (where is_at_end and status = 'TARGET') as target_count,
        count(*) filter (where is_at_end and status = 'PROSPECT') as prospect_count,
        count(*) filter (where is_at_end and status = 'HEALTHY') as healthy_count,
        count(*) filter (where is_at_end and status = 'AT_RISK_REVENUE')
            as at_risk_revenue_count,
        count(*) filter (where is_at_end and status = 'AT_RISK_CADENCE')
            as at_risk_cadence_count,
        count(*) filter (where is_at_end and status = 'DORMANT') as dormant_count,
        count(*) filter (where is_new and status_kind = 'risk_status')
            as risk_transitions_count,
        count(*) filter (where is_new and status_kind = 'account_type')
            as account_transitions_count,
        count(*) filter (where is_new and status = 'AT_RISK_CADENCE')
            as newly_late_count,
        count(*) filter (where is_new and status = 'DORMANT') as newly_dormant_count,
        count(*) filter (where is_new and previous_status = 'DORMANT')
            as reactivated_count,
        count(*) filter (where status = 'DORMANT') as were_dormant_count,
        count(*) filter (where is_new and status = 'TARGET') as newly_target_count,
        case
            when
                count(distinct coalesce(currency, '')) filter (
                    where is_at_risk and revenue_at_risk is not null
                ) <= 1
                then
                    coalesce(sum(revenue_at_risk) filter (where is_at_risk), 0)
                    ::numeric(18, 2)
        end as at_risk_amount
    from steps
    group by tenant_id, sales_rep_id, week_begins_on
),

final as (
    select
        counted.*,
        round(
            counted.reactivated_count::numeric
            / nullif(counted.were_dormant_count, 0), 4
        )::numeric(5, 4) as reactivation_rate
    from counted
)

select * from final
