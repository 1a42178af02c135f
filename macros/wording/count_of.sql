{% macro count_of(number, noun) -%}
    {{ number }} || case {{ number }} when 1 then ' {{ noun }}' else ' {{ noun }}s' end
{%- endmacro %}
