{% macro copy_number(name, newest) -%}
    {%- set input = input_as_built(name) -%}
    {%- set key = meta_of_input(name).key -%}
    {%- set is_to_be_counted = ref(name).is_cte or var('checks_inputs', false) -%}
    {%- if not is_to_be_counted and (input is none or is_unique(input, key)) -%}
        1
    {%- else -%}
        row_number() over (
            partition by {{ key | join(', ') }}
            order by {{ newest }} desc nulls last, given::text collate "C" desc
        )
    {%- endif -%}
{%- endmacro %}


{% macro is_unique(relation, key) -%}
    {#-
    Not every unique index distinguishes keys as "partition by" does: its operators and
    its collation must be those of the column.
    -#}
    {%- set origin = origin_of(relation, key) -%}
    {%- if origin.is_one_row -%} {{ return(true) }} {%- endif -%}
    {%- if not origin.scans -%} {{ return(false) }} {%- endif -%}
    {%- set found = run_query(
        "with " ~ base_of(origin) ~ " select 1 from base"
        ~ " inner join pg_index on base.id = indrelid"
        ~ " where indisunique and indisvalid and indimmediate"
        ~ " and indpred is null and indexprs is null and not exists ("
        ~ "select from generate_series(0, indnkeyatts - 1) as part"
        ~ " left join base_columns on base_columns.number = indkey[part]"
        ~ " inner join pg_opclass on pg_opclass.oid = indclass[part]"
        ~ " where base_columns.number is null or not opcdefault"
        ~ " or indcollation[part] != base_columns.collation_id"
        ~ " or exists (select from pg_opclass as own where own.opcdefault"
        ~ " and own.opcmethod = pg_opclass.opcmethod"
        ~ " and own.opcintype = base_columns.type_id and own.oid != pg_opclass.oid))"
    ) -%}
    {{ return(found | length > 0) }}
{%- endmacro %}
