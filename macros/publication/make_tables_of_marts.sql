{% macro make_tables_of_marts(publication) -%}
    {#-
    Makes the tables of a publication's marts that are not there, with the rights of their
    readers, and adds columns that are new; each in a transaction of its own, for a change
    of a table that people read is not to last as long as the publication. Returns them all.
    -#}
    {%- set columns = {} -%}
    {%- set tables = [] -%}
    {%- set nodes = marts_of(publication).values() | list -%}
    {%- for node in nodes -%}
        {%- do columns.update({node.relation_name: node.columns}) -%}
    {%- endfor -%}
    {%- set others = tables_of_other_columns(columns) -%}
    {%- for node in nodes -%}
        {%- set table = api.Relation.create(
            database=node.database, schema=node.schema, identifier=node.alias, type='table'
        ) -%}
        {%- do tables.append(table) -%}
        {%- if node.relation_name in others -%}
            {%- set existing = load_cached_relation(table) -%}
            {%- if existing is none
                and not adapter.check_schema_exists(node.database, node.schema) -%}
                {%- do adapter.create_schema(table) -%}
            {%- endif -%}
            {%- if existing is not none and not existing.is_table -%}
                {%- do drop_ours(existing) -%}
                {%- set existing = none -%}
            {%- endif -%}
            {%- call statement('table_of_mart') -%}
                {{ table_of_contract(node, existing, table) }}
            {%- endcall -%}
            {%- set rights = secure(table) -%}
            {%- if rights.strip() -%} {%- do run_query(rights) -%} {%- endif -%}
            {%- do adapter.commit() -%}
            {%- call statement('session') -%} {{ use_session() }} {%- endcall -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(tables) }}
{%- endmacro %}
