{{ config(materialized='view_in_place') }}

with customers as (
    select * from {{ ref('customer_alert_states') }}
),

tenants as (
    select * from {{ ref('tenant_alert_states') }}
),

organizations as (
    select * from {{ ref('organization_alert_states') }}
),

accounts as (
    select * from {{ ref('account_alert_states') }}
),

final as (
    select * from customers
    union all
    select * from tenants
    union all
    select * from organizations
    union all
    select * from accounts
)

select * from final
