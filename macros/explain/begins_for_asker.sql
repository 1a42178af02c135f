{% macro begins_for_asker(mart, system) -%}
    {#-
    How a function begins that shows rows of the application beside a mart: it has the rights
    of its owner, and answers whoever may read these rows of the mart, and nobody else. Who
    asks is the role that was chosen, or the login: `current_user` is the owner here.
    Tenants are as many as policies show. The parameter is `of_tenant`.
    -#}
declare
    asker constant name := coalesce(
        nullif(pg_catalog.current_setting('role'), 'none'), session_user
    );
    may_read boolean;
begin
    select
        has_table_privilege(asker, pg_class.oid, 'select')
        and (
            not pg_class.relrowsecurity
            or pg_roles.rolsuper
            or pg_roles.rolbypassrls
            or pg_has_role(asker, pg_class.relowner, 'usage')
            or coalesce(
                pg_has_role(asker, to_regrole('{{ our_role("analyst") }}'), 'usage'), false
            )
        )
    into may_read
    from pg_class
    inner join pg_roles
        on pg_roles.rolname = asker
    where pg_class.oid = '{{ mart }}'::regclass;
    -- apart, for without the roles there is no such table
    if not may_read and has_table_privilege(
        asker, '{{ mart }}'::regclass, 'select'
    ) then
        may_read := exists (
            select from {{ in_operations('tenant_roles') }} as tenant_roles
            where
                tenant_roles.system = '{{ system }}'
                and tenant_roles.tenant = of_tenant
                and coalesce(
                    pg_has_role(asker, to_regrole(tenant_roles.role_name), 'usage'), false
                )
        );
    end if;
    if not coalesce(may_read, false) then
        return;
    end if;
{%- endmacro %}
