{% macro publish(system, deltas, after=[]) -%}
    {#-
    The publication of a system: moves its marts, all at once, to the rows of their deltas.
    Each mart's `meta: {published: ...}` says how; the keys are described where this macro
    is, in macros/_macros.yml.

    In an hourly system changes are announced. First come the keys that an hourly refresh
    recomputes; then, in a full refresh, all rows. What is found wrong then, nobody had
    noticed: it is counted as corrected.

    Nothing announces changes in a daily system: a full refresh moves all rows, any other
    one those of the organizations in its scope. What a mart of days holds of days that
    this refresh has not computed stays, for nobody could compute it again. Organizations
    may hold different instants.
    -#}
    {%- set is_hourly = execute and system_of(system).is_hourly -%}
    {%- call(mart) move_together(system, deltas, 'max' if is_hourly else 'min') -%}
        {{ move_keys(mart, system) if is_hourly else move_organizations(mart) }}
    {%- endcall -%}
{%- endmacro %}
