with organizations as (
    select * from {{ ref('booking_organizations') }}
),

analytics as (
    select * from {{ ref('customer_analytics') }}
),

-- without updated_at, which follows every login and counter
given_organizations as (
    select
        organization_id,
        organization_slug,
        organization_name,
        time_zone,
        is_active,
        quarantine_reason
    from {{ ref('stg_bookings__organizations') }}
),

given_locations as (
    select
        organization_id,
        location_id,
        location_name,
        time_zone,
        quarantine_reason
    from {{ ref('stg_bookings__locations') }}
),

given_customers as (
    select * from {{ ref('stg_bookings__customers') }}
),

given_bookings as (
    select * from {{ ref('stg_bookings__bookings') }}
),

given_payments as (
    select * from {{ ref('stg_bookings__payments') }}
),

given_referral_profiles as (
    select * from {{ ref('stg_bookings__referral_profiles') }}
),

final as (
    select
        'figures of customers change with time' as reason,
        'time' as known_by,
        min(valid_until) as since,
        null as fingerprint
    from analytics

    union all

    select
        'a day begins' as reason,
        'time' as known_by,
        min({{ local_midnight('(today + 1)', 'time_zone') }}) as since,
        null as fingerprint
    from organizations

    union all

    -- small tables that every refresh reads completely
    select
        'organizations have changed' as reason,
        'rows' as known_by,
        null as since,
        {{ fingerprint_of_rows('given_organizations') }} as fingerprint
    from given_organizations

    union all

    select
        'locations have changed' as reason,
        'rows' as known_by,
        null as since,
        {{ fingerprint_of_rows('given_locations') }} as fingerprint
    from given_locations

    union all

    select
        'customers have changed' as reason,
        'updated_at' as known_by,
        max(updated_at) as since,
        null as fingerprint
    from given_customers

    union all

    select
        'bookings have changed' as reason,
        'updated_at' as known_by,
        max(updated_at) as since,
        null as fingerprint
    from given_bookings

    union all

    select
        'payments have changed' as reason,
        'updated_at' as known_by,
        max(updated_at) as since,
        null as fingerprint
    from given_payments

    union all

    select
        'referral profiles have changed' as reason,
        'updated_at' as known_by,
        max(updated_at) as since,
        null as fingerprint
    from given_referral_profiles
)

select * from final
