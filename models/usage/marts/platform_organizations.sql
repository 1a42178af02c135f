{{ config(
    unique_key=['organization_id'],
    meta={
        'scope': 'int_usage_organizations',
        'scope_key': ['organization_id'],
    },
) }}

select
    organization_id,
    organization_slug,
    organization_name,
    time_zone,
    as_of,
    today
from {{ ref('int_usage_organizations') }}
