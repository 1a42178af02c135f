{{ config(
    unique_key=['organization_id'],
    meta={
        'scope': 'int_accounts_organizations',
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
from {{ ref('int_accounts_organizations') }}
