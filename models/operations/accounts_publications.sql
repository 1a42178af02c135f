{{ config(materialized='publication', tags=['accounts']) }}

{{ publish('accounts', [
    ref('success_organizations'),
    ref('accounts_quarantined_rows'),
], is_daily=true) }}
