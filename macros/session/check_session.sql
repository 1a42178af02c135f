{% macro check_session() %}
    {#-
    Runs at the start. Checks what no statement can set: which server the session is on,
    and whether the lock of the command that runs dbt is held there.
    -#}
    {%- if execute and flags.WHICH in ('run', 'build', 'test', 'seed') -%}
        {%- set problems = run_query(session_problems()).columns[0].values() -%}
        {%- if problems -%}
            {%- do exceptions.raise_compiler_error('setting ' ~ problems | join('; ')) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{% macro session_problems() %}
    select problem
    from (
        select
            'server: it is PostgreSQL ' || current_setting('server_version')
            || ', must be 15 or later' as problem
        where current_setting('server_version_num')::integer < 150000

        union all

        select 'PGHOST: this server is a standby, which allows no changes; set its primary'
        where pg_is_in_recovery()

        union all

        select
            'PGCLIENTENCODING: the session reads text as SQL_ASCII, must be UTF8'
        where current_setting('client_encoding') = 'SQL_ASCII'
        {%- if var('lock_pid') %}

        union all

        select
            'profiles.yml: dbt is connected to ' || current_database() || ' as '
            || session_user || ', where the lock of this refresh is not held: it names'
            || ' another database than the libpq environment, or the lock was lost'
        where not {{ holds_lock() }}
        {%- endif %}
        {%- if var('citus') %}

        union all

        {{ problems_of_nodes() }}
        {%- endif %}
    ) as problems
{% endmacro %}
