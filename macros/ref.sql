{% macro ref() -%}
    {#-
    A model of ours means the models of ours, whatever models another project has that takes
    this one as a package. An input gives way to a model of the same name there, and a seed
    where it is asked to: ref('risk_thresholds', gives_way=true).
    -#}
    {%- set gives_way = kwargs.pop('gives_way', false) or varargs[0].startswith('input_') -%}
    {%- if varargs | length == 1 and not gives_way -%}
        {{ return(builtins.ref('customer_health', varargs[0], **kwargs)) }}
    {%- endif -%}
    {{ return(builtins.ref(*varargs, **kwargs)) }}
{%- endmacro %}


{% macro ours(relation) -%}
    {#- dbt parses a test of a yml with the macros that are named in it: this names ref -#}
    {%- if false -%} {{ customer_health.ref() }} {%- endif -%}
    {{ relation }}
{%- endmacro %}
