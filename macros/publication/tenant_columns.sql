{% macro tenant_columns() -%}
    {%- set names = [] -%}
    {%- if execute -%}
        {%- for system in var('systems').values() -%}
            {%- do names.append(system.tenant ~ '_id') -%}
        {%- endfor -%}
    {%- endif -%}
    {{ text_array(names | unique) }}
{%- endmacro %}
