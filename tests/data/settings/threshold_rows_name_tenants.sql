{{ config(severity='warn') }}

-- States: every row of the seed risk_thresholds is the default or that of a tenant.
-- Matters: a misspelt slug leaves the tenant with the defaults.
-- To resolve: correct the slug in seeds/risk_thresholds.csv, or delete the row.
with thresholds as (
    select * from {{ ref('risk_thresholds') }}
),

tenants as (
    select * from {{ ref('stg_commerce__tenants') }}
)

select thresholds.tenant_slug
from thresholds
left join tenants
    on thresholds.tenant_slug = tenants.tenant_slug
where
    thresholds.tenant_slug != 'default'
    and tenants.tenant_slug is null
