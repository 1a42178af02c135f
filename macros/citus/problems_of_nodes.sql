{% macro problems_of_nodes() -%}
    {#-
    A Citus node computes with its own settings and does not get those of our session.
    -#}
    {%- if not relation_exists('pg_catalog', 'pg_dist_partition') -%}
        select 'citus is true, but this database has no extension citus'
    {%- else -%}
        select
            format(
                'server: the node %s:%s has %s %s, must be %s: `alter database %I set %s to'
                ' %L` reaches all nodes',
                node.nodename,
                node.nodeport,
                settings.name,
                answer.has ->> settings.name,
                settings.value,
                current_database(),
                settings.name,
                settings.value
            )
        from (
            select
                nodeid,
                -- a node that is down answers with its error; the first model names it
                case when success then result::json end as has
            from run_command_on_all_nodes($question$
                select json_object_agg(lower(name), setting) from pg_settings
                where
                    lower(name) in (
                        'timezone', 'datestyle', 'intervalstyle', 'extra_float_digits',
                        'bytea_output', 'transform_null_equals', 'array_nulls',
                        'statement_timeout', 'lock_timeout',
                        'idle_in_transaction_session_timeout', 'transaction_timeout'
                    )
            $question$)
        ) as answer
        inner join pg_dist_node as node
            on answer.nodeid = node.nodeid
        inner join ({{ session_settings() }}) as settings (name, value)
            on answer.has ->> settings.name != settings.value
        where node.groupid != 0
    {%- endif -%}
{%- endmacro %}
