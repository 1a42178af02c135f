{% macro has_lookup_index(source_name, table) -%}
    {%- if not execute -%} {{ return(false) }} {%- endif -%}
    {%- set key = 'source.customer_health.' ~ source_name ~ '.' ~ table -%}
    {%- set node = graph.get('sources', {}).get(key) -%}
    {#- a unit test knows no sources -#}
    {%- if not node -%} {{ return(false) }} {%- endif -%}
    {%- set columns = node.config.meta.lookup -%}
    {%- set found = run_query(
        "select 1 from pg_catalog.pg_index as i"
        ~ " where i.indrelid = to_regclass('" ~ node.relation_name | replace("'", "''") ~ "')"
        ~ " and i.indisvalid and i.indpred is null"
        ~ " and array['" ~ columns | join("', '") ~ "']::name[] = ("
        ~ "select array_agg(a.attname order by k.position)"
        ~ " from unnest((i.indkey::int2[])[:" ~ (columns | length - 1) ~ "])"
        ~ " with ordinality as k (attnum, position)"
        ~ " inner join pg_catalog.pg_attribute as a"
        ~ " on a.attrelid = i.indrelid and a.attnum = k.attnum"
        ~ ")"
    ) -%}
    {{ return(found | length > 0) }}
{%- endmacro %}
