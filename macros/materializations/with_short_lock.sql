{% macro with_short_lock() -%}
    {#-
    Changes a relation that people read: {% call with_short_lock() %} statement {% endcall %}.
    Such a change waits for every open transaction that has read it, and new readers wait
    behind it. So it gives up after a moment, lets them pass, and tries again. The moment is
    longer while something like a vacuum runs: the server ends an autovacuum that is in the
    way, but only when it looks for deadlocks.
    -#}
    do $with_short_lock$
    begin
        for attempt in 1..50 loop
            begin
                perform set_config(
                    'lock_timeout',
                    case
                        when exists (
                            select from pg_locks
                            where
                                mode = 'ShareUpdateExclusiveLock' and granted
                                and pid != pg_backend_pid()
                                and database = (
                                    select oid from pg_database
                                    where datname = current_database()
                                )
                        )
                            then 200 + extract(
                                epoch from current_setting('deadlock_timeout')::interval
                            )::numeric * 1000
                        else 100
                    end::integer::text,
                    true
                );
                execute $statement${{ caller() }}$statement$;
                set local lock_timeout = 0;
                return;
            exception when lock_not_available then
                if attempt = 50 then
                    raise lock_not_available using
                        message = 'a transaction that has read it does not end';
                end if;
                perform pg_sleep(0.1);
            end;
        end loop;
    end
    $with_short_lock$
{%- endmacro %}
