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

-- by name: a view that has grown has its new columns last
final as (
    select
        kind,
        subject_kind,
        tenant_id,
        tenant_slug,
        subject,
        is_on,
        message,
        details
    from customers

    union all

    select
        kind,
        subject_kind,
        tenant_id,
        tenant_slug,
        subject,
        is_on,
        message,
        details
    from tenants

    union all

    select
        kind,
        subject_kind,
        tenant_id,
        tenant_slug,
        subject,
        is_on,
        message,
        details
    from organizations

    union all

    select
        kind,
        subject_kind,
        tenant_id,
        tenant_slug,
        subject,
        is_on,
        message,
        details
    from accounts
)

select * from final
