{% macro build_missing_indexes(marts) -%}
    {#-
    Builds missing indexes of the marts and of the publication's own log. It checks the
    tables, not index names, because an index keeps its name when somebody renames or
    moves its table. Besides `columns` and `type` an index can have `include`, columns
    that it only stores, and `where_null`: it has only the rows without this column.
    -#}
    for missing in
        select
            mart,
            kind,
            case
                when to_regclass(format('%I.%I', schema, name)) is null then name
                else left(name, 50) || '_' || left(md5(format('%s of %s', name, mart)), 12)
            end as free_name,
            (select string_agg(quote_ident(name), ', ') from unnest(columns) as names (name))
                as columns,
            (
                select ' include (' || string_agg(quote_ident(name), ', ') || ')'
                from unnest(included) as names (name)
            ) as include_clause,
            ' where ' || condition as where_clause
        from (
            values
            {%- for column in ['run_id', 'published_at'] %}
            (
                '{{ this }}'::regclass, '{{ this.schema }}',
                '{{ name_of_index(this.identifier, [column]) }}', 'btree',
                array['{{ column }}']::name[], '{}'::name[], null
            ),
            {%- endfor %}
            {%- for mart in marts %}
            {%- set outer_loop = loop %}
            {%- set indexes = [{'columns': mart.node.config.unique_key, 'type': 'unique'}] %}
            {%- for index in indexes + mart.node.config.get('indexes', []) %}
            {%- set name = ['key'] if index.type == 'unique' else index.columns %}
            (
                '{{ mart.table }}'::regclass, '{{ mart.node.schema }}',
                '{{ name_of_index(mart.node.alias, name) }}', '{{ index.type or "btree" }}',
                array['{{ index.columns | join("', '") }}']::name[],
                '{{ "{" ~ index.get("include", []) | join(",") ~ "}" }}'::name[],
                {% if index.where_null %}'({{ index.where_null }} IS NULL)'{% else %}null
                {%- endif %}
            ){{ ',' if not (loop.last and outer_loop.last) }}
            {%- endfor %}
            {%- endfor %}
        ) as wanted (mart, schema, name, kind, columns, included, condition)
        where
            not exists (
                select from pg_index
                inner join pg_class on pg_index.indexrelid = pg_class.oid
                inner join pg_am on pg_class.relam = pg_am.oid
                where
                    pg_index.indrelid = wanted.mart
                    and case
                        when wanted.kind = 'unique' then pg_index.indisunique
                        else pg_am.amname = wanted.kind
                    end
                    and pg_index.indisvalid
                    and pg_index.indimmediate
                    -- as PostgreSQL writes it
                    and pg_get_expr(pg_index.indpred, pg_index.indrelid)
                    is not distinct from wanted.condition
                    and pg_index.indnkeyatts = cardinality(wanted.columns)
                    and wanted.columns || wanted.included = (
                        select array_agg(attname order by position)
                        from unnest(pg_index.indkey::int2[])
                            with ordinality as key_columns (attnum, position)
                        inner join pg_attribute
                            on
                                pg_attribute.attrelid = pg_index.indrelid
                                and pg_attribute.attnum = key_columns.attnum
                    )
            )
    loop
        execute format(
            'create %s %I on %s using %s (%s)%s%s',
            case missing.kind when 'unique' then 'unique index' else 'index' end,
            missing.free_name,
            missing.mart,
            case missing.kind when 'unique' then 'btree' else missing.kind end,
            missing.columns,
            missing.include_clause,
            missing.where_clause
        );
        if missing.kind = 'unique' then
            keyed := keyed || format(
                'alter table %s replica identity using index %I',
                missing.mart, missing.free_name
            );
        end if;
    end loop;
{%- endmacro %}
