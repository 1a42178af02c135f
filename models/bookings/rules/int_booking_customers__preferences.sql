{{ config(meta={'analyzed': ['organization_id', 'customer_number']}) }}

{%- set kinds = {
    'team_member': 'team_member_id',
    'service': 'service_id',
    'location': 'location_id',
    'weekday': "to_char(start_local, 'ID')",
    'daypart': daypart('start_local') | indent(4),
} -%}

with bookings as (
    select * from {{ ref('int_bookings') }}
),

visits as not materialized (
    select * from bookings
    where is_visit
),

-- how often, and when last, a customer made each choice
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
        group by customer_number, organization_id, {{ chosen }}
        {%- if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}
),

-- one order for all kinds of choice, so they are sorted once
favourites as (
    select
        organization_id,
        customer_number,
        {%- for kind in kinds %}
            (
                array_agg(
                    chosen
                    order by times desc, latest_at desc, chosen collate "C" asc
                ) filter (where kind = '{{ kind }}' and chosen is not null)
            )[1] as {{ kind }},
            count(chosen) filter (where kind = '{{ kind }}') as {{ kind }}s_count,
        {%- endfor %}
        max(times) filter (where kind = 'team_member' and chosen is not null)
        / sum(times) filter (where kind = 'team_member' and chosen is not null)
            as team_member_share
    from counted
    group by customer_number, organization_id
),

final as (
    select
        organization_id,
        customer_number,
        team_member as preferred_team_member_id,
        round(team_member_share, 4)::numeric(5, 4) as preferred_team_member_share,
        service as preferred_service_id,
        location::{{ var('bookings_location_id_type') }} as preferred_location_id,
        locations_count as distinct_locations,
        team_members_count as distinct_team_members,
        services_count as distinct_services,
        weekday::integer as preferred_weekday,
        daypart as preferred_daypart
    from favourites
)

select * from final
