{% macro daypart(local) -%}
    case
        when {{ local }}::time < '12:00' then 'MORNING'
        when {{ local }}::time < '17:00' then 'AFTERNOON'
        else 'EVENING'
    end
{%- endmacro %}
