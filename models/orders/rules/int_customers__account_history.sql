{{ config(meta={'analyzed': ['tenant_id', 'customer_id', 'valid_from']}) }}

with customers as (
    select * from {{ ref('int_customers') }}
),

tenants as not materialized (
    select * from {{ ref('int_tenants') }}
),

pauses as not materialized (
    select * from {{ ref('int_order_pauses') }}
),

expected_transitions as (
    select * from {{ ref('account_type_transitions') }}
),

known as (
    select
        customers.tenant_id,
        customers.customer_id,
        latest.first_ordered_on,
        -- from the day the customer was created, or its first order or today if that is
        -- earlier
        least(
            coalesce(
                customers.created_on,
                latest.first_ordered_on,
                date '{{ (var("earliest_timestamp") | string)[:10] }}'
            ),
            latest.first_ordered_on,
            tenants.today
        ) as known_on
    from customers
    inner join tenants
        on customers.tenant_id = tenants.tenant_id
    left join pauses as latest
        on
            customers.tenant_id = latest.tenant_id
            and customers.customer_id = latest.customer_id
            and latest.next_ordered_on is null
),

-- Each side is read once, with one row per step: Citus sends no union to its nodes of
-- which one side is read twice.
steps as (
    -- a prospect, unless the first order is on the same day
    select
        known.tenant_id,
        known.customer_id,
        step.status,
        step.begins_on
    from known
    cross join
        lateral (
            values
            ('PROSPECT', nullif(known.known_on, known.first_ordered_on)),
            ('ACTIVE', known.first_ordered_on)
        ) as step (status, begins_on)
    where step.begins_on is not null

    union all

    -- the steps of a pause, unless an order ends it first
    select
        pauses.tenant_id,
        pauses.customer_id,
        step.status,
        step.begins_on
    from pauses
    cross join
        lateral (
            values
            ('ACTIVE', pauses.next_ordered_on),
            ('TARGET', pauses.target_on),
            ('PROSPECT', pauses.prospect_on)
        ) as step (status, begins_on)
    where
        step.begins_on is not null
        and (
            step.status = 'ACTIVE'
            or pauses.next_ordered_on is null
            or step.begins_on < pauses.next_ordered_on
        )
),

changes as (
    select
        *,
        lag(status) over in_sequence as previous_status
    from steps
    window in_sequence as (
        partition by customer_id, tenant_id order by begins_on
    )
),

final as (
    select
        changes.tenant_id,
        changes.customer_id,
        changes.status,
        changes.previous_status,
        changes.previous_status is null or expected.to_account_type is not null
            as is_expected_transition,
        changes.begins_on as valid_from,
        lead(changes.begins_on) over in_sequence as valid_to,
        tenants.threshold_row
    from changes
    inner join tenants
        on changes.tenant_id = tenants.tenant_id
    left join expected_transitions as expected
        on
            changes.previous_status = expected.from_account_type
            and changes.status = expected.to_account_type
    where changes.status is distinct from changes.previous_status
    window in_sequence as (
        partition by changes.customer_id, changes.tenant_id order by changes.begins_on
    )
)

select * from final
