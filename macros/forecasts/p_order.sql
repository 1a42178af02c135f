{% macro p_order(horizon_days, history, model) -%}
    {#- alive, and not silent for that long -#}
    {{ p_alive(history, model) }}
    * (
        1 - exp(
            {{ within_exp(
                '-(' ~ model ~ '.r + ' ~ history ~ '.repeats_count) * ln(1 + '
                ~ horizon_days ~ ' / (' ~ model ~ '.alpha_days + ' ~ history ~ '.age_days))'
            ) }}
        )
    )
{%- endmacro %}
