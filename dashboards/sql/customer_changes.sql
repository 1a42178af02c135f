-- What changed one customer's statuses after one day and up to another: the changes by
-- today's orders and limits, and the corrections of what an earlier refresh had said.
with changes as (
    select
        status_kind,
        changed_on as happened_on,
        from_status,
        to_status,
        change_cause,
        null::date as status_of,
        null::timestamptz as said_at,
        null::timestamptz as revised_at
    from analytics.customer_status_changes
    where tenant_id = %(tenant)s and customer_id = %(customer)s
),

corrections as (
    select
        'risk_status' as status_kind,
        (revisions.revised_at at time zone tenants.time_zone)::date as happened_on,
        revisions.status_before as from_status,
        revisions.status_now as to_status,
        revisions.revision_cause as change_cause,
        revisions.status_of,
        revisions.said_at,
        revisions.revised_at
    from analytics.customer_status_revisions as revisions
    inner join analytics.tenants
        on revisions.tenant_id = tenants.tenant_id
    where revisions.tenant_id = %(tenant)s and revisions.customer_id = %(customer)s
),

found as (
    select * from changes
    union all
    select * from corrections
)

select *
from found
where happened_on > %(from_day)s and happened_on <= %(to_day)s
order by happened_on, revised_at nulls first, status_kind
