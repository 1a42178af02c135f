-- An engagement after as_of has not taken place yet; it counts as planned.
with accounts as (
    select * from {{ ref('int_accounts') }}
),

engagements as (
    select * from {{ ref('stg_accounts__engagements') }}
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

-- people are texts or numbers, or objects with an email address, an id or a name
attended as (
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
        case
            when jsonb_typeof(known.attendees) = 'array' then known.attendees
            else '[]'
        end as people
    from known
),

final as (
    select
        organization_id,
        account_id,
        engagement_id,
        engagement_type,
        title,
        is_archived,
        is_completed,
        outcome,
        scheduled_at,
        completed_at,
        completed_on,
        -- each person's identifier, once; NULL for nobody. Addresses and names are
        -- text, ids may also be numbers; a list, an object or a boolean in their place
        -- identifies nobody
        (
            select
                to_jsonb(nullif(array_remove(array_agg(distinct lower(
                    case
                        when jsonb_typeof(entry.value) in ('string', 'number')
                            then {{ trimmed("entry.value #>> '{}'") }}
                        else
                            coalesce(
                                {{ text_of('entry.value', 'email', ['string']) }},
                                {{ text_of(
                                    'entry.value', 'id', ['string', 'number']
                                ) }},
                                {{ text_of('entry.value', 'name', ['string']) }}
                            )
                    end
                )), null), '{}'))
            from jsonb_array_elements(attended.people) as entry (value)
        ) as attendees
    from attended
)

select * from final
