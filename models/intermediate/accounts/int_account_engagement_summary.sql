-- Windows are (today - days, today]; planned engagements are in none.
{%- set windows = [7, 30, 90] %}
{%- set types = {
    'meeting': 'meetings',
    'call': 'calls',
    'email': 'emails',
    'note': 'notes',
    'demo': 'demos',
    'training': 'trainings',
} %}
{%- set outcomes = ['positive', 'neutral', 'negative', 'action_required'] %}

with accounts as (
    select * from {{ ref('int_accounts') }}
),

engagements as (
    select * from {{ ref('int_account_engagements') }}
),

aged as (
    select
        accounts.organization_id,
        accounts.account_id,
        engagements.engagement_type,
        engagements.outcome,
        engagements.completed_at,
        accounts.today - engagements.completed_on as days_ago,
        case when not engagements.is_completed then engagements.scheduled_at end
            as planned_at
    from accounts
    inner join engagements
        on
            accounts.organization_id = engagements.organization_id
            and accounts.account_id = engagements.account_id
),

counted as (
    select
        organization_id,
        account_id,
        count(completed_at) as total_engagements,
        max(completed_at) as last_engagement_at,
        min(days_ago) as days_since_last,
        min(planned_at) filter (where planned_at > {{ as_of() }}) as next_planned_at
        {%- for days in windows %},
        count(*) filter (where days_ago < {{ days }}) as engagements_last_{{ days }}d
        {%- for type, name in types.items() %},
        count(*) filter (where days_ago < {{ days }} and engagement_type = '{{ type }}')
            as {{ name }}_last_{{ days }}d
        {%- endfor %}
        {%- for outcome in outcomes %},
        count(*) filter (where days_ago < {{ days }} and outcome = '{{ outcome }}')
            as {{ outcome }}_last_{{ days }}d
        {%- endfor %}
        {%- endfor %}
    from aged
    group by account_id, organization_id
),

judged as (
    select
        organization_id,
        account_id,
        today - created_on as account_age_days,
        reported_status != 'churned'
        and today - created_on < {{ var('account_onboarding_days') }} as is_onboarding
    from accounts
    where not is_archived
),

final as (
    select
        judged.organization_id,
        judged.account_id,
        coalesce(counted.total_engagements, 0) as total_engagements,
        counted.last_engagement_at,
        counted.days_since_last as days_since_last_engagement,
        counted.next_planned_at as next_engagement_at,
        judged.is_onboarding,
        -- who was never spoken to waits since the account is there
        coalesce(counted.days_since_last, judged.account_age_days)
        > case
            when judged.is_onboarding then {{ var('onboarding_gap_days') }}
            else {{ var('engagement_gap_days') }}
        end as has_engagement_gap
        {%- for days in windows %},
        coalesce(counted.engagements_last_{{ days }}d, 0)
            as engagements_last_{{ days }}d
        {%- for name in types.values() %},
        coalesce(counted.{{ name }}_last_{{ days }}d, 0) as {{ name }}_last_{{ days }}d
        {%- endfor %}
        {%- for outcome in outcomes %},
        coalesce(counted.{{ outcome }}_last_{{ days }}d, 0)
            as {{ outcome }}_last_{{ days }}d
        {%- endfor %}
        {%- endfor %}
    from judged
    left join counted
        on
            judged.organization_id = counted.organization_id
            and judged.account_id = counted.account_id
)

select * from final
