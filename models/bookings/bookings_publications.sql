{{ config(materialized='publication') }}

-- depends_on: {{ ref('int_booking_totals') }}
{{ publish('bookings', [
    ref('booking_organizations'),
    ref('booking_locations'),
    ref('customer_analytics'),
    ref('customer_recent_bookings'),
    ref('booking_location_days'),
    ref('bookings_quarantined_rows'),
]) }}
