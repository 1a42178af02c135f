{% macro disagreement(risk_status, p_order_90d) -%}
    case
        when
            {{ risk_status }} = 'DORMANT'
            and {{ p_order_90d }} >= {{ var('disagreement_dormant_from') }}
            then 'LIKELY_THOUGH_DORMANT'
        when
            {{ risk_status }} = 'AT_RISK_CADENCE'
            and {{ p_order_90d }} >= {{ var('disagreement_late_from') }}
            then 'LIKELY_THOUGH_LATE'
        when
            {{ risk_status }} in ('HEALTHY', 'AT_RISK_REVENUE')
            and {{ p_order_90d }} < {{ var('disagreement_on_time_below') }}
            then 'UNLIKELY_THOUGH_ON_TIME'
    end
{%- endmacro %}
