-- Keys that have changed since the last refresh, from triggers or, without triggers,
-- from updated_at. Organizations and locations are few, so they are compared with the
-- marts.
with moved_organizations as (
    select * from {{ ref('int_booking_organizations__moved') }}
),

moved_locations as (
    select * from {{ ref('int_booking_locations__moved') }}
),

profiles as (
    select * from {{ ref('stg_bookings__customers') }}
),

-- each use reads the rows that updated_at shows, by an index if there is one
bookings as not materialized (
    select * from {{ ref('stg_bookings__bookings') }}
),

payments as (
    select * from {{ ref('stg_bookings__payments') }}
),

referral_profiles as (
    select * from {{ ref('stg_bookings__referral_profiles') }}
),

claimed as (
    select * from {{ changed_keys() }} as noticed
    where
        system = 'bookings'
        and claimed_by = '{{ var("run_id") }}'
),

customer_rows as (
    select
        organization_id,
        square_customer_id,
        updated_at
    from profiles

    union all

    select
        organization_id,
        square_customer_id,
        updated_at
    from bookings

    union all

    select
        organization_id,
        square_customer_id,
        updated_at
    from payments

    union all

    select
        organization_id,
        square_customer_id,
        updated_at
    from referral_profiles
),

united as (
    select
        kind,
        tenant::{{ var('bookings_organization_id_type') }} as organization_id,
        case when kind = 'customer' then key::{{ var('bookings_customer_id_type') }} end
            as square_customer_id,
        case
            when kind in ('location', 'location_day')
                then key::{{ var('bookings_location_id_type') }}
        end as location_id,
        starts_at,
        not is_deleted as may_be_unknown
    from claimed

    union all

    select
        'tenant' as kind,
        organization_id,
        null as square_customer_id,
        null as location_id,
        null as starts_at,
        false as may_be_unknown
    from moved_organizations

    union all

    select
        'location' as kind,
        organization_id,
        null as square_customer_id,
        location_id,
        null as starts_at,
        false as may_be_unknown
    from moved_locations

    union all

    select
        'location_day' as kind,
        organization_id,
        null as square_customer_id,
        location_id,
        start_at as starts_at,
        false as may_be_unknown
    from bookings
    where updated_at >= {{ changed_since('bookings') }}

    union all

    select
        'customer' as kind,
        organization_id,
        square_customer_id,
        null as location_id,
        null as starts_at,
        false as may_be_unknown
    from customer_rows
    where updated_at >= {{ changed_since('bookings') }}
),

final as (
    select
        kind,
        organization_id,
        square_customer_id,
        location_id,
        starts_at,
        bool_and(may_be_unknown) as may_be_unknown
    from united
    where
        organization_id is not null
        and (square_customer_id is not null or kind != 'customer')
        and (location_id is not null or kind not in ('location', 'location_day'))
        -- an invalid booking has no date
        and (
            kind != 'location_day'
            or (
                starts_at >= timestamptz '{{ var("earliest_timestamp") }}'
                and starts_at < timestamptz '{{ var("latest_timestamp") }}'
            )
        )
    group by
        kind,
        organization_id,
        square_customer_id,
        location_id,
        starts_at
)

select * from final
