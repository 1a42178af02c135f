{% macro words_of_input(name) -%}
    {#- by column, the words that a valid row may have, as in the yml -#}
    {%- set words = {} -%}
    {%- for column in columns_wanted_of(name).values()
        if execute and column.config.meta.allowed and not column.config.meta.optional
    -%}
        {%- do words.update({column.name: column.config.meta.allowed}) -%}
    {%- endfor -%}
    {{ return(words) }}
{%- endmacro %}
