"""Measure how long a program waits for the API, compared with the same query in psycopg."""

import http.client
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, LiteralString, Self
from urllib.parse import quote, urlencode

from api import accounts, bookings, contacts, operations, orders, usage
from api.app import ROUTERS, routes
from api.database import open_connection, use_role
from api.paging import Asking, Page
from api.reading import STARTED, ids_of, text_of
from api.tokens import ANALYST, create
from bench.measure import UNTIL, fresh_database, load, print_table, run
from bench.pages import CONTACTS, RECORDED_CONTACTS
from flows.database import connect, rows
from flows.progress import Progress

PORT = 8699
CALLERS = 20
SECONDS = 2
OK = 200

# the tenants of each system, the largest first: its role, ids of one of its customers and of
# a filter
CHOSEN = {
    "orders": """
        select
            tenant_id::text as tenant,
            (
                select role_name from operations.tenant_roles
                where system = 'orders' and tenant = tenant_id::text
            ) as role,
            max(customer_id::text) as one,
            (
                select max(sales_rep_id::text) from analytics.sales_reps
                where sales_reps.tenant_id = risk_status.tenant_id
            ) as filter,
            count(*) as customers
        from analytics.customer_risk_status as risk_status
        group by tenant_id
        order by count(*) desc, tenant_id
    """,
    "bookings": """
        select
            organization_id::text as tenant,
            (
                select role_name from operations.tenant_roles
                where system = 'bookings' and tenant = organization_id::text
            ) as role,
            max(square_customer_id) as one,
            (
                select max(location_id)
                from analytics.analytics_appointments_by_location_daily as location_days
                where location_days.organization_id = customer_analytics.organization_id
            ) as filter,
            count(*) as customers
        from analytics.customer_analytics
        group by organization_id
        order by count(*) desc, organization_id
    """,
    "usage": """
        select organization_id::text as tenant
        from analytics.tenant_latest_health
        order by organization_id
    """,
    "accounts": """
        select organization_id::text as tenant, max(account_id::text) as one
        from analytics.account_profiles
        group by organization_id
        order by count(*) desc, organization_id
    """,
}
YEAR = {
    "from": (UNTIL.date() - timedelta(days=365)).isoformat(),
    "to": UNTIL.date().isoformat(),
}
# the paths that read, by the name of their query
PATHS = {
    f"{route.tags[0]}/{route.name}": route
    for router in ROUTERS
    for route in routes(router)
    if route.methods == {"GET"} and route.openapi_extra is not STARTED
}


@dataclass(frozen=True)
class Get:
    """A request, and the query that answers it."""

    name: str
    query: str
    tenant: str | None = None
    given: Asking | None = None
    ids: Mapping[str, str | None] = field(default_factory=dict)
    role: str = ANALYST

    @property
    def target(self) -> str:
        """The path with its parameters."""
        parts = {"tenant": self.tenant, "organization": self.tenant, **self.ids}
        path = re.sub(
            r"{(\w+)(:path)?}",
            lambda part: quote(str(parts[part[1]]), safe=""),
            PATHS[self.query].path,
        )
        given = self.given.model_dump(exclude_unset=True, by_alias=True) if self.given else {}
        return f"{path}?{urlencode(given)}" if given else path

    @property
    def text(self) -> LiteralString:
        """The text of the query."""
        return text_of((PATHS[self.query].openapi_extra or {}).get("x-query", self.query))

    @property
    def values(self) -> dict[str, Any]:
        """The values for the query, without the key of the tenant."""
        return {**(self.given.values() if self.given else {}), **self.ids}


