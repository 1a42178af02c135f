{{ config(
    unique_key=['organization_id', 'square_customer_id', 'booking_id'],
    meta={'published': {'scope': 'int_booking_customers__scope'}},
) }}

{{ published_by(ref('bookings_publications')) }}
