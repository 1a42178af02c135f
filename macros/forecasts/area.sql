{% macro area(gone_count, ordered_count, ordered_below) -%}
    {#-
    the area under the curve: the probability that a customer that is gone ranks above
    one that ordered
    -#}
    (
        sum({{ gone_count }} * {{ ordered_below }})
        / nullif(sum({{ gone_count }}) * sum({{ ordered_count }}), 0)
    )::double precision
{%- endmacro %}
