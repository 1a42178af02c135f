{% macro customer_segment(day, new_until, active_until, at_risk_until) -%}
    case
        -- the first visit is not long ago
        when {{ day }} < {{ new_until }} then 'NEW'
        -- the last visit is not long ago
        when {{ day }} < {{ active_until }} then 'ACTIVE'
        -- silent, but not for long
        when {{ day }} < {{ at_risk_until }} then 'AT_RISK'
        else 'LOST'
    end
{%- endmacro %}
