{% macro is_first_refresh(mart) -%}
    {%- set takes_all = var('refresh_scope') == 'all' -%}
    {{- 'true' if takes_all and not relation_exists(our_schema('analytics'), mart) else 'false' -}}
{%- endmacro %}
