"""The estimated effect of contacts on drawn customers, whose true effect is known."""

from collections import Counter, defaultdict
from math import sqrt
from typing import Any

import pytest
from conftest import Database, examples

from bench.compiled import build_project

# a Monday on which all calls are made and the hold-out begins
BEGIN = "2026-03-02"
RATE = 0.3
# how many tenants are drawn, each with so many customers
TENANTS = examples(20)
CUSTOMERS = 400

# Customers of two kinds. Those with one order day order rarely, those with twelve often, and
# the rep rather calls the former: without buckets, a call would seem to keep customers away.
# The time until they order by themselves is memoryless, so the day of the observation
# does not matter. A call makes equally many more of either kind order within 30 days.
# In the second practice all customers look equally likely to order, but those of one kind
# usually order every week and the others every eight weeks, and the rep calls the former.
KINDS = {
    # is_frequent: share per day, order day number, days since the first order, usual gap
    "by outlook": {True: (0.03, 12, 300, 28), False: (0.008, 1, 0, 28)},
    "by gap": {True: (0.06, 12, 300, 7), False: (0.01, 12, 300, 56)},
}
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
        date '{BEGIN}' - usual_gap - (-7 + floor(late * 60))::integer as delivered_on,
        1 + floor(ln(1 - natural_u) / ln(1 - daily_share))::integer as natural_days,
        %(effect)s / (1 - daily_share) ^ 30 as moved_rate,
        1 + floor(when_u * 7)::integer as moved_days
    from numbers
    inner join (values (true, %(frequent)s::float8[]), (false, %(rare)s))
        as kinds (kind, figures) on is_frequent = kind
    cross join lateral (
        select figures[1] as daily_share, figures[2]::int as order_day_number,
            figures[3]::int as age_days, figures[4]::int as usual_gap
    ) as figure
"""
ORDER_DAYS = """
    insert into analytics.customer_order_days (
        tenant_id, customer_id, delivered_on, first_delivered_on, order_day_number,
        average_order_interval_days
    )
    select
        tenant_id,
        customer_id,
        delivered_on,
        delivered_on - age_days,
        order_day_number,
        usual_gap
    from drawn
"""
# a customer that orders is not due again
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


# the calls; the rep calls more of those who order rarely
BY_REP = "called_u < case when is_frequent then 0.2 else 0.6 end"
# six in ten of the customers that the random hold-out lets the pages show
CALLED_SHARE = 0.6
OF_SHOWN = f"""
    called_u < {CALLED_SHARE}
    and ('x' || left(md5(concat_ws('/', tenant_id, customer_id, delivered_on)), 7))
    ::bit(28)::integer >= {RATE} * 2 ^ 28
