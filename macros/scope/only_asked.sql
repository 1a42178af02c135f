{% macro only_asked(relation, setting) -%}
    {#-
    Two branches instead of one condition: PostgreSQL skips the one that does not apply,
    and the other finds its rows by index. On Citus the nodes do not know the setting.
    -#}
    {%- set asked = "nullif(current_setting('customer_health." ~ setting ~ "', true), '')"
    -%}
    select * from {{ relation }}
    {%- if not var('citus') %}
    where {{ asked }} is null

    union all

    select held.*
    from
        jsonb_to_recordset({{ asked }}::jsonb) as asked (
            tenant_id {{ var('orders_tenant_id_type') }},
            customer_id {{ var('orders_customer_id_type') }}
        )
    inner join {{ relation }} as held
        on
            asked.tenant_id = held.tenant_id
            and asked.customer_id = held.customer_id
    {%- endif %}
{%- endmacro %}
