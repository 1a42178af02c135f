{% macro distribute(table, node) -%}
    {#-
    Distributes a table of ours over the Citus nodes by its tenant, colocated with the
    application's tables that have a tenant of the same type, with those of its own
    system if there are any. A table of a system but without a tenant stays on the
    coordinator; a table of no system goes to every node.
    -#}
    {%- if not tenant_key_of(node) -%} {{ return(put_on_every_node(table)) }} {%- endif %}
    with tenant as (
        select
            attrelid,
            attname,
            atttypid
        from pg_attribute
        where
            attrelid = '{{ table }}'::regclass
            and attname = '{{ tenant_key_of(node) }}'
            and attrelid not in (select logicalrelid from pg_dist_partition)
    ),

    beside as (
        select pg_dist_partition.logicalrelid::text as name
        from tenant
        cross join (
            values
            {%- for source in graph.sources.values() %}
            (to_regclass('{{ source.relation_name }}'), {{ source.fqn[1] == node.fqn[1] }})
            {{- ',' if not loop.last }}
            {%- endfor %}
        ) as sources (relation, is_of_system)
        inner join pg_dist_partition on sources.relation = pg_dist_partition.logicalrelid
        inner join pg_attribute
            on
                pg_dist_partition.logicalrelid = pg_attribute.attrelid
                and pg_attribute.attname
                = column_to_column_name(pg_dist_partition.logicalrelid, partkey)
                and tenant.atttypid = pg_attribute.atttypid
        where pg_dist_partition.partmethod = 'h'
        order by sources.is_of_system desc, name
        limit 1
    )

    select
        create_distributed_table(
            '{{ table }}'::regclass,
            tenant.attname::text,
            colocate_with => coalesce((select name from beside), 'default')
        )
    from tenant
{%- endmacro %}


{% macro put_on_every_node(table) -%}
    {#-
    copies a table that is joined to the rows of all tenants, unless it is copied
    already
    -#}
    select create_reference_table('{{ table }}'::regclass)
    where '{{ table }}'::regclass not in (select logicalrelid from pg_dist_partition)
{%- endmacro %}


{% macro tenant_key_of(node) -%}
    {%- set system = var('systems').get(node.fqn[1]) -%}
    {{- system.tenant ~ '_id' if system -}}
{%- endmacro %}
