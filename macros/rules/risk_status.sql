{% macro risk_status(days_past_expected, dormant_days, grace_days, is_revenue_declined) -%}
    case
        -- silent for longer than anyone waits
        when {{ days_past_expected }} >= {{ dormant_days }} then 'DORMANT'
        -- later than usual
        when {{ days_past_expected }} >= {{ grace_days }} then 'AT_RISK_CADENCE'
        -- on time, but spending less
        when {{ is_revenue_declined }} then 'AT_RISK_REVENUE'
        else 'HEALTHY'
    end
{%- endmacro %}
