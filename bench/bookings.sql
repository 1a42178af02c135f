-- The result of the bookings models as one handwritten statement, the best we could
-- write. Thresholds and vars are constants, every row counts as valid and every
-- organization as active, so it does less than the models. It fills five empty tables
-- in the schema hand with the rows of the marts. Arrays have the order of their
-- subquery.
with recursive organizations as materialized (
    select
        id as organization_id,
        time_zone,
        (%(as_of)s::timestamptz at time zone time_zone)::date as today
    from booking.organizations
),

profiles as materialized (
    select
        customers.organization_id,
        customers.square_customer_id,
        row_number() over ()::integer as customer_number,
        organizations.time_zone,
        organizations.today,
        nullif(btrim(customers.given_name, e' \t\r\n'), '') as given_name,
        nullif(btrim(customers.family_name, e' \t\r\n'), '') as family_name,
        lower(nullif(btrim(customers.email_address, e' \t\r\n'), '')) as email_address,
        nullif(btrim(customers.phone_number, e' \t\r\n'), '') as phone_number,
        customers.created_at,
        customers.acquisition_source,
        customers.updated_at
    from booking.customers
    inner join organizations on customers.organization_id = organizations.organization_id
),

-- there are few of them, found through the order of two indexes; the unique key lets
-- the planner hash them
without_profile as materialized (
    select distinct on (key)
        seen.organization_id::text || seen.square_customer_id as key,
        seen.organization_id,
        seen.square_customer_id,
        -row_number() over ()::integer as customer_number,
        organizations.time_zone,
        organizations.today
    from (
        select organization_id, square_customer_id
        from booking.bookings
        where
            square_customer_id is not null
            and not exists (
                select from booking.customers
                where
                    customers.organization_id = bookings.organization_id
                    and customers.square_customer_id = bookings.square_customer_id
            )
        union
        select organization_id, square_customer_id
        from booking.payments
        where
            square_customer_id is not null
            and not exists (
                select from booking.customers
                where
                    customers.organization_id = payments.organization_id
                    and customers.square_customer_id = payments.square_customer_id
            )
    ) as seen
    inner join organizations on seen.organization_id = organizations.organization_id
    order by key
),

-- plus one row per organization without a location, for unknown locations
places as materialized (
    select
        organization_id,
        location_id,
        time_zone,
        row_number() over ()::integer as place_number
    from (
        select
            locations.organization_id,
            locations.id as location_id,
            coalesce(locations.time_zone, organizations.time_zone) as time_zone
        from booking.locations
        inner join organizations
            on locations.organization_id = organizations.organization_id
        union all
        select organization_id, null, time_zone
        from organizations
    ) as known
),

placed as (
    select
        coalesce(profiles.customer_number, without_profile.customer_number)
            as customer_number,
        bookings.booking_id,
        bookings.location_id,
        bookings.team_member_id,
        bookings.service_id,
        case bookings.status
            when 'ACCEPTED' then 1
            when 'CANCELLED_BY_CUSTOMER' then 2
            when 'NO_SHOW' then 3
            when 'CANCELLED_BY_SELLER' then 4
            when 'DECLINED' then 5
            when 'PENDING' then 6
        end::smallint as status,
        bookings.start_at,
        bookings.start_at
        at time zone coalesce(profiles.time_zone, without_profile.time_zone) as start_local,
        coalesce(profiles.today, without_profile.today) as today,
        (
            bookings.created_at
            at time zone coalesce(profiles.time_zone, without_profile.time_zone)
        )::date as created_on,
        nullif(btrim(bookings.customer_note, e' \t\r\n'), '') as customer_note,
        nullif(btrim(bookings.seller_note, e' \t\r\n'), '') as seller_note,
        bookings.updated_at
    from booking.bookings
    left join profiles
        on
            bookings.organization_id = profiles.organization_id
            and bookings.square_customer_id = profiles.square_customer_id
    left join without_profile
        on
            case
                when profiles.customer_number is null
                    then bookings.organization_id::text || bookings.square_customer_id
            end = without_profile.key
    where bookings.square_customer_id is not null
    order by customer_number, bookings.start_at desc, bookings.booking_id collate "C" asc
    offset 0
),

