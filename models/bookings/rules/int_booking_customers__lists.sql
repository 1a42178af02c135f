{{ config(meta={'analyzed': ['organization_id', 'customer_number']}) }}

-- Everything that needs a customer's bookings sorted: the latest first, then by the
-- smallest id. One order for all, so the bookings are sorted once.
with bookings as (
    select
        *,
        booking_id::text collate "C" as id,
        customer_note is not null or seller_note is not null as has_note
    from {{ ref('int_bookings') }}
),

final as (
    select
        organization_id,
        customer_number,
        array_agg(start_at order by start_at desc, id asc) filter (
            where booking_status = 'ACCEPTED'
        ) as accepted_starts,
        array_agg(booking_id order by start_at desc, id asc) filter (
            where booking_status = 'ACCEPTED'
        ) as accepted_ids,
        array_agg(location_id order by start_at desc, id asc) filter (
            where booking_status = 'ACCEPTED'
        ) as accepted_location_ids,
        (
            array_agg(booking_status order by start_at desc, id asc) filter (
                where start_at <= {{ as_of() }}
            )
        )[1] as last_booking_status,
        -- to show to people; no rule reads them
        (
            array_agg(start_local::date order by start_at desc, id asc)
        )[:{{ var('shown_orders') }}] as start_dates,
        -- an array of varchar is not an array of text
        (
            array_agg(booking_status::text order by start_at desc, id asc)
        )[:{{ var('shown_orders') }}] as booking_statuses,
        jsonb_agg(
            jsonb_build_object(
                'booking_id', booking_id,
                'start_at', {{ iso_instant('start_at') }},
                'status', booking_status,
                'customer_note', customer_note,
                'seller_note', seller_note
            )
            order by start_at desc, id asc
        ) filter (where has_note) as booking_notes,
        count(*) filter (where has_note) as notes_count,
        max(start_at) filter (where has_note) as last_note_at
    from bookings
    group by customer_number, organization_id
)

select * from final
