{%- set keys = {
    'engagements': 'engagement_id',
    'health_metrics': 'metric_id',
    'customer_goals': 'goal_id',
    'support_tickets': 'ticket_id',
    'invoices': 'invoice_id',
} -%}

with organizations as not materialized (
    select * from {{ ref('stg_success__organizations') }}
),

accounts as not materialized (
    select * from {{ ref('stg_success__accounts') }}
),

engagements as (
    select * from {{ ref('stg_success__engagements') }}
),

health_metrics as (
    select * from {{ ref('stg_success__health_metrics') }}
),

customer_goals as (
    select * from {{ ref('stg_success__customer_goals') }}
),

support_tickets as (
    select * from {{ ref('stg_success__support_tickets') }}
),

invoices as (
    select * from {{ ref('stg_success__invoices') }}
),

judged as (
    select
        'organizations' as "table",
        organization_id::text as key,
        organization_id::text as tenant,
        quarantine_reason as reason
    from organizations
    where not is_valid

    union all

    select
        'accounts' as "table",
        accounts.account_id::text as key,
        accounts.organization_id::text as tenant,
        coalesce(accounts.quarantine_reason, 'organization_id_unknown') as reason
    from accounts
    left join organizations
        on
            accounts.organization_id = organizations.organization_id
            and organizations.is_valid
    where
        not accounts.is_valid
        or organizations.organization_id is null

    {%- for table, key in keys.items() %}

        union all

        -- what belongs to an account that is left out is left out with it
        select
            '{{ table }}' as "table",
            {{ table }}.{{ key }}::text as key,
            {{ table }}.organization_id::text as tenant,
            coalesce({{ table }}.quarantine_reason, 'account_id_unknown') as reason
        from {{ table }}
        left join accounts
            on
                {{ table }}.organization_id = accounts.organization_id
                and {{ table }}.account_id = accounts.account_id
                and accounts.is_valid
        where
            not {{ table }}.is_valid
            or accounts.account_id is null
    {%- endfor %}
),

final as (
    select
        'accounts' as system,
        "table",
        coalesce(key, '') as key,
        coalesce(tenant, '') as tenant,
        reason,
        count(*) as rows_count,
        {{ as_of() }} as first_seen_at
    from judged
    -- found by the nightly refresh only, which reads all rows
    where '{{ var("refresh_scope") }}' = 'all'
    group by "table", key, tenant, reason
)

select * from final
