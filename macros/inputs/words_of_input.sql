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


{% macro known_word(name, column) -%}
    {#- an optional word that is not known is none: no rule rests on it -#}
    {%- set wanted = columns_wanted_of(name).get(column) -%}
    {%- set words = wanted.config.meta.allowed if wanted else [] -%}
    case when {{ column }} in ('{{ words | join("', '") }}') then {{ column }} end
{%- endmacro %}


{% macro meta_of_input(name) -%}
    {#- what the yml says of its rows, also where a model of another project has its place -#}
    {%- set node = graph.get('nodes', {}).get('model.customer_health.' ~ name) if execute -%}
    {{ return(node.config.meta if node else {'key': ['given']}) }}
{%- endmacro %}
