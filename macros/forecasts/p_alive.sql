{% macro p_alive(history, model) -%}
    {#- one over one and the odds of having dropped out; before the first chance nobody has -#}
    case
        when {{ model }}.r is null then null
        when {{ history }}.repeats_count + {{ model }}.first_drop = 0 then 1
        else
            1 / (
                1
                + exp({{ within_exp(dropped_log_odds(history, model)) }})
            )
    end
{%- endmacro %}
