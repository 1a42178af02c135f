{% test same_keys_as(model, other, key) %}
-- Both have the same keys: no join lost or duplicated rows.
{%- set columns = key | map('tojson') | join(', ') %}
select {{ columns }}
from (
    select
        {{ columns }},
        1 as surplus
    from {{ ours(model) }}
    union all
    select
        {{ columns }},
        -1 as surplus
    from {{ other }}
) as keys
group by {{ columns }}
having sum(surplus) != 0
{% endtest %}
