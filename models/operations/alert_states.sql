{{ config(materialized='view_in_place') }}

with customers as (
    select * from {{ ref('customer_alert_states') }}
),

tenants as (
    select * from {{ ref('tenant_alert_states') }}
),

sources as (
    select * from {{ ref('source_alert_states') }}
),

final as (
    select * from customers
    union all
    select * from tenants
    union all
    select * from sources
)

select * from final
