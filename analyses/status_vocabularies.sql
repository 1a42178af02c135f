-- How often two vocabularies of docs/rules.md use which two words for the same customer
-- or organization: one row per pair of words.
--   dbt show --select status_vocabularies --limit 100
with risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

account_types as (
    select * from {{ ref('customer_account_types') }}
),

guests as (
    select * from {{ ref('customer_analytics') }}
),

tenants as (
    select * from {{ ref('tenant_latest_health') }}
),

-- two words for one customer of the orders system
customers as (
    select
        'customer' as subject,
        'risk_status' as one_vocabulary,
        coalesce(risk_status.risk_status, 'not assessed') as one_says,
        'account_type' as other_vocabulary,
        account_types.account_type as other_says,
        coalesce(
            -- late by its own cadence, although it ordered within half a year
            risk_status.risk_status = 'DORMANT'
            and account_types.account_type = 'ACTIVE'
            -- on time by a cadence of more than half a year
            or risk_status.risk_status in ('HEALTHY', 'AT_RISK_REVENUE')
            and account_types.account_type != 'ACTIVE',
            false
        ) as is_disagreement
    from account_types
    left join risk_status
        on
            account_types.tenant_id = risk_status.tenant_id
            and account_types.customer_id = risk_status.customer_id
),

-- one organization that takes bookings and uses the product: its guests, and itself
organizations as (
    select
        'organization' as subject,
        'customer_segment of most customers' as one_vocabulary,
        guests.customer_segment as one_says,
        'tenant risk_level' as other_vocabulary,
        tenants.risk_level as other_says,
        (guests.customer_segment in ('LOST', 'NEVER_VISITED'))
        != (tenants.risk_level = 'HIGH') as is_disagreement
    from (
        select
            organization_id,
            mode() within group (order by customer_segment) as customer_segment
        from guests
        group by organization_id
    ) as guests
    inner join tenants
        -- ids of two systems may have two types
        on guests.organization_id::text = tenants.organization_id::text
),

united as (
    select * from customers
    union all
    select * from organizations
)

select
    subject,
    one_vocabulary,
    one_says,
    other_vocabulary,
    other_says,
    is_disagreement,
    count(*) as subjects_count,
    round(100.0 * count(*) / sum(count(*)) over (partition by subject), 1) as share_pct
from united
group by
    subject, one_vocabulary, one_says, other_vocabulary, other_says, is_disagreement
order by subject asc, is_disagreement desc, subjects_count desc
