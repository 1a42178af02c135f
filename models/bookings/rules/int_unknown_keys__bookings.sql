-- Keys that triggers recorded but that exist neither in an input nor, until this
-- refresh, in a mart. Each is looked up individually through an index, because there
-- are usually few.
with noted as (
    select * from {{ ref('int_changed_keys__bookings') }}
),

organizations as (
    select * from {{ ref('stg_bookings__organizations') }}
),

locations as (
    select * from {{ ref('stg_bookings__locations') }}
),

profiles as (
    select * from {{ ref('stg_bookings__customers') }}
),

bookings as not materialized (
    select * from {{ ref('stg_bookings__bookings') }}
),

payments as (
    select * from {{ ref('stg_bookings__payments') }}
),

referral_profiles as (
    select * from {{ ref('stg_bookings__referral_profiles') }}
),

published_organizations as (
    select * from {{ as_before_refresh('booking_organizations') }} as published
),

analytics as (
    select * from {{ as_before_refresh('customer_analytics') }} as published
),

published_locations as (
    select * from {{ as_before_refresh('booking_locations') }} as published
),

location_days as (
    select * from {{ as_before_refresh('booking_location_days') }} as published
),

final as (
    select
        noted.kind,
        noted.organization_id,
        noted.square_customer_id,
        noted.location_id
    from noted
    where
        noted.may_be_unknown
        and case
            when noted.kind = 'customer'
                then coalesce(
                    (
                        select false from profiles
                        where
                            noted.organization_id = profiles.organization_id
                            and noted.square_customer_id = profiles.square_customer_id
                        limit 1
                    ),
                    (
                        select false from bookings
                        where
                            noted.organization_id = bookings.organization_id
                            and noted.square_customer_id = bookings.square_customer_id
                        limit 1
                    ),
                    (
                        select false from analytics
                        where
                            noted.organization_id = analytics.organization_id
                            and noted.square_customer_id = analytics.square_customer_id
                        limit 1
                    ),
                    (
                        select false from payments
                        where
                            noted.organization_id = payments.organization_id
                            and noted.square_customer_id = payments.square_customer_id
                        limit 1
                    ),
                    (
                        select false from referral_profiles
                        where
                            noted.organization_id = referral_profiles.organization_id
                            and noted.square_customer_id
                            = referral_profiles.square_customer_id
                        limit 1
                    ),
                    true
                )
            when noted.kind in ('location', 'location_day')
                then coalesce(
                    (
                        select false from locations
                        where
                            noted.organization_id = locations.organization_id
                            and noted.location_id = locations.location_id
                        limit 1
                    ),
                    (
                        select false from published_locations
                        where
                            noted.organization_id = published_locations.organization_id
                            and noted.location_id = published_locations.location_id
                        limit 1
                    ),
                    (
                        select false from location_days
                        where
                            noted.organization_id = location_days.organization_id
                            and noted.location_id = location_days.location_id
                        limit 1
                    ),
                    (
                        select false from bookings
                        where
                            noted.organization_id = bookings.organization_id
                            and noted.location_id = bookings.location_id
                        limit 1
                    ),
                    true
                )
            else coalesce(
                (
                    select false from organizations
                    where noted.organization_id = organizations.organization_id
                    limit 1
                ),
                (
                    select false from published_organizations
                    where
                        noted.organization_id
                        = published_organizations.organization_id
                    limit 1
                ),
                true
            )
        end
)

select * from final
