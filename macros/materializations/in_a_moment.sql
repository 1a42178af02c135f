{% macro in_a_moment() -%}
    {#-
    Changes a relation that people read: {% call in_a_moment() %} statement {% endcall %}.
    Such a change waits for every open transaction that has read it, and new readers wait
    behind it. So it gives up after a moment, lets them pass, and tries again.
    -#}
    do $in_a_moment$
    begin
        for attempt in 1..50 loop
            begin
                set local lock_timeout = '100ms';
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
    $in_a_moment$
{%- endmacro %}
