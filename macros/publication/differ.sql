{% macro differ(left, right, columns) -%}
    {%- for column in columns %}
        {{ left }}.{{ column }} is distinct from {{ right }}.{{ column }}
        {{- ' or' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
