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
    group by "table", key, tenant, reason
{%- endmacro %}
