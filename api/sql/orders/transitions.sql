-- How many customers of a tenant changed from one status to another, by day, those that
-- are to come included.
with transitions as not materialized (
    select transitions.*
    from analytics.status_transitions_daily as transitions
    where
        transitions.tenant_id = %(tenant_id)s
        and transitions.transition_date >= %(first_day)s
        and transitions.transition_date <= %(last_day)s
        and (%(status_kind)s is null or transitions.status_kind = %(status_kind)s)
)

select
    transitions.*,
    (select count(*) from transitions) as total
from transitions
order by transition_date, status_kind, from_status, to_status
limit %(limit)s offset %(offset)s
