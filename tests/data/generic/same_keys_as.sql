{% test same_keys_as(model, other, key) %}
-- Both have the same keys: nothing was lost or doubled by a join.
{%- set columns = key | map('tojson') | join(', ') %}
(
    select {{ columns }} from {{ ours(model) }}
    except all
    select {{ columns }} from {{ other }}
)
union all
(
    select {{ columns }} from {{ other }}
    except all
    select {{ columns }} from {{ model }}
)
{% endtest %}
