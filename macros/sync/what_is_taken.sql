{% macro what_is_taken(expected, column) -%}
    {#- asked only where they differ, for most do not -#}
    case
        when
            {{ expected }}.{{ column }} is distinct from typed.current_{{ column }}
            and refused.{{ column }}
            && array['any', coalesce({{ expected }}.{{ column }}::text, 'NULL')]
            then typed.current_{{ column }}
        else {{ expected }}.{{ column }}
    end
{%- endmacro %}
