{% macro written_by_the_hook() -%}
    {#- the queue belongs to the commands: where dbt runs alone there is none -#}
    {%- if is_there(our_schema('operations'), 'changed_keys') -%}
        select distinct
            tenant::{{ var('orders_tenant_id_type') }} as tenant_id,
            key::{{ var('orders_customer_id_type') }} as customer_id
        from {{ operations('changed_keys') }}
        where
            system = 'orders'
            and kind = 'customer'
            and is_written
    {%- else -%}
        select
            null::{{ var('orders_tenant_id_type') }} as tenant_id,
            null::{{ var('orders_customer_id_type') }} as customer_id
        where false
    {%- endif -%}
{%- endmacro %}
