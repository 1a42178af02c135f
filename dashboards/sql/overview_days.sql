-- Customers by status at the end of each day, from 90 days ago to 30 days ahead. It
-- takes today's counts, undoes the changes since each past day, and adds the changes
-- that will come if nothing is ordered. So only the steps of these days are read, by
-- index. If tenants have different dates, days are counted from each tenant's today.
with tenants as (
    select
        tenant_id,
        today
    from analytics.tenants
    where %(tenant)s is null or tenant_id = %(tenant)s
),

horizon as (
    select
        max(today) as today,
        max(today) - 90 as first_day,
        max(today) + 30 as last_day
    from tenants
),

-- how many customers changed from which status to which on which day
steps as (
    select
        'risk_status' as status_kind,
        horizon.today + (history.valid_from - tenants.today) as day,
        history.valid_from <= tenants.today as is_past,
        history.status,
        history.previous_status,
        sum(history.customers_count) as customers_count
    from tenants
    cross join horizon
    cross join
        lateral (
            select
                history.valid_from,
                history.previous_status,
                history.status,
                count(*) as customers_count
            from analytics.customer_risk_status_history as history
            where
                tenants.tenant_id = history.tenant_id
                and tenants.today - 90 < history.valid_from
                and tenants.today + 30 >= history.valid_from
            group by
                history.tenant_id,
                history.valid_from,
                history.previous_status,
                history.status
        ) as history
    group by day, is_past, history.status, history.previous_status

    union all

    select
        'account_type' as status_kind,
        horizon.today + (history.valid_from - tenants.today) as day,
        history.valid_from <= tenants.today as is_past,
        history.status,
        history.previous_status,
        sum(history.customers_count) as customers_count
    from tenants
    cross join horizon
    cross join
        lateral (
            select
                history.valid_from,
                history.previous_status,
                history.status,
                count(*) as customers_count
            from analytics.customer_account_type_history as history
            where
                tenants.tenant_id = history.tenant_id
                and tenants.today - 90 < history.valid_from
                and tenants.today + 30 >= history.valid_from
            group by
                history.tenant_id,
                history.valid_from,
                history.previous_status,
                history.status
        ) as history
    group by day, is_past, history.status, history.previous_status
),

moves as (
    select
        status_kind,
        status,
        day,
        is_past,
        sum(customers_count) as customers_count
    from steps
    group by status_kind, status, day, is_past

    union all

    select
        status_kind,
        previous_status as status,
        day,
        is_past,
        -sum(customers_count) as customers_count
    from steps
    where previous_status is not null
    group by status_kind, previous_status, day, is_past
),

held_today as (
    select
        'risk_status' as status_kind,
        risk_status.risk_status as status,
        count(*) as customers_count
    from tenants
    inner join analytics.customer_risk_status as risk_status
        on tenants.tenant_id = risk_status.tenant_id
    group by risk_status.risk_status

    union all

    select
        'account_type' as status_kind,
        account_types.account_type as status,
        count(*) as customers_count
    from tenants
    inner join analytics.customer_account_types as account_types
        on tenants.tenant_id = account_types.tenant_id
    group by account_types.account_type
),

-- the counts on the first day, and the changes on each day since
changes as (
    select
        held_today.status_kind,
        held_today.status,
        horizon.first_day as day,
        held_today.customers_count
    from held_today
    cross join horizon

    union all

    select
        moves.status_kind,
        moves.status,
        horizon.first_day as day,
        -moves.customers_count as customers_count
    from moves
    cross join horizon
    where moves.is_past

    union all

    select
        status_kind,
        status,
        day,
        customers_count
    from moves
),

statuses as (
    select distinct
        status_kind,
        status
    from changes
),

-- a row for each day, even without changes
moved as (
    select
        status_kind,
        status,
        day,
        customers_count
    from changes

    union all

    select
        statuses.status_kind,
        statuses.status,
        day::date as day,
        0 as customers_count
    from statuses
    cross join horizon
    cross join
        lateral generate_series(
            horizon.first_day::timestamp, horizon.last_day::timestamp, '1 day'
        ) as day
),

counted as (
    select
        status_kind,
        status,
        day,
        sum(sum(customers_count)) over (
            partition by status_kind, status order by day
        )::bigint as customers_count
    from moved
    group by status_kind, status, day
)

select
    counted.status_kind,
    counted.status,
    counted.day,
    counted.customers_count,
    round(
        counted.customers_count / nullif(
            sum(counted.customers_count) over (
                partition by counted.status_kind, counted.day
            ), 0
        ), 4
    ) as customers_rate,
    counted.customers_count - lag(counted.customers_count, 7) over (
        partition by counted.status_kind, counted.status order by counted.day
    ) as change_in_a_week,
    counted.day = horizon.today as is_today,
    counted.day > horizon.today as is_forecast
from counted
cross join horizon
order by counted.status_kind, counted.status, counted.day
