-- One customer at the end of two days: its statuses and its orders so far, by today's
-- rows and limits.
select
    days.day,
    (days.day + 1)::timestamp at time zone tenants.time_zone as ends_at,
    (
        select history.status
        from analytics.customer_risk_status_history as history
        where
            history.tenant_id = %(tenant)s
            and history.customer_id = %(customer)s
            and history.valid_from <= days.day
            and coalesce(history.valid_to > days.day, true)
    ) as risk_status,
    (
        select history.status
        from analytics.customer_account_type_history as history
        where
            history.tenant_id = %(tenant)s
            and history.customer_id = %(customer)s
            and history.valid_from <= days.day
            and coalesce(history.valid_to > days.day, true)
    ) as account_type,
    (
        select sum(earlier.orders_count)::bigint
        from analytics.customer_order_days as earlier
        where
            earlier.tenant_id = %(tenant)s
            and earlier.customer_id = %(customer)s
            and earlier.delivered_on <= days.day
    ) as delivered_orders,
    known.delivered_on as last_order_date,
    known.average_order_interval_days is not null as is_measured,
    coalesce(known.average_order_interval_days, tenants.fallback_cadence_days)
        as cadence_days,
    known.delivered_on
    + coalesce(known.average_order_interval_days, tenants.fallback_cadence_days)
        as next_expected_order_date,
    days.day - known.delivered_on
    - coalesce(known.average_order_interval_days, tenants.fallback_cadence_days)
        as days_past_expected,
    known.is_revenue_evaluated,
    known.is_revenue_declined
from analytics.tenants
cross join (
    values (%(from_day)s::date), (%(to_day)s::date)
) as days (day)
left join
    lateral (
        select *
        from analytics.customer_order_days as order_days
        where
            order_days.tenant_id = %(tenant)s
            and order_days.customer_id = %(customer)s
            and order_days.delivered_on <= days.day
        order by order_days.delivered_on desc
        limit 1
    ) as known
    on true
where tenants.tenant_id = %(tenant)s
order by days.day
