{{ config(
    unique_key=['organization_id', 'square_customer_id'],
    indexes=[
        {'columns': ['organization_id', 'customer_segment']},
        {'columns': ['organization_id', 'first_booking_at']},
        {'columns': ['organization_id', 'last_booking_at']},
        {'columns': [
            'organization_id', 'first_booking_location_id', 'first_booking_date'
        ]},
        {'columns': ['is_referrer']},
        {'columns': ['valid_until']},
        {'columns': ['booking_notes'], 'type': 'gin'},
    ],
    meta={'published': {
        'scope': 'int_booking_customers__scope',
        'stamps': {
            'inserted': 'created_at',
            'changed': 'updated_at',
            'written': 'refreshed_at',
            'unchanged_by': ['valid_until', 'source_updated_at'],
        },
    }},
) }}

{{ published_by(ref('bookings_publications')) }}
