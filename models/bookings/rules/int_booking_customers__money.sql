{{ config(meta={'analyzed': ['organization_id', 'customer_number']}) }}

with customers as (
    select * from {{ ref('int_booking_customers') }}
),

payments as (
    select * from {{ ref('stg_bookings__payments') }}
),

completed as (
    select
        payments.organization_id,
        customers.customer_number,
        payments.payment_id,
        payments.amount_cents,
        payments.tip_cents,
        greatest(least(payments.refunded_cents, payments.amount_cents), 0)
            as refunded_cents,
        payments.created_at,
        payments.created_at <= {{ as_of() }} as is_paid,
        customers.today
        - {{ local_date('payments.created_at', 'customers.time_zone') }} as days_ago,
        payments.updated_at
    from customers
    inner join payments
        on
            customers.organization_id = payments.organization_id
            and customers.square_customer_id = payments.square_customer_id
    where
        payments.is_valid
        and payments.payment_status = 'COMPLETED'
    -- a fence: without it, every use of days_ago would compute it again
    {{ fence() }}
),

summed as (
    select
        organization_id,
        customer_number,
        min(created_at) filter (where is_paid) as first_payment_at,
        max(created_at) filter (where is_paid) as last_payment_at,
        min(created_at) filter (where not is_paid) as next_payment_at,
        count(*) filter (where is_paid) as total_payments,
        sum(amount_cents) filter (where is_paid) as amount_cents,
        sum(tip_cents) filter (where is_paid) as tip_cents,
        sum(refunded_cents) filter (where is_paid) as refunded_cents,
        percentile_disc(0.5) within group (order by amount_cents) filter (where is_paid)
            as median_ticket_cents,
        max(amount_cents) filter (where is_paid) as max_ticket_cents,
        (
            array_agg(
                amount_cents
                order by created_at desc, payment_id::text collate "C" asc
            ) filter (where is_paid)
        )[1] as last_ticket_cents,
        sum(amount_cents) filter (where is_paid and days_ago < 30) as last_30d_cents,
        sum(amount_cents) filter (where is_paid and days_ago < 90) as last_90d_cents,
        sum(amount_cents) filter (where is_paid and days_ago >= 90 and days_ago < 180)
            as prior_90d_cents,
        sum(amount_cents) filter (where is_paid and days_ago < 365) as last_365d_cents,
        {{ days_to_next_window_change('is_paid') }} as days_to_next_window_change,
        max(updated_at) filter (where is_paid) as payments_updated_at
    from completed
    group by customer_number, organization_id
),

shared as (
    select
        *,
        round(tip_cents / nullif(amount_cents, 0), 4) as tip_rate,
        round(
            100 * (coalesce(last_90d_cents, 0) - prior_90d_cents)
            / nullif(prior_90d_cents, 0),
            1
        ) as trend_90d_pct
    from summed
),

final as (
    select
        organization_id,
        customer_number,
        first_payment_at,
        last_payment_at,
        next_payment_at,
        coalesce(amount_cents, 0)::bigint as total_revenue_cents,
        coalesce(tip_cents, 0)::bigint as total_tips_cents,
        coalesce(amount_cents + tip_cents, 0)::bigint as gross_revenue_cents,
        coalesce(refunded_cents, 0)::bigint as refunded_cents,
        coalesce(amount_cents - refunded_cents, 0)::bigint as net_revenue_cents,
        total_payments,
        coalesce(round(amount_cents / nullif(total_payments, 0)), 0)::bigint
            as avg_ticket_cents,
        median_ticket_cents,
        max_ticket_cents,
        last_ticket_cents,
        -- dividing by a tiny amount can overflow; a value that does not fit is capped
        -- at the largest or smallest that does
        case
            when tip_rate is not null
                then
                    least(
                        greatest(tip_rate, -99999999999999.9999),
                        99999999999999.9999
                    )
        end::numeric(18, 4) as tip_rate,
        coalesce(last_30d_cents, 0)::bigint as revenue_last_30d_cents,
        coalesce(last_90d_cents, 0)::bigint as revenue_last_90d_cents,
        coalesce(prior_90d_cents, 0)::bigint as revenue_prior_90d_cents,
        coalesce(last_365d_cents, 0)::bigint as revenue_last_365d_cents,
        case
            when trend_90d_pct is not null
                then
                    least(
                        greatest(trend_90d_pct, -99999999999999999.9),
                        99999999999999999.9
                    )
        end::numeric(18, 1) as revenue_trend_90d_pct,
        days_to_next_window_change,
        payments_updated_at
    from shared
)

select * from final
