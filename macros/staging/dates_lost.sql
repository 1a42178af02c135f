{% macro dates_lost(columns) -%}
    {#- as text, for dbt's unit tests have no arrays -#}
    nullif(
        concat_ws(
            ',',
            {%- for column in columns %}
            case when not {{ is_plausible(column) }} then '{{ column }}' end
            {{- ',' if not loop.last }}
            {%- endfor %}
        ),
        ''
    )
{%- endmacro %}
