-- The visit model of an organization: the day from which it applies, and the result of
-- the last fit.
select
    organizations.today,
    in_force.valid_from as in_force_from,
    last_fit.valid_from as last_fit_on,
    last_fit.r is null as is_refused,
    last_fit.reason
from analytics.booking_organizations as organizations
left join analytics.visit_model_periods as in_force
    on
        organizations.organization_id = in_force.organization_id
        and organizations.today >= in_force.valid_from
        and (organizations.today < in_force.valid_to or in_force.valid_to is null)
left join
    lateral (
        select
            parameters.valid_from,
            parameters.r,
            parameters.reason
        from analytics.visit_model_parameters as parameters
        where parameters.organization_id = organizations.organization_id
        order by parameters.valid_from desc
        limit 1
    ) as last_fit
    on true
where organizations.organization_id = %(organization)s
