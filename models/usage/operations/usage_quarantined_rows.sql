{{ config(
    materialized='published_table',
    unique_key=['table', 'key', 'tenant', 'reason'],
    meta={'stamps': {'inserted': 'first_seen_at'}, 'is_nightly_only': true},
) }}

select * from {{ ref('int_quarantined_rows__usage') }}
