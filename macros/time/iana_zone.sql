{% macro iana_zone(name) -%}
    {#-
    A time zone as `at time zone` must have it. PostgreSQL reads these four names as
    abbreviations, which have no summer time; in the time zone database each is another
    name of the zone that replaces it.
    -#}
    case upper({{ name }})
        when 'CET' then 'Europe/Brussels'
        when 'MET' then 'Europe/Brussels'
        when 'EET' then 'Europe/Athens'
        when 'WET' then 'Europe/Lisbon'
        else {{ name }}
    end
{%- endmacro %}
