{% macro known_word(name, column) -%}
    {#- an unknown optional word becomes NULL: no rule depends on it -#}
    {%- set wanted = columns_wanted_of(name).get(column) -%}
    {%- set words = wanted.config.meta.allowed if wanted else [] -%}
    case when {{ column }} in ('{{ words | join("', '") }}') then {{ column }} end
{%- endmacro %}
