"""Derive the status of three customers of a system step by step, to be checked by hand.

The rules are the project's own models, run for a few customers in pg_temp, in the caller's
transaction. No rule is repeated here.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from flows.check_inputs import Input, quoted, temporary, whole
from flows.database import Connection, rows

# the number of customers computed in each group, of which three instructive ones are chosen
CANDIDATES = 6
SHOWN_DATES = 12


@dataclass(frozen=True)
class Way:
    """How to find the customers of a system and their figures."""

    # the columns that identify a customer
    person: tuple[str, str]
    # customers with valid rows: tenant, customer, number of rows, first and last instant
    candidates: str
    # the models to compute, with everything that they read
    ends: tuple[str, ...]
    # one row per customer: keys, figures, status
    figures: str


ORDERS = Way(
    person=("tenant_id", "customer_id"),
    candidates="""
        select
            orders.tenant_id as tenant,
            orders.customer_id as customer,
            count(*) as total,
            min(orders.delivered_at) as first_at,
            max(orders.delivered_at) as last_at
        from pg_temp.stg_orders__orders as orders
        inner join pg_temp.stg_orders__customers as customers
            on
                orders.tenant_id = customers.tenant_id
                and orders.customer_id = customers.customer_id
        inner join pg_temp.stg_orders__tenants as tenants
            on orders.tenant_id = tenants.tenant_id
        where
            orders.is_valid
            and customers.is_valid
            and not customers.is_closed
            and tenants.is_valid
            and tenants.is_active
            and orders.delivered_at <= %(as_of)s
        group by orders.tenant_id, orders.customer_id
    """,
    ends=("int_customers__risk_status", "int_customers__account_type"),
    figures="""
        select
            tenants.tenant_slug as tenant,
            figures.customer_id::text as customer,
            figures.customer_name as name,
            statuses.risk_status as status,
            statuses.reason,
            statuses.risk_status in ('AT_RISK_CADENCE', 'DORMANT') as is_late,
            statuses.risk_status = 'AT_RISK_CADENCE' as is_at_risk,
            figures.total_delivered_orders as total,
            (
                select array_agg(delivered_on order by delivery_number)
                from pg_temp.int_deliveries as deliveries
                where
                    deliveries.tenant_id = figures.tenant_id
                    and deliveries.customer_id = figures.customer_id
            ) as dates,
            figures.last_order_date as last_on,
            figures.average_order_interval_days as measured_days,
            figures.cadence_days as interval_days,
            figures.next_expected_order_date as expected_on,
            figures.late_on,
            figures.dormant_on,
            figures.revenue_basis,
            figures.recent_orders_count,
            round(figures.recent_average_amount, 2) as recent_average_amount,
            figures.baseline_orders_count,
            round(figures.baseline_average_amount, 2) as baseline_average_amount,
            statuses.revenue_change_pct,
            account_types.account_type,
            account_types.reason as account_type_reason,
            tenants.today,
            tenants.time_zone,
            tenants.threshold_row,
            tenants.cadence_orders,
            tenants.grace_days,
            tenants.dormant_days,
            tenants.revenue_decline_pct
        from pg_temp.int_customers__risk_figures as figures
        inner join pg_temp.int_customers__risk_status as statuses
            on
                figures.tenant_id = statuses.tenant_id
                and figures.customer_id = statuses.customer_id
        inner join pg_temp.int_customers__account_type as account_types
            on
                figures.tenant_id = account_types.tenant_id
                and figures.customer_id = account_types.customer_id
        inner join pg_temp.int_tenants as tenants
            on figures.tenant_id = tenants.tenant_id
        order by 1, 2
    """,
)

BOOKINGS = Way(
    person=("organization_id", "square_customer_id"),
    candidates="""
        select
            bookings.organization_id as tenant,
            bookings.square_customer_id as customer,
            count(*) as total,
            min(bookings.start_at) as first_at,
            max(bookings.start_at) as last_at
        from pg_temp.stg_bookings__bookings as bookings
        inner join pg_temp.stg_bookings__organizations as organizations
            on bookings.organization_id = organizations.organization_id
        where
            bookings.is_valid
            and organizations.is_valid
            and organizations.is_active
            and bookings.square_customer_id is not null
            and bookings.start_at <= %(as_of)s
        group by bookings.organization_id, bookings.square_customer_id
    """,
    ends=("int_booking_customers__segment", "int_booking_customers__bookings"),
    figures="""
        select
            organizations.organization_slug as tenant,
            customers.square_customer_id::text as customer,
            concat_ws(' ', customers.given_name, customers.family_name) as name,
            segments.customer_segment as status,
            segments.segment_since as since_on,
            segments.next_segment,
            segments.next_segment_on,
            segments.customer_segment in ('AT_RISK', 'LOST') as is_late,
            segments.customer_segment = 'AT_RISK' as is_at_risk,
            counts.total_visits as total,
            counts.total_bookings,
            counts.upcoming_bookings,
            counts.total_no_shows,
            counts.total_cancelled_by_customer + counts.total_cancelled_by_seller
                as total_cancelled,
            (
                select array_agg(start_local::date order by start_at)
                from pg_temp.int_bookings as bookings
                where
                    bookings.organization_id = customers.organization_id
                    and bookings.customer_number = customers.customer_number
                    and bookings.is_visit
            ) as dates,
            cadence.first_visit_on as first_on,
            cadence.last_visit_on as last_on,
            cadence.avg_days_between_visits as mean_days,
            cadence.recent_cadence_days as interval_days,
            cadence.cadence_confidence as confidence,
            cadence.expected_next_visit_date as expected_on,
            organizations.today,
            organizations.time_zone,
            organizations.threshold_row,
            organizations.segment_new_days,
            organizations.segment_active_days,
            organizations.segment_at_risk_days
        from pg_temp.int_booking_customers as customers
        inner join pg_temp.int_booking_customers__segment as segments
            on
                customers.organization_id = segments.organization_id
                and customers.customer_number = segments.customer_number
        inner join pg_temp.int_booking_customers__cadence as cadence
            on
                customers.organization_id = cadence.organization_id
                and customers.customer_number = cadence.customer_number
        inner join pg_temp.int_booking_customers__bookings as counts
            on
                customers.organization_id = counts.organization_id
                and customers.customer_number = counts.customer_number
        inner join pg_temp.int_booking_organizations as organizations
            on customers.organization_id = organizations.organization_id
        order by 1, 2
    """,
)

WAYS = {"orders": ORDERS, "bookings": BOOKINGS}


def work_through(
    connection: Connection,
    manifest: dict[str, Any],
    inputs: Sequence[Input],
    as_of: datetime,
) -> list[dict[str, Any]]:
    """Compute a few customers of a system; return three of them, with lines of explanation."""
    system = inputs[0].system
    way = WAYS[system]
    choose(connection, way, as_of)
    cut_down(connection, way, inputs)
    run_rules(connection, manifest, way)
    found = rows(connection, way.figures)
    return [
        {
            "system": system,
            "chosen": chosen,
            "tenant": customer["tenant"],
            "customer": customer["customer"],
            "name": customer["name"] or None,
            "status": customer["status"],
            "figures": figures_of(customer),
            "lines": lines_of_order(customer) if way is ORDERS else lines_of_booking(customer),
        }
        for chosen, customer in three_of(found)
    ]


def choose(connection: Connection, way: Way, as_of: datetime) -> None:
    """Store the keys of instructive customers: many rows, new, silent, or a little late."""
    connection.execute(
        f"create table pg_temp.candidates as {way.candidates}".encode(), {"as_of": as_of}
    )
    # one and a half gaps after the last of several rows: late but not yet lost
    late = "abs(extract(epoch from %(as_of)s - last_at) - 1.5 * gap)"
    connection.execute(
        f"""
        create table pg_temp.chosen as
        with gaps as (
            select
                *,
                extract(epoch from last_at - first_at) / nullif(total - 1, 0) as gap
            from pg_temp.candidates
        )

        (select tenant, customer from gaps
         order by total desc, customer limit {CANDIDATES})
        union
        (select tenant, customer from gaps
         order by first_at desc, customer limit {CANDIDATES})
        union
        (select tenant, customer from gaps where total >= 3 and gap > 0
         order by {late}, customer limit {CANDIDATES})
        union
        (select tenant, customer from gaps
         order by last_at, customer limit {CANDIDATES})
        """.encode(),
        {"as_of": as_of},
    )
    connection.execute("analyze pg_temp.chosen")


def cut_down(connection: Connection, way: Way, inputs: Sequence[Input]) -> None:
    """Cut the inputs down to the rows of those customers, and rebuild their staging views.

    Duplicates of these rows under other customers stay, too, because only the newest counts.
    """
    tenant, customer = way.person
    for one in inputs:
        if customer not in one.columns:
            continue
        cut = temporary(f"cut_{one.name}")
        connection.execute(
            f"create table {cut} as select given.* from {whole(one.name)} as given"
            f" where ({tenant}, {customer})"
            " in (select tenant, customer from pg_temp.chosen)".encode()
        )
        if one.key[-1] != customer:
            key = ", ".join(map(quoted, one.key))
            connection.execute(f"analyze {cut}".encode())
            connection.execute(
                f"insert into {cut} select given.* from {whole(one.name)} as given"
                f" where ({key}) in (select {key} from {cut}) and ({tenant}, {customer})"
                " not in (select tenant, customer from pg_temp.chosen)".encode()
            )
        connection.execute(f"drop view {temporary(one.name)} cascade".encode())
        connection.execute(f"alter table {cut} rename to {quoted(one.name)}".encode())
        connection.execute(f"analyze {temporary(one.name)}".encode())
        staging = temporary(f"stg_{one.name.removeprefix('input_')}")
        connection.execute(f"create view {staging} as {one.staging}".encode())


def run_rules(connection: Connection, manifest: dict[str, Any], way: Way) -> None:
    """Create the tables of the rules, each after the tables that it reads."""
    done: set[str] = set()

    def make(key: str) -> None:
        node = manifest["nodes"].get(key)
        if key in done or node is None:
            return
        done.add(key)
        if node["resource_type"] == "seed":
            wanted = manifest["nodes"].get(f"model.customer_health.{node['name']}", {})
            load_seed(connection, node, wanted.get("columns", {}))
            return
        # a system's inputs and staging exist; shared ones read no table of the application
        if node["fqn"][1] != "shared" and node["fqn"][2] in ("inputs", "staging"):
            return
        for parent in node["depends_on"]["nodes"]:
            make(parent)
        # ephemeral models are part of the SQL of their readers
        if node["config"]["materialized"] != "ephemeral":
            connection.execute(
                f"create table {temporary(node['alias'])} as {node['compiled_code']}".encode()
            )

    for name in way.ends:
        make(f"model.customer_health.{name}")


def load_seed(
    connection: Connection, node: dict[str, Any], wanted: dict[str, dict[str, Any]]
) -> None:
    """Create a table from a seed's file, because before the first refresh there is none.

    wanted: the columns of the input that the seed replaces; missing ones are added.
    """
    file = Path(node["root_path"], node["original_file_path"])
    # like dbt, without the mark that spreadsheets put first, and short lines end with NULL
    with file.open(encoding="utf-8-sig", newline="") as text:
        names, *lines = list(csv.reader(text, delimiter=node["config"].get("delimiter", ",")))
    lines = [line + [""] * (len(names) - len(line)) for line in lines]
    types = {
        name: node["config"]["column_types"].get(name)
        or type_of([line[place] for line in lines])
        for place, name in enumerate(names)
    }
    listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())
    connection.execute(f"create table {temporary(node['alias'])} ({listed})".encode())
    for name in wanted.keys() - types.keys():
        connection.execute(
            f"alter table {temporary(node['alias'])} add column {quoted(name)}"
            f" {wanted[name]['data_type']}".encode()
        )
    listed = ", ".join(map(quoted, types))
    values = ", ".join(f"%s::text::{kind}" for kind in types.values())
    for line in lines:
        connection.execute(
            f"insert into {temporary(node['alias'])} ({listed}) values ({values})".encode(),
            [cell or None for cell in line],
        )


def type_of(cells: Sequence[str]) -> str:
    """Infer the type of a seed's column from its cells, as dbt does."""

    def are_all(read: Callable[[str], object]) -> bool:
        try:
            for cell in filter(None, cells):
                read(cell)
        except ValueError:
            return False
        return True

    kinds: dict[str, Callable[[str], object]] = {
        "integer": int,
        "numeric": float,
        "date": date.fromisoformat,
    }
    return next((name for name, read in kinds.items() if are_all(read)), "text")


