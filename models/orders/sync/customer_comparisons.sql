-- The statuses of the operational row beside those of the marts, in the marts' types.
-- If a column does not take a value, the current value is expected. An hourly refresh
-- asks only for the customers that it has recomputed.
{%- set columns = status_columns() %}
with statuses as not materialized (
    {{ only_asked(ref('stg_orders__customer_statuses'), 'compared_customers') }}
),

account_types as (
    {{ only_asked(ref('customer_account_types'), 'compared_customers') }}
),

risk_status as (
    {{ only_asked(ref('customer_risk_status'), 'compared_customers') }}
),

written_columns as (
    select * from {{ ref('written_columns') }}
),

-- a duplicate key does not say which row to write
duplicates as (
    select
        tenant_id,
        customer_id
    from statuses
    group by tenant_id, customer_id
    having count(*) > 1
),

-- changed since this refresh claimed its keys, so newer than the marts
changed_since as (
    select
        tenant,
        key,
        bool_or(is_written) as is_written_by_the_hook
    from {{ changed_keys() }} as noticed
    where
        system = 'orders'
        and kind = 'customer'
    group by tenant, key
),

-- from the catalog: materialized, so that Citus sends its row to the nodes, instead of
-- gathering all customers
refused as materialized (
    select
        max(refused_values) filter (where column_name = 'account_type') as account_type,
        max(refused_values) filter (where column_name = 'risk_status') as risk_status,
        max(refused_values) filter (where column_name = 'last_order_date')
            as last_order_date,
        max(refused_values) filter (where column_name = 'next_expected_order_date')
            as next_expected_order_date,
        max(refused_values) filter (where column_name = 'average_order_interval_days')
            as average_order_interval_days,
        max(refused_values) filter (where column_name = 'dormancy_since')
            as dormancy_since,
        max(refused_values) filter (where column_name = 'reactivated_date')
            as reactivated_date
    from written_columns
),

typed as (
    select
        account_types.tenant_id,
        account_types.customer_id,
        account_types.customer_name,
        account_types.account_type,
        account_types.reason as account_type_reason,
        {{ in_type_of_marts('statuses.account_type', columns) }}
            as current_account_type,
        {{ in_type_of_marts('statuses.risk_status', columns) }} as current_risk_status,
        {{ in_type_of_marts('statuses.last_order_date', columns) }}
            as current_last_order_date,
        {{ in_type_of_marts('statuses.next_expected_order_date', columns) }}
            as current_next_expected_order_date,
        {{ in_type_of_marts('statuses.average_order_interval_days', columns) }}
            as current_average_order_interval_days,
        {{ in_type_of_marts('statuses.dormancy_since', columns) }}
            as current_dormancy_since,
        {{ in_type_of_marts('statuses.reactivated_date', columns) }}
            as current_reactivated_date,
        changed_since.key is not null as has_changed_since
    from account_types
    inner join statuses
        on
            account_types.tenant_id = statuses.tenant_id
            and account_types.customer_id = statuses.customer_id
    left join duplicates
        on
            statuses.tenant_id = duplicates.tenant_id
            and statuses.customer_id = duplicates.customer_id
    -- as text, because a key that no refresh has claimed yet may be anything, and by
    -- format, as the triggers do, because a cast of char(n) loses its blanks
    left join changed_since
        on
            format('%s', statuses.tenant_id) = changed_since.tenant
            and format('%s', statuses.customer_id) = changed_since.key
    where
        not statuses.is_closed
        and duplicates.tenant_id is null
        -- the hook has seen an order that is not in the marts yet
        and changed_since.is_written_by_the_hook is not true
),

final as (
    select
        typed.tenant_id,
        typed.customer_id,
        typed.customer_name,
        typed.current_account_type,
        case
            when
                typed.current_account_type
                = any({{ text_array(var('protected_account_types')) }})
                then typed.current_account_type
            -- perhaps by a new order, for which the hook had nothing to write
            when typed.has_changed_since and typed.current_account_type = 'ACTIVE'
                then typed.current_account_type
            else {{ accepted_value('typed', 'account_type') }}
        end as expected_account_type,
        typed.current_risk_status,
        {{ accepted_value('risk_status', 'risk_status') }} as expected_risk_status,
        typed.current_last_order_date,
        {{ accepted_value('risk_status', 'last_order_date') }}
            as expected_last_order_date,
        typed.current_next_expected_order_date,
        {{ accepted_value('risk_status', 'next_expected_order_date') }}
            as expected_next_expected_order_date,
        typed.current_average_order_interval_days,
        {{ accepted_value('risk_status', 'average_order_interval_days') }}
            as expected_average_order_interval_days,
        typed.current_dormancy_since,
        {{ accepted_value('risk_status', 'dormancy_since') }}
            as expected_dormancy_since,
        typed.current_reactivated_date,
        {{ accepted_value('risk_status', 'reactivated_date') }}
            as expected_reactivated_date,
        typed.account_type_reason,
        risk_status.reason as risk_status_reason
    from typed
    cross join refused
    left join risk_status
        on
            typed.tenant_id = risk_status.tenant_id
            and typed.customer_id = risk_status.customer_id
)

select * from final
