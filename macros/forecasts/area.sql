{% macro area(gone_count, ordered_count, ordered_below) -%}
    {#- the area under the curve: how likely one that is gone ranks above one that ordered -#}
    (
        sum({{ gone_count }} * {{ ordered_below }})
        / nullif(sum({{ gone_count }}) * sum({{ ordered_count }}), 0)
    )::double precision
{%- endmacro %}


{% macro ranked_below(ordered_count, ranking) -%}
    {#- those that ordered and rank below, and half of those that rank the same -#}
    sum({{ ordered_count }}) over (
        partition by tenant_id, horizon_days order by {{ ranking }}
    ) - {{ ordered_count }} / 2.0
{%- endmacro %}
