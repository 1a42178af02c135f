with bookings as (
    select * from {{ ref('int_bookings') }}
),

final as (
    select
        organization_id,
        customer_number,
        jsonb_agg(
            jsonb_build_object(
                'booking_id', booking_id,
                'start_at', {{ iso_instant('start_at') }},
                'status', booking_status,
                'customer_note', customer_note,
                'seller_note', seller_note
            )
            order by start_at desc, booking_id::text collate "C" asc
        ) as booking_notes,
        count(*) as notes_count,
        max(start_at) as last_note_at
    from bookings
    where
        customer_note is not null
        or seller_note is not null
    group by customer_number, organization_id
)

select * from final
