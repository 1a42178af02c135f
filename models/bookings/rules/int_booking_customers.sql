{{ config(meta={
    'analyzed': ['organization_id', 'square_customer_id', 'customer_number'],
}) }}

with scope as (
    select * from {{ ref('int_booking_customers__scope') }}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

profiles as (
    select * from {{ ref('stg_bookings__customers') }}
),

final as (
    select
        scope.organization_id,
        scope.square_customer_id,
        -- a short key, by which rows sort and hash faster
        row_number() over (
            partition by scope.organization_id order by scope.square_customer_id
        )::integer as customer_number,
        {{ trimmed('profiles.given_name') }} as given_name,
        {{ trimmed('profiles.family_name') }} as family_name,
        lower({{ trimmed('profiles.email_address') }}) as email_address,
        {{ trimmed('profiles.phone_number') }} as phone_number,
        profiles.created_at as profile_created_at,
        profiles.acquisition_source,
        profiles.square_customer_id is not null as has_profile,
        profiles.updated_at as profile_updated_at,
        organizations.time_zone,
        organizations.today
    from scope
    inner join organizations
        on scope.organization_id = organizations.organization_id
    left join profiles
        on
            scope.organization_id = profiles.organization_id
            and scope.square_customer_id = profiles.square_customer_id
            and profiles.is_valid
    where scope.is_seen
)

select * from final
