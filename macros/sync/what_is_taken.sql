{% macro what_is_taken(expected, column) -%}
    {#- most do not differ: those are told first -#}
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
