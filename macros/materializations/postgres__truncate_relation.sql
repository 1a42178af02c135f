{% macro postgres__truncate_relation(relation) -%}
    {#- empties a seed for dbt: truncate would wait for all its readers -#}
    {% call statement('truncate_relation') -%}
        delete from {{ relation }}
    {%- endcall %}
{%- endmacro %}
