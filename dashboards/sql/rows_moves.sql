-- Status changes in the last seven days, and their causes.
select
    changes.tenant_id,
    tenants.tenant_slug,
    changes.customer_id,
    coalesce(account_types.customer_name, changes.customer_id::text) as customer_name,
    changes.status_kind,
    changes.from_status,
    changes.to_status,
    changes.changed_on,
    changes.change_cause,
    changes.is_expected_transition,
    count(*) over () as rows_count
from analytics.tenants
inner join analytics.customer_status_changes as changes
    on
        tenants.tenant_id = changes.tenant_id
        and tenants.today - 7 < changes.changed_on
        and tenants.today >= changes.changed_on
left join analytics.customer_account_types as account_types
    on
        -- Citus joins to no column of a union here
        tenants.tenant_id = account_types.tenant_id
        and changes.customer_id = account_types.customer_id
where
    (%(tenant)s is null or tenants.tenant_id = %(tenant)s)
    and (%(kind)s is null or changes.status_kind = %(kind)s)
    and (
        %(before)s is null
        or changes.from_status = %(before)s
        or %(before)s = 'none' and changes.from_status is null
    )
    and (%(after)s is null or changes.to_status = %(after)s)
order by
    changes.changed_on desc,
    customer_name asc,
    changes.tenant_id asc,
    changes.customer_id asc,
    changes.status_kind asc
limit %(limit)s offset %(offset)s
