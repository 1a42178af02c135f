{%- set keys = {
    'users': 'user_id',
    'feature_adoptions': 'feature_key',
    'support_tickets': 'ticket_id',
} -%}

with organizations as (
    select * from {{ ref('stg_usage__organizations') }}
),

work as (
    select * from {{ ref('int_quarantined_rows__usage_work') }}
),

users as (
    select * from {{ ref('stg_usage__users') }}
),

feature_adoptions as (
    select * from {{ ref('stg_usage__feature_adoptions') }}
),

support_tickets as (
    select * from {{ ref('stg_usage__support_tickets') }}
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

    select * from work

    {%- for table, key in keys.items() %}

        union all

        {{ rows_left_out(
            table, key,
            'organizations', ['organization_id'], 'organization_id_unknown'
        ) }}
    {%- endfor %}
),

final as (
    {{ quarantine_log('usage', 'judged') }}
)

select * from final
