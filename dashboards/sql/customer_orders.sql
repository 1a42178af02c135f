-- One customer's deliveries of the last 18 months.
select
    delivery.delivered_on,
    (delivery.cents / 100.0)::numeric(16, 2) as amount
from analytics.customer_recent_orders as recent
inner join analytics.tenants
    on recent.tenant_id = tenants.tenant_id
cross join
    lateral unnest(recent.delivered_dates, recent.delivered_cents)
        as delivery (delivered_on, cents)
where
    recent.tenant_id = %(tenant)s
    and recent.customer_id = %(customer)s
    and delivery.delivered_on >= tenants.today - interval '18 months'
order by delivery.delivered_on
