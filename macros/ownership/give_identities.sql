{% macro give_identities(ours) -%}
    {#-
    Gives tables of ours a replica identity if they are published to subscribers and
    have lost it, for example with a dropped index: otherwise no row could be updated or
    deleted. It rewrites no rows.
    -#}
    {%- set tables = [] -%}
    {%- for name, node in ours.items() if node is not none -%}
        {%- if node.config.materialized in ['published_table', 'seed'] -%}
            {%- set key = (node.config.unique_key or []) | join("', '") -%}
            {%- do tables.append("('" ~ name ~ "', array['" ~ key ~ "']::name[])") -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set remedies = run_query(
        "select format('alter table %s replica identity %s', pg_class.oid::regclass,"
        ~ " coalesce('using index ' || quote_ident(keys.name), 'full'))"
        ~ " from (values " ~ tables | join(', ') ~ ") as ours (name, key)"
        ~ " inner join pg_class on pg_class.oid = to_regclass(ours.name) and relkind = 'r'"
        ~ " left join lateral (select min(index.relname) as name from pg_index"
        ~ " inner join pg_class as index on index.oid = indexrelid"
        ~ " where indrelid = pg_class.oid and ours.key = (select array_agg(attname order by"
        ~ " position) from unnest(indkey::int2[]) with ordinality as columns (attnum, position)"
        ~ " inner join pg_attribute on attrelid = indrelid and columns.attnum = pg_attribute.attnum"
        ~ " where attnotnull)"
        ~ " and indisunique and indisvalid and indimmediate and indpred is null"
        ~ " ) as keys on true"
        ~ " where pg_class.oid in (select format('%I.%I', schemaname, tablename)::regclass"
        ~ " from pg_publication_tables) and relreplident != 'f' and not exists (select from pg_index"
        ~ " where indrelid = pg_class.oid and case relreplident when 'd' then indisprimary"
        ~ " when 'i' then indisreplident else false end)"
    ) -%}
    {%- for remedy in remedies.columns[0].values() -%}
        {%- set change -%} {%- call with_short_lock() -%} {{ remedy }} {%- endcall -%} {%- endset -%}
        {%- do run_query(change ~ '; commit') -%}
    {%- endfor -%}
{%- endmacro %}
