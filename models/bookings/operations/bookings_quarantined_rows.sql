{{ config(
    materialized='published_table',
    unique_key=['table', 'key', 'tenant', 'reason'],
    meta={'published': {
        'grows_until_nightly': true,
        'stamps': {'inserted': 'first_seen_at'},
    }},
) }}

{{ published_by(ref('bookings_publications')) }}