def of_orders(tenant: str, role: str, customer: str, sales_rep: str) -> list[Get]:
    """Return requests for one tenant."""
    ids = {"customer_id": customer}
    due = "orders/due_to_order"
    return [
        Get("tenants", "orders/tenants", given=Page()),
        Get("one customer", "orders/customer", tenant, ids=ids),
        Get("its outlook", "orders/outlook", tenant, ids=ids),
        Get("its contacts", "orders/contacts", tenant, contacts.Contacts(), ids),
        Get("customers", "orders/customers", tenant, orders.Customers()),
        Get(
            "dormant customers",
            "orders/customers",
            tenant,
            orders.Customers(risk_status="DORMANT"),
        ),
        Get("due to order", due, tenant, orders.Due()),
        Get("due to order, tenant's token", due, tenant, orders.Due(), role=role),
        Get("due to order, one rep", due, tenant, orders.Due(sales_rep=sales_rep)),
        Get(
            "due to order, by expected amount",
            due,
            tenant,
            orders.Due(sort="-expected_amount_90d"),
        ),
        Get("rep metrics", "orders/rep_metrics", tenant),
        Get("health summary", "orders/health_summary", tenant, orders.Summary()),
        Get(
            "transitions of a year",
            "orders/transitions",
            tenant,
            orders.Transitions.model_validate(YEAR),
        ),
    ]


def of_bookings(organization: str, role: str, customer: str, location: str) -> list[Get]:
    """Return requests for one organization."""
    ids = {"square_customer_id": customer}
    lost = bookings.Customers(customer_segment="LOST", sort="-total_revenue_cents")
    days = "bookings/appointments"
    return [
        Get("organizations", "bookings/organizations", given=Page()),
        Get("one customer", "bookings/customer", organization, ids=ids),
        Get("its profile", "bookings/profile", organization, ids=ids),
        Get("customers", "bookings/customers", organization, bookings.Customers()),
        Get("lost customers, by revenue", "bookings/customers", organization, lost),
        Get("RFM scores", "bookings/rfm", organization, bookings.Scores()),
        Get(
            "RFM scores, its token", "bookings/rfm", organization, bookings.Scores(), role=role
        ),
        Get(
            "appointments of a year",
            days,
            organization,
            bookings.Appointments.model_validate(YEAR),
        ),
        Get(
            "the same at one location",
            days,
            organization,
            bookings.Appointments.model_validate({**YEAR, "location": location}),
        ),
    ]


def of_usage(organization: str) -> list[Get]:
    """Return requests for one organization."""
    days = usage.History()
    return [
        Get("organizations", "usage/organizations", given=usage.Organizations()),
        Get("high risk", "usage/high_risk", given=Page()),
        Get("one organization", "usage/organization", organization),
        Get("scores of 30 days", "usage/history", organization, days),
        Get("factors of 30 days", "usage/factors", organization, days),
        Get("metrics of 30 days", "usage/metrics", organization, days),
    ]


def of_accounts(organization: str, account: str) -> list[Get]:
    """Return requests for one organization."""
    health = accounts.Health(account=account)
    return [
        Get("organizations", "accounts/organizations", given=Page()),
        Get("accounts", "accounts/accounts", organization, accounts.Accounts()),
        Get("one account", "accounts/account", organization, ids={"account_id": account}),
        Get("its scores of 30 days", "accounts/health", organization, health),
        Get("engagements", "accounts/engagements", organization, accounts.Engagements()),
        Get("goals", "accounts/goals", organization, accounts.Goals()),
    ]


