-- How many customers of a tenant changed from one status to another, by day, including
-- those to come.
with transitions as materialized (
    select *
    from analytics.status_transitions_daily
    where
        tenant_id = %(tenant_id)s
        and transition_date >= %(first_day)s
        and transition_date <= %(last_day)s
        and (%(status_kind)s is null or status_kind = %(status_kind)s)
)

select
    *,
    (select count(*) from transitions) as total
from transitions
order by transition_date, status_kind, from_status, to_status
limit %(limit)s offset %(offset)s
