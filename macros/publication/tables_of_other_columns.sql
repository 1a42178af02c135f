{% macro tables_of_other_columns(columns) -%}
    {#-
    The tables that are missing or do not have exactly these columns and types: one
    query for all, so that a refresh without changes needs no further ones.
    -#}
    {%- set question -%}
        select name
        from (
            values
            {%- for table, columns in columns.items() %}
            (
                '{{ table }}',
                array['{{ columns | join("', '") }}']::name[],
                array['{{ columns.values() | map(attribute="data_type") | join("', '") }}']
                ::regtype[]
            ){{ ',' if not loop.last }}
            {%- endfor %}
        ) as promised (name, columns, types)
        left join pg_class
            on pg_class.oid = to_regclass(name) and relkind = 'r'
        where
            cardinality(columns) != (
                select count(*) from pg_attribute
                where attrelid = pg_class.oid and attnum > 0 and not attisdropped
            )
            or exists (
                select *
                from unnest(columns, types) as promised_columns (attname, atttypid)
                except
                select attname, atttypid::regtype
                from pg_attribute
                where attrelid = pg_class.oid and attnum > 0 and not attisdropped
            )
    {%- endset -%}
    {{ return(run_query(question).columns[0].values() | list) }}
{%- endmacro %}
