-- What a team with Citus does to the demo's operational tables. Keys begin with the
-- tenant. The tables of tenants are on every node; all other tables are distributed by
-- tenant.
do $$
declare
    it record;
begin
    -- foreign keys to other tables than the table of tenants
    for it in
        select conrelid::regclass as relation, conname as name
        from pg_constraint
        where
            contype = 'f'
            and connamespace::regnamespace::text in ('commerce', 'platform', 'success')
            and confrelid::regclass::text not similar to '%.(tenants|organizations)'
    loop
        execute format('alter table %s drop constraint %I', it.relation, it.name);
    end loop;

    for it in
        select
            pg_class.oid::regclass as relation,
            conname as name,
            attname as tenant
        from pg_class
        inner join pg_constraint
            on
                pg_class.oid = conrelid
                and contype = 'p'
        inner join pg_attribute
            on
                pg_class.oid = attrelid
                and attname in ('tenant_id', 'organization_id')
        where
            relnamespace::regnamespace::text in ('commerce', 'platform', 'success')
            and not attnum = any(conkey)
    loop
        execute format(
            'alter table %s drop constraint %I, add primary key (%I, id)',
            it.relation, it.name, it.tenant
        );
    end loop;

    perform create_reference_table('commerce.tenants');
    perform create_reference_table('booking.organizations');
    perform create_reference_table('platform.organizations');
    perform create_reference_table('success.organizations');

    for it in
        select
            pg_class.oid::regclass as relation,
            attname as tenant
        from pg_class
        inner join pg_attribute
            on
                pg_class.oid = attrelid
                and attname in ('tenant_id', 'organization_id')
        where
            relnamespace::regnamespace::text
            in ('commerce', 'booking', 'platform', 'success')
            and relkind = 'r'
        order by 1
    loop
        perform create_distributed_table(it.relation, it.tenant);
    end loop;
end
$$
