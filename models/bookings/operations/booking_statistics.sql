with organizations as (
    select * from {{ ref('booking_organizations') }}
),

customers as (
    select * from {{ ref('customer_analytics') }}
),

counted as (
    select
        organization_id,
        count(*) as customers_count,
        count(*) filter (where customer_segment = 'NEW') as new_count,
        count(*) filter (where customer_segment = 'ACTIVE') as active_count,
        count(*) filter (where customer_segment = 'AT_RISK') as at_risk_count,
        count(*) filter (where customer_segment = 'LOST') as lost_count,
        count(*) filter (where customer_segment = 'NEVER_VISITED')
            as never_visited_count,
        coalesce(sum(upcoming_bookings), 0)::bigint as upcoming_bookings
    from customers
    group by organization_id
),

final as (
    select
        organizations.organization_id,
        organizations.organization_slug,
        coalesce(counted.customers_count, 0) as customers_count,
        coalesce(counted.new_count, 0) as new_count,
        coalesce(counted.active_count, 0) as active_count,
        coalesce(counted.at_risk_count, 0) as at_risk_count,
        coalesce(counted.lost_count, 0) as lost_count,
        coalesce(counted.never_visited_count, 0) as never_visited_count,
        coalesce(counted.upcoming_bookings, 0) as upcoming_bookings
    from organizations
    left join counted
        on organizations.organization_id = counted.organization_id
)

select * from final
