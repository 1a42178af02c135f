{% macro published_by(publication) -%}
    {#-
    The select of a mart. dbt requires one for every model, but it is not run: see the
    materialization published_table. It names the publication so that the mart depends
    on it.
    -#}
    -- {{ publication.identifier }} makes and fills this table, all marts of a system at once
    select * from {{ this }}
{%- endmacro %}
