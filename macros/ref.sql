{% macro ref() -%}
    {#-
    A model of ours means the models of ours, whatever models another project has that takes
    this one as a package. An input alone gives way to a model of the same name there. A model of
    that project, which has the macros of this one, means what dbt does.
    -#}
    {%- set is_ours = model is not defined or model.package_name == 'customer_health' -%}
    {%- if is_ours and varargs | length == 1 and not varargs[0].startswith('input_') -%}
        {{ return(builtins.ref('customer_health', varargs[0], **kwargs)) }}
    {%- endif -%}
    {{ return(builtins.ref(*varargs, **kwargs)) }}
{%- endmacro %}


{% macro ours(relation) -%}
    {#- dbt parses a test of a yml with the macros that are named in it: this names ref -#}
    {%- if false -%} {{ customer_health.ref() }} {%- endif -%}
    {{ relation }}
{%- endmacro %}
