{% macro give_identities(ours) -%}
    {#-
    Gives tables of ours an identity of their rows that a version before has left without one,
    where they are published to subscribers: else nothing could be changed or deleted there.
    Rewrites nothing.
    -#}
    {%- set tables = [] -%}
    {%- for name, node in ours.items() if node is not none -%}
        {%- if node.config.materialized in ['published_table', 'seed'] -%}
            {%- do tables.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set remedies = run_query(
        "select format('alter table %s replica identity %s', pg_class.oid::regclass,"
        ~ " coalesce('using index ' || quote_ident(keys.name), 'full'))"
        ~ " from unnest(array['" ~ tables | join("', '") ~ "']) as names (name)"
        ~ " inner join pg_class on pg_class.oid = to_regclass(names.name) and relkind = 'r'"
        ~ " left join lateral (select index.relname as name from pg_index"
        ~ " inner join pg_class as index on index.oid = indexrelid"
        ~ " where indrelid = pg_class.oid and index.relname = pg_class.relname || '__key'"
        ~ " and indisunique and indisvalid and indimmediate and indpred is null"
        ~ " and indexprs is null and not exists (select from pg_attribute where"
        ~ " attrelid = indrelid and attnum = any(indkey) and not attnotnull)"
        ~ " ) as keys on true"
        ~ " where pg_class.oid in (select format('%I.%I', schemaname, tablename)::regclass"
        ~ " from pg_publication_tables) and relreplident != 'f' and not exists (select from pg_index"
        ~ " where indrelid = pg_class.oid and case relreplident when 'd' then indisprimary"
        ~ " when 'i' then indisreplident else false end)"
    ) -%}
    {%- for remedy in remedies.columns[0].values() -%}
        {%- set change -%} {%- call in_a_moment() -%} {{ remedy }} {%- endcall -%} {%- endset -%}
        {%- do run_query(change ~ '; commit') -%}
    {%- endfor -%}
{%- endmacro %}
