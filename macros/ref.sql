{% macro ref() -%}
    {#-
    A model of ours means the models of ours, whatever models another project has that takes
    this one as a package. An input alone gives way to a model or seed of the same name there.
    -#}
    {%- if varargs | length == 1 and not varargs[0].startswith('input_') -%}
        {{ return(builtins.ref('customer_health', varargs[0], **kwargs)) }}
    {%- endif -%}
    {{ return(builtins.ref(*varargs, **kwargs)) }}
{%- endmacro %}
