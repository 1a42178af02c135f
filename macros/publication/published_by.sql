{% macro published_by(publication) -%}
    {#- what a mart says of itself: it is the table that this publication fills -#}
    select * from {{ this }}
{%- endmacro %}
