{%- set keys = {
    'cases': 'case_id',
    'investigations': 'investigation_id',
    'campaigns': 'campaign_id',
    'campaign_assignments': 'assignment_id',
} -%}

with organizations as (
    select * from {{ ref('stg_usage__organizations') }}
),

cases as (
    select * from {{ ref('stg_usage__cases') }}
),

investigations as (
    select * from {{ ref('stg_usage__investigations') }}
),

campaigns as (
    select * from {{ ref('stg_usage__campaigns') }}
),

campaign_assignments as (
    select * from {{ ref('stg_usage__campaign_assignments') }}
),

final as (
    {%- for table, key in keys.items() %}

        {{ rows_left_out(
            table, key,
            'organizations', ['organization_id'], 'organization_id_unknown'
        ) }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select * from final
