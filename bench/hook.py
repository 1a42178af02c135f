"""`python -m bench hook` measures what the real-time hook adds to an insert of orders.

A copy of the orders table has the same rows, indexes and foreign keys, but no hook. Inserts
into the two tables alternate.
"""

import statistics
import time

from bench.measure import UNTIL, fresh_database, load, print_table, run
from flows.database import Connection, rows
from flows.hook import install_hook
from flows.progress import Progress

SINGLES = 3000
BULK = 100_000
BULKS = 5
ORDERS = "commerce.orders"
TWIN = "commerce.orders_without"

# an order as an application inserts it every day, and one as it imports it
KINDS = {
    "placed": "null",
    "delivered already": "now() - random() * interval '10 days'",
}


def measure(connection: Connection) -> list[tuple[str, float, float]]:
    """Return a line: what was inserted, ms per row without the hook, and ms added by it."""
    make_twin(connection)
    # compare the work of the statements, not the disk that a commit waits for
    connection.execute("set synchronous_commit = off")
    customers = [
        row["id"]
        for row in rows(connection, "select id from commerce.customers order by random()")
    ]
    found = []
    for kind, delivered_at in KINDS.items():
        for count, times in ((1, SINGLES), (BULK, BULKS)):
            took: dict[str, list[float]] = {TWIN: [], ORDERS: []}
            for number in range(times):
                of_these = (customers[number % len(customers) :] + customers)[:count]
                of_these *= -(-count // len(of_these))
                for table, seconds in took.items():
                    # rolled back, so that each insert finds the same rows
                    with connection.transaction(force_rollback=True):
                        began = time.perf_counter()
                        insert(connection, table, of_these[:count], delivered_at)
                        seconds.append(time.perf_counter() - began)
            without, hooked = (1000 * statistics.median(took[t]) / count for t in took)
            found.append((f"{kind}, {count} a statement", without, hooked - without))
    return found


def make_twin(connection: Connection) -> None:
    """Make a table like the orders table, without the hook."""
    connection.execute(
        f"create table {TWIN} (like {ORDERS} including all);"
        f" insert into {TWIN} select * from {ORDERS}".encode()
    )
    for foreign_key in rows(
        connection,
        "select pg_get_constraintdef(oid) as definition from pg_constraint"
        f" where conrelid = '{ORDERS}'::regclass and contype = 'f'",
    ):
        connection.execute(f"alter table {TWIN} add {foreign_key['definition']}".encode())
    connection.execute("vacuum analyze")


def insert(
    connection: Connection, table: str, customers: list[object], delivered_at: str
) -> None:
    """Insert an order of each of these customers."""
    connection.execute(
        f"insert into {table} (id, tenant_id, customer_id, status, ordered_at, delivered_at)"
        " select gen_random_uuid(), tenant_id, id, 'CONFIRMED', now(), "
        f"({delivered_at})::timestamptz"
        " from unnest(%s) as ordering (id) inner join commerce.customers using (id)".encode(),
        (customers,),
    )


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Make the data, measure and print."""
    with fresh_database() as (connection, _):
        load({"customers": customers or 100_000, "tenants": tenants, "years": years})
        run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL.isoformat())
        install_hook(Progress())
        measured = measure(connection)
    print_table(
        "What the real-time hook adds, ms per row",
        ["orders", "without it", "added"],
        [(what, f"{without:.4f}", f"{added:.4f}") for what, without, added in measured],
    )
