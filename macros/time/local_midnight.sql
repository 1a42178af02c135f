{% macro local_midnight(day, time_zone) -%}
    {#- where clocks go back at midnight a day begins twice: the first time counts -#}
    {%- set begins = "((" ~ day ~ ")::timestamp at time zone " ~ time_zone ~ ")" -%}
    {%- set an_hour_before = "(" ~ begins ~ " - interval '1 hour')" -%}
    case
        when {{ local_date(an_hour_before, time_zone) }} = {{ day }}
            then {{ an_hour_before }}
        else {{ begins }}
    end
{%- endmacro %}
