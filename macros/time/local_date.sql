{% macro local_date(instant, time_zone) -%}
    ({{ instant }} at time zone {{ time_zone }})::date
{%- endmacro %}
