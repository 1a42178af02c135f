-- One customer that books: what it is today and what comes next.
select
    profiles.square_customer_id,
    profiles.display_name as customer_name,
    organizations.organization_slug,
    organizations.today,
    profiles.summary,
    profiles.customer_segment,
    profiles.segment_since,
    profiles.next_segment,
    profiles.next_segment_on,
    profiles.reliability_tier,
    profiles.total_visits,
    profiles.total_no_shows,
    profiles.no_show_rate,
    profiles.days_since_last_visit,
    profiles.recent_cadence_days,
    profiles.expected_next_visit_date,
    profiles.days_overdue,
    profiles.days_until_next_booking,
    profiles.total_payments,
    profiles.total_revenue_cents / 100.0 as revenue_amount,
    profiles.refunded_cents / 100.0 as refunded_amount,
    profiles.net_revenue_cents / 100.0 as net_revenue_amount
from analytics.customer_profiles as profiles
inner join analytics.booking_organizations as organizations
    on profiles.organization_id = organizations.organization_id
where
    profiles.organization_id = %(organization)s
    and profiles.square_customer_id = %(visitor)s
