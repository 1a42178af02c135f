{% macro change_cause(from_status, to_status) -%}
    case
        -- only an order starts these
        when {{ to_status }} in ('HEALTHY', 'AT_RISK_REVENUE', 'ACTIVE') then 'ORDER'
        -- without an order so far
        when {{ from_status }} is null then 'CREATED'
        -- no order came and a limit was reached
        else 'TIME'
    end
{%- endmacro %}
