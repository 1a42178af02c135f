{{ config(unique_key=['organization_id']) }}

select * from {{ ref('int_booking_organizations') }}
