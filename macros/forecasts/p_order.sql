{% macro p_order(horizon_days, history, model) -%}
    {#-
    the probability of being alive, times that of not staying silent for the horizon
    -#}
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
