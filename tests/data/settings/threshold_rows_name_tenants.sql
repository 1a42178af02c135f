{{ config(severity='warn') }}

-- States: every row of the seed risk_thresholds is `default` or names a tenant or an
-- organization.
-- Matters: a misspelled slug leaves the tenant with the defaults.
-- To resolve: correct the slug in seeds/risk_thresholds.csv, or delete the row.
with thresholds as (
    select * from {{ ref('int_risk_thresholds') }}
),

tenants as (
    select tenant_slug from {{ ref('stg_orders__tenants') }}
    union all
    select organization_slug as tenant_slug
    from {{ ref("stg_bookings__organizations") }}
)

select thresholds.tenant_slug
from thresholds
left join tenants
    on thresholds.tenant_slug = tenants.tenant_slug
where
    thresholds.tenant_slug != 'default'
    and tenants.tenant_slug is null
