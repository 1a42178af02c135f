{{ config(
    unique_key=['organization_id', 'location_id', 'date'],
    meta={'published': {'scope': 'int_booking_location_days__scope'}},
) }}

{{ published_by(ref('bookings_publications')) }}
