{%- set kinds = {
    'team_member': 'team_member_id',
    'service': 'service_id',
    'location': 'location_id',
    'weekday': "to_char(start_local, 'ID')",
    'daypart': "case
            when extract(hour from start_local) < 12 then 'MORNING'
            when extract(hour from start_local) < 17 then 'AFTERNOON'
            else 'EVENING'
        end",
} -%}

with bookings as (
    select * from {{ ref('int_bookings') }}
),

visits as (
    select * from bookings
    where is_visit
),

-- how often, and when last, a customer has chosen what
counted as (
    {%- for kind, chosen in kinds.items() %}
        select
            organization_id,
            customer_number,
            '{{ kind }}' as kind,
            {{ chosen }}::text as chosen,
            count(*) as times,
            max(start_at) as latest_at
        from visits
        group by customer_number, organization_id, chosen
        {%- if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_number, organization_id, kind
            order by times desc, latest_at desc, chosen collate "C" asc
        ) as choice_rank
    from counted
    where chosen is not null
),

final as (
    select
        organization_id,
        customer_number,
        max(chosen) filter (where kind = 'team_member' and choice_rank = 1)
            as preferred_team_member_id,
        round(
            max(times) filter (where kind = 'team_member' and choice_rank = 1)
            / sum(times) filter (where kind = 'team_member'), 4
        )::numeric(5, 4) as preferred_team_member_share,
        max(chosen) filter (where kind = 'service' and choice_rank = 1)
            as preferred_service_id,
        (max(chosen) filter (where kind = 'location' and choice_rank = 1))
        ::{{ var('bookings_location_id_type') }} as preferred_location_id,
        count(*) filter (where kind = 'location') as distinct_locations,
        count(*) filter (where kind = 'team_member') as distinct_team_members,
        count(*) filter (where kind = 'service') as distinct_services,
        max(chosen) filter (where kind = 'weekday' and choice_rank = 1)::integer
            as preferred_weekday,
        max(chosen) filter (where kind = 'daypart' and choice_rank = 1)
            as preferred_daypart
    from ranked
    group by customer_number, organization_id
)

select * from final
