{% macro copy_number(relation, key, newest) -%}
    {%- if is_unique(relation, key) -%}
        1
    {%- else -%}
        row_number() over (
            partition by {{ key | join(', ') }}
            order by {{ newest }} desc nulls last, "{{ relation.identifier }}"::text desc
        )
    {%- endif -%}
{%- endmacro %}


{% macro is_unique(relation, key) -%}
    {%- if not execute -%} {{ return(true) }} {%- endif -%}
    {%- set unique_indexes = run_query(
        "select 1 from pg_catalog.pg_index as i"
        ~ " where i.indrelid = to_regclass('" ~ relation | string | replace("'", "''") ~ "')"
        ~ " and i.indisunique and i.indisvalid and i.indimmediate"
        ~ " and i.indpred is null and i.indexprs is null"
        ~ " and array["
        ~ "'" ~ key | join("', '") ~ "'"
        ~ "]::name[] @> ("
        ~ "select array_agg(a.attname) from pg_catalog.pg_attribute as a"
        ~ " where a.attrelid = i.indrelid"
        ~ " and a.attnum = any((i.indkey::int2[])[:i.indnkeyatts - 1])"
        ~ ")"
    ) -%}
    {{ return(unique_indexes | length > 0) }}
{%- endmacro %}
