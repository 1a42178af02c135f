-- One customer of the bookings system: every figure, then the rows of the source behind
-- them, with the figures that each counts in. Put in the organization and the customer:
{%- set organization_slug = 'glow-salon' %}
{%- set square_customer_id = 'C1' %}
--   dbt show --select customer_bookings_profile --limit -1
with organizations as (
    select * from {{ ref('booking_organizations') }}
),

profiles as (
    select * from {{ ref('customer_profiles') }}
),

profile as (
    select profiles.*
    from profiles
    inner join organizations
        on profiles.organization_id = organizations.organization_id
    where
        organizations.organization_slug = '{{ organization_slug }}'
        and profiles.square_customer_id = '{{ square_customer_id }}'
),

final as (
    select
        'figure' as item,
        figure.key as item_id,
        null::timestamptz as happened_at,
        figure.value as detail,
        null as counts_in
    from profile
    cross join lateral jsonb_each_text(to_jsonb(profile)) as figure

    union all

    select
        explained.row_kind as item,
        explained.row_id as item_id,
        explained.happened_at,
        concat_ws(
            ', ',
            explained.row_status,
            'at ' || explained.location_id,
            'by ' || explained.team_member_id,
            'for ' || explained.service_id,
            'amount ' || explained.amount_cents::text || ' cents',
            'tip ' || explained.tip_cents::text || ' cents',
            'refunded ' || explained.refunded_cents::text || ' cents'
        ) as detail,
        coalesce(
            'left out: ' || explained.left_out_because,
            array_to_string(explained.counts_in, ', ')
        ) as counts_in
    from profile
    cross join
        lateral {{ ref('customer_analytics').schema }}.explain_customer_analytics(
            profile.organization_id::text, profile.square_customer_id::text
        ) as explained
)

select * from final
order by item = 'figure' desc, happened_at desc nulls last
