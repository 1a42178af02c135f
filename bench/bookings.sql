-- The result of the models on bookings as one statement by hand, the best we could write. It
-- has the thresholds and the vars of the rules as constants, takes every row as valid and
-- every organization as active, so it does less than the models do. It fills two empty
-- tables of the schema hand with what the marts hold.
with recursive organizations as materialized (
    select
        id as organization_id,
        row_number() over ()::integer as organization_number,
        time_zone,
        (%(as_of)s::timestamptz at time zone time_zone)::date as today
    from booking.organizations
),

places as materialized (
    select
        locations.organization_id,
        locations.id as location_id,
        row_number() over () as place_number,
        coalesce(locations.time_zone, organizations.time_zone) as time_zone
    from booking.locations
    inner join organizations on locations.organization_id = organizations.organization_id
),

-- a customer without a profile is rare, and found by the order of two indexes
keys as (
    select organization_id, square_customer_id
    from booking.customers
    union all
    select organization_id, square_customer_id
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
    ) as without_profile
),

numbers as materialized (
    select
        organization_id,
        square_customer_id,
        row_number() over ()::integer as customer_number
    from keys
),

placed as (
    select
        numbers.customer_number,
        bookings.booking_id,
        bookings.location_id,
        bookings.team_member_id,
        bookings.service_id,
        bookings.status,
        bookings.start_at,
        bookings.start_at at time zone organizations.time_zone as start_local,
        bookings.status = 'ACCEPTED' and bookings.start_at <= %(as_of)s as is_visit,
        nullif(btrim(bookings.customer_note, e' \t\r\n'), '') as customer_note,
        nullif(btrim(bookings.seller_note, e' \t\r\n'), '') as seller_note,
        bookings.updated_at,
        organizations.today
    from (select * from booking.bookings offset 0) as bookings
    inner join numbers
        on
            bookings.organization_id = numbers.organization_id
            and bookings.square_customer_id = numbers.square_customer_id
    inner join organizations on bookings.organization_id = organizations.organization_id
    offset 0
),

-- latest first; what a visit was followed by, and one letter for weekday and part of day
in_sequence as (
    select
        customer_number,
        booking_id,
        location_id,
        team_member_id,
        service_id,
        status,
        start_at,
        start_local::date as start_on,
        today - start_local::date as days_ago,
        is_visit,
        case
            when is_visit then chr(
                65
                + (start_local::date - date '1969-12-29') %% 7 * 3
                + case
                    when start_local::time < time '12:00' then 0
                    when start_local::time < time '17:00' then 1
                    else 2
                end
            )
        end as letter,
        customer_note,
        seller_note,
        updated_at,
        min(start_local::date) filter (where is_visit) over (
            partition by customer_number
            order by start_at desc, booking_id collate "C" asc
            rows between unbounded preceding and 1 preceding
        ) as next_visit_on
    from placed
),

