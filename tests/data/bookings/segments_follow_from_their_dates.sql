{{ config(tags=['sanity'], meta={'sanity_check': 4}) }}

-- States: every customer's segment follows from its visits and thresholds.
-- Matters: before anything is published; people act on segments.
-- To resolve: the rule was changed in one place only; see
-- int_booking_customers__segment.
with customers as (
    select * from {{ ref('int_customer_analytics') }}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

silences as (
    select
        customers.organization_id,
        customers.square_customer_id,
        customers.customer_segment,
        organizations.segment_new_days,
        organizations.segment_active_days,
        organizations.segment_at_risk_days,
        organizations.today
        - {{ local_date('customers.first_visit_at', 'organizations.time_zone') }}
            as days_since_first_visit,
        organizations.today
        - {{ local_date('customers.last_visit_at', 'organizations.time_zone') }}
            as days_since_last_visit
    from customers
    inner join organizations
        on customers.organization_id = organizations.organization_id
)

select *
from silences
where
    customer_segment is distinct from case
        when days_since_first_visit is null then 'NEVER_VISITED'
        when days_since_first_visit <= segment_new_days then 'NEW'
        when days_since_last_visit <= segment_active_days then 'ACTIVE'
        when days_since_last_visit <= segment_at_risk_days then 'AT_RISK'
        else 'LOST'
    end
