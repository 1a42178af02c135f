"""Measure how long a program waits for the API, compared with the same query in psycopg."""

import http.client
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from api.database import open_connection, use_role
from api.reading import text_of
from api.tokens import ANALYST, create
from bench.measure import UNTIL, fresh_database, load, print_table, run
from flows.database import connect, rows
from flows.progress import Progress

PORT = 8699
CALLERS = 20
SECONDS = 3

# ids of the median tenant and of the largest one
CHOSEN = """
    with sizes as (
        select tenant_id, count(*) as customers, row_number() over (order by count(*)) as place
        from analytics.customer_account_types
        group by tenant_id
    )
    select
        sizes.customers,
        sizes.tenant_id::text as tenant_id,
        (
            select max(customer_id::text) from analytics.customer_risk_status as risk_status
            where risk_status.tenant_id = sizes.tenant_id
        ) as customer_id,
        (
            select max(sales_rep_id::text) from analytics.sales_reps
            where sales_reps.tenant_id = sizes.tenant_id
        ) as sales_rep,
        visitors.organization_id::text as organization_id,
        visitors.square_customer_id
    from sizes
    cross join (
        select organization_id, max(square_customer_id) as square_customer_id
        from analytics.customer_analytics
        group by organization_id
        order by count(*) desc
        limit 1
    ) as visitors
    where
        sizes.place in (
            (select (max(place) + 1) / 2 from sizes), (select max(place) from sizes)
        )
    order by sizes.customers
"""
TENANT = "/orders/tenants/{tenant_id}"
ORGANIZATION = "/bookings/organizations/{organization_id}"
# the name of the request, its query, and further parameters of the query
ASKED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "one customer": (f"{TENANT}/customers/{{customer_id}}", "orders/customer", {}),
    "customers": (f"{TENANT}/customers", "orders/customers", {"sort": "customer_id"}),
    "dormant customers": (
        f"{TENANT}/customers?risk_status=DORMANT",
        "orders/customers",
        {"sort": "customer_id", "risk_status": "DORMANT"},
    ),
    "due to order, one rep": (
        f"{TENANT}/due-to-order?sales_rep={{sales_rep}}",
        "orders/due_to_order",
        {"sort": "next_expected_order_date", "sales_rep": True},
    ),
    "due to order": (
        f"{TENANT}/due-to-order",
        "orders/due_to_order",
        {"sort": "next_expected_order_date"},
    ),
    "due to order, by expected amount": (
        f"{TENANT}/due-to-order?sort=-expected_amount_90d",
        "orders/due_to_order",
        {"sort": "-expected_amount_90d"},
    ),
    "rep metrics": (f"{TENANT}/rep-metrics", "orders/rep_metrics", {}),
    "health summary": (f"{TENANT}/health-summary", "orders/health_summary", {}),
    "one visitor": (
        f"{ORGANIZATION}/customers/{{square_customer_id}}",
        "bookings/customer",
        {},
    ),
    "who books": (
        f"{ORGANIZATION}/customers",
        "bookings/customers",
        {"sort": "square_customer_id"},
    ),
}
UNFILTERED: dict[str, Any] = {
    **dict.fromkeys(("account_type", "risk_status", "sales_rep", "search", "due_bucket")),
    **dict.fromkeys(("urgency", "customer_segment", "reliability_tier")),
    "snoozed": False,
    "limit": 50,
    "offset": 0,
}


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Measure and print."""
    size = {"customers": customers or 100_000, "tenants": tenants, "years": years}
    with fresh_database() as (connection, _):
        load(size)
        nightly = ("refresh", "--mode=nightly", f"--as-of={UNTIL.isoformat()}")
        run("flows", *nightly, "--no-write-back")
        run("flows", "fit-orders")
        run("flows", "roles", "install")
        connection.execute("vacuum analyze")
        measure(size, nightly)


def measure(size: dict[str, int], nightly: tuple[str, ...]) -> None:
    """Query the environment's database in both ways, alone and during a nightly refresh."""
    with connect() as connection:
        chosen = rows(connection, CHOSEN)
    told = Told()
    create("bench", ANALYST, "1", may_start=False, progress=told)
    columns = [
        "ms",
        "psycopg",
        "API",
        f"psycopg, {CALLERS} callers",
        f"API, {CALLERS} callers",
        "ratio",
    ]
    with _serving():
        for ids in chosen:
            print_table(
                f"How long a program waits for one answer, at {size['customers']:,} customers,"
                f" a tenant of {ids['customers']:,}",
                columns,
                [_line(name, ids, told.token, (1, CALLERS)) for name in ASKED],
            )
        refresh = subprocess.Popen(
            [sys.executable, "-m", "flows", *nightly, "--no-write-back"],
            stdout=subprocess.DEVNULL,
        )
        lines = []
        for name in ASKED:
            line = _line(name, chosen[0], told.token, (CALLERS,))
            if refresh.poll() is None:
                lines.append(line)
        refresh.terminate()
        refresh.wait()
        print_table("The same while a nightly refresh runs", [columns[0], *columns[3:]], lines)


class Told(Progress):
    """Keeps the token, which is shown only once."""

    token = ""

    def say(self, text: str) -> None:
        """Remember the last line."""
        self.token = text


@contextmanager
def _serving() -> Iterator[None]:
    server = subprocess.Popen(
        [sys.executable, "-m", "flows", "api", f"--port={PORT}", "--rate=100000"],
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with suppress(OSError):
                caller = http.client.HTTPConnection("127.0.0.1", PORT)
                caller.connect()
                break
            time.sleep(0.2)
        yield
    finally:
        server.terminate()
        server.wait()


def _line(name: str, ids: dict[str, Any], token: str, callers: tuple[int, ...]) -> list[str]:
    path, query, given = ASKED[name]
    values = {**UNFILTERED, **ids, **given}
    values["sales_rep"] = ids["sales_rep"] if given.get("sales_rep") else None

    def by_psycopg() -> Callable[[], object]:
        connection = open_connection()
        text = text_of(query)

        def ask() -> None:
            with connection.transaction():
                use_role(connection, ANALYST)
                connection.execute(text, values).fetchall()

        return ask

    def by_http() -> Callable[[], object]:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        headers = {"Authorization": f"Bearer {token}"}
        target = path.format_map(ids)

        def ask() -> None:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:  # noqa: PLR2004 - OK
                sys.exit(f"{target}: {content.decode()}")

        return ask

    taken = [_median(kind, number) for number in callers for kind in (by_psycopg, by_http)]
    ratio = taken[-1] / taken[-2]
    return [name, *(f"{1000 * seconds:.1f}" for seconds in taken), f"{ratio:.1f}"]


def _median(kind: Callable[[], Callable[[], object]], callers: int) -> float:
    """Return the median seconds that each of several callers waits, asking without a pause."""
    asks = [kind() for _ in range(callers)]
    for ask in asks[:8]:
        ask()
    deadline = time.perf_counter() + SECONDS

    def repeat(ask: Callable[[], object]) -> list[float]:
        taken = []
        while (began := time.perf_counter()) < deadline:
            ask()
            taken.append(time.perf_counter() - began)
        return taken

    with ThreadPoolExecutor(callers) as pool:
        return statistics.median(
            seconds for taken in pool.map(repeat, asks) for seconds in taken
        )
