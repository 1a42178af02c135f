{% macro contract_changes(node, existing) -%}
    {#-
    columns that the contract of a model adds, changes in type, and no longer has
    -#}
    {%- set found = {} -%}
    {%- set added = [] -%}
    {%- set retyped = [] -%}
    {%- if existing is not none -%}
        {%- for column in get_column_schema_from_query('select * from ' ~ existing) -%}
            {%- do found.update({column.name: column.dtype}) -%}
        {%- endfor -%}
        {%- set promised = get_empty_schema_sql(node.columns) -%}
        {%- for column in get_column_schema_from_query(promised) -%}
            {%- if column.name not in found -%}
                {%- do added.append(column.name) -%}
            {%- elif found.pop(column.name) != column.dtype -%}
                {%- do retyped.append(column.name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return({'added': added, 'retyped': retyped, 'gone': found.keys() | list}) }}
{%- endmacro %}
