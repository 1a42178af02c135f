{% macro origin_of(relation, columns) -%}
    {#-
    The origin of these columns of a view, from the query plan, which sees through views
    and joins: the scans whose rows the view returns at most once each, and the columns
    as written in the plan. No scans if rows may come more than once, or if that is
    unknown.
    -#}
    {%- set plan = fromjson(run_query(
        "explain (verbose, format json, costs off) select " ~ columns | join(', ')
        ~ " from " ~ relation ~ " where (" ~ columns | join(', ') ~ ") = (select "
        ~ columns | join(', ') ~ " from " ~ relation ~ " limit 1)"
    ).columns[0].values()[0])[0]['Plan'] -%}
    {%- set on_shard = plan_on_shard(plan) -%}
    {%- set scans = scans_behind(on_shard or plan) -%}
    {%- for scan in scans if on_shard -%}
        {%- do scan.update({'shard': scan['Relation Name'].split('_')[-1]}) -%}
    {%- endfor -%}
    {{ return({
        'scans': scans,
        'columns': columns_in_plan(on_shard or plan),
        'is_one_row': not scans and is_one_row(relation, plan),
    }) }}
{%- endmacro %}


{% macro plan_on_shard(plan) -%}
    {#-
    On Citus, the plan of a node for one shard; all shards have the same indexes, and
    rows with equal keys are in the same one. None if the coordinator has the rows.
    -#}
    {%- set tasks = plan.get('Distributed Query', {}).get('Job', {}).get('Tasks', []) -%}
    {{ return(tasks[0]['Remote Plan'][0][0]['Plan'] if tasks else none) }}
{%- endmacro %}


{% macro scans_behind(node) -%}
    {%- set below = plans_below(node) -%}
    {%- set kind = node['Node Type'] -%}
    {%- if node['Relation Name'] and kind.endswith('Scan') -%}
        {{ return([node]) }}
    {%- elif node['Join Type'] -%}
        {#- each row of the outer side finds at most one of the inner side -#}
        {%- if
            node['Join Type'] in ['Semi', 'Anti']
            or (node['Join Type'] in ['Inner', 'Left'] and node['Inner Unique'])
        -%}
            {{ return(scans_behind(below[0])) }}
        {%- endif -%}
    {%- elif kind in ['Append', 'Merge Append'] -%}
        {#- partitions of one table; base_of() sees to that -#}
        {%- set scans = [] -%}
        {%- for plan in below -%}
            {%- set found = scans_behind(plan) -%}
            {%- if not found -%} {{ return([]) }} {%- endif -%}
            {%- do scans.extend(found) -%}
        {%- endfor -%}
        {{ return(scans) }}
    {%- elif
        below | length == 1
        and kind in [
            'Gather', 'Gather Merge', 'Incremental Sort', 'Limit', 'Materialize', 'Memoize',
            'Result', 'Sort', 'Unique',
        ]
    -%}
        {{ return(scans_behind(below[0])) }}
    {%- endif -%}
    {{ return([]) }}
{%- endmacro %}


{% macro plans_below(node) -%}
    {%- set below = [] -%}
    {%- for plan in node.get('Plans', [])
        if plan['Parent Relationship'] not in ['InitPlan', 'SubPlan']
    -%}
        {%- do below.append(plan) -%}
    {%- endfor -%}
    {{ return(below) }}
{%- endmacro %}


{% macro columns_in_plan(node) -%}
    {#- an Append has the columns of its first part -#}
    {%- if 'Output' in node -%} {{ return(node['Output']) }} {%- endif -%}
    {%- set below = plans_below(node) -%}
    {{ return(columns_in_plan(below[0]) if below else []) }}
{%- endmacro %}


{% macro is_one_row(relation, plan) -%}
    {#- a select of constants, which reads no table -#}
    {%- if plan['Node Type'] != 'Result' or plans_below(plan) -%} {{ return(false) }} {%- endif -%}
    {{ return(run_query(
        "select 1 from pg_rewrite inner join pg_depend on pg_depend.objid = pg_rewrite.oid"
        ~ " and pg_depend.classid = 'pg_rewrite'::regclass"
        ~ " and pg_depend.refclassid = 'pg_class'::regclass"
        ~ " where ev_class = '" ~ relation ~ "'::regclass and refobjid != ev_class"
    ) | length == 0) }}
{%- endmacro %}


{% macro base_of(origin) -%}
    {#-
    CTEs: the one table of these scans, none if they read several tables, or one table
    more than once; partitions count as their parent. And its columns, with their
    position among the requested ones; a cast that keeps distinct values distinct does
    not matter.
    -#}
    {%- set scans = [] -%}
    {%- for scan in origin.scans -%}
        {%- if 'shard' in scan -%}
            {%- do scans.append(
                "((select logicalrelid from pg_dist_shard where shardid = " ~ scan.shard ~ "))"
            ) -%}
        {%- else -%}
            {%- do scans.append(
                "(format('%I.%I', " ~ in_quotes(scan['Schema']) ~ ", "
                ~ in_quotes(scan['Relation Name']) ~ ")::regclass)"
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set asked = [] -%}
    {%- for column in origin.columns -%} {%- do asked.append(in_quotes(column)) -%} {%- endfor -%}
    base as (
        select max(coalesce(pg_partition_root(id), id)::oid) as id
        from (values {{ scans | join(', ') }}) as scans (id)
        having
            count(distinct id) = count(*)
            and count(distinct coalesce(pg_partition_root(id), id)) = 1
            and (count(*) = 1 or bool_and(pg_partition_root(id) is not null))
    ),

    base_columns as (
        select
            attnum as number,
            atttypid as type_id,
            attcollation as collation_id,
            place
        from base
        inner join pg_attribute on base.id = attrelid
        cross join
            unnest(array[{{ asked | join(', ') }}]) with ordinality as asked (words, place)
        cross join
            format('%I.%I', {{ in_quotes(origin.scans[0]['Alias']) }}, attname) as named
        where
            words = named
            or (
                atttypid = any('{int2, int4, int8}'::regtype[])
                and words = any(array[
                    '(' || named || ')::integer',
                    '(' || named || ')::bigint',
                    '(' || named || ')::numeric'
                ])
            )
            or (
                atttypid = any('{int2, int4, int8, uuid, text, varchar}'::regtype[])
                and words = any(array[
                    '(' || named || ')::text',
                    '(' || named || ')::character varying'
                ])
            )
    )
{%- endmacro %}


{% macro in_quotes(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}
