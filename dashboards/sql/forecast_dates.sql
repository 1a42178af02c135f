-- How far the expected date of the next order was off. If the usual error is larger
-- than the limit from which a customer is late, also how many days late are within that
-- error.
select
    errors.cadence_source as source,
    errors.order_days_count as days_count,
    errors.followed_count,
    errors.mean_absolute_error_days,
    errors.median_error_days,
    errors.within_7_days_share,
    tenants.grace_days,
    case
        when errors.mean_absolute_error_days > tenants.grace_days
            then floor(errors.mean_absolute_error_days)::integer
    end as late_by_error_days
from analytics.next_order_date_errors as errors
inner join analytics.tenants
    on errors.tenant_id = tenants.tenant_id
where errors.tenant_id = %(tenant)s
order by errors.cadence_source desc
