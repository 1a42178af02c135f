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
