{% macro system_of(name) -%}
    {#- the entry of a system in the registry, which has no default -#}
    {%- if name not in var('systems') -%}
        {%- do exceptions.raise_compiler_error(
            'setting systems of dbt_project.yml has no ' ~ name ~ '; it has: '
            ~ var('systems') | join(', ')
        ) -%}
    {%- endif -%}
    {{ return(var('systems')[name]) }}
{%- endmacro %}
