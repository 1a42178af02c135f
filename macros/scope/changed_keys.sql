{% macro changed_keys() -%}
    {#- the queue belongs to the commands: where dbt runs alone there is none -#}
    {%- if relation_exists(our_schema('operations'), 'changed_keys') -%}
        {{ in_operations('changed_keys') }}
    {%- else -%}
        (
            select
                null::text as system,
                null::text as kind,
                null::text as tenant,
                null::text as key,
                null::timestamptz as starts_at,
                null::text as claimed_by,
                null::boolean as is_written,
                null::boolean as is_deleted
            where false
        )
    {%- endif -%}
{%- endmacro %}