"""


@pytest.fixture(scope="module")
def database(built: Database) -> Database:
    """The views, with a hold-out."""
    build_project(
        built.os_environment(),
        "--select=contact_effect_positions",
        hold_out_rate=RATE,
        hold_out_from=BEGIN,
    )
    return built


def effects(
    database: Database, seeds: int, contacts: str, effect: float, kinds: str = "by outlook"
) -> list[dict[str, Any]]:
    """Draw the customers of so many tenants; return the estimates for their contacts.

    contacts: which of the drawn customers are called. effect: how many more of these order.
    kinds: how the two kinds of customers differ.
    """
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
        frequent, rare = ([*map(float, KINDS[kinds][kind])] for kind in (True, False))
        connection.execute(
            DRAWN.encode(),
            {"seeds": seeds, "effect": effect, "frequent": frequent, "rare": rare},
        )
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
        connection.execute(b"analyze analytics.customer_order_days")
        return connection.execute(
            b"select * from analytics.contact_effect where sales_rep_id is null"
        ).fetchall()


def hits(rows: list[dict[str, Any]], comparison: str, effect: float) -> Counter[int]:
    """Return, by horizon, the number of tenants whose interval contains the effect."""
    return Counter(
        row["horizon_days"]
        for row in rows
        if row["comparison"] == comparison
        and row["difference_low"] <= effect <= row["difference_high"]
    )


def test_what_a_call_is_worth_is_in_95_percent_of_intervals(database: Database) -> None:
    rows = effects(database, TENANTS, BY_REP, 0.2)
    assert hits(rows, "CONTACTED", 0.2)[30] >= 0.95 * TENANTS
    # without buckets, the rep's choice would look like the effect of calls
    crude = database.rows(
        "select avg((days_until_next_order <= 30)::int) filter (where is_treated)"
        " - avg((days_until_next_order <= 30)::int) filter (where not is_treated) as it"
        " from analytics.contact_effect_positions where comparison = 'CONTACTED'"
        " and observed_days >= 30"
    )
    assert crude[0]["it"] < 0.15


def test_what_a_call_is_not_worth_is_in_95_percent_of_intervals(database: Database) -> None:
    rows = effects(database, TENANTS, BY_REP, 0)
    found = hits(rows, "CONTACTED", 0)
    # for 14 days and for 30
    assert sum(found.values()) >= 0.95 * 2 * TENANTS


def test_a_rep_who_calls_those_with_short_gaps_does_not_seem_to_help(
    database: Database,
) -> None:
    """Frequent buyers are as late and look as likely, but order sooner in any case."""
    called = "called_u < case when is_frequent then 0.6 else 0.1 end"
    found = hits(effects(database, TENANTS, called, 0, "by gap"), "CONTACTED", 0)
    assert sum(found.values()) >= 0.95 * 2 * TENANTS


def test_what_the_list_is_worth_is_in_95_percent_of_intervals(database: Database) -> None:
    """The effect of being shown is that of a call, times the share that is called."""
    rows = effects(database, TENANTS, OF_SHOWN, 0.2)
    assert hits(rows, "SHOWN", 0.2 * CALLED_SHARE)[30] >= 0.95 * TENANTS


@pytest.mark.slow
def test_95_percent_intervals_cover_95_percent_of_1000(database: Database) -> None:
    found = [
        hits(effects(database, 1000, BY_REP, 0.2), "CONTACTED", 0.2)[30],
        hits(effects(database, 1000, OF_SHOWN, 0.2), "SHOWN", 0.2 * CALLED_SHARE)[30],
    ]
    # at 95 %, it is below 930 once in 200 times
    assert min(found) >= 930, found


def test_shares_and_intervals_equal_the_formulas(database: Database) -> None:
    """Mantel and Haenszel's weights, and Newcombe's interval as stratified by Yan and Su."""
    told = effects(database, 3, BY_REP, 0.2)
    positions = database.rows("select * from analytics.contact_effect_positions")
    assert len(told) == 12
    for row in told:
        buckets: dict[str, dict[bool, list[dict[str, Any]]]] = {}
        for one in positions:
            if (
                one["observed_days"] >= row["horizon_days"]
                and one["tenant_id"] == row["tenant_id"]
                and one["comparison"] == row["comparison"]
            ):
                bucket = buckets.setdefault(one["bucket"], {})
                bucket.setdefault(one["is_treated"], []).append(one)
        both = [bucket for bucket in buckets.values() if len(bucket) == 2]
        weights = [
            len(bucket[True]) * len(bucket[False]) / (len(bucket[True]) + len(bucket[False]))
            for bucket in both
        ]
        share, spread, limits = {}, {}, {}
        for arm in (True, False):
            parts = list(zip(weights, (bucket[arm] for bucket in both), strict=True))
            share[arm] = sum(
                weight * sum(is_in(one, row["horizon_days"]) for one in part) / len(part)
                for weight, part in parts
            ) / sum(weights)
            # a customer counts once, in however many buckets
            of_customer: dict[object, float] = defaultdict(float)
            for weight, part in parts:
                for one in part:
                    of_customer[one["customer_id"]] += weight / len(part)
            spread[arm] = sum(w**2 for w in of_customer.values()) / sum(weights) ** 2
            limits[arm] = roots(share[arm], spread[arm])
        difference = share[True] - share[False]
        low = difference - Z * sqrt(
            spread[True] * variance(limits[True][0])
            + spread[False] * variance(limits[False][1])
        )
        high = difference + Z * sqrt(
            spread[True] * variance(limits[True][1])
            + spread[False] * variance(limits[False][0])
        )
        assert row["treated_share"] == pytest.approx(share[True])
        assert row["others_share"] == pytest.approx(share[False])
        assert (row["difference_low"], row["difference_high"]) == pytest.approx((low, high))


Z = 1.959963984540054


def is_in(position: dict[str, Any], days: int) -> bool:
    return (position["days_until_next_order"] or days + 1) <= days


def variance(share: float) -> float:
    return share * (1 - share)


def roots(share: float, spread: float) -> tuple[float, float]:
    """Return the shares from which the observed one is Z of their standard errors away."""
    square = Z**2 * spread
    middle, half = (
        share + square / 2,
        sqrt(square * variance(share) + square**2 / 4),
    )
    return (middle - half) / (1 + square), (middle + half) / (1 + square)
