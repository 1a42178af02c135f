select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        account_id,
        goal_id,
        {{ trimmed('title') }} as title,
        metric_type,
        case
            when {{ is_amount('current_value') }} then current_value::numeric(42, 30)
        end as current_value,
        case
            when {{ is_amount('target_value') }} then target_value::numeric(42, 30)
        end as target_value,
        case
            when {{ is_amount('start_value') }} then start_value::numeric(42, 30)
        end as start_value,
        unit,
        measurement_period,
        reported_status,
        {{ plausible('target_date') }} as target_date,
        {{ plausible('completion_date') }} as completion_date,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='goal_id',
            copy_number=copy_number(
                'input_accounts__customer_goals', newest='updated_at'
            ),
            required=['organization_id', 'account_id', 'created_at'],
            timestamps=['created_at', 'updated_at'],
            amounts=['current_value', 'target_value', 'start_value'],
        ) }} as quarantine_reason,
        {{ dates_lost(['target_date', 'completion_date']) }} as lost_dates
    from (
        select {{ columns_of_input('input_accounts__customer_goals') }}
        from {{ ref('input_accounts__customer_goals') }}
    ) as given
) as judged
