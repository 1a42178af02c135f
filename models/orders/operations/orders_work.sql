with tenants as (
    select * from {{ ref('tenants') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

account_types as (
    select * from {{ ref('customer_account_types') }}
),

-- without updated_at, which follows every login and counter
given_tenants as (
    select
        tenant_id,
        tenant_slug,
        tenant_name,
        time_zone,
        is_active,
        quarantine_reason
    from {{ ref('stg_orders__tenants') }}
),

given_sales_reps as (
    select
        tenant_id,
        sales_rep_id,
        sales_rep_name,
        sales_rep_email,
        is_active,
        quarantine_reason
    from {{ ref('stg_orders__sales_reps') }}
),

given_customers as (
    select * from {{ ref('stg_orders__customers') }}
),

given_orders as (
    select * from {{ ref('stg_orders__orders') }}
),

final as (
    select
        'risk statuses change with time' as reason,
        'time' as known_by,
        min(valid_until) as since,
        null as fingerprint
    from risk_status

    union all

    select
        'account types change with time' as reason,
        'time' as known_by,
        min(valid_until) as since,
        null as fingerprint
    from account_types

    union all

    select
        'a day begins' as reason,
        'time' as known_by,
        min({{ local_midnight('(today + 1)', 'time_zone') }}) as since,
        null as fingerprint
    from tenants

    union all

    -- small tables that every refresh reads completely
    select
        'tenants have changed' as reason,
        'rows' as known_by,
        null as since,
        {{ fingerprint_of_rows('given_tenants') }} as fingerprint
    from given_tenants

    union all

    select
        'sales reps have changed' as reason,
        'rows' as known_by,
        null as since,
        {{ fingerprint_of_rows('given_sales_reps') }} as fingerprint
    from given_sales_reps

    union all

    select
        'customers have changed' as reason,
        'updated_at' as known_by,
        max(updated_at) as since,
        null as fingerprint
    from given_customers

    union all

    select
        'orders have changed' as reason,
        'updated_at' as known_by,
        max(updated_at) as since,
        null as fingerprint
    from given_orders
)

select * from final
