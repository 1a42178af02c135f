{{ config(unique_key=['organization_id', 'location_id', 'date']) }}

select * from {{ ref('int_booking_location_days') }}
