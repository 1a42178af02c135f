-- What the write-back would change: only rows that differ from the marts. Closed
-- customers are never changed. Changes for the worse are held if the tenant's feed has
-- stopped.
with compared as (
    select * from {{ ref('customer_comparisons') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

feeds as (
    select * from {{ ref('tenant_feeds') }}
),

written_columns as (
    select * from {{ ref('written_columns') }}
),

expected_transitions as (
    select * from {{ ref('account_type_transitions') }}
),

-- from the catalog: materialized, as in customer_comparisons, or Citus would gather all
-- customers
defaults as materialized (
    select jsonb_object_agg(column_name, default_value) as value_of
    from written_columns
),

final as (
    select
        compared.tenant_id,
        tenants.tenant_slug,
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
                feeds.is_silent
                and (
                    {{ is_worse(
                        'compared.expected_risk_status', 'compared.current_risk_status'
                    ) }}
                    or {{ is_worse(
                        'compared.expected_account_type', 'compared.current_account_type'
                    ) }}
                )
                then 'FEED_SILENT'
        end as held_because,
        -- in JSON, dates are ISO in every session, for any year
        num_nonnulls(
            nullif(compared.current_account_type, defaults.value_of ->> 'account_type'),
            nullif(compared.current_risk_status, defaults.value_of ->> 'risk_status'),
            nullif(
                to_jsonb(compared.current_last_order_date) #>> '{}',
                defaults.value_of ->> 'last_order_date'
            ),
            nullif(
                to_jsonb(compared.current_next_expected_order_date) #>> '{}',
                defaults.value_of ->> 'next_expected_order_date'
            ),
            nullif(
                compared.current_average_order_interval_days::text,
                defaults.value_of ->> 'average_order_interval_days'
            ),
            nullif(
                to_jsonb(compared.current_dormancy_since) #>> '{}',
                defaults.value_of ->> 'dormancy_since'
            ),
            nullif(
                to_jsonb(compared.current_reactivated_date) #>> '{}',
                defaults.value_of ->> 'reactivated_date'
            )
        ) = 0 as is_initial
    from compared
    cross join defaults
    inner join tenants
        on compared.tenant_id = tenants.tenant_id
    inner join feeds
        on compared.tenant_id = feeds.tenant_id
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
