"""Move what differs into the operational table, in small batches that each commit alone."""

from collections import Counter
from typing import Any

import psycopg

from flows.arguments import check_tenant
from flows.database import (
    WRITE_BACK,
    Connection,
    connect,
    install,
    one_line,
    refresh_lock,
    rows,
    take_role,
)
from flows.errors import TestsFailed, WriteBackHeld
from flows.progress import Progress
from flows.run_log import logged

BATCH_SIZE = 200

# a fault of one row, and not of the statement or the database: the rest can go on
ROW_FAULTS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.RaiseException,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
)


def check_freshness(connection: Connection) -> None:
    """Raise WriteBackHeld when the source has gone quiet, and there is something to write."""
    for source in rows(
        connection,
        # a crash of the server empties what a refresh has computed
        "select newest_at, is_stale"
        " from (select) as always left join analytics_internal.int_source_freshness__orders"
        " on true"
        " where coalesce(is_stale, true)"
        " and exists (select from operations.pending_customer_updates)",
    ):
        if source["is_stale"] is None:
            raise WriteBackHeld("write-back held: run a refresh first, the server has crashed")
        raise WriteBackHeld(
            "write-back held: source orders is stale, its newest change is of"
            f" {source['newest_at'] or 'never'}; `python -m flows write-back --force` writes"
        )


def run_write_back(tenant: str | None, progress: Progress, *, force: bool) -> dict[str, Any]:
    """Write back what the last refresh left; return the run's log.

    Raises TestsFailed or WriteBackHeld when the last refresh does not allow it.
    """
    with refresh_lock(), connect() as connection:
        install(connection, "operations.sql")
        check_tenant(connection, tenant)
        with logged(connection, "write_back", "write_back") as log:
            check_last_refresh(connection)
            if not force:
                check_freshness(connection)
            log.payload["write_back"] = progress.run(
                "write-back",
                lambda: write_back(connection, log.logid, tenant, progress),
            )
            log.payload["rows_written"] = count_written(connection, log.logid).total()
        return log.payload


def check_last_refresh(connection: Connection) -> None:
    """Raise unless the marts stand as a refresh whose tests all passed left them."""
    last = rows(
        connection,
        "select status, payload ->> 'error' as error from operations.application_logs"
        " where log_type = 'refresh' order by log_id desc limit 1",
    )
    if not last:
        raise WriteBackHeld("write-back held: there was no refresh yet")
    if last[0]["status"] == "tests_failed":
        raise TestsFailed(f"write-back held: the last refresh failed: {last[0]['error']}")
    if last[0]["status"] not in ("success", "held"):
        raise WriteBackHeld(f"write-back held: the last refresh ended as {last[0]['status']}")


def count_written(connection: Connection, logid: str) -> Counter[str]:
    """Return how many customers of which tenant a run has written."""
    return Counter(
        {
            row["tenant_slug"]: row["customers_count"]
            for row in rows(
                connection,
                "select tenant_slug, count(distinct customer_id) as customers_count"
                " from operations.write_back_batches"
                " inner join operations.write_back_changes using (batch_id, tenant_id)"
                " where logid = %(logid)s and write_back_changes.state = 'written'"
                " group by tenant_slug",
                {"logid": logid},
            )
        }
    )


def write_back(
    connection: Connection, logid: str, tenant: str | None, progress: Progress
) -> Counter[str]:
    """Write every customer that differs; return how many ended in which state.

    The states are those of operations.write_back_changes. What is not written now is
    still pending and so is tried again by the next run.
    """
    install(connection, "write_back.sql")
    outcomes: Counter[str] = Counter()
    batches = rows(
        connection,
        "select batch_id from operations.plan_write_back(%(logid)s, %(tenant)s, %(size)s)"
        " as planned (batch_id)",
        {"logid": logid, "tenant": tenant, "size": BATCH_SIZE},
    )
    for number, batch in enumerate(batches, 1):
        customers = [
            row["customer_id"]
            for row in rows(
                connection,
                "select distinct customer_id from operations.write_back_changes"
                " where batch_id = %(batch_id)s order by customer_id",
                batch,
            )
        ]
        outcomes += _write(connection, batch["batch_id"], customers)
        connection.execute(
            "update operations.write_back_batches"
            " set state = 'written', finished_at = now() where batch_id = %(batch_id)s",
            batch,
        )
        progress.finished(f"batch {number} of {len(batches)}", "success")
    return outcomes


def _write(connection: Connection, batch_id: int, customers: list[str]) -> Counter[str]:
    """Write these customers of a batch, halved down to the one that cannot be written."""
    this: dict[str, Any] = {"batch_id": batch_id, "customers": customers}
    try:
        with connection.transaction():
            take_role(connection, WRITE_BACK, is_local=True)
            return Counter(
                {
                    row["outcome"]: row["customers_count"]
                    for row in rows(
                        connection,
                        "select * from operations.write_batch(%(batch_id)s, %(customers)s)",
                        this,
                    )
                }
            )
    except ROW_FAULTS as error:
        if len(customers) > 1:
            half = len(customers) // 2
            return _write(connection, batch_id, customers[:half]) + _write(
                connection, batch_id, customers[half:]
            )
        connection.execute(
            "update operations.write_back_changes set state = 'error', error = %(error)s"
            " where batch_id = %(batch_id)s and customer_id = any(%(customers)s)",
            {**this, "error": one_line(error)},
        )
        return Counter(error=1)
