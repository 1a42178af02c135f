{% macro exact_mean(value, condition='true') -%}
    {#- avg() has sixteen digits of a third, and halves are lost by that -#}
    {{ exact_ratio(
        'sum(' ~ value ~ ') filter (where ' ~ condition ~ ')',
        'count(' ~ value ~ ') filter (where ' ~ condition ~ ')'
    ) }}
{%- endmacro %}
