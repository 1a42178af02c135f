with accounts as (
    select * from {{ ref('int_accounts') }}
),

goals as (
    select * from {{ ref('stg_accounts__customer_goals') }}
),

known as (
    select
        goals.*,
        accounts.today,
        {{ local_date('goals.created_at', 'accounts.time_zone') }} as started_on
    from accounts
    inner join goals
        on
            accounts.organization_id = goals.organization_id
            and accounts.account_id = goals.account_id
    where
        goals.is_valid
        and goals.created_at <= {{ as_of() }}
        and not accounts.is_archived
),

-- If the target is below the starting value, the goal is to decrease the value, and
-- progress is measured from the start. Without a starting value, the goal is to
-- increase the value from zero; without a target above zero there is no progress.
directed as (
    select
        *,
        case
            when target_value < start_value then start_value - target_value
            when target_value > 0 then target_value
        end as whole_way,
        case
            when target_value < start_value then start_value - current_value
            else current_value
        end as way_gone,
        -- a forecast is at the pace from the start, also if the value is to increase
        abs(target_value - coalesce(start_value, 0)) as way_from_start,
        case
            when target_value < start_value then start_value - current_value
            else current_value - coalesce(start_value, 0)
        end as gone_from_start,
        -- a goal that is due before it was set has no time left
        case when target_date <= started_on then 1 else target_date - started_on end
            as whole_time,
        case
            when target_date <= started_on then 1
            when target_date is not null then least(today, target_date) - started_on
        end as time_gone,
        today - started_on as days_gone
    from known
),

measured as (
    select
        *,
        -- progress is never before the start or beyond the target
        case
            when way_gone is not null and whole_way is not null
                then least(whole_way, greatest(0, way_gone))
        end as way
    from directed
    {{ fence() }}
),

-- compares products, not quotients, because a third has no finite decimal
judged as (
    select
        *,
        case
            when way >= whole_way then 'achieved'
            when target_date < today then 'missed'
            -- progress is behind time
            when
                (way + {{ var('goal_behind_rate') }} * whole_way) * whole_time
                < time_gone * whole_way
                then 'at_risk'
            -- due soon, and not nearly done
            when
                target_date - today <= {{ var('goal_near_days') }}
                and way < {{ var('goal_near_rate') }} * whole_way
                then 'at_risk'
            else 'on_track'
        end as goal_status
    from measured
    {{ fence() }}
),

-- at the pace since the start; NULL if it would take over 100 years
forecast as (
    select
        *,
        case
            when
                goal_status != 'achieved'
                and whole_way is not null
                and gone_from_start > 0
                and days_gone > 0
                and days_gone * way_from_start < 36500 * gone_from_start
                then
                    started_on
                    + div(days_gone * way_from_start, gone_from_start)::integer
                    + (mod(days_gone * way_from_start, gone_from_start) > 0)::integer
        end as forecast_date
    from judged
),

-- an achieved goal has a completion date, unless it is in the future
completed as (
    select
        *,
        case
            when goal_status = 'achieved' and completion_date <= today
                then completion_date
        end as completed_on
    from forecast
),

final as (
    select
        organization_id,
        account_id,
        goal_id,
        title,
        metric_type,
        {{ half_up('current_value', 4) }}::numeric(18, 4) as current_value,
        {{ half_up('target_value', 4) }}::numeric(18, 4) as target_value,
        {{ half_up('start_value', 4) }}::numeric(18, 4) as start_value,
        unit,
        measurement_period,
        goal_status,
        reported_status,
        {{ half_up(exact_ratio('way', 'whole_way'), 4) }}::numeric(5, 4)
            as progress_rate,
        {{ half_up(exact_ratio('time_gone', 'whole_time'), 4) }}::numeric(5, 4)
            as elapsed_rate,
        started_on,
        target_date,
        target_date - today as days_left,
        forecast_date,
        completed_on as completion_date,
        -- if it was reached before it was set, the duration is unknown
        case when completed_on >= started_on then completed_on - started_on end
            as days_to_achieve,
        completed_on > target_date as is_late
    from completed
)

select * from final
