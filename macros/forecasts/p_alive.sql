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


{% macro dropped_log_odds(history, model) -%}
    ln(
        {{ model }}.a
        / ({{ model }}.b + {{ history }}.repeats_count + {{ model }}.first_drop - 1)
    )
    + ({{ model }}.r + {{ history }}.repeats_count)
    * ln(
        ({{ model }}.alpha_days + {{ history }}.age_days)
        / ({{ model }}.alpha_days + {{ history }}.recency_days)
    )
{%- endmacro %}


{% macro ln_of_one_and_exp(exponent) -%}
    {#- ln(1 + e^x), however large x is -#}
    (
        greatest(0, {{ exponent }})
        + ln(1 + exp(greatest(-700, -abs({{ exponent }}))))
    )
{%- endmacro %}


{% macro within_exp(exponent) -%}
    {#- beyond these exp() is an error in PostgreSQL, and a probability is 0 or 1 long before -#}
    greatest(-700, least(700, {{ exponent }}))
{%- endmacro %}
