{{ config(materialized='publication') }}

{{ publish('bookings', {
    'booking_organizations': ref('int_booking_organizations'),
    'booking_locations': ref('int_booking_locations'),
    'customer_analytics': ref('int_customer_analytics'),
    'customer_visits': ref('int_booking_customers__visits'),
    'customer_visit_days': ref('int_booking_customers__visit_days'),
    'customer_recent_bookings': ref('int_booking_customers__recent'),
    'booking_location_days': ref('int_booking_location_days'),
    'bookings_quarantined_rows': ref('int_quarantined_rows__bookings'),
}, after=[ref('int_booking_totals'), ref('int_unknown_keys__bookings')]) }}
