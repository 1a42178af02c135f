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
    meta={
        'scope': 'int_booking_customers__scope',
        'scope_key': ['organization_id', 'square_customer_id'],
        'stamps': {
            'inserted': 'created_at',
            'changed': 'updated_at',
            'written': 'refreshed_at',
        },
        'not_business': ['valid_until', 'source_updated_at'],
    },
) }}

select * from {{ ref('int_customer_analytics') }}
