{% macro adopt(ours, unmarked) -%}
    {#-
    Marks what a version without marks has made, once: while nothing is marked yet, and where
    the logs of the publications tell of its refreshes. A mart that they do not know, and what
    is of another kind, has other columns or another owner, is none of it. Returns what is
    left; then nothing is marked.
    -#}
    {%- set logs = logs_before_marks(ours) -%}
    {%- if not logs -%}
        {{ return(unmarked) }}
    {%- endif -%}
    {%- set candidates -%}
        {%- for name, node in ours.items() if node is not none and name in unmarked -%}
            {%- set columns = node.columns if node.config.get('contract', {}).enforced else {} -%}
            {{- ', ' if not loop.first -}}
            (
                '{{ name }}', '{{ node.alias }}', '{{ node.config.materialized }}',
                array['{{ columns | join("', '") }}'],
                array['{{ (node.config.unique_key or []) | join("', '") }}'],
                '{{ mark_of(node) }}'
            )
        {%- endfor -%}
    {%- endset -%}
    {%- set marking -%}
        with logs as (
            select to_regclass(name) as id, relowner
            from unnest(array['{{ logs | join("', '") }}']) as names (name)
            inner join pg_class on pg_class.oid = to_regclass(name)
        ),

        known (mart) as (
            {%- for log in logs %}
            select mart from {{ log }} {{ 'union' if not loop.last }}
            {%- endfor %}
        )

        select format(
            'comment on %s %s is %L',
            case relkind when 'v' then 'view' else 'table' end, pg_class.oid::regclass, mark
        ) as statement
        from (values {{ candidates }}) as candidates (name, alias, kind, columns, key, mark)
        inner join pg_class on pg_class.oid = to_regclass(name)
        cross join lateral (
            select array_agg(attname::text) as columns
            from pg_attribute
            where attrelid = pg_class.oid and attnum > 0 and not attisdropped
        ) as held
        where
            relowner in (select relowner from logs)
            and (candidates.columns = array[''] or held.columns <@ candidates.columns)
            and (candidates.key = array[''] or candidates.key <@ held.columns)
            and case kind
                when 'view_in_place'
                    then relkind = 'v' and 'security_invoker=true' = any(reloptions)
                when 'working_table' then relkind = 'r' and relpersistence = 'u'
                when 'publication' then pg_class.oid in (select id from logs)
                when 'published_table' then relkind = 'r' and alias in (select mart from known)
                else relkind = 'r'
            end

        union all

        select format('comment on function %s is %L', oid::regprocedure, '{{ our_mark() }}hook')
        from pg_proc
        where
            oid::regprocedure::text in ('{{ unmarked | join("', '") }}')
            and prosecdef
            and proowner in (select relowner from logs)
    {%- endset -%}
    {%- do run_query('begin; ' ~ run_query(marking).columns[0].values() | join('; ')) -%}
    {%- set left = unmarked_among(ours) -%}
    {%- do run_query('rollback' if left else 'commit') -%}
    {{ return(left) }}
{%- endmacro %}


{% macro logs_before_marks(ours) -%}
    {#- the logs of the publications that are there, while none of these relations is marked -#}
    {%- set found = run_query(
        "select name from unnest(array['"
        ~ ours | join("', '") ~ "']) as names (name) where name like '%_publications\"'"
        ~ " and 8 = (select count(*) from pg_attribute where attrelid = to_regclass(name)"
        ~ " and attname in ('run_id', 'as_of', 'held_as_of', 'refresh_scope', 'mart',"
        ~ " 'rows_written', 'rows_removed', 'rows_corrected'))"
        ~ " and not exists (select from unnest(array['" ~ ours | join("', '")
        ~ "']) as others (name) where starts_with("
        ~ "obj_description(to_regclass(others.name), 'pg_class'), '" ~ our_mark() ~ "'))"
    ) -%}
    {{ return(found.columns[0].values() | list) }}
{%- endmacro %}
