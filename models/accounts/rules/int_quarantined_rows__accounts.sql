{%- set keys = {
    'engagements': 'engagement_id',
    'health_metrics': 'metric_id',
    'customer_goals': 'goal_id',
    'support_tickets': 'ticket_id',
    'invoices': 'invoice_id',
} -%}

-- A refresh of one organization lists the rows that it leaves out of this organization.
with organizations as not materialized (
    select * from {{ ref('stg_accounts__organizations') }}
),

accounts as not materialized (
    select given.* from {{ ref('stg_accounts__accounts') }} as given
    {{ in_scope('given', ref('int_accounts_organizations'), ['organization_id']) }}
),

engagements as (
    select given.* from {{ ref('stg_accounts__engagements') }} as given
    {{ in_scope('given', ref('int_accounts_organizations'), ['organization_id']) }}
),

health_metrics as (
    select given.* from {{ ref('stg_accounts__health_metrics') }} as given
    {{ in_scope('given', ref('int_accounts_organizations'), ['organization_id']) }}
),

customer_goals as not materialized (
    select given.* from {{ ref('stg_accounts__customer_goals') }} as given
    {{ in_scope('given', ref('int_accounts_organizations'), ['organization_id']) }}
),

support_tickets as (
    select given.* from {{ ref('stg_accounts__support_tickets') }} as given
    {{ in_scope('given', ref('int_accounts_organizations'), ['organization_id']) }}
),

invoices as (
    select given.* from {{ ref('stg_accounts__invoices') }} as given
    {{ in_scope('given', ref('int_accounts_organizations'), ['organization_id']) }}
),

judged as (
    select
        'organizations' as "table",
        organization_id::text as key,
        organization_id::text as tenant,
        quarantine_reason as reason
    from organizations
    where
        not is_valid
        and {{ is_asked_for('organization_slug') }}

    union all

    {{ rows_left_out(
        'accounts', 'account_id',
        'organizations', ['organization_id'], 'organization_id_unknown'
    ) }}

    {%- for table, key in keys.items() %}

        union all

        -- rows of an account that is left out are left out, too
        {{ rows_left_out(
            table, key,
            'accounts', ['organization_id', 'account_id'], 'account_id_unknown'
        ) }}
    {%- endfor %}
),

kept as (
    {{ rows_that_lost_dates(
        'accounts', 'account_id', 'organizations', ['organization_id']
    ) }}

    union all

    {{ rows_that_lost_dates(
        'customer_goals', 'goal_id', 'accounts', ['organization_id', 'account_id']
    ) }}
),

final as (
    {{ quarantine_log('accounts', 'judged', 'kept') }}
)

select * from final
