{%- set keys = {
    'locations': 'location_id',
    'customers': 'square_customer_id',
    'bookings': 'booking_id',
    'payments': 'payment_id',
    'referral_profiles': 'square_customer_id',
} -%}
{%- set customer = ['organization_id', 'square_customer_id'] -%}

-- depends_on: {{ ref('int_booking_location_days__scope') }}
-- A refresh of some customers and dates lists the rows of theirs that it leaves out,
-- and those of the tables that it reads completely.
with organizations as (
    select * from {{ ref('stg_bookings__organizations') }}
),

locations as (
    select * from {{ ref('stg_bookings__locations') }}
),

customers as (
    select given.* from {{ ref('stg_bookings__customers') }} as given
    {{ in_scope('given', ref('int_booking_customers__scope'), customer) }}
),

-- rows without a customer, on the dates that are recomputed; dates overlap
walk_ins as (
    {%- if var('refresh_scope') == 'changed' %}
        select distinct bookings.*
        from {{ ref('int_booking_location_days__scope') }} as scope
        cross join lateral (
            select bookings.*
            from {{ ref('stg_bookings__bookings') }} as bookings
            where
                scope.organization_id = bookings.organization_id
                and scope.location_id = bookings.location_id
                and scope.earliest_start_at <= bookings.start_at
                and scope.latest_start_at > bookings.start_at
                and bookings.square_customer_id is null
            -- a fence, as for their figures
            {{ fence() }}
        ) as bookings
    {%- else %}
        select * from {{ ref('stg_bookings__bookings') }}
        where false
    {%- endif %}
),

bookings as (
    select given.* from {{ ref('stg_bookings__bookings') }} as given
    {{ in_scope('given', ref('int_booking_customers__scope'), customer) }}

    union all

    select * from walk_ins
),

payments as (
    select given.* from {{ ref('stg_bookings__payments') }} as given
    {{ in_scope('given', ref('int_booking_customers__scope'), customer) }}
),

referral_profiles as (
    select given.* from {{ ref('stg_bookings__referral_profiles') }} as given
    {{ in_scope('given', ref('int_booking_customers__scope'), customer) }}
),

judged as (
    select
        'organizations' as "table",
        organization_id::text as key,
        organization_id::text as tenant,
        quarantine_reason as reason
    from organizations
    where not is_valid

    {%- for table, key in keys.items() %}

        union all

        {{ rows_left_out(
            table, key,
            'organizations', ['organization_id'], 'organization_id_unknown'
        ) }}
    {%- endfor %}
),

final as (
    {{ quarantine_log('bookings', 'judged') }}
)

select * from final
