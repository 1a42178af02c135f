{% macro quarantine_log(system, judged) -%}
    select
        '{{ system }}' as system,
        "table",
        coalesce(key, '') as key,
        coalesce(tenant, '') as tenant,
        reason,
        count(*) as rows_count,
        {{ as_of() }} as first_seen_at
    from {{ judged }}
    -- found by the nightly refresh only, which reads all rows
    where '{{ var("refresh_scope") }}' = 'all'
    group by "table", key, tenant, reason
{%- endmacro %}
