{% macro table_of_contract(existing, target_relation) -%}
    {#-
    What creates the table of this model with the columns of its contract, or adds those
    that are new. A column that is gone or has another type is refused, but with
    --full-refresh, which drops the table, unless its model says full_refresh: false.
    -#}
    {%- set changes = contract_changes(existing) -%}
    {%- if changes.refused and not should_full_refresh() -%}
        {%- do exceptions.raise_compiler_error(
            this ~ ' holds ' ~ changes.refused | join(', ')
            ~ ' other than its contract says; ' ~ (
                'nothing could compute its rows again, so alter the table by hand'
                if config.get('full_refresh') is false else
                'run once with --full-refresh to drop and rebuild it'
                ~ ' (grants on it are dropped too)'
            )
        ) -%}
    {%- elif changes.refused -%}
        {{ drop_ours(existing) }}
    {%- endif -%}
    {%- if existing is none or changes.refused -%}
        create table {{ target_relation }}
        {{ get_table_columns_and_constraints() }};
        {%- for column in config.get('unique_key') or [] %}
        alter table {{ target_relation }}
        alter column {{ adapter.quote(column) }} set not null;
        {%- endfor %}
        {%- if config.get('unique_key') %}
        {#- until the first rows bring the key: where all tables are published to
        subscribers, no row can be changed or deleted without an identity #}
        alter table {{ target_relation }} replica identity full;
        {%- endif %}
        {{ mark(target_relation) }}
    {%- elif changes.added -%}
        {%- call in_a_moment() -%}
        alter table {{ target_relation }}
        {%- for column in changes.added %}
        add column {{ adapter.quote(column) }}
        {{ model['columns'][column]['data_type'] }}
        {{- ',' if not loop.last }}
        {%- endfor %}
        {%- endcall %}
    {%- else -%}
        select 'unchanged'
    {%- endif -%}
{%- endmacro %}


{% macro contract_changes(existing) -%}
    {%- set found = {} -%}
    {%- set added = [] -%}
    {%- set refused = [] -%}
    {%- if existing is not none -%}
        {%- for column in get_column_schema_from_query('select * from ' ~ existing) -%}
            {%- do found.update({column.name: column.dtype}) -%}
        {%- endfor -%}
        {%- set promised = get_empty_schema_sql(model['columns']) -%}
        {%- for column in get_column_schema_from_query(promised) -%}
            {%- if column.name not in found -%}
                {%- do added.append(column.name) -%}
            {%- elif found.pop(column.name) != column.dtype -%}
                {%- do refused.append(column.name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return({'added': added, 'refused': refused + found.keys() | list}) }}
{%- endmacro %}
