{% macro check_ownership() -%}
    {#-
    Refuses a run that would change an object of others: every object with the name of a
    relation of ours must carry our mark. It runs before anything is built.
    -#}
    {%- if execute -%}
        {%- do run_query(use_session()) -%}
        {%- set ours = relations_of_ours() -%}
        {%- set foreign = unmarked_among(ours) -%}
        {%- if foreign -%}
            {%- set are_many = foreign | length > 1 -%}
            {%- do exceptions.raise_compiler_error(
                foreign | join(', ') | replace('"', '')
                ~ (' are' if are_many else ' is') ~ ' not ours: no refresh of ours has made '
                ~ ('them; rename them or move them' if are_many else 'it; rename it or move it')
                ~ ' to another schema (if only the comment of one of our objects was'
                ~ ' changed, let it begin with "' ~ our_mark() ~ '" again)'
            ) -%}
        {%- endif -%}
        {%- do give_identities(ours) -%}
    {%- endif -%}
{%- endmacro %}


{% macro relations_of_ours() -%}
    {#-
    The relations that a full run creates, including a user's inputs: by quoted name the
    node, or none for an index. Tables of test failures count only if this is the root
    project or its macros store them (customer-health init): otherwise dbt stores them
    itself, without our mark.
    -#}
    {%- set of_root = context.get(project_name, {}) -%}
    {%- set keeps_failures = project_name == 'customer_health'
        or of_root.get('materialization_test_postgres') -%}
    {%- set ours = {} -%}
    {%- for node in graph.nodes.values()
        if (node.package_name == 'customer_health' or node.config.materialized == 'view_in_place')
        and node.config.materialized != 'ephemeral'
        and (
            node.resource_type in ['model', 'seed']
            or (node.config.store_failures and keeps_failures)
        )
    -%}
        {%- set schema = adapter.quote(node.schema) ~ '.' -%}
        {%- do ours.update({schema ~ adapter.quote(node.alias): node}) -%}
        {%- if node.config.materialized in ['working_table', 'test'] -%}
            {#- the table that is built beside it and put in its place -#}
            {%- do ours.update({schema ~ adapter.quote(node.alias[:54] ~ '__dbt_tmp'): none}) -%}
        {%- elif node.config.materialized == 'published_table' -%}
            {%- for index in [{}] + node.config.get('indexes', []) -%}
                {%- set name = name_of_index(node.alias, index.columns or ['key']) -%}
                {%- do ours.update({schema ~ adapter.quote(name): none}) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(ours) }}
{%- endmacro %}


{% macro unmarked_among(ours) -%}
    {#-
    The names among these that belong to objects without our mark: a table, an index of
    such a table, a type, or a function that models create.
    -#}
    {%- set found = run_query(
        "select names.name from unnest(array['" ~ ours | join("', '") ~ "']) as names (name)"
        ~ " left join pg_index on pg_index.indexrelid = to_regclass(names.name)"
        ~ " where case when coalesce(to_regclass(names.name)::oid, to_regtype(names.name)::oid) is null"
        ~ " then false else starts_with(obj_description(coalesce(pg_index.indrelid,"
        ~ " to_regclass(names.name)), 'pg_class'), '" ~ our_mark() ~ "') is not true end"
        ~ " union all select oid::regprocedure::text from pg_proc"
        ~ " where (pronamespace, proname) in ("
        ~ "(to_regnamespace('" ~ our_schema('operations') ~ "'), 'after_order_created'),"
        ~ " (to_regnamespace('" ~ our_schema('operations') ~ "'), 'after_orders_created'),"
        ~ " (to_regnamespace('" ~ our_schema('analytics') ~ "'), 'explain_risk_status'),"
        ~ " (to_regnamespace('" ~ our_schema('analytics') ~ "'), 'explain_customer_analytics'))"
        ~ " and starts_with(obj_description(oid, 'pg_proc'), '" ~ our_mark() ~ "') is not true"
        ~ " order by 1"
    ) -%}
    {{ return(found.columns[0].values() | list) }}
{%- endmacro %}
