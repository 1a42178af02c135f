{%- set keys = {
    'cases': 'case_id',
    'investigations': 'investigation_id',
    'campaigns': 'campaign_id',
    'campaign_assignments': 'assignment_id',
} -%}

with organizations as (
    select * from {{ ref('stg_platform__organizations') }}
),

cases as (
    select * from {{ ref('stg_platform__cases') }}
),

investigations as (
    select * from {{ ref('stg_platform__investigations') }}
),

campaigns as (
    select * from {{ ref('stg_platform__campaigns') }}
),

campaign_assignments as (
    select * from {{ ref('stg_platform__campaign_assignments') }}
),

final as (
    {%- for table, key in keys.items() %}

        select
            '{{ table }}' as "table",
            {{ table }}.{{ key }}::text as key,
            {{ table }}.organization_id::text as tenant,
            coalesce({{ table }}.quarantine_reason, 'organization_id_unknown') as reason
        from {{ table }}
        left join organizations
            on
                {{ table }}.organization_id = organizations.organization_id
                and organizations.is_valid
        where
            not {{ table }}.is_valid
            or organizations.organization_id is null
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select * from final
