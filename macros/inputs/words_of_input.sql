{% macro words_of_input(name) -%}
    {#- by column, the words that a row must have to be of use, as the yml has them -#}
    {%- set words = {} -%}
    {%- for column in columns_wanted_of(name).values()
        if execute and column.config.meta.allowed and not column.config.meta.optional
    -%}
        {%- do words.update({column.name: column.config.meta.allowed}) -%}
    {%- endfor -%}
    {{ return(words) }}
{%- endmacro %}
