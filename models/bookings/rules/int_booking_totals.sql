-- depends_on: {{ ref('int_customer_analytics') }}
-- depends_on: {{ ref('int_booking_location_days') }}
with before as (
    select * from {{ ref('int_booking_totals__before') }}
),

after as (
    {{ booking_totals() }}
),

-- if the application wrote while the refresh was reading, the next refresh checks these
written_to as (
    select coalesce(before.organization_id, after.organization_id) as organization_id
    from before
    full join after
        on
            before.organization_id = after.organization_id
            and before.has_customer = after.has_customer
            and before.figure = after.figure
    where before.total is distinct from after.total
),

final as (
    select
        organization_id,
        has_customer,
        figure,
        total
    from after
    where
        organization_id not in (select written_to.organization_id from written_to)
)

select * from final
