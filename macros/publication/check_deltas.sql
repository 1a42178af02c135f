{% macro check_deltas(marts) -%}
    {#-
    Refuses a delta that has not the columns of its mart. More than those has only a table of
    the scope that is a delta as well.
    -#}
    {%- set columns = {} -%}
    {%- for mart in marts -%} {%- do columns.update({mart.delta: mart.node.columns}) -%} {%- endfor -%}
    {%- set others = tables_of_other_columns(columns) -%}
    {%- for mart in marts if mart.delta in others -%}
        {%- set found = contract_changes(mart.node, mart.delta) -%}
        {%- set is_scope = mart.scope and mart.scope.table == mart.delta -%}
        {%- set problems = [] -%}
        {%- for column in found.added -%}
            {%- do problems.append(column ~ ' is missing') -%}
        {%- endfor -%}
        {%- for column in found.retyped -%}
            {%- do problems.append(column ~ ' must be ' ~ mart.node.columns[column].data_type) -%}
        {%- endfor -%}
        {%- for column in found.gone if not is_scope -%}
            {%- do problems.append(column ~ ' must be left out') -%}
        {%- endfor -%}
        {%- if problems -%}
            {%- do exceptions.raise_compiler_error(
                'the rows for ' ~ mart.name ~ ' in ' ~ mart.delta
                ~ ' do not fit its contract: ' ~ problems | join('; ')
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
