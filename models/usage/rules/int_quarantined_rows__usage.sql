{%- set keys = {
    'users': 'user_id',
    'cases': 'case_id',
    'investigations': 'investigation_id',
    'campaigns': 'campaign_id',
    'campaign_assignments': 'assignment_id',
    'feature_adoptions': 'feature_key',
    'support_tickets': 'ticket_id',
} -%}

with organizations as (
    select * from {{ ref('stg_usage__organizations') }}
),

{% for table in keys %}
    {{ table }} as (
        select * from {{ ref('stg_usage__' ~ table) }}
    ),

{% endfor %}
judged as (
    select
        'organizations' as "table",
        organization_id::text as key,
        organization_id::text as tenant,
        quarantine_reason as reason
    from organizations
    where not is_valid
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
