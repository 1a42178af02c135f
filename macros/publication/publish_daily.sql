{% macro publish_daily(system, deltas) -%}
    {#-
    The publication of a system in which nothing announces changes: a full refresh moves
    all rows, any other one those of the organizations in its scope. What a mart of days
    holds of days that this refresh has not computed stays, for nobody could compute it
    again. Organizations may hold different instants.
    -#}
    {%- call(mart) move_together(system, deltas, 'min') -%}
        {{ move_organizations(mart) }}
    {%- endcall -%}
{%- endmacro %}
