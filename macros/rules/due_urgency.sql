{% macro due_urgency(due_bucket, days_past_expected) -%}
    case
        when {{ due_bucket }} = 'OVERDUE'
            then
                case
                    when {{ days_past_expected }} >= {{ var('critical_after_days') }}
                        then 'CRITICAL'
                    when {{ days_past_expected }} >= {{ var('urgent_after_days') }}
                        then 'URGENT'
                    else 'MODERATE'
                end
    end
{%- endmacro %}