def three_of(found: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Choose the customer with the most rows, one who is late, and the newest."""
    left = list(found)
    chosen = []
    for why, wanted, order in (
        ("most rows", lambda _: True, lambda one: -one["total"]),
        (
            "late",
            lambda one: one["is_late"],
            lambda one: (not one["is_at_risk"], -one["total"]),
        ),
        ("newest", lambda _: True, lambda one: -one["dates"][0].toordinal()),
    ):
        fit = sorted(filter(wanted, left), key=order)
        if fit:
            chosen.append((why, fit[0]))
            left.remove(fit[0])
    return chosen


def figures_of(customer: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that the lines explain."""
    who = ("tenant", "customer", "name", "status", "is_late", "is_at_risk")
    return {name: value for name, value in customer.items() if name not in who}


def dates_of(customer: dict[str, Any], one: str, many: str) -> str:
    """Return the line with the dates of the rows."""
    dates = customer["dates"]
    before = len(dates) - SHOWN_DATES
    return (
        f"{len(dates)} {one if len(dates) == 1 else many}: "
        + (f"{before} earlier, then " if before > 0 else "")
        + ", ".join(map(str, dates[-SHOWN_DATES:]))
    )


def past(customer: dict[str, Any]) -> str:
    """Return how many days today is after the expected date."""
    days = (customer["today"] - customer["expected_on"]).days
    where = f"{days} past it" if days > 0 else f"{-days} before it" if days else "that day"
    return f"today is {customer['today']} in {customer['time_zone']}, {where}"


def expected(customer: dict[str, Any]) -> str:
    """Return the line with the expected date."""
    return (
        f"expected {customer['last_on']} + {customer['interval_days']} ="
        f" {customer['expected_on']}; {past(customer)}"
    )


def lines_of_order(customer: dict[str, Any]) -> list[str]:
    """Return the lines that explain the status of an ordering customer."""
    interval = (
        f"interval {customer['interval_days']} days: the mean of the gaps between the last"
        f" {customer['cadence_orders']} deliveries, without gaps between deliveries on one day"
        if customer["measured_days"] is not None
        else f"interval {customer['interval_days']} days: assumed, because there is no gap yet"
        " (fallback_cadence_days)"
    )
    limits = (
        f"late from {customer['expected_on']} + {customer['grace_days']} (grace_days) ="
        f" {customer['late_on']}, dormant from {customer['expected_on']} +"
        f" {customer['dormant_days']} (dormant_days) = {customer['dormant_on']}; thresholds of"
        f" row {customer['threshold_row']}"
    )
    if customer["revenue_basis"] == "EVALUATED":
        revenue = (
            f"revenue {customer['revenue_change_pct']} %: the last"
            f" {customer['recent_orders_count']} average {customer['recent_average_amount']},"
            f" the {customer['baseline_orders_count']} before"
            f" {customer['baseline_average_amount']}; the limit is"
            f" -{customer['revenue_decline_pct']} %"
        )
    else:
        revenue = f"revenue not judged: {customer['revenue_basis']}"
    return [
        dates_of(customer, "delivery", "deliveries"),
        interval,
        expected(customer),
        limits,
        revenue,
        f"so {customer['status']}: {customer['reason']}",
        f"and {customer['account_type']}: {customer['account_type_reason']}",
    ]


def lines_of_booking(customer: dict[str, Any]) -> list[str]:
    """Return the lines that explain the segment of a booking customer."""
    read = (
        f"{dates_of(customer, 'visit', 'visits')}; of {customer['total_bookings']} bookings"
        f" {customer['upcoming_bookings']} are upcoming, {customer['total_cancelled']}"
        f" cancelled, {customer['total_no_shows']} no-shows"
    )
    if customer["expected_on"] is None:
        cadence = [f"no interval: visits on one day only; today is {customer['today']}"]
    else:
        interval = (
            f"interval {customer['interval_days']} days: the mean of the gaps between the last"
            f" five days of visits ({customer['mean_days']} of all); confidence"
            f" {customer['confidence']}"
        )
        cadence = [interval, expected(customer)]
    limits = (
        f"NEW for {customer['segment_new_days']} days after {customer['first_on']}, ACTIVE for"
        f" {customer['segment_active_days']} and AT_RISK for"
        f" {customer['segment_at_risk_days']} days after {customer['last_on']}; thresholds of"
        f" row {customer['threshold_row']}"
    )
    ahead = (
        f", {customer['next_segment']} from {customer['next_segment_on']} without a visit"
        if customer["next_segment"]
        else ""
    )
    return [
        read,
        *cadence,
        limits,
        f"so {customer['status']} since {customer['since_on']}{ahead}",
    ]
