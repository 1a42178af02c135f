{% macro holds_lock() %}
    exists (
        select
        from pg_catalog.pg_locks
        where
            locktype = 'advisory'
            and granted
            and pid = {{ var('lock_pid') }}
            and database = (
                select oid from pg_catalog.pg_database where datname = current_database()
            )
    )
{%- endmacro %}
