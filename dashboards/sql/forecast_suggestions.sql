-- Whether another limit would have predicted better who is gone, on later months, too.
select
    setting,
    current_value,
    suggested_value,
    as_good_from,
    as_good_to,
    gain,
    basis
from analytics.threshold_suggestions
where tenant_id = %(tenant)s
order by setting
