{% macro ref() -%}
    {#-
    Our models refer to our models, whatever models the project has that uses this one
    as a package. Only an input gives way to a model or seed of the same name there.
    -#}
    {%- if varargs | length == 1 and not varargs[0].startswith('input_') -%}
        {%- set relation = builtins.ref('customer_health', varargs[0], **kwargs) -%}
    {%- else -%}
        {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {%- endif -%}
    {%- if var('checks_inputs', false) and not relation.is_cte -%}
        {#- the command `check` creates them for the length of its transaction -#}
        {%- set relation = api.Relation.create(
            schema='pg_temp', identifier=relation.identifier
        ) -%}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}
