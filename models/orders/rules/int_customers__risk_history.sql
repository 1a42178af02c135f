{{ config(meta={'analyzed': ['tenant_id', 'customer_id', 'valid_from']}) }}

with deliveries as (
    select * from {{ ref('int_deliveries') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

-- the steps after each delivery, until the next one; the last delivery of a day decides
steps as (
    select
        deliveries.tenant_id,
        deliveries.customer_id,
        tenants.threshold_row,
        step.status,
        step.begins_on
    from deliveries
    inner join tenants
        on deliveries.tenant_id = tenants.tenant_id
    cross join
        lateral (
            values
            (
                case
                    when deliveries.is_revenue_declined then 'AT_RISK_REVENUE'
                    else 'HEALTHY'
                end,
                deliveries.delivered_on
            ),
            ('AT_RISK_CADENCE', deliveries.late_on),
            ('DORMANT', deliveries.dormant_on)
        ) as step (status, begins_on)
    where
        deliveries.next_delivered_on is null
        or step.begins_on < deliveries.next_delivered_on
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
        tenant_id,
        customer_id,
        status,
        previous_status,
        begins_on as valid_from,
        lead(begins_on) over in_sequence as valid_to,
        threshold_row
    from changes
    where status is distinct from previous_status
    window in_sequence as (
        partition by customer_id, tenant_id order by begins_on
    )
)

select * from final
