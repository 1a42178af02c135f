{% macro count_of(number, noun) -%}
    ({{ number }})::text || case {{ number }} when 1 then ' {{ noun }}' else ' {{ noun }}s' end
{%- endmacro %}