def of_operations(run_id: str) -> list[Get]:
    """Return requests about jobs and runs."""
    runs = operations.Runs()
    return [
        Get("jobs", "operations/jobs"),
        Get("runs", "operations/runs", given=runs, ids={"run_id": None}),
        Get("one run", "operations/one_run", given=runs, ids={"run_id": run_id}),
    ]


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Measure and print."""
    size = {"customers": customers or 100_000, "tenants": tenants, "years": years}
    with fresh_database() as (connection, _):
        load(size)
        nightly = ("refresh", "--mode=nightly", f"--as-of={UNTIL.isoformat()}")
        run("flows", *nightly, "--no-write-back")
        run("flows", "fit-orders")
        run("flows", "roles", "install")
        connection.execute(RECORDED_CONTACTS.encode(), {"contacts": CONTACTS})
        connection.execute("vacuum analyze")
        measure(nightly)


def measure(nightly: tuple[str, ...]) -> None:
    """Query the environment's database in both ways, alone and during a nightly refresh."""
    with connect() as connection:
        largest = {system: rows(connection, query) for system, query in CHOSEN.items()}
        [latest] = rows(
            connection,
            "select logid from operations.application_logs order by log_id desc limit 1",
        )
    many: dict[str, list[Get]] = {}
    for system, of in (("orders", of_orders), ("bookings", of_bookings)):
        for which, place in (("median", len(largest[system]) // 2), ("largest", 0)):
            one = largest[system][place]
            title = f"{system}, {which} tenant of {one['customers']:,} customers"
            many[title] = of(one["tenant"], one["role"], one["one"], one["filter"])
    few = {
        "usage": of_usage(largest["usage"][0]["tenant"]),
        "accounts": of_accounts(
            largest["accounts"][0]["tenant"], largest["accounts"][0]["one"]
        ),
        "operations": of_operations(latest["logid"]),
    }
    tokens = {
        role: _token(role) for role in {get.role for asked in many.values() for get in asked}
    }
    together = (f"psycopg, {CALLERS} callers", f"API, {CALLERS} callers", "ratio")
    with _serving():
        for title, asked in {**many, **few}.items():
            print_table(
                f"{title}: ms until a response",
                ("", "psycopg", "API", *together),
                [[get.name, *_alone(get, tokens), *_together(get, tokens)] for get in asked],
            )
        with Refreshing(*nightly, "--no-write-back") as refresh:
            for title, asked in many.items():
                print_table(
                    f"{title}: during a nightly refresh",
                    ("", *together),
                    [
                        [get.name, *refresh.during(partial(_together, get, tokens))]
                        for get in asked
                    ],
                )


class Told(Progress):
    """Keeps the token, which is shown only once."""

    token = ""

    def say(self, text: str) -> None:
        """Remember the last line."""
        self.token = text


def _token(role: str) -> str:
    told = Told()
    create(f"bench {role}", role, "1", may_start=False, progress=told)
    return told.token


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


def _alone(get: Get, tokens: Mapping[str, str]) -> list[str]:
    return [
        f"{1000 * _median(ask, 1):.1f}"
        for ask in (_by_psycopg(get), _by_http(get, tokens[get.role]))
    ]


def _together(get: Get, tokens: Mapping[str, str]) -> list[str]:
    direct = _median(_by_psycopg(get), CALLERS)
    served = _median(_by_http(get, tokens[get.role]), CALLERS)
    return [f"{1000 * direct:.1f}", f"{1000 * served:.1f}", f"{served / direct:.1f}"]


class Refreshing:
    """A nightly refresh, which begins again when it has ended."""

    def __init__(self, *arguments: str) -> None:
        """Start nothing yet."""
        self._command = [sys.executable, "-m", "flows", *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Interrupt it."""
        if self._process:
            self._process.terminate()
            self._process.wait()

    def during(self, measure: Callable[[], list[str]]) -> list[str]:
        """Measure again until a refresh runs from beginning to end of the measurement."""
        while True:
            if self._process is None or self._process.poll() is not None:
                if self._process and self._process.returncode:
                    sys.exit(f"{' '.join(self._command)} failed: {self._process.returncode}")
                self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
            measured = measure()
            if self._process.poll() is None:
                return measured


def _by_psycopg(get: Get) -> Callable[[], Callable[[], object]]:
    def ready() -> Callable[[], object]:
        connection = open_connection()
        text, values, system = get.text, get.values, get.query.partition("/")[0]
        if get.tenant is not None:
            with connection.transaction():
                values |= ids_of(connection, system, get.tenant)

        def ask() -> None:
            with connection.transaction():
                # only the login of the API reads the run log
                if system != "operations":
                    use_role(connection, get.role)
                connection.execute(text, values).fetchall()

        return ask

    return ready


def _by_http(get: Get, token: str) -> Callable[[], Callable[[], object]]:
    def ready() -> Callable[[], object]:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        headers = {"Authorization": f"Bearer {token}"}

        def ask() -> None:
            connection.request("GET", get.target, headers=headers)
            response = connection.getresponse()
            content = response.read()
            if response.status != OK:
                sys.exit(f"{get.target}: {content.decode()}")

        return ask

    return ready


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
