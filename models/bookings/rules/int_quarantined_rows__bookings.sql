{%- set keys = {
    'locations': 'location_id',
    'customers': 'square_customer_id',
    'bookings': 'booking_id',
    'payments': 'payment_id',
    'referral_profiles': 'square_customer_id',
} -%}

with organizations as (
    select * from {{ ref('stg_bookings__organizations') }}
),

locations as (
    select * from {{ ref('stg_bookings__locations') }}
),

customers as (
    select * from {{ ref('stg_bookings__customers') }}
),

bookings as (
    select * from {{ ref('stg_bookings__bookings') }}
),

payments as (
    select * from {{ ref('stg_bookings__payments') }}
),

referral_profiles as (
    select * from {{ ref('stg_bookings__referral_profiles') }}
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
