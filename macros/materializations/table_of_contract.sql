{% macro table_of_contract(node, existing, table) -%}
    {#-
    What creates the table of a model with the columns of its contract, or adds those
    that are new. A column that is gone or has another type is refused, but with
    --full-refresh, which drops the table, unless its model says full_refresh: false.
    -#}
    {%- set changes = contract_changes(node, existing) -%}
    {%- set refused = changes.retyped + changes.gone -%}
    {%- set may_drop = node.config.full_refresh -%}
    {%- if may_drop is none -%} {%- set may_drop = flags.FULL_REFRESH -%} {%- endif -%}
    {%- if refused and not may_drop -%}
        {%- do exceptions.raise_compiler_error(
            table ~ ' holds ' ~ refused | join(', ')
            ~ ' other than its contract says; ' ~ (
                'nothing could compute its rows again, so alter the table by hand'
                if node.config.full_refresh is false else
                'run once with --full-refresh to drop and rebuild it'
                ~ ' (grants on it are dropped too)'
            )
        ) -%}
    {%- elif refused -%}
        {{ drop_ours(existing) }}
    {%- endif -%}
    {%- if existing is none or refused -%}
        {%- set lines = adapter.render_raw_columns_constraints(raw_columns=node.columns)
            + adapter.render_raw_model_constraints(raw_constraints=node.constraints) -%}
        create table {{ table }} (
            {{ lines | join(',\n            ') }}
        );
        {%- for column in node.config.unique_key or [] %}
        alter table {{ table }} alter column {{ adapter.quote(column) }} set not null;
        {%- endfor %}
        {%- if node.config.unique_key %}
        {#- until the first rows bring the key: where all tables are published to
        subscribers, no row can be changed or deleted without an identity #}
        alter table {{ table }} replica identity full;
        {%- endif %}
        {{ mark(table, node=node) }}
    {%- elif changes.added -%}
        {%- call with_short_lock() -%}
        alter table {{ table }}
        {%- for column in changes.added %}
        add column {{ adapter.quote(column) }} {{ node.columns[column].data_type }}
        {{- ',' if not loop.last }}
        {%- endfor %}
        {%- endcall %}
    {%- else -%}
        select 'unchanged'
    {%- endif -%}
{%- endmacro %}
