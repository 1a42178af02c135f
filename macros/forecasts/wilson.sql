{% macro wilson(share, trials, side) -%}
    {#- side: - or +, the lower or the upper end; that of none or all is exact -#}
    case
        when {{ share }} = {{ 0 if side == '-' else 1 }} then {{ share }}
        else
            (
                {{ share }} + {{ z() }} ^ 2 / (2 * {{ trials }})
                {{ side }} {{ z() }} * sqrt(
                    {{ share }} * (1 - {{ share }}) / {{ trials }}
                    + {{ z() }} ^ 2 / (4 * {{ trials }}::double precision ^ 2)
                )
            ) / (1 + {{ z() }} ^ 2 / {{ trials }})
    end
{%- endmacro %}


{% macro z() -%}
    1.959963984540054::double precision
{%- endmacro %}
