{% macro p_alive(history, model) -%}
    {#-
    1 / (1 + odds of having dropped out); before the first chance nobody has dropped out
    -#}
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
