{% macro only_for_readers_of(mart, system, tenant_type, customer_type) -%}
    {#-
    The beginning of a function that shows rows of the application beside a mart: it
    runs with the rights of its owner, and answers only callers that may read these rows
    of the mart. The caller is the role that was set, or the login: `current_user` is
    the owner here. The function's parameters are `of_tenant` and `of_customer`; here
    they get their types, so that a wrong id is one line and not the whole query.
    -#}
declare
    asked_tenant constant {{ tenant_type }} := of_tenant;
    asked_customer constant {{ customer_type }} := of_customer;
    asker constant name := coalesce(
        nullif(current_setting('role'), 'none'), session_user
    );
    sees_all boolean;
begin
    if not has_table_privilege(asker, '{{ mart }}'::regclass, 'select') then
        return;
    end if;
    select
        not pg_class.relrowsecurity
        or pg_roles.rolsuper
        or pg_roles.rolbypassrls
        or pg_has_role(asker, pg_class.relowner, 'usage')
        or coalesce(
            pg_has_role(asker, to_regrole('{{ our_role("analyst") }}'), 'usage'), false
        )
    into sees_all
    from pg_class
    inner join pg_roles
        on pg_roles.rolname = asker
    where pg_class.oid = '{{ mart }}'::regclass;
    -- nested, because without the roles the table does not exist
    if not sees_all then
        if not exists (
            select from {{ in_operations('tenant_roles') }} as tenant_roles
            where
                tenant_roles.system = '{{ system }}'
                and tenant_roles.tenant = of_tenant
                and coalesce(
                    pg_has_role(asker, to_regrole(tenant_roles.role_name), 'usage'), false
                )
        ) then
            return;
        end if;
    end if;
{%- endmacro %}
