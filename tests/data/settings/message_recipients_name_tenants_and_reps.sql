{{ config(severity='warn') }}

-- States: every row of the seed of recipients names an existing tenant or organization
-- and one of its sales reps, or says default.
-- Matters: a row with a misspelled slug or rep sends nothing.
-- To resolve: correct the row of input_shared__message_recipients, or delete it.
with named as (
    select * from {{ ref('int_message_recipients') }}
),

recipients as (
    select * from {{ ref('recipients') }}
),

tenants as (
    select tenant_slug from {{ ref('tenants') }}
    union all
    select organization_slug as tenant_slug from {{ ref('platform_organizations') }}
    union all
    select organization_slug as tenant_slug from {{ ref('success_organizations') }}
)

select
    named.tenant_slug,
    named.sales_rep_id
from named
where
    named.tenant_slug != 'default'
    and (
        not exists (
            select from tenants
            where named.tenant_slug = tenants.tenant_slug
        )
        or (
            named.sales_rep_id != 'default'
            and not exists (
                select from recipients
                where
                    named.tenant_slug = recipients.tenant_slug
                    and named.sales_rep_id = recipients.sales_rep_id
            )
        )
    )
