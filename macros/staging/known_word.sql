{% macro known_word(name, column) -%}
    {#- an optional word that is not known is none: no rule rests on it -#}
    {%- set wanted = columns_wanted_of(name).get(column) -%}
    {%- set words = wanted.config.meta.allowed if wanted else [] -%}
    case when {{ column }} in ('{{ words | join("', '") }}') then {{ column }} end
{%- endmacro %}
