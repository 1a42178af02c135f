{% test same_rows_as(model, delta, publication, key, ignoring=[], day=none) %}
-- The mart holds what was computed: publishing the same again would move nothing.
-- depends_on: {{ publication }}
{%- set columns = adapter.get_columns_in_relation(model) | map(attribute='name') %}
{%- set compared = columns | reject('in', key + ignoring) | map('tojson') | list %}
{%- set key = key | map('tojson') | list %}
{#- a mart of days holds others than this refresh has computed -#}
{%- set held -%}
    {%- if day -%}
        (
            select held.*
            from {{ model }} as held
            where exists (
                select from {{ delta }} as computed
                where {{ same('held', 'computed', [key[0], day | tojson]) }}
            )
        )
    {%- else -%} {{ model }} {%- endif -%}
{%- endset %}
select delta.*
from {{ delta }} as delta
{# a refresh of some customers has computed only those -#}
{{ 'full' if var('refresh_scope') == 'all' else 'left' }} join {{ held }} as mart
    on {{ same('delta', 'mart', key) }}
where
    delta.{{ key[0] }} is null
    or mart.{{ key[0] }} is null
    or {{ differ('delta', 'mart', compared) }}
{% endtest %}
