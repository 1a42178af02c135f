{% macro published_by(publication) -%}
    {#-
    What a mart says of itself. dbt wants a select of every model, and here it is not run: see
    materialization published_table. The publication is named so that the mart depends on it.
    -#}
    -- {{ publication.identifier }} makes and fills this table, all marts of a system at once
    select * from {{ this }}
{%- endmacro %}
