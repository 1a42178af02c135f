-- The last full weeks of an organization.
select
    weeks.week_begins_on,
    weeks.active_customers,
    weeks.new_customers,
    weeks.returning_customers,
    weeks.resurrected_customers,
    weeks.quiet_customers,
    weeks.gone_customers,
    weeks.gone_after_days
from analytics.visit_customers_weekly as weeks
inner join analytics.booking_organizations as organizations
    on weeks.organization_id = organizations.organization_id
where
    weeks.organization_id = %(organization)s
    and weeks.week_begins_on > organizations.today - 372
order by weeks.week_begins_on
