-- Whether another limit would have told better who is gone, and lastingly so.
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
