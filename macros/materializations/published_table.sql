{% materialization published_table, adapter='postgres' %}
    {#-
    A table of the public contract. This creates it with the columns of its contract and
    adds columns that are new; it never fills it. Rows, and with the first of them the
    indexes, arrive by the publication of its system, which moves all marts at once. A
    mart is never dropped, except by --full-refresh after a column was removed or changed.
    -#}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set empty = get_empty_schema_sql(model['columns']) -%}
    {%- set wanted = get_column_schema_from_query(empty) -%}

    {{ get_assert_columns_equivalent(sql) }}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if existing is not none -%}
        {%- set changes = published_table_changes(existing, wanted) -%}
        {%- if changes.refused and not should_full_refresh() -%}
            {%- do exceptions.raise_compiler_error(
                this ~ ' holds ' ~ changes.refused | join(', ')
                ~ ' other than its contract says; run once with --full-refresh to drop'
                ~ ' and rebuild it (views and grants on it are dropped too)'
            ) -%}
        {%- elif changes.refused -%}
            {{ drop_relation_if_exists(existing) }}
            {%- set existing = none -%}
        {%- endif -%}
    {%- endif -%}

    {% call statement('main') -%}
        {%- if existing is none -%}
            create table {{ target_relation }}
            {{ get_table_columns_and_constraints() }};
            alter table {{ target_relation }}
            {%- for column in config.require('unique_key') %}
            alter column {{ adapter.quote(column) }} set not null
            {{- ',' if not loop.last }}
            {%- endfor %}
        {%- elif changes.added -%}
            alter table {{ target_relation }}
            {%- for column in changes.added %}
            add column {{ adapter.quote(column) }}
            {{ model['columns'][column]['data_type'] }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        {%- else -%}
            select 'unchanged'
        {%- endif -%}
    {%- endcall %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke=False) %}
    {% do persist_docs(target_relation, model) %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% macro published_table_changes(existing, wanted) -%}
    {%- set found = {} -%}
    {%- for column in get_column_schema_from_query('select * from ' ~ existing) -%}
        {%- do found.update({column.name: column.dtype}) -%}
    {%- endfor -%}
    {%- set added = [] -%}
    {%- set refused = [] -%}
    {%- for column in wanted -%}
        {%- if column.name not in found -%}
            {%- do added.append(column.name) -%}
        {%- elif found.pop(column.name) != column.dtype -%}
            {%- do refused.append(column.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return({'added': added, 'refused': refused + found.keys() | list}) }}
{%- endmacro %}
