{% test same_keys_as(model, other, key) %}
-- Both have the same keys: no join lost or duplicated rows.
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
