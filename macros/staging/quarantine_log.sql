{% macro quarantine_log(system, judged, kept=none) -%}
    {#- kept: rows that count, but without an implausible date -#}
    select
        '{{ system }}' as system,
        "table",
        coalesce(key, '') as key,
        coalesce(tenant, '') as tenant,
        reason,
        count(*) as rows_count,
        {{ as_of() }} as first_seen_at,
        is_left_out
    from (
        select
            "table",
            key,
            tenant,
            reason,
            true as is_left_out
        from {{ judged }}
        {%- if kept %}

        union all

        select
            "table",
            key,
            tenant,
            reason,
            false as is_left_out
        from {{ kept }}
        {%- endif %}
    ) as noted
    group by "table", key, tenant, reason, is_left_out
{%- endmacro %}
