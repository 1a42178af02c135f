{{ config(
    unique_key=['organization_id', 'location_id', 'date'],
    meta={
        'scope': 'int_booking_location_days__scope',
        'scope_key': ['organization_id', 'location_id', 'date'],
    },
) }}

select * from {{ ref('int_booking_location_days') }}
