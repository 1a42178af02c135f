{% macro text_array(values) -%}
    array[
        {%- for value in values %}'{{ value | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor -%}
    ]::text[]
{%- endmacro %}
