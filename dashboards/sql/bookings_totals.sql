-- Appointments of all chosen days in one row, compared with as many days before.
with counted as (
    select
        days.date > organizations.today - %(days)s as is_recent,
        sum(days.accepted_appointments)::bigint as accepted_appointments,
        sum(days.new_customers)::bigint as new_customers,
        sum(days.no_show_appointments)::bigint as no_show_appointments,
        sum(days.cancelled_appointments)::bigint as cancelled_appointments,
        round(
            sum(days.no_show_appointments)
            / nullif(sum(days.no_show_appointments + days.accepted_appointments), 0), 4
        ) as no_show_rate
    from analytics.booking_organizations as organizations
    inner join analytics.analytics_appointments_by_location_daily as days
        on organizations.organization_id = days.organization_id
    where
        (%(organization)s is null or organizations.organization_id = %(organization)s)
        and (%(location)s is null or days.location_id = %(location)s)
        -- constant dates keep the planner from reading all days
        and days.date > %(first_day)s
        and days.date > organizations.today - 2 * %(days)s
        and days.date <= organizations.today
    group by is_recent
)

select
    recent.*,
    recent.accepted_appointments - before.accepted_appointments as accepted_change,
    recent.new_customers - before.new_customers as new_customers_change,
    recent.no_show_rate - before.no_show_rate as no_show_rate_change
from counted as recent
left join counted as before
    on not before.is_recent
where recent.is_recent
