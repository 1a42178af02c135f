{{ config(unique_key=['organization_id', 'location_id']) }}

{{ published_by(ref('bookings_publications')) }}