-- one pass, latest first: the index in an array is the rank in time
summed as (
    select
        customer_number,
        max(start_at) filter (where status = 3) as last_no_show_at,
        max(start_at) filter (where status in (2, 4)) as last_cancellation_at,
        min(start_at) filter (where start_at > %(as_of)s) as next_begin_at,
        count(*) as total_bookings,
        count(*) filter (where status = 1 and start_at > %(as_of)s)::integer
            as upcoming_bookings,
        count(*) filter (where status = 2) as total_cancelled_by_customer,
        count(*) filter (where status = 3) as total_no_shows,
        count(*) filter (where status = 4) as total_cancelled_by_seller,
        count(*) filter (where status = 5) as declined_bookings,
        count(*) filter (where status = 6) as pending_bookings,
        max(updated_at) as bookings_updated_at,
        array_agg(start_local::date) as start_dates,
        array_agg(
            (
                array[
                    'ACCEPTED',
                    'CANCELLED_BY_CUSTOMER',
                    'NO_SHOW',
                    'CANCELLED_BY_SELLER',
                    'DECLINED',
                    'PENDING'
                ]
            )[status]
        ) as booking_statuses,
        (array_agg(status) filter (where start_at <= %(as_of)s))[1] as last_status,
        array_agg(start_at) filter (where status = 1) as accepted_at,
        array_agg(booking_id) filter (where status = 1) as accepted_ids,
        array_agg(location_id) filter (where status = 1) as accepted_locations,
        array_agg(team_member_id) filter (where status = 1) as accepted_team_members,
        array_agg(service_id) filter (where status = 1) as accepted_services,
        array_agg(today - start_local::date) filter (
            where status = 1 and start_at <= %(as_of)s
        ) as visits_ago,
        -- one letter for weekday and part of the day
        string_agg(
            chr(
                65
                + (start_local::date - date '1969-12-29') %% 7 * 3
                + case
                    when start_local::time < time '12:00' then 0
                    when start_local::time < time '17:00' then 1
                    else 2
                end
            ), ''
        ) filter (where status = 1 and start_at <= %(as_of)s) as visit_letters,
        count(*) filter (where customer_note is not null or seller_note is not null)
            as notes_count,
        max(start_at) filter (where customer_note is not null or seller_note is not null)
            as last_note_at,
        jsonb_agg(
            jsonb_build_object(
                'booking_id', booking_id,
                'start_at',
                to_char(start_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                'status',
                (
                    array[
                        'ACCEPTED',
                        'CANCELLED_BY_CUSTOMER',
                        'NO_SHOW',
                        'CANCELLED_BY_SELLER',
                        'DECLINED',
                        'PENDING'
                    ]
                )[status],
                'customer_note', customer_note,
                'seller_note', seller_note
            )
        ) filter (where customer_note is not null or seller_note is not null)
            as booking_notes
    from placed
    group by customer_number
),

booked as materialized (
    select
        summed.customer_number,
        summed.accepted_at[summed.accepted_count] as first_booking_at,
        summed.accepted_at[1] as last_booking_at,
        case
            when summed.visits_count > 0 then summed.accepted_at[summed.accepted_count]
        end as first_visit_at,
        summed.accepted_at[summed.upcoming_bookings + 1] as last_visit_at,
        summed.accepted_at[summed.upcoming_bookings] as next_booking_at,
        summed.last_no_show_at,
        summed.last_cancellation_at,
        summed.next_begin_at,
        summed.accepted_ids[summed.first_index] as first_booking_id,
        summed.accepted_locations[summed.first_index] as first_booking_location_id,
        summed.total_bookings,
        summed.accepted_count as total_accepted_bookings,
        summed.visits_count as total_visits,
        summed.upcoming_bookings,
        summed.pending_bookings,
        summed.declined_bookings,
        summed.total_cancelled_by_customer,
        summed.total_cancelled_by_seller,
        summed.total_no_shows,
        summed.last_status,
        summed.within_30d,
        summed.within_90d,
        summed.within_180d,
        summed.within_365d,
        least(
            30 - summed.visits_ago[summed.within_30d],
            90 - summed.visits_ago[summed.within_90d],
            case
                when summed.within_180d > summed.within_90d
                    then 180 - summed.visits_ago[summed.within_180d]
            end,
            365 - summed.visits_ago[summed.within_365d]
        ) as days_to_next_window_change,
        summed.bookings_updated_at,
        summed.start_dates[:24] as start_dates,
        summed.booking_statuses[:24] as booking_statuses,
        gaps.gaps_count,
        gaps.days_ago,
        gaps.day_ends,
        gaps.days_ago[1] as last_visit_ago,
        gaps.days_ago[gaps.gaps_count + 1] as first_visit_ago,
        (gaps.days_ago[gaps.gaps_count + 1] - gaps.days_ago[1])::numeric
        / nullif(gaps.gaps_count, 0) as mean_days,
        gaps.median_days::numeric as median_days,
        gaps.stddev_days,
        round(
            (gaps.days_ago[least(gaps.gaps_count, 4) + 1] - gaps.days_ago[1])::numeric
            / nullif(least(gaps.gaps_count, 4), 0)
        )::integer as recent_cadence_days,
        gaps.came_back_ago,
        translate(summed.visit_letters, 'ABCDEFGHIJKLMNOPQRSTU', '111222333444555666777')
            as weekdays,
        translate(summed.visit_letters, 'ABCDEFGHIJKLMNOPQRSTU', '123123123123123123123')
            as dayparts,
        summed.booking_notes,
        summed.notes_count,
        summed.last_note_at,
        gaps.gaps_count + 1 < summed.visits_count as has_days_of_several,
        summed.accepted_at,
        summed.accepted_locations,
        summed.accepted_team_members,
        summed.accepted_services
    from (
        select
            *,
            cardinality(accepted_at) as accepted_count,
            array_position(accepted_at, accepted_at[cardinality(accepted_at)])
                as first_index,
            cardinality(visits_ago) as visits_count,
            width_bucket(29, visits_ago) as within_30d,
            width_bucket(89, visits_ago) as within_90d,
            width_bucket(179, visits_ago) as within_180d,
            width_bucket(364, visits_ago) as within_365d
        from summed
        offset 0
    ) as summed
    cross join lateral (
        select
            count(*) filter (where ago != before)::integer as gaps_count,
            array_agg(ago) filter (where ago is distinct from before) as days_ago,
            array_agg(visit_number) filter (where ago is distinct from before) as day_ends,
            percentile_cont(0.5) within group (order by before - ago) filter (
                where ago != before
            ) as median_days,
            stddev_samp(before - ago) filter (where ago != before) as stddev_days,
            min(ago) filter (where before - ago > 31) as came_back_ago
        from
            unnest(summed.visits_ago, summed.visits_ago[2:])
            with ordinality as days (ago, before, visit_number)
    ) as gaps
),

-- remove the latest choice and all equal ones, until none is left
peeled as (
    select
        booked.customer_number,
        kinds.kind,
        case
            -- if several began at the same time, the smallest first
            when booked.has_days_of_several then (
                select
                    array_agg(
                        visits.choice
                        order by visits.start_at desc, visits.choice collate "C" asc
                    )
                from unnest(
                    kinds.choices[booked.upcoming_bookings + 1:],
                    booked.accepted_at[booked.upcoming_bookings + 1:]
                ) as visits (choice, start_at)
            )
            when booked.upcoming_bookings > 0
                then kinds.choices[booked.upcoming_bookings + 1:]
            else kinds.choices
        end as choices,
        null::text as best,
        0 as best_times,
        0 as total_times,
        0 as distinct_choices
    from booked
    cross join lateral (
        values
        (1, booked.accepted_team_members),
        (2, booked.accepted_services),
        (3, booked.accepted_locations)
    ) as kinds (kind, choices)
    where booked.total_visits > 0

    union all

    select
        customer_number,
        kind,
        others,
        case when choice is not null and times > best_times then choice else best end,
        case when choice is not null then greatest(times, best_times) else best_times end,
        total_times + case when choice is not null then times else 0 end,
        distinct_choices + case when choice is not null then 1 else 0 end
    from (
        select
            *,
            choices[1] as choice,
            cardinality(choices) - cardinality(others) as times
        from (
            select
                *,
                array_remove(choices, choices[1]) as others
            from peeled
            where choices != '{}'
            offset 0
        ) as taken
    ) as counted
),

chosen as (
    select
        customer_number,
        max(best) filter (where kind = 1) as preferred_team_member_id,
        round(
            (max(best_times) filter (where kind = 1))::numeric
            / nullif(max(total_times) filter (where kind = 1), 0), 4
        )::numeric(5, 4) as preferred_team_member_share,
        max(distinct_choices) filter (where kind = 1) as distinct_team_members,
        max(best) filter (where kind = 2) as preferred_service_id,
        max(distinct_choices) filter (where kind = 2) as distinct_services,
        max(best) filter (where kind = 3) as preferred_location_id,
        max(distinct_choices) filter (where kind = 3) as distinct_locations
    from peeled
    where choices = '{}'
    group by customer_number
),

paid as (
    select
        coalesce(profiles.customer_number, without_profile.customer_number)
            as customer_number,
        payments.payment_id,
        coalesce(payments.amount_cents, 0) as amount_cents,
        coalesce(payments.tip_cents, 0) as tip_cents,
        least(payments.refunded_cents, greatest(payments.amount_cents, 0))
            as refunded_cents,
        payments.created_at,
        payments.created_at <= %(as_of)s as is_paid,
        coalesce(profiles.today, without_profile.today)
        - (
            payments.created_at
            at time zone coalesce(profiles.time_zone, without_profile.time_zone)
        )::date as days_ago,
        payments.updated_at
    from booking.payments
    left join profiles
        on
            payments.organization_id = profiles.organization_id
            and payments.square_customer_id = profiles.square_customer_id
    left join without_profile
        on
            case
                when profiles.customer_number is null
                    then payments.organization_id::text || payments.square_customer_id
            end = without_profile.key
    where
        payments.status = 'COMPLETED'
        and payments.square_customer_id is not null
    order by customer_number, payments.created_at desc, payments.payment_id collate "C" asc
    offset 0
),

money as materialized (
    select
        *,
        width_bucket(29, paid_ago) as within_30d,
        width_bucket(89, paid_ago) as within_90d,
        width_bucket(179, paid_ago) as within_180d,
        width_bucket(364, paid_ago) as within_365d
    from (
        select
            customer_number,
            min(created_at) filter (where is_paid) as first_payment_at,
            max(created_at) filter (where is_paid) as last_payment_at,
            min(created_at) filter (where not is_paid) as next_payment_at,
            count(*) filter (where is_paid) as total_payments,
            sum(amount_cents) filter (where is_paid) as amount_cents,
            sum(tip_cents) filter (where is_paid) as tip_cents,
            sum(refunded_cents) filter (where is_paid) as refunded_cents,
            percentile_disc(0.5) within group (order by amount_cents) filter (where is_paid)
                as median_ticket_cents,
            max(amount_cents) filter (where is_paid) as max_ticket_cents,
            (array_agg(amount_cents) filter (where is_paid))[1] as last_ticket_cents,
            array_agg(days_ago) filter (where is_paid) as paid_ago,
            sum(amount_cents) filter (where is_paid and days_ago < 30) as last_30d_cents,
            sum(amount_cents) filter (where is_paid and days_ago < 90) as last_90d_cents,
            sum(amount_cents) filter (
                where is_paid and days_ago >= 90 and days_ago < 180
            ) as prior_90d_cents,
            sum(amount_cents) filter (where is_paid and days_ago < 365) as last_365d_cents,
            max(updated_at) filter (where is_paid) as payments_updated_at
        from paid
        group by customer_number
    ) as summed_payments
),

located as (
    select
        coalesce(
            places.place_number,
            (
                select unknown.place_number
                from places as unknown
                where
                    bookings.organization_id = unknown.organization_id
                    and unknown.location_id is null
            )
        ) as place_number,
        case when places.place_number is null then bookings.location_id end
            as unknown_location_id,
        (
            bookings.start_at at time zone coalesce(
                places.time_zone,
                (
                    select unknown.time_zone
                    from places as unknown
                    where
                        bookings.organization_id = unknown.organization_id
                        and unknown.location_id is null
                )
            )
        )::date as date,
        bookings.square_customer_id collate "C" as square_customer_id,
        case bookings.status
            when 'ACCEPTED' then 1
            when 'CANCELLED_BY_CUSTOMER' then 2
            when 'NO_SHOW' then 3
            when 'CANCELLED_BY_SELLER' then 4
            when 'DECLINED' then 5
            when 'PENDING' then 6
        end::smallint as status
    from booking.bookings
    left join places
        on
            bookings.organization_id = places.organization_id
            and bookings.location_id = places.location_id
    offset 0
),

-- location and date as one number, which sorts faster
counted as (
    select
        place_and_date,
        unknown_location_id,
        count(*) filter (where status = 1) as accepted_appointments,
        count(*) filter (where status = 3) as no_show_appointments,
        count(*) filter (where status = 2) as cancelled_by_customer,
        count(*) filter (where status = 4) as cancelled_by_seller,
        count(distinct square_customer_id) filter (where status = 1) as unique_customers,
        count(*) filter (where status = 6) as pending_appointments,
        count(*) filter (where status = 5) as declined_appointments,
        count(*) as total_bookings,
        count(*) filter (where status = 1 and square_customer_id is null)
            as unidentified_appointments
    from (
        select
            *,
            (date - date '1969-12-29') * 4294967296 + place_number as place_and_date
        from located
    ) as numbered
    group by place_and_date, unknown_location_id
),

location_days as (
    insert into hand.booking_location_days
    select
        places.organization_id,
        coalesce(places.location_id, counted.unknown_location_id),
        date '1969-12-29' + (counted.place_and_date / 4294967296)::integer,
        counted.accepted_appointments,
        counted.no_show_appointments,
        counted.cancelled_by_customer,
        counted.cancelled_by_seller,
        counted.unique_customers,
        counted.pending_appointments,
        counted.declined_appointments,
        counted.total_bookings,
        counted.unidentified_appointments
    from counted
    inner join places on counted.place_and_date %% 4294967296 = places.place_number
),

customers as not materialized (
    select
        *,
        true as has_profile
    from profiles
    union all
    select
        organization_id,
        square_customer_id,
        customer_number,
        time_zone,
        today,
        null, null, null, null, null, null, null, false
    from without_profile
),

recent_bookings as (
    insert into hand.customer_recent_bookings
    select
        customers.organization_id,
        customers.square_customer_id,
        booked.start_dates,
        booked.booking_statuses
    from customers
    inner join booked on customers.customer_number = booked.customer_number
),

visits as (
    insert into hand.customer_visits
    select
        customers.organization_id,
        customers.square_customer_id,
        standing.booking_id,
        standing.location_id,
        standing.team_member_id,
        standing.service_id,
        standing.starts_on,
        standing.number_among_such = 1,
        standing.next_visit_on,
        standing.previous_same_service_on,
        standing.created_on,
        standing.rebooked_on
    from (
        select
            *,
            row_number() over (
                partition by customer_number, is_visit
                order by start_at, booking_id collate "C"
            ) as number_among_such,
            min(starts_on) filter (where is_visit) over later_days as next_visit_on,
            min(created_on) over later_days as rebooked_on,
            max(starts_on) filter (where is_visit) over (
                partition by customer_number, service_id
                order by starts_on
                range between unbounded preceding and interval '1 day' preceding
            ) as previous_same_service_on
        from (
            select
                *,
                start_local::date as starts_on,
                status = 1 and start_at <= %(as_of)s as is_visit
            from placed
            where status in (1, 3, 6)
        ) as dated
        window later_days as (
            partition by customer_number
            order by starts_on desc
            range between unbounded preceding and interval '1 day' preceding
        )
    ) as standing
    inner join customers on standing.customer_number = customers.customer_number
    where standing.is_visit
),

-- a window without an order keeps the order of the rows: the earliest day first
visit_days as (
    insert into hand.customer_visit_days
    select
        customers.organization_id,
        customers.square_customer_id,
        customers.today - days.ago,
        customers.today - days.next_ago,
        customers.today - days.first_ago,
        days.gaps_so_far + 1,
        round(
            (booked.days_ago[least(days.place + 4, booked.gaps_count + 1)] - days.ago)
            / nullif(least(days.gaps_so_far, 4), 0)::numeric
        )::integer,
        case
            when days.gaps_so_far = 0 then 'NONE'
            when days.gaps_so_far <= 2 then 'LOW'
            when
                days.gaps_so_far <= 4
                or (
                    days.gaps_so_far * days.total_squares - (days.first_ago - days.ago) ^ 2
                ) * days.gaps_so_far * 4
                > (days.first_ago - days.ago) ^ 2 * (days.gaps_so_far - 1)
                then 'MEDIUM'
            else 'HIGH'
        end,
        days.visits_count
    from customers
    inner join booked on customers.customer_number = booked.customer_number
    cross join lateral (
        select
            place,
            booked.gaps_count + 1 - place as gaps_so_far,
            booked.days_ago[place] as ago,
            booked.days_ago[place - 1] as next_ago,
            booked.days_ago[booked.gaps_count + 1] as first_ago,
            booked.day_ends[place] - coalesce(booked.day_ends[place - 1], 0)
                as visits_count,
            sum((booked.days_ago[place + 1] - booked.days_ago[place]) ^ 2) over (
                rows unbounded preceding
            ) as total_squares
        from generate_series(booked.gaps_count + 1, 1, -1) as place
    ) as days
    where booked.total_visits > 0
),

judged as (
    select
        customers.organization_id,
        customers.square_customer_id,
        customers.given_name,
        customers.family_name,
        customers.email_address,
        customers.phone_number,
        customers.created_at as profile_created_at,
        customers.acquisition_source,
        customers.has_profile,
        customers.updated_at as profile_updated_at,
        customers.time_zone,
        customers.today,
        booked.first_booking_at,
        booked.last_booking_at,
        booked.first_visit_at,
        booked.last_visit_at,
        booked.next_booking_at,
        booked.last_no_show_at,
        booked.last_cancellation_at,
        booked.next_begin_at,
        booked.first_booking_id,
        booked.first_booking_location_id,
        coalesce(booked.total_bookings, 0) as total_bookings,
        coalesce(booked.total_accepted_bookings, 0) as total_accepted_bookings,
        coalesce(booked.total_visits, 0) as total_visits,
        coalesce(booked.upcoming_bookings, 0) as upcoming_bookings,
        coalesce(booked.pending_bookings, 0) as pending_bookings,
        coalesce(booked.declined_bookings, 0) as declined_bookings,
        coalesce(booked.total_cancelled_by_customer, 0) as total_cancelled_by_customer,
        coalesce(booked.total_cancelled_by_seller, 0) as total_cancelled_by_seller,
        coalesce(booked.total_no_shows, 0) as total_no_shows,
        coalesce(booked.total_no_shows + coalesce(booked.total_visits, 0), 0)
            as expected_visits,
        coalesce(
            booked.total_no_shows
            + coalesce(booked.total_visits, 0)
            + booked.total_cancelled_by_customer,
            0
        ) as agreed_visits,
        booked.last_status,
        coalesce(booked.within_30d, 0) as visits_last_30d,
        coalesce(booked.within_90d, 0) as visits_last_90d,
        coalesce(booked.within_180d - booked.within_90d, 0) as visits_prior_90d,
        coalesce(booked.within_365d, 0) as visits_last_365d,
        booked.days_to_next_window_change,
        booked.bookings_updated_at,
        booked.gaps_count,
        customers.today - booked.first_visit_ago as first_visit_on,
        customers.today - booked.last_visit_ago as last_visit_on,
        customers.today - booked.came_back_ago as came_back_on,
        booked.mean_days,
        booked.median_days,
        booked.stddev_days,
        booked.recent_cadence_days,
        customers.today - booked.first_visit_ago + 31 as new_until,
        customers.today - booked.last_visit_ago + 31 as active_until,
        customers.today - booked.last_visit_ago + 91 as at_risk_until,
        case
            when booked.first_visit_ago is null then 'NEVER_VISITED'
            when booked.first_visit_ago < 31 then 'NEW'
            when booked.last_visit_ago < 31 then 'ACTIVE'
            when booked.last_visit_ago < 91 then 'AT_RISK'
            else 'LOST'
        end as customer_segment,
        -- of the most frequent, the first one, which is the latest
        (
            select
                max(
                    (
                        (
                            octet_length(booked.weekdays)
                            - octet_length(replace(booked.weekdays, weekday::text, ''))
                        )::bigint * 2147483648
                        - strpos(booked.weekdays, weekday::text)
                    ) * 8 + weekday
                ) & 7
            from generate_series(1, 7) as weekday
        )::integer as weekday,
        (
            select
                max(
                    (
                        (
                            octet_length(booked.dayparts)
                            - octet_length(replace(booked.dayparts, daypart::text, ''))
                        )::bigint * 2147483648
                        - strpos(booked.dayparts, daypart::text)
                    ) * 4 + daypart
                ) & 3
            from generate_series(1, 3) as daypart
        ) as daypart,
        booked.booking_notes,
        coalesce(booked.notes_count, 0) as notes_count,
        booked.last_note_at,
        chosen.preferred_team_member_id,
        chosen.preferred_team_member_share,
        chosen.preferred_service_id,
        chosen.preferred_location_id,
        coalesce(chosen.distinct_locations, 0) as distinct_locations,
        coalesce(chosen.distinct_team_members, 0) as distinct_team_members,
        coalesce(chosen.distinct_services, 0) as distinct_services,
        places.time_zone as first_booking_time_zone,
        money.first_payment_at,
        money.last_payment_at,
        money.next_payment_at,
        coalesce(money.total_payments, 0) as total_payments,
        coalesce(money.amount_cents, 0) as amount_cents,
        coalesce(money.tip_cents, 0) as tip_cents,
        coalesce(money.refunded_cents, 0) as refunded_cents,
        money.median_ticket_cents,
        money.max_ticket_cents,
        money.last_ticket_cents,
        coalesce(money.last_30d_cents, 0) as last_30d_cents,
        coalesce(money.last_90d_cents, 0) as last_90d_cents,
        money.prior_90d_cents,
        coalesce(money.last_365d_cents, 0) as last_365d_cents,
        least(
            30 - money.paid_ago[money.within_30d],
            90 - money.paid_ago[money.within_90d],
            case
                when money.within_180d > money.within_90d
                    then 180 - money.paid_ago[money.within_180d]
            end,
            365 - money.paid_ago[money.within_365d]
        ) as days_to_next_payment_change,
        money.payments_updated_at,
        coalesce(referrals.is_activated, false) as is_referrer,
        case when referrals.is_activated then referrals.activated_at end
            as activated_as_referrer_at,
        nullif(btrim(referrals.referral_source, e' \t\r\n'), '') as referral_source,
        coalesce(referrals.referral_count, 0) as total_referrals,
        coalesce(referrals.reward_cents, 0) as total_rewards_cents,
        referrals.updated_at as referrals_updated_at
    from customers
    left join booking.referral_profiles as referrals
        on
            customers.organization_id = referrals.organization_id
            and customers.square_customer_id = referrals.square_customer_id
    left join booked on customers.customer_number = booked.customer_number
    left join chosen on customers.customer_number = chosen.customer_number
    left join money on customers.customer_number = money.customer_number
    left join places
        on
            customers.organization_id = places.organization_id
            and booked.first_booking_location_id = places.location_id
    offset 0
),

changing as (
    select
        *,
        case customer_segment
            when 'NEW' then new_until
            when 'ACTIVE' then active_until
            when 'AT_RISK' then at_risk_until
        end as next_segment_on,
        today + least(
            days_to_next_window_change,
            days_to_next_payment_change,
            case customer_segment
                when 'NEW' then new_until
                when 'ACTIVE' then active_until
                when 'AT_RISK' then at_risk_until
            end - today
        ) as changes_on
    from judged
)

insert into hand.customer_analytics
select
    organization_id,
    square_customer_id,
    given_name,
    family_name,
    coalesce(
        nullif(concat_ws(' ', given_name, family_name), ''),
        email_address,
        square_customer_id
    ),
    email_address,
    phone_number,
    profile_created_at,
    acquisition_source,
    has_profile,
    first_booking_at,
    last_booking_at,
    first_visit_at,
    last_visit_at,
    next_booking_at,
    first_payment_at,
    last_payment_at,
    last_no_show_at,
    last_cancellation_at,
    (first_booking_at at time zone time_zone)::date
    - (profile_created_at at time zone time_zone)::date,
    first_booking_id,
    first_booking_location_id,
    (first_booking_at at time zone coalesce(first_booking_time_zone, time_zone))::date,
    total_bookings,
    total_accepted_bookings,
    total_visits,
    upcoming_bookings,
    pending_bookings,
    declined_bookings,
    total_cancelled_by_customer,
    total_cancelled_by_seller,
    total_no_shows,
    total_bookings
    - total_accepted_bookings
    - pending_bookings
    - declined_bookings
    - total_cancelled_by_customer
    - total_cancelled_by_seller
    - total_no_shows,
    visits_last_30d,
    visits_last_90d,
    visits_prior_90d,
    visits_last_365d,
    round(total_no_shows::numeric / nullif(expected_visits, 0), 4),
    round(total_cancelled_by_customer::numeric / nullif(agreed_visits, 0), 4),
    round(total_visits::numeric / nullif(agreed_visits, 0), 4),
    (
        array[
            'ACCEPTED',
            'CANCELLED_BY_CUSTOMER',
            'NO_SHOW',
            'CANCELLED_BY_SELLER',
            'DECLINED',
            'PENDING'
        ]
    )[last_status],
    case
        when agreed_visits = 0 then 'NO_HISTORY'
        when total_no_shows >= 2 and total_no_shows >= 0.20 * expected_visits
            then 'UNRELIABLE'
        when total_no_shows > 0 and total_no_shows >= 0.10 * expected_visits then 'WATCH'
        when total_cancelled_by_customer >= 0.30 * agreed_visits then 'WATCH'
        else 'RELIABLE'
    end,
    amount_cents,
    tip_cents,
    amount_cents + tip_cents,
    refunded_cents,
    amount_cents - refunded_cents,
    total_payments,
    coalesce(round(amount_cents / nullif(total_payments, 0)), 0),
    median_ticket_cents,
    max_ticket_cents,
    last_ticket_cents,
    round(tip_cents / nullif(amount_cents, 0), 4),
    last_30d_cents,
    last_90d_cents,
    coalesce(prior_90d_cents, 0),
    last_365d_cents,
    round(100 * (last_90d_cents - prior_90d_cents) / nullif(prior_90d_cents, 0), 1),
    round(mean_days, 1),
    round(median_days, 1),
    round(stddev_days, 1),
    recent_cadence_days,
    last_visit_on + recent_cadence_days,
    case
        when gaps_count >= 5 and stddev_days <= 0.5 * mean_days then 'HIGH'
        when gaps_count >= 3 then 'MEDIUM'
        when gaps_count >= 1 then 'LOW'
        else 'NONE'
    end,
    preferred_team_member_id,
    preferred_team_member_share,
    preferred_service_id,
    preferred_location_id,
    case when total_visits > 0 then first_booking_location_id end,
    distinct_locations,
    distinct_team_members,
    distinct_services,
    weekday,
    (array['MORNING', 'AFTERNOON', 'EVENING'])[daypart],
    coalesce(booking_notes, '[]'),
    notes_count,
    last_note_at,
    is_referrer,
    activated_as_referrer_at,
    referral_source,
    total_referrals,
    total_rewards_cents,
    customer_segment,
    case customer_segment
        when 'NEW' then first_visit_on
        when 'ACTIVE' then greatest(new_until, came_back_on)
        when 'AT_RISK' then greatest(new_until, active_until)
        when 'LOST' then greatest(new_until, at_risk_until)
    end,
    case customer_segment
        when 'NEW'
            then
                case
                    when new_until < active_until then 'ACTIVE'
                    when new_until < at_risk_until then 'AT_RISK'
                    else 'LOST'
                end
        when 'ACTIVE' then 'AT_RISK'
        when 'AT_RISK' then 'LOST'
    end,
    next_segment_on,
    total_visits = 1,
    'default',
    least(
        next_begin_at,
        next_payment_at,
        case
            when
                (
                    (changes_on::timestamp at time zone time_zone - interval '1 hour')
                    at time zone time_zone
                )::date = changes_on
                then changes_on::timestamp at time zone time_zone - interval '1 hour'
            else changes_on::timestamp at time zone time_zone
        end
    ),
    greatest(
        profile_updated_at, bookings_updated_at, payments_updated_at, referrals_updated_at
    ),
    %(as_of)s,
    %(as_of)s,
    %(as_of)s
from changing
