{{ config(tags=['sanity'], meta={'sanity_check': 15}) }}

-- States: in the histories of risk statuses and account types every step ends where the
-- next one begins, with another status, and only the last one is open.
-- Matters: before anything is published; the status of any day is one step.
-- To resolve: see int_customers__risk_history and int_customers__account_history.
with steps as (
    select
        'risk_status' as status_kind,
        tenant_id,
        customer_id,
        status,
        valid_from,
        valid_to
    from {{ ref('int_customers__risk_history') }}

    union all

    select
        'account_type' as status_kind,
        tenant_id,
        customer_id,
        status,
        valid_from,
        valid_to
    from {{ ref('int_customers__account_history') }}
),

followed as (
    select
        *,
        lead(valid_from) over each_history as next_from,
        lead(status) over each_history as next_status
    from steps
    window
        each_history as (
            partition by tenant_id, customer_id, status_kind order by valid_from
        )
)

select *
from followed
where
    valid_to is distinct from next_from
    or status = next_status
    or valid_to <= valid_from
