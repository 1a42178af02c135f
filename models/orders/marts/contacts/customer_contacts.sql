{{ config(
    materialized='kept_table',
    schema='operations',
    unique_key=['tenant_id', 'customer_id', 'contact_id'],
    indexes=[{'columns': ['tenant_id', 'recorded_at']}],
    full_refresh=false,
    post_hook="{{ append_only(this) }}",
) }}

-- people and their tools write its rows: docs/contacts.md
select * from {{ this }}
