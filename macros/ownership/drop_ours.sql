{% macro drop_ours(relation) -%}
    {#-
    Drops a relation of ours, with our views that read it. Objects of others that depend
    on it are never dropped: then the relation stays, and PostgreSQL's message names
    what is in the way. The grants of others on a view are saved, so that the refresh
    can restore them.
    -#}
    {%- if relation is not none -%}
        {%- call statement('drop_ours') -%}
        do $drop_ours$
        declare
            dependent record;
            others text;
        begin
            -- two at once would deadlock on views that the other has dropped
            perform pg_advisory_xact_lock(hashtext('customer_health drop_ours'));
            for dependent in
                with recursive dependents (id, depth) as (
                    select to_regclass('{{ relation }}')::oid as id, 0 as depth
                    union
                    select pg_rewrite.ev_class, dependents.depth + 1
                    from dependents
                    inner join pg_depend
                        on
                            pg_depend.refclassid = 'pg_class'::regclass
                            and dependents.id = pg_depend.refobjid
                            and pg_depend.classid = 'pg_rewrite'::regclass
                    inner join pg_rewrite
                        on
                            pg_depend.objid = pg_rewrite.oid
                            and dependents.id != pg_rewrite.ev_class
                )

                select
                    format('%I.%I', pg_namespace.nspname, pg_class.relname) as view
                from dependents
                inner join pg_class
                    on dependents.id = pg_class.oid and pg_class.relkind = 'v'
                inner join pg_namespace
                    on pg_class.relnamespace = pg_namespace.oid
                where
                    starts_with(
                        obj_description(pg_class.oid, 'pg_class'), '{{ customer_health.our_mark() }}'
                    )
                group by pg_namespace.nspname, pg_class.relname
                order by max(dependents.depth) desc
            loop
                if to_regprocedure('{{ customer_health.in_operations("note_grants") }}(regclass)') is not null then
                    call {{ customer_health.in_operations('note_grants') }}(dependent.view);
                end if;
                execute format('drop view if exists %s', dependent.view);
            end loop;
            drop {{ relation.type | replace('_', ' ') }} if exists {{ relation }};
        exception when dependent_objects_still_exist then
            get stacked diagnostics others = pg_exception_detail;
            raise dependent_objects_still_exist using message =
                '{{ relation.schema }}.{{ relation.identifier }} would have to be dropped, '
                || 'but your objects depend on it; drop them first: '
                || replace(others, chr(10), '; ');
        end
        $drop_ours$
        {%- endcall -%}
        {#- the relation is gone; this updates dbt's cache -#}
        {%- do adapter.drop_relation(relation) -%}
    {%- endif -%}
{%- endmacro %}
