{% macro ranked_below(ordered_count, ranking, among) -%}
    {#- those that ordered and rank below, and half of those that rank the same -#}
    sum({{ ordered_count }}) over (
        partition by {{ among }} order by {{ ranking }}
    ) - {{ ordered_count }} / 2.0
{%- endmacro %}
