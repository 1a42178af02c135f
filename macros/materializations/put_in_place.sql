{% macro put_in_place(new, target) -%}
    {#-
    Replaces a table by a new one. If an object of others depends on the old table, such
    as a view, the old table stays and its rows are replaced.
    -#}
    do $put_in_place$
    declare
        others text;
    begin
        drop table if exists {{ target }};
        alter table {{ new }} rename to {{ adapter.quote(target.identifier) }};
    exception when dependent_objects_still_exist then
        get stacked diagnostics others = pg_exception_detail;
        if exists (
            select
            from (
                select
                    attname,
                    atttypid,
                    atttypmod,
                    row_number() over (partition by attrelid order by attnum) as position
                from pg_attribute
                where
                    attrelid in ('{{ new }}'::regclass, '{{ target }}'::regclass)
                    and attnum > 0
                    and not attisdropped
            ) as columns_of_both
            group by attname, atttypid, atttypmod, position
            having count(*) = 1
        ) then
            raise dependent_objects_still_exist using message =
                '{{ target.schema }}.{{ target.identifier }} gets other columns, but '
                || 'your objects depend on it; drop them first: '
                || replace(others, chr(10), '; ');
        end if;
        truncate {{ target }};
        insert into {{ target }} select * from {{ new }};
        drop table {{ new }};
        analyze {{ target }};
    end
    $put_in_place$
{%- endmacro %}


{% macro drop_or_empty(table) -%}
    {#- drops a table of ours, or truncates it if an object of others depends on it -#}
    do $drop_or_empty$
    begin
        drop table if exists {{ table }};
    exception when dependent_objects_still_exist then
        truncate {{ table }};
    end
    $drop_or_empty$
{%- endmacro %}
