-- One customer's current segment, and the next one within 90 days.
with customers as (
    select
        profiles.customer_segment,
        profiles.segment_since,
        profiles.next_segment,
        profiles.next_segment_on,
        organizations.today
    from analytics.customer_analytics as profiles
    inner join analytics.booking_organizations as organizations
        on profiles.organization_id = organizations.organization_id
    where
        profiles.organization_id = %(organization)s
        and profiles.square_customer_id = %(visitor)s
)

select
    customer_segment as status,
    segment_since as valid_from,
    next_segment_on as valid_to,
    next_segment_on is null as is_last,
    -- what the chart shows of it
    greatest(coalesce(segment_since, today), (today - interval '18 months')::date)
        as begins_on,
    least(coalesce(next_segment_on, today + 90), today + 90) as ends_on,
    false as is_forecast
from customers
union all
select
    next_segment as status,
    next_segment_on as valid_from,
    -- what follows is not in the mart
    null as valid_to,
    false as is_last,
    next_segment_on as begins_on,
    today + 90 as ends_on,
    true as is_forecast
from customers
where next_segment_on < today + 90
order by begins_on
