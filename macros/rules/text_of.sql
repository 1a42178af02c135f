{% macro text_of(object, key, types) -%}
    case
        when jsonb_typeof({{ object }} -> '{{ key }}') in ('{{ types | join("', '") }}')
            then {{ trimmed(object ~ " ->> '" ~ key ~ "'") }}
    end
{%- endmacro %}
