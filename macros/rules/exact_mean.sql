{% macro exact_mean(value, condition='true') -%}
    {#- avg() keeps sixteen digits of a third, which loses exact halves -#}
    {{ exact_ratio(
        'sum(' ~ value ~ ') filter (where ' ~ condition ~ ')',
        'count(' ~ value ~ ') filter (where ' ~ condition ~ ')'
    ) }}
{%- endmacro %}
