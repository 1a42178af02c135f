with organizations as (
    select * from {{ ref('stg_success__organizations') }}
),

judged as (
    select
        'organizations' as "table",
        organization_id::text as key,
        organization_id::text as tenant,
        quarantine_reason as reason
    from organizations
    where not is_valid
),

final as (
    select
        'accounts' as system,
        "table",
        coalesce(key, '') as key,
        coalesce(tenant, '') as tenant,
        reason,
        count(*) as rows_count,
        {{ as_of() }} as first_seen_at
    from judged
    -- found by the nightly refresh only, which reads all rows
    where '{{ var("refresh_scope") }}' = 'all'
    group by "table", key, tenant, reason
)

select * from final
