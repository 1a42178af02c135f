{% macro use_session() -%}
    {#-
    Begins the transaction of a node again, with the settings that the rules rely on,
    whatever the server, the database, the role, a service file or a pooler sets: they
    hold for this transaction only. If the roles are installed, it has the rights of the
    refresher.
    -#}
    commit;
    begin isolation level read committed, read write, not deferrable;
    select pg_catalog.set_config(name, value, true)
    from ({{ customer_health.session_settings() }}) as settings (name, value)
    -- a server may not know some of them
    where pg_catalog.current_setting(name, true) != value;
    select pg_catalog.set_config('role', '{{ customer_health.our_role("refresher") }}', true)
    from pg_catalog.pg_namespace
    where
        nspname = '{{ customer_health.our_schema("operations") }}'
        -- as owner, or with the right to create objects in it: flows/installed.py
        and exists (
            select
            from pg_catalog.aclexplode(
                coalesce(nspacl, pg_catalog.acldefault('n', nspowner))
            )
            where
                grantee = to_regrole('{{ customer_health.our_role("refresher") }}')
                and privilege_type = 'CREATE'
        )
{%- endmacro %}