summed as (
    select
        customer_number,
        min(start_at) filter (where status = 'ACCEPTED') as first_booking_at,
        max(start_at) filter (where status = 'ACCEPTED') as last_booking_at,
        max(start_at) filter (where status = 'NO_SHOW') as last_no_show_at,
        max(start_at) filter (
            where status in ('CANCELLED_BY_CUSTOMER', 'CANCELLED_BY_SELLER')
        ) as last_cancellation_at,
        min(start_at) filter (where start_at > %(as_of)s) as next_begin_at,
        min(start_at) filter (where status = 'ACCEPTED' and not is_visit)
            as next_booking_at,
        count(*) as total_bookings,
        count(*) filter (where status = 'ACCEPTED') as total_accepted_bookings,
        count(*) filter (where status = 'PENDING') as pending_bookings,
        count(*) filter (where status = 'DECLINED') as declined_bookings,
        count(*) filter (where status = 'CANCELLED_BY_CUSTOMER')
            as total_cancelled_by_customer,
        count(*) filter (where status = 'CANCELLED_BY_SELLER') as total_cancelled_by_seller,
        count(*) filter (where status = 'NO_SHOW') as total_no_shows,
        max(updated_at) as bookings_updated_at,
        (array_agg(status) filter (where start_at <= %(as_of)s))[1] as last_booking_status,
        array_agg(start_at) filter (where status = 'ACCEPTED') as accepted_at,
        array_agg(booking_id) filter (where status = 'ACCEPTED') as accepted_ids,
        array_agg(location_id) filter (where status = 'ACCEPTED') as accepted_locations,
        array_agg(start_at) filter (where is_visit) as visits_at,
        array_agg(days_ago) filter (where is_visit) as visits_ago,
        string_agg(letter, '') as visit_letters,
        array_agg(team_member_id) filter (where is_visit) as team_members,
        array_agg(service_id) filter (where is_visit) as services,
        array_agg(location_id) filter (where is_visit) as locations,
        array_agg(start_on) filter (
            where is_visit and next_visit_on is distinct from start_on
        ) as visit_days,
        percentile_cont(0.5) within group (order by next_visit_on - start_on) filter (
            where is_visit and next_visit_on > start_on
        )::numeric as median_days,
        stddev_samp(next_visit_on - start_on) filter (
            where is_visit and next_visit_on > start_on
        ) as stddev_days,
        max(next_visit_on) filter (
            where is_visit and next_visit_on - start_on > 31
        ) as came_back_on,
        count(*) filter (where customer_note is not null or seller_note is not null)
            as notes_count,
        max(start_at) filter (where customer_note is not null or seller_note is not null)
            as last_note_at,
        jsonb_agg(
            jsonb_build_object(
                'booking_id', booking_id,
                'start_at',
                to_char(start_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                'status', status,
                'customer_note', customer_note,
                'seller_note', seller_note
            )
            order by start_at desc, booking_id collate "C" asc
        ) filter (where customer_note is not null or seller_note is not null)
            as booking_notes
    from in_sequence
    group by customer_number
),

-- arrays run from the latest to the first: an index is a rank in time
booked as materialized (
    select
        *,
        array_position(accepted_at, first_booking_at) as first_index,
        width_bucket(29, visits_ago) as within_30d,
        width_bucket(89, visits_ago) as within_90d,
        width_bucket(179, visits_ago) as within_180d,
        width_bucket(364, visits_ago) as within_365d,
        translate(visit_letters, 'ABCDEFGHIJKLMNOPQRSTU', '111222333444555666777')
            as weekdays,
        translate(visit_letters, 'ABCDEFGHIJKLMNOPQRSTU', '012012012012012012012')
            as dayparts,
        cardinality(visits_ago)::bigint as total_visits,
        cardinality(visit_days) as days_count,
        cardinality(visit_days) < cardinality(visits_ago) as has_days_of_several
    from summed
),

-- take the latest choice off with all its likes, until none is left
peeled as (
    select
        booked.customer_number,
        kinds.kind,
        case
            when booked.has_days_of_several then (
                select
                    array_agg(
                        visits.choice
                        order by visits.start_at desc, visits.choice collate "C" asc
                    )
                from unnest(kinds.choices, booked.visits_at) as visits (choice, start_at)
            )
            else kinds.choices
        end as choices,
        null::text as best,
        0 as best_times,
        0::bigint as total_times,
        0::bigint as distinct_choices
    from booked
    cross join lateral (
        values (1, booked.team_members), (2, booked.services), (3, booked.locations)
    ) as kinds (kind, choices)
    where booked.total_visits > 0

    union all

    select
        customer_number,
        kind,
        others,
        case when choice is not null and times > best_times then choice else best end,
        case
            when choice is not null then greatest(times, best_times) else best_times
        end,
        total_times + case when choice is not null then times else 0 end,
        distinct_choices + case when choice is not null then 1 else 0 end
    from (
        select
            peeled.*,
            choices[1] as choice,
            others,
            cardinality(choices) - cardinality(others) as times
        from peeled
        cross join lateral (select array_remove(choices, choices[1]) as others offset 0) as l
        where choices != '{}'
    ) as taken
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
        numbers.customer_number,
        payments.payment_id,
        coalesce(payments.amount_cents, 0) as amount_cents,
        coalesce(payments.tip_cents, 0) as tip_cents,
        least(
            coalesce(payments.refunded_cents, 0), coalesce(payments.amount_cents, 0)
        ) as refunded_cents,
        payments.created_at,
        payments.created_at <= %(as_of)s as is_paid,
        organizations.today
        - (payments.created_at at time zone organizations.time_zone)::date as days_ago,
        payments.updated_at
    from (select * from booking.payments where status = 'COMPLETED' offset 0) as payments
    inner join numbers
        on
            payments.organization_id = numbers.organization_id
            and payments.square_customer_id = numbers.square_customer_id
    inner join organizations on payments.organization_id = organizations.organization_id
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
            (
                array_agg(
                    amount_cents order by created_at desc, payment_id collate "C" asc
                ) filter (where is_paid)
            )[1] as last_ticket_cents,
            array_agg(
                days_ago order by created_at desc, payment_id collate "C" asc
            ) filter (where is_paid) as paid_ago,
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

dated as (
    select
        booked.*,
        visit_days[1] as last_visit_on,
        visit_days[days_count] as first_visit_on,
        visit_days[1] - visit_days[days_count] as days_between,
        (visit_days[1] - visit_days[least(days_count, 5)])::numeric
        / nullif(least(days_count, 5) - 1, 0) as recent_mean_days,
        least(
            30 - visits_ago[within_30d],
            90 - visits_ago[within_90d],
            case when within_180d > within_90d then 180 - visits_ago[within_180d] end,
            365 - visits_ago[within_365d]
        ) as days_to_next_window_change
    from booked
),

location_days as (
    insert into hand.booking_location_days
    select
        organization_id,
        location_id,
        date,
        count(*) filter (where status = 'ACCEPTED'),
        count(*) filter (where status = 'NO_SHOW'),
        count(*) filter (where status = 'CANCELLED_BY_CUSTOMER'),
        count(*) filter (where status = 'CANCELLED_BY_SELLER'),
        count(distinct square_customer_id) filter (where status = 'ACCEPTED'),
        count(*) filter (where status = 'PENDING'),
        count(*) filter (where status = 'DECLINED'),
        count(*),
        count(*) filter (where status = 'ACCEPTED' and square_customer_id is null)
    from (
        select
            bookings.organization_id,
            bookings.location_id,
            (
                bookings.start_at
                at time zone coalesce(places.time_zone, organizations.time_zone)
            )::date as date,
            bookings.square_customer_id collate "C" as square_customer_id,
            bookings.status
        from booking.bookings
        inner join organizations
            on bookings.organization_id = organizations.organization_id
        left join places
            on
                bookings.organization_id = places.organization_id
                and bookings.location_id = places.location_id
        offset 0
    ) as located
    group by date, location_id, organization_id
),

judged as (
    select
        numbers.organization_id,
        numbers.square_customer_id,
        nullif(btrim(profiles.given_name, e' \t\r\n'), '') as given_name,
        nullif(btrim(profiles.family_name, e' \t\r\n'), '') as family_name,
        lower(nullif(btrim(profiles.email_address, e' \t\r\n'), '')) as email_address,
        nullif(btrim(profiles.phone_number, e' \t\r\n'), '') as phone_number,
        profiles.created_at as profile_created_at,
        profiles.acquisition_source,
        profiles.square_customer_id is not null as has_profile,
        profiles.updated_at as profile_updated_at,
        organizations.time_zone,
        organizations.today,
        dated.first_booking_at,
        dated.last_booking_at,
        dated.visits_at[dated.total_visits] as first_visit_at,
        dated.visits_at[1] as last_visit_at,
        dated.next_booking_at,
        dated.last_no_show_at,
        dated.last_cancellation_at,
        dated.next_begin_at,
        dated.accepted_ids[dated.first_index] as first_booking_id,
        dated.accepted_locations[dated.first_index] as first_booking_location_id,
        coalesce(dated.total_bookings, 0) as total_bookings,
        coalesce(dated.total_accepted_bookings, 0) as total_accepted_bookings,
        coalesce(dated.total_visits, 0) as total_visits,
        coalesce(dated.pending_bookings, 0) as pending_bookings,
        coalesce(dated.declined_bookings, 0) as declined_bookings,
        coalesce(dated.total_cancelled_by_customer, 0) as total_cancelled_by_customer,
        coalesce(dated.total_cancelled_by_seller, 0) as total_cancelled_by_seller,
        coalesce(dated.total_no_shows, 0) as total_no_shows,
        coalesce(dated.within_30d, 0) as visits_last_30d,
        coalesce(dated.within_90d, 0) as visits_last_90d,
        coalesce(dated.within_180d - dated.within_90d, 0) as visits_prior_90d,
        coalesce(dated.within_365d, 0) as visits_last_365d,
        coalesce(dated.total_no_shows + coalesce(dated.total_visits, 0), 0)
            as expected_visits,
        coalesce(
            dated.total_no_shows
            + coalesce(dated.total_visits, 0)
            + dated.total_cancelled_by_customer,
            0
        ) as agreed_visits,
        dated.last_booking_status,
        dated.first_visit_on,
        dated.last_visit_on,
        dated.came_back_on,
        dated.days_count - 1 as gaps_count,
        dated.days_between::numeric / nullif(dated.days_count - 1, 0) as mean_days,
        dated.median_days,
        dated.stddev_days,
        round(dated.recent_mean_days)::integer as recent_cadence_days,
        (
            select
                max(
                    (
                        (
                            octet_length(dated.weekdays)
                            - octet_length(replace(dated.weekdays, weekday::text, ''))
                        )::bigint * 2147483648
                        - strpos(dated.weekdays, weekday::text)
                    ) * 8 + weekday
                ) & 7
            from generate_series(1, 7) as weekday
        )::integer as preferred_weekday,
        (
            select
                max(
                    (
                        (
                            octet_length(dated.dayparts)
                            - octet_length(replace(dated.dayparts, daypart::text, ''))
                        )::bigint * 2147483648
                        - strpos(dated.dayparts, daypart::text)
                    ) * 4 + daypart
                ) & 3
            from generate_series(0, 2) as daypart
        ) as daypart,
        dated.booking_notes,
        coalesce(dated.notes_count, 0) as notes_count,
        dated.last_note_at,
        dated.days_to_next_window_change,
        dated.bookings_updated_at,
        dated.first_visit_on + 31 as new_until,
        dated.last_visit_on + 31 as active_until,
        dated.last_visit_on + 91 as at_risk_until,
        case
            when dated.first_visit_on is null then 'NEVER_VISITED'
            when organizations.today < dated.first_visit_on + 31 then 'NEW'
            when organizations.today < dated.last_visit_on + 31 then 'ACTIVE'
            when organizations.today < dated.last_visit_on + 91 then 'AT_RISK'
            else 'LOST'
        end as customer_segment,
        places.time_zone as first_booking_time_zone,
        chosen.preferred_team_member_id,
        chosen.preferred_team_member_share,
        chosen.preferred_service_id,
        chosen.preferred_location_id,
        coalesce(chosen.distinct_locations, 0) as distinct_locations,
        coalesce(chosen.distinct_team_members, 0) as distinct_team_members,
        coalesce(chosen.distinct_services, 0) as distinct_services,
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
    from numbers
    inner join organizations on numbers.organization_id = organizations.organization_id
    left join booking.customers as profiles
        on
            numbers.organization_id = profiles.organization_id
            and numbers.square_customer_id = profiles.square_customer_id
    left join booking.referral_profiles as referrals
        on
            numbers.organization_id = referrals.organization_id
            and numbers.square_customer_id = referrals.square_customer_id
    left join dated on numbers.customer_number = dated.customer_number
    left join chosen on numbers.customer_number = chosen.customer_number
    left join money on numbers.customer_number = money.customer_number
    left join places
        on
            numbers.organization_id = places.organization_id
            and dated.accepted_locations[dated.first_index] = places.location_id
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
    total_accepted_bookings - total_visits,
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
    last_booking_status,
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
    preferred_weekday,
    (array['MORNING', 'AFTERNOON', 'EVENING'])[daypart + 1],
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
