{%- set keys = {
    'locations': 'location_id',
    'customers': 'square_customer_id',
    'bookings': 'booking_id',
    'payments': 'payment_id',
    'referral_profiles': 'square_customer_id',
} -%}

with organizations as (
    select * from {{ ref('stg_booking__organizations') }}
),

locations as (
    select * from {{ ref('stg_booking__locations') }}
),

customers as (
    select * from {{ ref('stg_booking__customers') }}
),

bookings as (
    select * from {{ ref('stg_booking__bookings') }}
),

payments as (
    select * from {{ ref('stg_booking__payments') }}
),

referral_profiles as (
    select * from {{ ref('stg_booking__referral_profiles') }}
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

        select
            '{{ table }}' as "table",
            {{ table }}.{{ key }}::text as key,
            {{ table }}.organization_id::text as tenant,
            coalesce({{ table }}.quarantine_reason, 'organization_id_unknown') as reason
        from {{ table }}
        left join organizations
            on
                {{ table }}.organization_id = organizations.organization_id
                and organizations.is_valid
        where
            not {{ table }}.is_valid
            or organizations.organization_id is null
    {%- endfor %}
),

final as (
    select
        'bookings' as system,
        "table",
        coalesce(key, '') as key,
        coalesce(tenant, '') as tenant,
        reason,
        count(*) as rows_count,
        {{ as_of() }} as first_seen_at
    from judged
    -- found by the nightly refresh only, which reads all rows
    where '{{ var("refresh_scope") }}' = 'all'
    group by "table", key, tenant, reason
)

select * from final
