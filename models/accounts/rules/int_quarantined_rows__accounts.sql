{%- set keys = {
    'engagements': 'engagement_id',
    'health_metrics': 'metric_id',
    'customer_goals': 'goal_id',
    'support_tickets': 'ticket_id',
    'invoices': 'invoice_id',
} -%}

with organizations as not materialized (
    select * from {{ ref('stg_accounts__organizations') }}
),

accounts as not materialized (
    select * from {{ ref('stg_accounts__accounts') }}
),

engagements as (
    select * from {{ ref('stg_accounts__engagements') }}
),

health_metrics as (
    select * from {{ ref('stg_accounts__health_metrics') }}
),

customer_goals as (
    select * from {{ ref('stg_accounts__customer_goals') }}
),

support_tickets as (
    select * from {{ ref('stg_accounts__support_tickets') }}
),

invoices as (
    select * from {{ ref('stg_accounts__invoices') }}
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

    {{ rows_left_out(
        'accounts', 'account_id',
        'organizations', ['organization_id'], 'organization_id_unknown'
    ) }}

    {%- for table, key in keys.items() %}

        union all

        -- what belongs to an account that is left out is left out with it
        {{ rows_left_out(
            table, key,
            'accounts', ['organization_id', 'account_id'], 'account_id_unknown'
        ) }}
    {%- endfor %}
),

final as (
    {{ quarantine_log('accounts', 'judged') }}
)

select * from final
