{% macro claimed_keys(system) -%}
    {#- the queue belongs to the commands: where dbt runs alone there is none -#}
    {%- if is_there(our_schema('operations'), 'changed_keys') -%}
        select
            kind,
            tenant,
            key,
            starts_at,
            is_deleted
        from {{ operations('changed_keys') }}
        where
            system = '{{ system }}'
            and claimed_by = '{{ var("run_id") }}'
    {%- else -%}
        select
            null::text as kind,
            null::text as tenant,
            null::text as key,
            null::timestamptz as starts_at,
            null::boolean as is_deleted
        where false
    {%- endif -%}
{%- endmacro %}


{% macro is_there(schema, identifier) -%}
    {%- if not execute -%} {{ return(false) }} {%- endif -%}
    {%- set found = run_query("select to_regclass('" ~ schema ~ '.' ~ identifier ~ "')") -%}
    {{ return(found.columns[0].values()[0] is not none) }}
{%- endmacro %}
