{% macro wilson(share, trials, side) -%}
    {#- side: - or +, the lower or the upper end -#}
    (
        {{ share }} + {{ z() }} ^ 2 / (2 * {{ trials }})
        {{ side }} {{ z() }} * sqrt(
            {{ share }} * (1 - {{ share }}) / {{ trials }}
            + {{ z() }} ^ 2 / (4 * {{ trials }}::double precision ^ 2)
        )
    ) / (1 + {{ z() }} ^ 2 / {{ trials }})
{%- endmacro %}


{% macro z() -%}
    1.959963984540054::double precision
{%- endmacro %}
