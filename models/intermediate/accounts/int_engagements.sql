-- What happened after as_of has not happened: such an engagement is planned.
with accounts as (
    select * from {{ ref('int_accounts') }}
),

engagements as (
    select * from {{ ref('stg_success__engagements') }}
),

known as (
    select
        engagements.*,
        accounts.is_archived,
        accounts.time_zone,
        engagements.completed_at <= {{ as_of() }} as is_completed
    from accounts
    inner join engagements
        on
            accounts.organization_id = engagements.organization_id
            and accounts.account_id = engagements.account_id
    where
        engagements.is_valid
        and (
            engagements.created_at <= {{ as_of() }}
            or engagements.created_at is null
        )
),

final as (
    select
        known.organization_id,
        known.account_id,
        known.engagement_id,
        known.engagement_type,
        known.title,
        known.is_archived,
        coalesce(known.is_completed, false) as is_completed,
        case when known.is_completed then known.outcome end as outcome,
        known.scheduled_at,
        case when known.is_completed then known.completed_at end as completed_at,
        case
            when known.is_completed
                then {{ local_date('known.completed_at', 'known.time_zone') }}
        end as completed_on,
        attended.attendees
    from known
    cross join lateral (
        -- people are named as text, or as objects with a mail address, an id or a name
        select
            jsonb_agg(distinct people.person)
                filter (where people.person is not null) as attendees
        from (
            select
                lower({{ trimmed(
                    "coalesce("
                    ~ "entry.value ->> 'email', entry.value ->> 'id',"
                    ~ " entry.value ->> 'name', entry.value #>> '{}'"
                    ~ ")"
                ) }}) as person
            from
                jsonb_array_elements(
                    case
                        when jsonb_typeof(known.attendees) = 'array'
                            then known.attendees
                        else '[]'
                    end
                ) as entry (value)
        ) as people
    ) as attended
)

select * from final
