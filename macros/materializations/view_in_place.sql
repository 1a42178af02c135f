{% materialization view_in_place, adapter='postgres' %}
    {#-
    A view that is replaced in place, so that views, grants and policies of others on it
    survive. Its columns keep their order, and new ones come last, wherever they are in
    the model. PostgreSQL refuses to remove a column or to change its type; then an
    input or a staging view is dropped with our views that read it, any other view only
    with --full-refresh, and none if views of others read it. A view of a system that is
    switched off has its columns and no rows. An unchanged view is not replaced, because
    replacing waits for its readers.
    -#}
    {%- call statement('session') -%} {{ customer_health.use_session() }} {%- endcall -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set is_switched_on = customer_health.is_switched_on(model) -%}
    {%- if customer_health.is_left_out(model, existing, is_switched_on) -%}
        {%- call statement('main') -%} select 'left out' {%- endcall -%}
        {{ return({'relations': []}) }}
    {%- endif -%}
    {%- set body = sql if is_switched_on else customer_health.no_rows_of(existing) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none and not existing.is_view %}
        {{ customer_health.drop_ours(existing) }}
        {%- set existing = none %}
    {% endif %}

    {% if config.get('contract').enforced %}
        {% do get_assert_columns_equivalent(customer_health.with_types_of_contract(body)) %}
    {% endif %}
    {%- set held = customer_health.compared(existing, body) -%}
    {% set may_be_dropped = model.fqn[2] in ['inputs', 'staging'] or should_full_refresh() %}
    {% if held.refused and may_be_dropped %}
        {{ customer_health.drop_ours(existing) }}
    {% elif held.refused %}
        {% do exceptions.raise_compiler_error(
            this.identifier ~ ' ' ~ held.refused ~ (
                ': run `customer-health detach`, then a nightly refresh to create it again'
                if config.get('meta', {}).get('of_any_type') else
                ': run once with --full-refresh to drop and rebuild it'
                ~ ' (grants on it are dropped too)'
            )
        ) %}
    {% elif held.grown %}
        {%- set body = 'select ' ~ held.grown ~ ' from (' ~ body ~ ') as grown' -%}
        {%- set held = customer_health.compared(existing, body) -%}
    {% endif %}
    {% call statement('main') -%}
        {#- the view for the comparison must not block others who drop what it reads -#}
        drop view if exists pg_temp.same_view;
        {% if held.is_same -%}
            select 'unchanged'
        {%- else -%}
            {%- call customer_health.with_short_lock() -%}
            create or replace view {{ target_relation }}
            with (security_invoker = true)
            as (
                {{ body }}
            );
            {{ customer_health.mark(target_relation, 'view') }}
            {%- endcall -%}
        {%- endif -%}
    {%- endcall %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke=False) %}
    {#- the comment of the relation is our mark #}
    {% do persist_docs(target_relation, model, for_relation=false) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% macro is_left_out(node, existing, is_switched_on) -%}
    {#-
    Whether an input of ours is not created: the user's project has its own, or its
    system was never switched on.
    -#}
    {%- if node.fqn[2] != 'inputs' or node.package_name != 'customer_health' -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set theirs = [] -%}
    {%- set reads_ours = [] -%}
    {%- for other in graph.nodes.values() -%}
        {%- if other.name == node.name and other.package_name != node.package_name
            and node.package_name == 'customer_health'
        -%}
            {%- do theirs.append(other.unique_id) -%}
        {%- endif -%}
        {%- if node.unique_id in other.depends_on.nodes -%}
            {%- do reads_ours.append(other.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if theirs and reads_ours -%}
        {%- do exceptions.raise_compiler_error(
            'setting require_ref_searches_node_package_before_root is true, must be false: '
            ~ reads_ours[0] ~ ' would not read ' ~ theirs[0]
        ) -%}
    {%- endif -%}
    {{ return(theirs or not (is_switched_on or existing)) }}
{%- endmacro %}


{% macro no_rows_of(existing) -%}
    {#- an input has no contract: it keeps its present columns -#}
    {%- set columns = [] -%}
    {%- if model.fqn[2] == 'inputs' -%}
        {%- for column in run_query(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            ~ " where attrelid = '" ~ existing ~ "'::regclass and attnum > 0 order by attnum"
        ) -%}
            {%- do columns.append(
                'null::' ~ column[1] ~ ' as ' ~ adapter.quote(column[0])
            ) -%}
        {%- endfor -%}
        {{ return('select ' ~ columns | join(', ') ~ ' where false') }}
    {%- endif -%}
    {{ return(get_empty_schema_sql(model['columns']) ~ ' where false') }}
{%- endmacro %}


{% macro compared(view, body) -%}
    {#-
    What this body would change in the view: nothing (is_same), columns in a way that
    PostgreSQL refuses in place (refused, in words), or their order (grown: all columns,
    the present ones first). PostgreSQL itself tells, through a temporary view with this
    body.
    -#}
    {%- if view is none -%} {{ return({}) }} {%- endif -%}
    {%- call statement('compared', fetch_result=True) -%}
        drop view if exists pg_temp.same_view;
        create temporary view same_view as ({{ body }}
        );
        with old as (
            select attnum, attname, (atttypid, atttypmod, attcollation) as type
            from pg_attribute where attrelid = to_regclass('{{ view }}') and attnum > 0
        ),

        new as (
            select attnum, attname, (atttypid, atttypmod, attcollation) as type
            from pg_attribute where attrelid = 'pg_temp.same_view'::regclass and attnum > 0
        )

        select
            (
                select
                    pg_get_viewdef('pg_temp.same_view'::regclass) = pg_get_viewdef(oid)
                    and 'security_invoker=true' = any(reloptions)
                from pg_class where oid = to_regclass('{{ view }}')
            ) as is_same,
            nullif(concat_ws(
                ' and ',
                'loses ' || string_agg(attname, ', ' order by old.attnum)
                    filter (where new.attnum is null),
                'gets other types for ' || string_agg(attname, ', ' order by old.attnum)
                    filter (where old.type != new.type)
            ), '') as refused,
            string_agg(quote_ident(attname), ', ' order by old.attnum, new.attnum)
                filter (where new.attnum is not null) as columns,
            bool_and(old.attnum is null or old.attnum = new.attnum) as is_in_place
        from old
        full join new using (attname)
        having count(old.attnum) > 0
    {%- endcall -%}
    {%- for row in load_result('compared').table.rows -%}
        {{ return({
            'is_same': row['is_same'],
            'refused': row['refused'],
            'grown': none if row['is_in_place'] else row['columns'],
        }) }}
    {%- endfor -%}
    {{ return({}) }}
{%- endmacro %}


{% macro with_types_of_contract(body) -%}
    {#-
    the select for the contract check: columns that may have any type count as the
    contract's
    -#}
    {%- set of_any_type = config.get('meta', {}).get('of_any_type') -%}
    {%- if not of_any_type -%} {{ return(body) }} {%- endif -%}
    select
        {%- for column in model['columns'].values() %}
        {%- if column.name in of_any_type %}
        case when false and {{ column.name }} is null then null::{{ column.data_type }} end
            as {{ column.name }}
        {%- else %}
        {{ column.name }}
        {%- endif -%}
        {{ ',' if not loop.last }}
        {%- endfor %}
    from (
        {{ body }}
    ) as mapped
{%- endmacro %}
