-- All columns of one customer that books, by name; instants in its organization's time.
select
    (
        select
            jsonb_object_agg(
                figure.name,
                case
                    when right(figure.name, 3) = '_at'
                        then
                            to_jsonb(
                                (figure.held #>> '{}')::timestamptz
                                at time zone organizations.time_zone
                            )
                    else figure.held
                end
            )
        from jsonb_each(to_jsonb(customers)) as figure (name, held)
    ) as figures,
    organizations.as_of,
    organizations.threshold_row,
    organizations.segment_new_days,
    organizations.segment_active_days,
    organizations.segment_at_risk_days
from analytics.customer_analytics as customers
inner join analytics.booking_organizations as organizations
    on customers.organization_id = organizations.organization_id
where
    customers.organization_id = %(organization)s
    and customers.square_customer_id = %(visitor)s
