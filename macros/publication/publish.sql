{% macro publish(system, deltas, after=[]) -%}
    {#-
    The publication of a system whose changes are announced: moves its marts, all at once,
    to the rows of their deltas. Each mart's `meta: {published: ...}` says how; the keys
    are described where this macro is, in macros/_macros.yml.

    First come the keys that an hourly refresh recomputes; then, in a full refresh, all
    rows. What is found wrong then, nobody had noticed: it is counted as corrected.
    -#}
    {%- call(mart) move_together(system, deltas, 'max') -%}
        {{ move_keys(mart, system) }}
    {%- endcall -%}
{%- endmacro %}
