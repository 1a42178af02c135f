{%- set keys = {
    'users': 'user_id',
    'feature_adoptions': 'feature_key',
    'support_tickets': 'ticket_id',
} -%}

with organizations as (
    select * from {{ ref('stg_platform__organizations') }}
),

work as (
    select * from {{ ref('int_quarantined_rows__tenants_work') }}
),

users as (
    select * from {{ ref('stg_platform__users') }}
),

feature_adoptions as (
    select * from {{ ref('stg_platform__feature_adoptions') }}
),

support_tickets as (
    select * from {{ ref('stg_platform__support_tickets') }}
),

judged as (
    select
        'organizations' as "table",
        organization_id::text as key,
        organization_id::text as tenant,
        quarantine_reason as reason
    from organizations
    where not is_valid

    union all

    select * from work

    {%- for table, key in keys.items() %}

        union all

        select
            '{{ table }}' as "table",
            {{ table }}.{{ key }}::text as key,
            {{ table }}.organization_id::text as tenant,
            coalesce({{ table }}.quarantine_reason, 'organization_id_unknown') as reason
        from {{ table }}
        left join organizations
            on
                {{ table }}.organization_id = organizations.organization_id
                and organizations.is_valid
        where
            not {{ table }}.is_valid
            or organizations.organization_id is null
    {%- endfor %}
),

final as (
    select
        'tenants' as system,
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
