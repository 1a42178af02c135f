{% macro count_of(number, noun) -%}
    ({{ number }})::text || case when {{ number }} = 1 then ' {{ noun }}' else ' {{ noun }}s' end
{%- endmacro %}
