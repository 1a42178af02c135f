{{ config(tags=['sanity'], meta={'sanity_check': 21}) }}

-- States: no order dated after as_of affects a status, and every row's valid_until is
-- after as_of.
-- Matters: before anything is published; the answer for a past day must not change
-- later.
-- To resolve: a model of the orders system does not compare with as_of.
with tenants as (
    select * from {{ ref('int_tenants') }}
),

statuses as (
    select
        tenant_id,
        customer_id,
        last_order_date,
        reactivated_date,
        dormancy_since,
        null::timestamptz as last_ordered_at,
        valid_until
    from {{ ref('int_customers__risk_status') }}

    union all

    select
        tenant_id,
        customer_id,
        null as last_order_date,
        null as reactivated_date,
        null as dormancy_since,
        last_ordered_at,
        valid_until
    from {{ ref('int_customers__account_type') }}
)

select statuses.*
from statuses
inner join tenants
    on statuses.tenant_id = tenants.tenant_id
where
    greatest(
        statuses.last_order_date, statuses.reactivated_date, statuses.dormancy_since
    ) > tenants.today
    or statuses.last_ordered_at > {{ as_of() }}
    or statuses.valid_until <= {{ as_of() }}
