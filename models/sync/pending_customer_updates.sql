-- What the write-back would change: where the operational row says something else than
-- the marts, and only there. Closed customers are left alone; what a feed that has
-- stopped would make worse is held.
with statuses as (
    select
        *,
        count(*) over (partition by tenant_id, customer_id) as rows_count
    from {{ ref('stg_commerce__customer_statuses') }}
),

account_types as (
    select * from {{ ref('customer_account_types') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

feeds as (
    select * from {{ ref('tenant_feeds') }}
),

written_ahead as (
    {{ written_ahead() }}
),

expected_transitions as (
    select * from {{ ref('account_type_transitions') }}
),

compared as (
    select
        account_types.tenant_id,
        tenants.tenant_slug,
        account_types.customer_id,
        account_types.customer_name,
        statuses.account_type as current_account_type,
        case
            when
                statuses.account_type
                = any({{ text_array(var('protected_account_types')) }})
                then statuses.account_type
            else account_types.account_type
        end as expected_account_type,
        statuses.risk_status as current_risk_status,
        risk_status.risk_status as expected_risk_status,
        statuses.last_order_date as current_last_order_date,
        risk_status.last_order_date as expected_last_order_date,
        statuses.next_expected_order_date as current_next_expected_order_date,
        risk_status.next_expected_order_date as expected_next_expected_order_date,
        statuses.average_order_interval_days as current_average_order_interval_days,
        risk_status.average_order_interval_days as expected_average_order_interval_days,
        statuses.dormancy_since as current_dormancy_since,
        risk_status.dormancy_since as expected_dormancy_since,
        statuses.reactivated_date as current_reactivated_date,
        risk_status.reactivated_date as expected_reactivated_date,
        account_types.reason as account_type_reason,
        risk_status.reason as risk_status_reason,
        feeds.is_silent
    from account_types
    inner join statuses
        on
            account_types.tenant_id = statuses.tenant_id
            and account_types.customer_id = statuses.customer_id
            -- a key that stands several times does not say which row to write
            and statuses.rows_count = 1
    inner join tenants
        on account_types.tenant_id = tenants.tenant_id
    inner join feeds
        on account_types.tenant_id = feeds.tenant_id
    left join risk_status
        on
            account_types.tenant_id = risk_status.tenant_id
            and account_types.customer_id = risk_status.customer_id
    left join written_ahead
        on
            statuses.tenant_id = written_ahead.tenant_id
            and statuses.customer_id = written_ahead.customer_id
    where
        not statuses.is_closed
        -- the hook knows an order that the marts do not know yet
        and written_ahead.tenant_id is null
),

final as (
    select
        compared.tenant_id,
        compared.tenant_slug,
        compared.customer_id,
        compared.customer_name,
        compared.current_account_type,
        compared.expected_account_type,
        compared.current_risk_status,
        compared.expected_risk_status,
        compared.current_last_order_date,
        compared.expected_last_order_date,
        compared.current_next_expected_order_date,
        compared.expected_next_expected_order_date,
        compared.current_average_order_interval_days,
        compared.expected_average_order_interval_days,
        compared.current_dormancy_since,
        compared.expected_dormancy_since,
        compared.current_reactivated_date,
        compared.expected_reactivated_date,
        compared.account_type_reason,
        compared.risk_status_reason,
        case
            when compared.current_account_type is null then 'INITIAL'
            when compared.current_account_type = compared.expected_account_type
                then 'UNCHANGED'
            when expected_transitions.to_account_type is null then 'UNEXPECTED'
            else 'EXPECTED'
        end as account_type_transition,
        case
            when
                compared.is_silent
                and (
                    {{ is_worse(
                        'compared.expected_risk_status', 'compared.current_risk_status'
                    ) }}
                    or {{ is_worse(
                        'compared.expected_account_type', 'compared.current_account_type'
                    ) }}
                )
                then 'FEED_SILENT'
        end as held_because
    from compared
    left join expected_transitions
        on
            compared.current_account_type = expected_transitions.from_account_type
            and compared.expected_account_type = expected_transitions.to_account_type
    where
        (
            compared.current_account_type,
            compared.current_risk_status,
            compared.current_last_order_date,
            compared.current_next_expected_order_date,
            compared.current_average_order_interval_days,
            compared.current_dormancy_since,
            compared.current_reactivated_date
        ) is distinct from (
            compared.expected_account_type,
            compared.expected_risk_status,
            compared.expected_last_order_date,
            compared.expected_next_expected_order_date,
            compared.expected_average_order_interval_days,
            compared.expected_dormancy_since,
            compared.expected_reactivated_date
        )
)

select * from final
