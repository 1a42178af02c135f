-- What changed one customer's statuses after one day and up to another: the changes by
-- today's orders and limits, and the corrections of what an earlier refresh had said.
-- Each has the orders behind it that the application still has.
with orders as materialized (
    select * from analytics.explain_risk_status(%(tenant)s, %(customer)s)
),

found as materialized (
    select
        status_kind,
        changed_on as happened_on,
        from_status,
        to_status,
        change_cause,
        false as is_correction,
        null::date as status_of,
        null::timestamptz as said_at,
        null::timestamptz as revised_at
    from analytics.customer_status_changes
    where tenant_id = %(tenant)s and customer_id = %(customer)s

    union all

    select
        'risk_status' as status_kind,
        (revisions.revised_at at time zone tenants.time_zone)::date as happened_on,
        revisions.status_before as from_status,
        revisions.status_now as to_status,
        revisions.revision_cause as change_cause,
        true as is_correction,
        revisions.status_of,
        revisions.said_at,
        revisions.revised_at
    from analytics.customer_status_revisions as revisions
    inner join analytics.tenants
        on revisions.tenant_id = tenants.tenant_id
    where revisions.tenant_id = %(tenant)s and revisions.customer_id = %(customer)s
)

select
    found.*,
    (
        select
            jsonb_agg(
                jsonb_build_object(
                    'order_id', behind.order_id,
                    'delivered_on', behind.delivered_on,
                    'event', behind.event
                )
                order by behind.event, behind.delivered_on, behind.order_id
            )
        from (
            select
                orders.order_id,
                orders.delivered_on,
                case
                    when found.change_cause = 'ORDER' and found.status_kind = 'account_type'
                        then
                            case when orders.placed_on = found.happened_on then 'PLACED' end
                    when found.change_cause = 'ORDER' and orders.left_out_because is null
                        then
                            case
                                when orders.delivered_on = found.happened_on
                                    then 'DELIVERED'
                            end
                    when
                        found.change_cause not in ('ROWS', 'UNKNOWN')
                        or coalesce(orders.delivered_on > found.status_of, true)
                        then null
                    when
                        orders.left_out_because is null
                        and orders.created_at > found.said_at
                        and orders.created_at <= found.revised_at
                        then 'ENTERED'
                    when
                        orders.updated_at > found.said_at
                        and orders.updated_at <= found.revised_at
                        then
                            case orders.order_status
                                when 'CANCELLED' then 'CANCELLED'
                                else 'CHANGED'
                            end
                end as event
            from orders
        ) as behind
        where behind.event is not null
    ) as orders
from found
where
    found.happened_on > %(from_day)s
    and found.happened_on <= %(to_day)s
order by found.happened_on, found.is_correction, found.status_kind
