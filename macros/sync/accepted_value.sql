{% macro accepted_value(expected, column) -%}
    {#- most values do not differ, so this is tested first -#}
    case
        when ({{ expected }}.{{ column }} is not distinct from typed.current_{{ column }})
            then typed.current_{{ column }}
        when
            'any' = any(refused.{{ column }})
            or coalesce({{ expected }}.{{ column }}::text, 'NULL')
            = any(refused.{{ column }})
            then typed.current_{{ column }}
        else {{ expected }}.{{ column }}
    end
{%- endmacro %}
