-- The order model of a tenant: the day from which it applies, and the result of the
-- last fit.
select
    tenants.today,
    in_force.valid_from as in_force_from,
    last_fit.valid_from as last_fit_on,
    last_fit.r is null as is_refused,
    last_fit.reason
from analytics.tenants
left join analytics.order_model_periods as in_force
    on
        tenants.tenant_id = in_force.tenant_id
        and tenants.today >= in_force.valid_from
        and (tenants.today < in_force.valid_to or in_force.valid_to is null)
left join
    lateral (
        select
            parameters.valid_from,
            parameters.r,
            parameters.reason
        from analytics.order_model_parameters as parameters
        where parameters.tenant_id = tenants.tenant_id
        order by parameters.valid_from desc
        limit 1
    ) as last_fit
    on true
where tenants.tenant_id = %(tenant)s
