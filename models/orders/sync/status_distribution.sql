-- Customers by status, in the operational table and in the marts.
{%- set columns = status_columns() %}
-- depends_on: {{ ref('written_columns') }}
with statuses as (
    select * from {{ ref('stg_orders__customer_statuses') }}
),

account_types as (
    select * from {{ ref('customer_account_types') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

compared as (
    select
        account_types.tenant_id,
        comparison.status_kind,
        comparison.status,
        comparison.is_current
    from account_types
    inner join statuses
        on
            account_types.tenant_id = statuses.tenant_id
            and account_types.customer_id = statuses.customer_id
    left join risk_status
        on
            account_types.tenant_id = risk_status.tenant_id
            and account_types.customer_id = risk_status.customer_id
    cross join lateral (
        values
        (
            'account_type',
            {{ in_type_of_marts('statuses.account_type', columns) }},
            true
        ),
        ('account_type', account_types.account_type, false),
        (
            'risk_status',
            {{ in_type_of_marts('statuses.risk_status', columns) }},
            true
        ),
        ('risk_status', risk_status.risk_status, false)
    ) as comparison (status_kind, status, is_current)
),

counted as (
    select
        tenant_id,
        status_kind,
        status,
        count(*) filter (where is_current) as current_count,
        count(*) filter (where not is_current) as expected_count
    from compared
    group by tenant_id, status_kind, status
),

totals as (
    select
        *,
        sum(expected_count)
            over (partition by tenant_id, status_kind)
            as customers_count
    from counted
),

final as (
    select
        totals.tenant_id,
        tenants.tenant_slug,
        totals.status_kind,
        totals.status,
        totals.current_count,
        {{ percentage('totals.current_count', 'totals.customers_count') }}
            as current_pct,
        totals.expected_count,
        {{ percentage('totals.expected_count', 'totals.customers_count') }}
            as expected_pct
    from totals
    inner join tenants
        on totals.tenant_id = tenants.tenant_id
)

select * from final
