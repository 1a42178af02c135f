-- The published rows, without the archived accounts that int_engagements keeps for
-- earlier days.
with engagements as (
    select * from {{ ref('int_engagements') }}
),

final as (
    select
        organization_id,
        account_id,
        engagement_id,
        engagement_type,
        title,
        outcome,
        is_completed,
        scheduled_at,
        completed_at,
        completed_on,
        coalesce(jsonb_array_length(attendees), 0) as attendees_count
    from engagements
    where not is_archived
)

select * from final
