{% materialization publication, adapter='postgres' %}
    {#-
    Creates the tables of the marts that this model publishes, and runs the model's SQL,
    which moves all of them to their next state in one transaction. The model's own
    table is the log of the moved rows.
    -#}
    {%- call statement('session') -%} {{ use_session() }} {%- endcall -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set marts = make_tables_of_marts(model) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('log') -%}
        {{ table_of_contract(model, load_cached_relation(this), target_relation) }}
    {%- endcall %}
    {% call statement('main') -%}
        {%- if var('lock_pid') %}
        do $lock$
        begin
            if not {{ holds_lock() }} then
                raise 'the refresh lock was lost, so another refresh may be running';
            end if;
        end
        $lock$;
        {%- endif %}
        {{ sql }}
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation] + marts}) }}
{% endmaterialization %}


{% macro make_tables_of_marts(publication) -%}
    {#-
    Creates missing tables of a publication's marts, with the rights of their readers,
    and adds new columns; each in its own transaction, because a change of a table that
    people read must not last as long as the publication. Returns all tables.
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
        {%- if var('citus') -%} {%- do run_query(distribute(table, node)) -%} {%- endif -%}
    {%- endfor -%}
    {{ return(tables) }}
{%- endmacro %}
