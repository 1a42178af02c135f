-- All tables and views of the application, with columns, keys and links: one row each.
select
    nspname as schema,
    relname as name,
    format('%I.%I', nspname, relname) as relation,
    relkind in ('v', 'm') as is_view,
    relkind = 'f' as is_foreign,
    obj_description(pg_class.oid, 'pg_class') as comment,
    has_schema_privilege(nspname, 'usage')
    and has_table_privilege(pg_class.oid, 'select') as is_readable,
    row_security_active(pg_class.oid) as hides_rows,
    greatest(reltuples, 0)::bigint as estimate,
    (
        select
            coalesce(jsonb_agg(
                jsonb_build_object(
                    'name', attname,
                    'quoted', quote_ident(attname),
                    -- for a domain, its base type
                    'type', format_type(
                        coalesce(nullif(typbasetype, 0), atttypid),
                        case when typtype = 'd' then typtypmod else atttypmod end
                    ),
                    'is_enum', exists (
                        select from pg_enum
                        where enumtypid = coalesce(nullif(typbasetype, 0), pg_type.oid)
                    ),
                    'is_nullable', not (attnotnull or typnotnull),
                    'comment', col_description(pg_class.oid, attnum),
                    'labels', (
                        select jsonb_agg(enumlabel order by enumsortorder) from pg_enum
                        where enumtypid = coalesce(nullif(typbasetype, 0), pg_type.oid)
                    ),
                    'checks', (
                        select jsonb_agg(pg_get_constraintdef(checks.oid) order by conname)
                        from pg_constraint as checks
                        where
                            contype = 'c'
                            and (
                                conrelid = pg_class.oid and conkey = array[attnum]
                                or contypid = pg_type.oid
                            )
                    )
                ) order by attnum
            ), '[]')
        from pg_attribute
        inner join pg_type on atttypid = pg_type.oid
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped
    ) as columns,
    (
        select
            coalesce(jsonb_agg(
                jsonb_build_object(
                    'columns', names.columns,
                    'to', format('%I.%I', other_schema.nspname, other.relname),
                    'to_columns', names.to_columns
                ) order by conname
            ), '[]')
        from pg_constraint
        inner join pg_class as other on confrelid = other.oid
        inner join pg_namespace as other_schema on other.relnamespace = other_schema.oid
        cross join lateral (
            select
                jsonb_agg(own.attname order by place) as columns,
                jsonb_agg(theirs.attname order by place) as to_columns
            from unnest(conkey, confkey) with ordinality as pairs (own_number, number, place)
            inner join pg_attribute as own
                on conrelid = own.attrelid and own_number = own.attnum
            inner join pg_attribute as theirs
                on confrelid = theirs.attrelid and number = theirs.attnum
        ) as names
        where conrelid = pg_class.oid and contype = 'f'
    ) as links,
    coalesce(
        (
            select
                jsonb_agg(attname order by place)
            from (
                select indrelid, indkey from pg_index
                where
                    indrelid = pg_class.oid and indisunique and indisvalid
                    and indpred is null and indexprs is null
                order by indisprimary desc, indnkeyatts, indexrelid
                limit 1
            ) as first_key
            cross join unnest(indkey) with ordinality as part (number, place)
            inner join pg_attribute on attrelid = indrelid and attnum = number
        ),
        '[]'
    ) as key,
    (
        select coalesce(jsonb_agg(distinct attname), '[]')
        from pg_index
        inner join pg_attribute on attrelid = indrelid and attnum = indkey[0]
        where
            indrelid = pg_class.oid and indisunique and indisvalid and indnkeyatts = 1
            and indpred is null and indexprs is null
    ) as unique_columns
from pg_class
inner join pg_namespace on relnamespace = pg_namespace.oid
where
    relkind in ('r', 'p', 'v', 'm', 'f')
    -- a partition, also by inheritance, but not a table that adds columns to another
    and not (
        exists (select from pg_inherits where inhrelid = pg_class.oid)
        and not exists (
            select from pg_attribute
            where
                attrelid = pg_class.oid and attnum > 0 and not attisdropped
                and attinhcount = 0
        )
    )
    and not starts_with(nspname::text, 'pg_')
    and nspname != 'information_schema'
    -- our schemas and relations, with any prefix; an application may have a schema analytics
    and coalesce(obj_description(pg_namespace.oid, 'pg_namespace'), '')
    not like '%customer\_health: %'
    and coalesce(obj_description(pg_class.oid, 'pg_class'), '')
    not like '%customer\_health: %'
    -- relations of an extension
    and not exists (
        select from pg_depend
        where
            classid = 'pg_class'::regclass and objid = pg_class.oid and deptype = 'e'
    )
-- of several equally good ones, the first is used
order by
    array_position(current_schemas(false), nspname),
    nspname != 'public',
    nspname collate "C",
    relname collate "C"
