{% macro has_lookup_index(relation, columns) -%}
    {#- a unit test has rows of its own, and what is switched off has none -#}
    {%- set is_built = execute and not relation.is_cte and not var('checks_inputs', false) -%}
    {%- set held = load_relation(relation) if is_built -%}
    {%- if not held -%} {{ return(false) }} {%- endif -%}
    {%- set origin = origin_of(held, columns) -%}
    {%- if not origin.scans -%} {{ return(false) }} {%- endif -%}
    {%- set found = run_query(
        "with " ~ base_of(origin) ~ " select 1 from base"
        ~ " inner join pg_index on base.id = indrelid"
        ~ " where indisvalid and indpred is null and " ~ columns | length ~ " = ("
        ~ "select count(*) from base_columns where indkey[place::integer - 1] = base_columns.number)"
    ) -%}
    {{ return(found | length > 0) }}
{%- endmacro %}
