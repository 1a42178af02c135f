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

measured as (
    select
        *,
        -- a goal without a target above zero cannot be measured
        case
            when target_value > 0 and current_value is not null
                then least(1, greatest(0, current_value / target_value))
        end as progress,
        -- a goal that is due before it was set has no time left
        case
            when target_date <= started_on then 1
            when target_date is not null
                then
                    least(1, (today - started_on)::numeric / (target_date - started_on))
        end as elapsed
    from known
),

judged as (
    select
        *,
        case
            when current_value >= target_value and target_value > 0 then 'achieved'
            when target_date < today then 'missed'
            -- behind the clock
            when progress + {{ var('goal_behind_rate') }} < elapsed then 'at_risk'
            -- due soon, and not nearly done
            when
                target_date - today <= {{ var('goal_near_days') }}
                and progress < {{ var('goal_near_rate') }}
                then 'at_risk'
            else 'on_track'
        end as goal_status
    from measured
),

-- at the pace since the start; a date that nobody will live to see is none
forecast as (
    select
        *,
        case
            when
                goal_status != 'achieved'
                and progress > 0
                and today > started_on
                and (today - started_on) / progress < 36500
                -- divided once, for a third of a goal is no number that ends
                then
                    started_on
                    + ceil((today - started_on) * target_value / current_value)::integer
        end as forecast_date
    from judged
),

-- what is achieved has a date, unless that is yet to come
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
        current_value,
        target_value,
        unit,
        measurement_period,
        goal_status,
        reported_status,
        round(progress, 4)::numeric(5, 4) as progress_rate,
        round(elapsed, 4)::numeric(5, 4) as elapsed_rate,
        started_on,
        target_date,
        target_date - today as days_left,
        forecast_date,
        completed_on as completion_date,
        completed_on - started_on as days_to_achieve,
        completed_on > target_date as is_late
    from completed
)

select * from final
