{% test same_rows_as(model, delta, key, ignoring=[], keeps_more=false) %}
-- The mart holds what was computed: publishing the same again would move nothing.
{%- set columns = adapter.get_columns_in_relation(model) | map(attribute='name') %}
{%- set compared = columns | reject('in', key + ignoring) | map('tojson') | list %}
{%- set key = key | map('tojson') | list %}
select delta.*
from {{ delta }} as delta
{#- a refresh of some customers has computed only those; some marts keep what was #}
{%- set is_all = var('refresh_scope') == 'all' and not keeps_more %}
{{ 'full' if is_all else 'left' }} join {{ ours(model) }} as mart
    on {{ same('delta', 'mart', key) }}
where
    delta.{{ key[0] }} is null
    or mart.{{ key[0] }} is null
    or {{ differ('delta', 'mart', compared) }}
{% endtest %}
