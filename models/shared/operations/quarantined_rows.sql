with united as (
    {% for system in var('systems') %}
        -- by name, because columns added to a mart come last
        select
            system,
            "table",
            key,
            tenant,
            reason,
            rows_count,
            first_seen_at,
            is_left_out
        from {{ ref(system ~ '_quarantined_rows') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        system,
        "table",
        nullif(key, '') as key,
        nullif(tenant, '') as tenant,
        reason,
        rows_count,
        first_seen_at,
        is_left_out
    from united
)

select * from final
