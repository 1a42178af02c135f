{% macro postgres__truncate_relation(relation) -%}
    {#- what dbt empties a seed with: truncate would wait for everybody who has read it -#}
    {% call statement('truncate_relation') -%}
        delete from {{ relation }}
    {%- endcall %}
{%- endmacro %}
