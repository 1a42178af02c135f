{{ config(meta={'analyzed': ['organization_id', 'customer_number']}) }}

with cadence as (
    select * from {{ ref('int_booking_customers__cadence') }}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

dated as (
    select
        cadence.organization_id,
        cadence.customer_number,
        cadence.first_visit_on,
        cadence.came_back_on,
        organizations.today,
        cadence.first_visit_on + organizations.segment_new_days + 1 as new_until,
        cadence.last_visit_on + organizations.segment_active_days + 1 as active_until,
        cadence.last_visit_on + organizations.segment_at_risk_days + 1 as at_risk_until
    from cadence
    inner join organizations
        on cadence.organization_id = organizations.organization_id
),

judged as (
    select
        *,
        {{ customer_segment('today', 'new_until', 'active_until', 'at_risk_until') }}
            as customer_segment
    from dated
),

final as (
    select
        organization_id,
        customer_number,
        customer_segment,
        case
            when customer_segment = 'NEW' then first_visit_on
            when customer_segment = 'ACTIVE' then greatest(new_until, came_back_on)
            when customer_segment = 'AT_RISK' then greatest(new_until, active_until)
            else greatest(new_until, at_risk_until)
        end as segment_since,
        -- without another visit
        case
            when customer_segment = 'NEW'
                then
                    case
                        when new_until < active_until then 'ACTIVE'
                        when new_until < at_risk_until then 'AT_RISK'
                        else 'LOST'
                    end
            when customer_segment = 'ACTIVE' then 'AT_RISK'
            when customer_segment = 'AT_RISK' then 'LOST'
        end as next_segment,
        case
            when customer_segment = 'NEW' then new_until
            when customer_segment = 'ACTIVE' then active_until
            when customer_segment = 'AT_RISK' then at_risk_until
        end as next_segment_on
    from judged
)

select * from final
