"""What a contact is worth, told of customers that are drawn, of whom one knows it."""

import json
import os
from collections.abc import Iterator

import pytest
from conftest import Database

from flows.dbt import command

# a Monday, on which all are called, and the hold-out begins
BEGIN = "2026-03-02"
RATE = 0.3
EFFECT = 0.2
CUSTOMERS = 400

# Customers of two kinds. Those with one order day order little, those with twelve often, and
# the rep calls rather the former: without buckets a call would seem to keep customers away.
# The days until they order by themselves have no memory, so that the day on which one looks
# does not matter. A call makes as many more of either kind order within 30 days.
DRAWN = f"""
    create temporary table drawn as
    with numbers as (
        select
            md5('tenant ' || tenant)::uuid as tenant_id,
            md5('customer ' || tenant || ' ' || customer)::uuid as customer_id,
            tenant,
            mod(customer, 2) = 0 as is_frequent,
            pg_temp.u(tenant, customer, 'late') as late,
            pg_temp.u(tenant, customer, 'natural') as natural_u,
            pg_temp.u(tenant, customer, 'called') as called_u,
            pg_temp.u(tenant, customer, 'moved') as moved_u,
            pg_temp.u(tenant, customer, 'when') as when_u
        from generate_series(1, %(seeds)s) as tenant
        cross join generate_series(1, {CUSTOMERS}) as customer
    )

    select
        *,
        date '{BEGIN}' - 28 - (-7 + floor(late * 60))::integer as delivered_on,
        1 + floor(ln(1 - natural_u) / ln(1 - case when is_frequent then 0.03 else 0.008 end))
        ::integer as natural_days,
        {EFFECT} / (1 - case when is_frequent then 0.03 else 0.008 end) ^ 30 as moved_rate,
        1 + floor(when_u * 7)::integer as moved_days
    from numbers
"""
ORDER_DAYS = f"""
    insert into analytics.customer_order_days (
        tenant_id, customer_id, delivered_on, first_delivered_on, order_day_number,
        average_order_interval_days
    )
    select
        tenant_id,
        customer_id,
        delivered_on,
        case when is_frequent then delivered_on - 300 else delivered_on end,
        case when is_frequent then 12 else 1 end,
        28
    from drawn
"""
# whoever orders is not due again
NEXT_ORDERS = f"""
    with ordered as (
        select
            drawn.*,
            date '{BEGIN}' + least(
                natural_days,
                case when contacts.contact_id is not null and moved_u < moved_rate
                    then moved_days end
            ) as ordered_on
        from drawn
        left join operations.customer_contacts as contacts using (tenant_id, customer_id)
    ),

    closed as (
        update analytics.customer_order_days as order_days
        set next_delivered_on = ordered_on
        from ordered
        where
            order_days.tenant_id = ordered.tenant_id
            and order_days.customer_id = ordered.customer_id
            and ordered_on <= date '{BEGIN}' + 60
    )

    insert into analytics.customer_order_days (
        tenant_id, customer_id, delivered_on, first_delivered_on, order_day_number,
        average_order_interval_days
    )
    select tenant_id, customer_id, ordered_on, delivered_on, 2, 300
    from ordered
    where ordered_on <= date '{BEGIN}' + 60
"""
CONTACTS = f"""
    insert into operations.customer_contacts (
        tenant_id, customer_id, contacted_at, channel, outcome
    )
    select tenant_id, customer_id, timestamptz '{BEGIN} 12:00+00', 'PHONE', 'REACHED'
    from drawn
"""


@pytest.fixture
def database(built: Database) -> Iterator[Database]:
    """The views, with a hold-out."""
    variables = json.dumps({"hold_out_rate": RATE, "hold_out_from": BEGIN})
    done = command(
        built.os_environment(),
        *("run", "--select", "contact_effect_positions", "--vars", variables),
    )
    assert done.returncode == 0, done.stdout
    return built


def effects(database: Database, seeds: int, contacts: str) -> list[dict[str, float]]:
    """Draw the customers of so many tenants; return what is told of their contacts."""
    with database.connect() as connection:
        connection.execute(
            b"""
            truncate analytics.tenants, analytics.customer_order_days,
                analytics.order_model_parameters, operations.customer_contacts;
            create function pg_temp.u(tenant integer, customer integer, what text)
            returns double precision language sql immutable as $$
                select ('x' || left(md5(tenant || ' ' || customer || ' ' || what), 13))
                ::bit(52)::bigint / 2 ^ 52
            $$
            """
        )
        connection.execute(DRAWN.encode(), {"seeds": seeds})
        connection.execute(
            f"""
            insert into analytics.tenants (
                tenant_id, tenant_slug, time_zone, as_of, today, dormant_days, grace_days,
                fallback_cadence_days
            )
            select distinct
                tenant_id, tenant::text, 'UTC', timestamptz '{BEGIN} 12:00+00' + '60 days',
                date '{BEGIN}' + 60, 45, 1, 45
            from drawn;
            insert into analytics.order_model_parameters (
                tenant_id, valid_from, model, r, alpha_days, a, b
            )
            select tenant_id, '2020-01-01', 'MBG', 0.8, 75, 0.05, 10 from analytics.tenants;
            {ORDER_DAYS}; analyze analytics.customer_order_days; analyze drawn;
            """.encode()
        )
        connection.execute(f"{CONTACTS} where {contacts}".encode())
        connection.execute(f"analyze operations.customer_contacts; {NEXT_ORDERS}".encode())
        return connection.execute(
            b"analyze; select * from analytics.contact_effect where sales_rep_id is null"
        ).fetchall()
