{% macro due_bucket(days_past_expected, risk_status) -%}
    case
        when
            {{ days_past_expected }} is null
            or {{ days_past_expected }} < -{{ var('due_soon_days') }}
            then null
        when {{ risk_status }} = 'DORMANT' then 'DORMANT'
        when {{ days_past_expected }} > 0 then 'OVERDUE'
        when {{ days_past_expected }} = 0 then 'DUE_TODAY'
        else 'DUE_SOON'
    end
{%- endmacro %}
