with engagements as (
    select * from {{ ref('int_account_engagements') }}
),

numbered as (
    select
        *,
        row_number() over (
            partition by account_id, organization_id
            order by
                completed_at desc,
                {{ by_code_point('engagement_id', var('accounts_id_type')) }} desc
        ) as place
    from engagements
    where is_completed
),

final as (
    select
        organization_id,
        account_id,
        jsonb_agg(
            jsonb_build_object(
                'engagement_id', engagement_id,
                'type', engagement_type,
                'title', title,
                'outcome', outcome,
                'completed_at', {{ iso_instant('completed_at') }}
            ) order by place
        ) as last_engagements
    from numbered
    where place <= 5
    group by account_id, organization_id
)

select * from final
