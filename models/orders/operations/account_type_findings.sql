with summary as (
    select * from {{ ref('account_type_summary') }}
),

expectations as (
    select * from {{ ref('account_type_expectations') }}
),

shares as (
    select
        summary.tenant_id,
        summary.tenant_slug,
        portion.account_type,
        portion.share_pct
    from summary
    cross join
        lateral (
            values
            ('ACTIVE', summary.active_pct),
            ('TARGET', summary.target_pct),
            ('PROSPECT', summary.prospect_pct)
        ) as portion (account_type, share_pct)
    where summary.customers_count > 0
),

final as (
    select
        shares.tenant_id,
        shares.tenant_slug,
        shares.account_type,
        shares.share_pct,
        expectations.expected_min_pct,
        expectations.expected_max_pct,
        case
            when
                shares.share_pct < expectations.alert_below_pct
                or shares.share_pct > expectations.alert_above_pct
                then expectations.alert
        end as alert
    from shares
    inner join expectations
        on shares.account_type = expectations.account_type
    where
        shares.share_pct < expectations.expected_min_pct
        or shares.share_pct > expectations.expected_max_pct
)

select * from final
