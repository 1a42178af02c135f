{% materialization view_in_place, adapter='postgres' %}
    {#-
    A view that is replaced where it stands, so that other people's views, grants and
    policies on it survive. PostgreSQL refuses that when columns are removed or change
    type; then, and only then, --full-refresh drops it with the views of ours that read it,
    and refuses where views of others do.
    A view of a system that is switched off has the columns of its contract and no rows.
    Where it says the same already it is left alone: replacing it waits for its readers.
    -#}
    {%- call statement('session') -%} {{ use_session() }} {%- endcall -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set no_rows = get_empty_schema_sql(model['columns']) ~ ' where false' -%}
    {%- set body = sql if is_switched_on(model) else no_rows -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if existing is not none and not existing.is_view %}
        {{ drop_ours(existing) }}
        {%- set existing = none %}
    {% endif %}

    {% if config.get('contract').enforced %}
        {% do get_assert_columns_equivalent(with_types_of_contract(body)) %}
    {% endif %}
    {% if existing is not none and config.get('meta', {}).get('of_any_type') %}
        {% do refuse_other_types(existing, body) %}
    {% endif %}
    {%- set held = compared(existing, body) -%}
    {% if held.is_there and not held.fits and should_full_refresh() %}
        {{ drop_ours(existing) }}
    {% endif %}
    {% call statement('main') -%}
        {#- others who drop what it reads need not wait for the one that was compared -#}
        drop view if exists pg_temp.same_view;
        {% if held.is_same -%}
            select 'unchanged'
        {%- else -%}
            {%- call in_a_moment() -%}
            create or replace view {{ target_relation }}
            with (security_invoker = true)
            as (
                {{ body }}
            );
            {{ mark(target_relation, 'view') }}
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


{% macro is_switched_on(node) -%}
    {#- whether the system, and what else it needs, is there to be read: asked of staging -#}
    {%- set switches = [node.config.meta.needs] if node.config.meta.needs else [] -%}
    {%- if node.fqn[2] == 'staging' -%}
        {%- do switches.append(node.fqn[1] ~ '_enabled') -%}
    {%- endif -%}
    {%- for switch in switches if not var(switch) -%} {{ return(false) }} {%- endfor -%}
    {{ return(true) }}
{%- endmacro %}


{% macro compared(view, body) -%}
    {#-
    Whether the view is there, says the same as this body, or could say it where it stands:
    its columns are then the first ones, in their order. Asked of PostgreSQL, which knows: a
    view for a moment has the words of this one.
    -#}
    {%- if view is none -%} {{ return({}) }} {%- endif -%}
    {%- call statement('compared', fetch_result=True) -%}
        drop view if exists pg_temp.same_view;
        create temporary view same_view as ({{ body }});
        select
            pg_get_viewdef('pg_temp.same_view'::regclass) = pg_get_viewdef(oid)
            and 'security_invoker=true' = any(reloptions) as is_same,
            not exists (
                select attnum, attname, atttypid, atttypmod, attcollation
                from pg_attribute where attrelid = pg_class.oid and attnum > 0
                except
                select attnum, attname, atttypid, atttypmod, attcollation
                from pg_attribute where attrelid = 'pg_temp.same_view'::regclass
            ) as fits
        from pg_class
        where oid = to_regclass('{{ view }}')
    {%- endcall -%}
    {%- for row in load_result('compared').table.rows -%}
        {{ return({'is_there': true, 'is_same': row['is_same'], 'fits': row['fits']}) }}
    {%- endfor -%}
    {{ return({}) }}
{%- endmacro %}


{% macro refuse_other_types(view, body) -%}
    {#- PostgreSQL would refuse it as well, without a word on what helps -#}
    {%- call statement('other_types', fetch_result=True) -%}
        drop view if exists pg_temp.other_types;
        create temporary view other_types as ({{ body }}
        );
        select string_agg(old.attname, ', ' order by old.attnum)
        from pg_attribute as old
        inner join pg_attribute as new
            on
                old.attname = new.attname
                and new.attrelid = 'pg_temp.other_types'::regclass
        where
            old.attrelid = '{{ view }}'::regclass
            and (old.atttypid, old.atttypmod) is distinct from (new.atttypid, new.atttypmod)
    {%- endcall -%}
    {%- set columns = load_result('other_types').table.columns[0].values()[0] -%}
    {%- if columns -%}
        {%- do exceptions.raise_compiler_error(
            view.identifier ~ ' gets other types for ' ~ columns
            ~ ': run `python -m flows detach`, then a nightly refresh makes it anew'
        ) -%}
    {%- endif -%}
{%- endmacro %}


{% macro with_types_of_contract(body) -%}
    {#- what the contract is asked about: columns that may be of any type count as theirs -#}
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
