-- One customer's orders that were delivered or placed after one day and up to another, and
-- earlier ones that were entered or changed in that time.
with explained as materialized (
    select * from analytics.explain_risk_status(%(tenant)s, %(customer)s)
),

orders as (
    select
        explained.*,
        (explained.created_at at time zone tenants.time_zone)::date as entered_on,
        (explained.updated_at at time zone tenants.time_zone)::date as last_changed_on
    from explained
    cross join analytics.tenants
    where tenants.tenant_id = %(tenant)s
),

found as (
    select
        case
            when
                left_out_because is null
                and delivered_on > %(from_day)s
                and delivered_on <= %(to_day)s
                then 'DELIVERED'
            when
                left_out_because is null
                and delivered_on <= %(from_day)s
                and entered_on > %(from_day)s
                and entered_on <= %(to_day)s
                then 'ENTERED'
            when
                order_status = 'CANCELLED'
                and delivered_on <= %(to_day)s
                and last_changed_on > %(from_day)s
                and last_changed_on <= %(to_day)s
                then 'CANCELLED'
            when
                delivered_on <= %(from_day)s
                and last_changed_on > %(from_day)s
                and last_changed_on <= %(to_day)s
                then 'CHANGED'
            when placed_on > %(from_day)s and placed_on <= %(to_day)s then 'PLACED'
        end as event,
        order_id,
        order_status,
        placed_on,
        delivered_on,
        entered_on,
        last_changed_on,
        amount,
        currency
    from orders
)

select *
from found
where event is not null
order by coalesce(delivered_on, placed_on) desc, order_id asc
