{{ config(unique_key=['organization_id']) }}

{{ published_by(ref('bookings_publications')) }}
