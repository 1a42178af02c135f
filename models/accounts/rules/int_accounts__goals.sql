with goals as (
    select * from {{ ref('int_goal_progress') }}
),

final as (
    select
        organization_id,
        account_id,
        count(*) as goals_count,
        count(*) filter (where goal_status = 'achieved') as achieved_goals_count,
        {{ half_up(
            exact_ratio("count(*) filter (where goal_status = 'achieved')", 'count(*)'), 4
        ) }}::numeric(5, 4) as goal_completion_rate,
        {{ half_up(exact_mean('days_to_achieve'), 1) }}::numeric(9, 1)
            as mean_days_to_achieve,
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'goal_id', goal_id,
                    'title', title,
                    'goal_status', goal_status,
                    'progress_rate', progress_rate,
                    'target_date', {{ iso_date('target_date') }},
                    'forecast_date', {{ iso_date('forecast_date') }}
                ) order by
                    target_date nulls last,
                    {{ by_code_point('goal_id', var('accounts_id_type')) }}
            ) filter (where goal_status in ('at_risk', 'on_track')),
            '[]'
        ) as open_goals
    from goals
    group by account_id, organization_id
)

select * from final
