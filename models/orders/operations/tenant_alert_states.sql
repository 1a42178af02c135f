-- States of a tenant that can raise an alert.
with tenants as (
    select * from {{ ref('tenants') }}
),

expectations as (
    select * from {{ ref('account_type_expectations') }}
),

findings as (
    select * from {{ ref('account_type_findings') }}
),

guards as (
    select * from {{ ref('write_back_guards') }}
),

feeds as (
    select * from {{ ref('tenant_feeds') }}
),

judged as (
    select
        tenants.tenant_id,
        tenants.tenant_slug,
        'ACCOUNT_TYPE_SHARE' as kind,
        expectations.account_type as subject,
        findings.alert is not null as is_on,
        case
            when findings.alert is not null
                then
                    format(
                        '%s %% of the customers are %s: %s',
                        findings.share_pct, findings.account_type, findings.alert
                    )
            else
                format(
                    'the share of %s customers is normal again',
                    expectations.account_type
                )
        end as message,
        jsonb_build_object('share_pct', findings.share_pct) as details
    from tenants
    inner join expectations
        on expectations.alert is not null
    left join findings
        on
            tenants.tenant_id = findings.tenant_id
            and expectations.account_type = findings.account_type

    union all

    select
        tenants.tenant_id,
        tenants.tenant_slug,
        'GUARD_TRIPPED' as kind,
        '' as subject,
        coalesce(guards.is_tripped, false) as is_on,
        case
            when guards.is_tripped
                then
                    format(
                        'write-back held: %s of %s customers would change,'
                        ' %s would become dormant',
                        guards.changed_count,
                        guards.customers_count,
                        guards.newly_dormant_count
                    )
            else 'the write-back is no longer held'
        end as message,
        jsonb_build_object(
            'customers_count', guards.customers_count,
            'changed_count', guards.changed_count,
            'newly_dormant_count', guards.newly_dormant_count
        ) as details
    from tenants
    left join guards
        on tenants.tenant_id = guards.tenant_id

    union all

    select
        tenants.tenant_id,
        tenants.tenant_slug,
        'FEED_SILENT' as kind,
        '' as subject,
        feeds.is_silent as is_on,
        case
            when feeds.is_silent
                then
                    format(
                        'nothing has been delivered since %s, although %s orders were'
                        ' expected',
                        {{ iso_date('feeds.last_delivery_on') }},
                        feeds.missed_customers_count
                    )
            else 'deliveries arrive again'
        end as message,
        jsonb_build_object(
            'last_delivery_on', feeds.last_delivery_on,
            'missed_customers_count', feeds.missed_customers_count
        ) as details
    from tenants
    inner join feeds
        on tenants.tenant_id = feeds.tenant_id
),

final as (
    select
        kind,
        'tenant' as subject_kind,
        tenant_id::text as tenant_id,
        tenant_slug,
        subject,
        is_on,
        message,
        details
    from judged
)

select * from final
