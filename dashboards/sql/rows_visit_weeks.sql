-- What customers did in the full weeks of the last year, by their visits.
select
    weeks.organization_id,
    organizations.organization_slug,
    weeks.square_customer_id,
    customers.display_name as customer_name,
    weeks.week_begins_on,
    weeks.activity,
    customers.customer_segment,
    count(*) over () as rows_count
from analytics.customer_visit_weeks as weeks
inner join analytics.booking_organizations as organizations
    on weeks.organization_id = organizations.organization_id
inner join analytics.customer_analytics as customers
    on
        weeks.organization_id = customers.organization_id
        and weeks.square_customer_id = customers.square_customer_id
where
    (%(organization)s is null or weeks.organization_id = %(organization)s)
    and (%(week)s is null or weeks.week_begins_on = %(week)s)
    and (%(activity)s is null or weeks.activity = %(activity)s)
    and weeks.week_begins_on > organizations.today - 372
order by
    weeks.week_begins_on desc,
    customer_name asc,
    weeks.organization_id asc,
    weeks.square_customer_id asc,
    weeks.activity asc
limit %(limit)s offset %(offset)s
