{% macro with_short_lock() -%}
    {#-
    Changes a relation that people read: {% call with_short_lock() %} statement
    {% endcall %}. Such a change waits for every open transaction that has read the
    relation, and new readers queue behind it. So it gives up after a short
    lock_timeout, lets them pass, and tries again. The timeout is longer while a vacuum
    runs: the server cancels a blocking autovacuum, but only after deadlock_timeout.
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
                        message = 'a transaction that has used it is still open';
                end if;
                perform pg_sleep(0.1);
            end;
        end loop;
    end
    $with_short_lock$
{%- endmacro %}
