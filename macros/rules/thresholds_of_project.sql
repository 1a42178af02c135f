{% macro thresholds_of_project() -%}
    {%- set theirs = ref('risk_thresholds', gives_way=true) -%}
    {%- set columns = adapter.get_columns_in_relation(ref('risk_thresholds')) if execute else [] -%}
    {%- set given = adapter.get_columns_in_relation(theirs) | map(attribute='name') | list
        if execute else [] -%}
    {%- for name in given if name not in columns | map(attribute='name') | list -%}
        {%- do exceptions.raise_compiler_error(
            'setting risk_thresholds (the seed) has a column ' ~ name ~ ', but its columns are '
            ~ columns | map(attribute='name') | join(', ')
        ) -%}
    {%- endfor -%}
    select
        {%- for column in columns %}
        {#- dbt guesses the types of a seed #}
        {% if column.name in given %} nullif({{ column.name }}::text, '') {% else %} null {% endif -%}
        ::{{ column.data_type }} as {{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ theirs }}
{%- endmacro %}
