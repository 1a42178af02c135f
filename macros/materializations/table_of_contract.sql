{% macro table_of_contract(node, existing, table) -%}
    {#-
    Creates the table of a model with the columns of its contract, or adds new columns.
    A removed column or a changed type is refused, except with --full-refresh, which
    drops the table unless its model has full_refresh: false.
    -#}
    {%- set changes = contract_changes(node, existing) -%}
    {%- set refused = changes.retyped + changes.gone -%}
    {%- set may_drop = node.config.full_refresh -%}
    {%- if may_drop is none -%} {%- set may_drop = flags.FULL_REFRESH -%} {%- endif -%}
    {%- if refused and not may_drop -%}
        {%- do exceptions.raise_compiler_error(
            'the contract of ' ~ table ~ ' no longer has, or has another type for, '
            ~ refused | join(', ') ~ '; ' ~ (
                'its rows cannot be computed again, so alter the table by hand'
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
        {#- until the key is built with the first rows: if all tables are published to
        subscribers, no row can be changed or deleted without a replica identity #}
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
