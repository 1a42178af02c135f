with organizations as (
    select * from {{ ref('int_accounts_organizations') }}
),

accounts as (
    select * from {{ ref('stg_accounts__accounts') }}
),

dated as (
    select
        accounts.*,
        organizations.time_zone,
        organizations.today,
        {{ local_date('accounts.created_at', 'organizations.time_zone') }}
            as created_on,
        case
            when accounts.archived_at <= {{ as_of() }}
                then {{ local_date('accounts.archived_at', 'organizations.time_zone') }}
        end as archived_on
    from organizations
    inner join accounts
        on organizations.organization_id = accounts.organization_id
    where
        accounts.is_valid
        and accounts.created_at <= {{ as_of() }}
),

final as (
    select
        organization_id,
        account_id,
        account_name,
        industry,
        account_size,
        arr,
        reported_status,
        reported_health_score,
        reported_churn_risk_score,
        renewal_on,
        created_on,
        archived_on,
        archived_on is not null as is_archived,
        time_zone,
        today
    from dated
)

select * from final
