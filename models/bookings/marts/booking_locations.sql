{{ config(unique_key=['organization_id', 'location_id']) }}

select * from {{ ref('int_booking_locations') }}
