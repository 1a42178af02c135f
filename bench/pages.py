"""Measure the pages: how long their queries take, and how long until a page is painted."""

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from bench.measure import UNTIL, fresh_database, load, print_table, run, timed
from dashboards.queries import PAGES, text_of
from flows.database import REFRESHER, Connection, rows
from flows.project import OUR_PROJECT as PROJECT

ANALYST = "customer_health_analyst"
CHROMIUM = Path("/usr/bin/chromium")

# the customers with the longest timelines
CHOSEN = """
    select
        buyer.tenant_id::text as tenant,
        buyer.customer_id::text as customer,
        visitor.organization_id::text as organization,
        visitor.square_customer_id::text as visitor,
        account.account_id::text as account,
        -- these pages are about other systems, which have their own organizations
        account.organization_id::text as account_organization,
        subscriber.organization_id::text as subscriber_organization
    from (
        select tenant_id, customer_id from analytics.customer_risk_status
        order by total_delivered_orders desc limit 1
    ) as buyer
    cross join (
        select organization_id, square_customer_id from analytics.customer_analytics
        order by notes_count desc limit 1
    ) as visitor
    cross join (
        select organization_id, account_id from analytics.account_profiles
        order by churn_risk_score desc nulls last limit 1
    ) as account
    cross join (
        select organization_id from analytics.tenant_latest_health
        order by overall_score limit 1
    ) as subscriber
"""
CONTACTS = 10_000
# of customers who are due, within the last half year; one in ten is snoozed
RECORDED_CONTACTS = """
    insert into operations.customer_contacts (
        tenant_id, customer_id, contacted_at, contacted_by, channel, outcome, snoozed_until
    )
    select
        due.tenant_id,
        due.customer_id,
        due.contacted_at,
        'bench' as contacted_by,
        'PHONE' as channel,
        'REACHED' as outcome,
        case
            when due.number %% 10 = 0 then (due.contacted_at at time zone 'UTC')::date + 200
        end as snoozed_until
    from (
        select
            due_customers.*,
            contact.number,
            tenants.today::timestamptz - contact.number * interval '26 minutes' as contacted_at
        from generate_series(1, %(contacts)s) as contact (number)
        inner join (
            select
                *,
                row_number() over (order by customer_id) as place,
                count(*) over () as total
            from analytics.due_customers
        ) as due_customers
            on due_customers.place = contact.number * 7919 %% due_customers.total + 1
        inner join analytics.tenants on due_customers.tenant_id = tenants.tenant_id
    ) as due
"""
UNFILTERED = {
    "tenant": None,
    "organization": None,
    "sales_rep": None,
    "is_unowned": False,
    "is_snoozed_shown": False,
    "search": None,
    "has_notes": False,
    "location": None,
    "days": 90,
    "first_day": UNTIL.date() - timedelta(days=180),
    "buckets": ["OVERDUE", "DUE_TODAY"],
    "limit": 25,
    "offset": 0,
    # for the page Rows
    **dict.fromkeys(
        (
            *("risk_status", "account_type", "currency", "kind", "before", "after"),
            *("disagreement", "segment", "risk_level", "account_status"),
            *("week", "activity", "day", "job", "run_status", "run", "alert_state", "edge"),
            *("message_state", "message_kind", "reason"),
        )
    ),
    # for the page Customer
    "from_day": UNTIL.date() - timedelta(days=30),
    "to_day": UNTIL.date(),
}
# these pages are about one customer or tenant, so they do not exist for all tenants
OF_ONE = (
    *("customer", "visitor", "account", "tenant_days", "tenant_factors"),
    *("forecast", "visits", "retention"),
)
OF_ALL = ("customers", "visitors", "account_statuses", "account_risks")
ORGANIZATIONS = {"usage": "subscriber_organization", "accounts": "account_organization"}


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Measure and print."""
    size = {"customers": customers or 100_000, "tenants": tenants, "years": years}
    with fresh_database() as (connection, _):
        load(size)
        run(
            "flows",
            "refresh",
            "--mode=nightly",
            f"--as-of={UNTIL.isoformat()}",
            "--no-write-back",
        )
        run("flows", "fit-orders")
        run("flows", "roles", "install")
        connection.execute("vacuum analyze")
        [chosen] = rows(connection, CHOSEN)
        _print_both(f"{size['customers']:,} customers of {tenants} tenants", chosen)
        connection.execute(RECORDED_CONTACTS, {"contacts": CONTACTS})
        connection.execute("vacuum analyze operations.customer_contacts")
        _print_both(f"the same customers and {CONTACTS:,} contacts", chosen)


def _print_both(size: str, chosen: dict[str, Any]) -> None:
    lines = []
    with psycopg.connect(
        cursor_factory=psycopg.ClientCursor, row_factory=dict_row, autocommit=True
    ) as reader:
        reader.execute(
            "select set_config('jit', 'off', false), set_config('work_mem', '16MB', false)"
        )
        for page, queries in PAGES.items():
            role = REFRESHER if page.endswith("operations") else ANALYST
            reader.execute("select set_config('role', %s, false)", [role])
            lines.append(_line(reader, page, queries, chosen))
    print_table(
        f"Queries of a page when it is opened, ms, with {size}",
        ["page", "all tenants", "one tenant", "slowest query", "its ms"],
        lines,
    )
    _print_first_paint(size)


def _print_first_paint(size: str) -> None:
    """Open the pages in a browser, if there is one."""
    python = PROJECT / ".venv-dashboards" / "bin" / "python"
    if not python.exists() or not CHROMIUM.exists():
        print(f"first paint not measured: it needs {python} and {CHROMIUM}")
        return
    done = subprocess.run(
        [python, PROJECT / "tests" / "dashboards" / "first_paint.py"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print_table(
        f"Seconds until a page is painted in Chromium, with {size}",
        ["page", "first figures", "all", "again: first figures", "all"],
        [
            [page, *(f"{seconds:.1f}" for visit in visits for seconds in visit)]
            for page, visits in json.loads(done.stdout).items()
        ],
    )


def _line(
    reader: Connection, page: str, queries: tuple[str, ...], chosen: dict[str, Any]
) -> list[str]:
    taken: dict[tuple[str, bool], float] = {}
    for query in queries:
        is_of_one = query.startswith(OF_ONE) and query not in OF_ALL
        for is_all in (True, False):
            parameters = UNFILTERED | (chosen if is_of_one or not is_all else {})
            if parameters["organization"] and page in ORGANIZATIONS:
                parameters["organization"] = chosen[ORGANIZATIONS[page]]
            taken[query, is_all] = timed(
                lambda query=query, parameters=parameters: reader.execute(  # type: ignore[misc]
                    text_of(query), parameters
                ).fetchall(),
                5,
            )
    slowest = max(taken, key=lambda key: taken[key])
    return [
        page,
        *(
            f"{1000 * sum(s for (_, of_all), s in taken.items() if of_all is is_all):.0f}"
            for is_all in (True, False)
        ),
        slowest[0],
        f"{1000 * taken[slowest]:.0f}",
    ]
