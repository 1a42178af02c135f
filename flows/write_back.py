"""Write the rows that differ into the operational table, in batches that commit alone."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from flows.alerts import raise_alerts
from flows.arguments import check_tenant
from flows.database import (
    WRITE_BACK,
    Connection,
    Lock,
    connect,
    install,
    one_line,
    refresh_lock,
    rows,
    take_role,
)
from flows.detach import check_attached
from flows.errors import (
    Failure,
    Infrastructure,
    TestsFailed,
    WriteBackHeld,
    WrongArgument,
    is_temporary,
)
from flows.installed import is_empty
from flows.progress import Progress
from flows.reports import (
    guard_lines,
    lacking_policies,
    lacking_rights,
    other_rules_since,
    rules_in_words,
    say_what_stays,
)
from flows.run_log import COMPUTED, RunLog, logged
from flows.schemas import INTERNAL, OPERATIONS

BATCH_SIZE = 200
FREED_BY = "the next successful refresh releases it"
# leaves out idle refreshes, which prove nothing new; a refresh of which only the write-back
# failed counts as a success, because its marts are complete
REFRESHES = f"""
    with refreshes as not materialized (
        select
            log_id,
            logid,
            payload,
            case
                when payload ? '{COMPUTED}' and status in ('failed', 'interrupted')
                    then 'success'
                else status
            end as status,
            payload ->> 'cron_name' is not distinct from 'refresh_organization' as is_of_one
        from {OPERATIONS}.application_logs
        where log_type = 'refresh' and not payload ? 'is_idle'
    )
"""

# classes of errors of the statement or the database. All others, and deadlocks, are those of a
# single row, such as what a trigger of the application raises: other rows can be written
NOT_OF_A_ROW = (
    *("08", "0A", "25", "28", "40", "42", "53"),
    *("54", "55", "57", "58", "F0", "HV", "XX"),
)


@dataclass
class WriteBack:
    """The result of one write-back, by tenant."""

    # the number of customers by state of operations.write_back_changes
    outcomes: Counter[str] = field(default_factory=Counter)
    # rows of operations.write_back_guards, read before the write-back
    guards: list[dict[str, Any]] = field(default_factory=list)
    # the slug of the only tenant to write, or None for all
    tenant: str | None = None
    # the error that stopped a tenant, by slug
    failed: dict[str, str] = field(default_factory=dict)
    # the last error of single customers, by slug
    errors: dict[str, str] = field(default_factory=dict)
    # whether a retry may cure all of these errors
    is_temporary: bool = True
    # the instant of the last write-back, if the rules have changed since
    other_rules_since: str | None = None
    is_forced: bool = False
    # the ids of batches that have written something and can be rolled back
    batches: list[int] = field(default_factory=list)
    # the fingerprint of operations.written_columns, read before the guards
    columns: str = ""

    @property
    def agrees(self) -> bool:
        """Return whether no customer of any tenant differs any more."""
        pending = sum(guard["pending_count"] for guard in self.guards)
        written = self.outcomes["written"]
        return self.tenant is None and self.outcomes.total() == written == pending

    def log(self) -> dict[str, Any]:
        """Return the entry for the run log."""
        return {
            "write_back": self.outcomes,
            "write_back_guards": self.guards,
            "is_forced": self.is_forced,
            "agrees": self.agrees,
            "write_back_failed": self.failed,
            "write_back_errors": self.errors,
            "batches": self.batches,
            "written_columns": self.columns,
        }

    def failure(self) -> Failure | None:
        """Return what to raise if some tenant was not written, or None."""
        if self.failed:
            return Infrastructure(
                "write-back failed: "
                + "; ".join(f"{slug}: {error}" for slug, error in self.failed.items())
                + "; all other tenants are done; fix the cause and run"
                " `customer-health write-back`, or wait for the next refresh",
                is_temporary=self.is_temporary,
            )
        tripped = [guard for guard in self.guards if guard["is_tripped"]]
        if tripped and not self.is_forced:
            return WriteBackHeld(
                "write-back held: "
                + "; ".join(
                    f"{guard['tenant_slug']}: {guard['changed_count']} of"
                    f" {guard['customers_count']} customers would change,"
                    f" {guard['newly_dormant_count']} would become dormant"
                    for guard in tripped
                )
                + "; all other tenants are done; "
                + (
                    rules_in_words(self.other_rules_since)
                    if self.other_rules_since
                    else "`customer-health write-back --dry-run` shows the changes, `--force`"
                    " writes them"
                )
            )
        return None


def fingerprint_of_columns(connection: Connection) -> str:
    """Return a fingerprint of what the columns take that the write-back writes."""
    [found] = rows(
        connection,
        "select md5(string_agg(columns::text, ' ' order by column_name)) as it"
        f" from {OPERATIONS}.written_columns as columns",
    )
    return str(found["it"])


def still_agrees(connection: Connection, logid: str) -> bool:
    """Return whether only customers that this run recomputes can differ.

    None differed after the run before this one, the triggers show every change of their rows,
    and the columns are what they were: triggers do not see DDL.
    """
    return bool(
        rows(
            connection,
            f"select from {OPERATIONS}.capture_status as captured"
            " where captured.system = 'orders' and captured.watched_by = 'triggers'"
            " and captured.unwatched is null"
            # compared as text: a name cannot be looked up in a schema that we may not use
            f" and exists (select from {OPERATIONS}.family_of(captured.relation)"
            " where is_source and member_id::regclass::text = any("
            f"select origins.relation from {OPERATIONS}.operational_origins as origins))"
            " and (select status = 'success' and payload -> 'agrees' = 'true'"
            " and payload ->> 'written_columns' = %(columns)s"
            f" from {OPERATIONS}.application_logs where logid != %(logid)s"
            " order by log_id desc limit 1) limit 1",
            {"logid": logid, "columns": fingerprint_of_columns(connection)},
        )
    )


@contextmanager
def only_recomputed(log: RunLog) -> Iterator[None]:
    """Compare only the customers that this run has recomputed; see still_agrees."""
    log.store()
    setting = "select set_config('customer_health.compared_customers', {}, false)"
    log.connection.execute(
        setting.format(f"{OPERATIONS}.recomputed_customers(%s)").encode(), (log.logid,)
    )
    try:
        yield
    finally:
        if not log.connection.broken:
            log.connection.execute(setting.format("''").encode())


def check_freshness(connection: Connection) -> None:
    """Raise WriteBackHeld if the source is stale and there is something to write."""
    for source in rows(
        connection,
        # a server crash empties the unlogged tables of a refresh; the case avoids looking for
        # pending updates when the source is fresh
        "select newest_at, is_stale"
        f" from (select) as always left join {INTERNAL}.int_source_freshness__orders"
        " on true"
        " where case when coalesce(is_stale, true)"
        # Citus cannot send an empty list of columns
        f" then exists (select 1 from {OPERATIONS}.pending_customer_updates) end",
    ):
        if source["is_stale"] is None:
            raise WriteBackHeld(
                "write-back held: the database server has crashed; run a refresh first"
            )
        newest = (
            f"its newest change is from {source['newest_at']:%Y-%m-%d %H:%M %Z}"
            if source["newest_at"]
            else "it has no known change"
        )
        raise WriteBackHeld(
            f"write-back held: source orders is stale, {newest};"
            " `customer-health write-back --force` writes anyway"
        )


def run_write_back(tenant: str | None, progress: Progress, *, force: bool) -> dict[str, Any]:
    """Write back the changes of the last refresh; return the entry of the run log.

    Raises TestsFailed or WriteBackHeld when the last refresh does not allow it.
    """
    with refresh_lock() as lock, connect() as connection:
        install(connection, "operations.sql")
        check_tenant(connection, tenant)
        check_attached(connection)
        try:
            with logged(connection, "write_back", "write_back") as log:
                check_last_refresh(connection)
                if not force:
                    check_freshness(connection)
                done = progress.run(
                    "write-back",
                    lambda: write_back(
                        log, lock, compare(connection, tenant, force=force), progress
                    ),
                )
                log.payload["rows_written"] = count_written(connection, log.logid).total()
                if failure := done.failure():
                    raise failure
        finally:
            # a held write-back may be so no longer
            raise_alerts(progress)
        return log.payload


def rollback(batch_id: int) -> dict[str, Any]:
    """Undo one batch of a write-back; return the entry of the run log.

    Values that somebody has changed since stay. The next write-back writes the values of the
    rules again. Raises WrongArgument if no batch with this id has written anything, and
    Infrastructure if row security lets the write-back see or write no row.
    """
    with refresh_lock(), connect() as connection:
        if is_empty(connection):
            raise WrongArgument(
                f"BATCH_ID: there is no batch {batch_id}, because nothing has been written"
                " back yet"
            )
        install(connection, "operations.sql")
        check_attached(connection)
        batches = rows(
            connection,
            "select max(batch_id) as last, bool_or(batch_id = %(batch_id)s) as is_there"
            f" from {OPERATIONS}.write_back_changes where state = 'written'",
            {"batch_id": batch_id},
        )
        if not batches[0]["is_there"]:
            raise WrongArgument(
                f"BATCH_ID: batch {batch_id} has written nothing that could be undone; the"
                f" last batch that has is {batches[0]['last'] or 'none'}"
            )
        install(connection, "write_back.sql")
        if lacking := lacking_policies(connection):
            raise Infrastructure(f"rollback failed: {'; '.join(lacking)}")
        with logged(connection, "rollback", "rollback") as log, connection.transaction():
            take_role(connection, WRITE_BACK, is_local=True)
            log.payload["batch_id"] = batch_id
            log.payload["rollback"] = {
                row["outcome"]: row["values_count"]
                for row in rows(
                    connection,
                    f"select * from {OPERATIONS}.rollback_batch(%(batch_id)s)",
                    {"batch_id": batch_id},
                )
            }
        return log.payload


def check_last_refresh(connection: Connection) -> None:
    """Raise unless the last refresh passed all tests and the marts are as it left them."""
    # the last full or hourly refresh, and the last one of a single organization since then;
    # a log of years is read from its end
    last = rows(
        connection,
        f"""
        {REFRESHES},

        last as (
            select * from refreshes where not is_of_one order by log_id desc limit 1
        ),

        last_of_one as (
            select *
            from refreshes
            where is_of_one and log_id > coalesce((select last.log_id from last), 0)
            order by log_id desc
            limit 1
        )

        select
            status,
            payload ->> 'error' as error,
            coalesce((payload ->> 'tests_passed')::bigint, 0) as tests_passed
        from (select * from last union all select * from last_of_one) as both_last
        order by log_id desc
        """,
    )
    if not last:
        raise WriteBackHeld(f"write-back held: no refresh has run yet; {FREED_BY}")
    for refresh in last:
        if refresh["status"] == "tests_failed":
            raise TestsFailed(
                f"write-back held: the last refresh failed: {refresh['error']}; {FREED_BY}"
            )
        if refresh["status"] not in ("success", "held"):
            raise WriteBackHeld(
                f"write-back held: the last refresh ended with status {refresh['status']}"
                + (f" ({refresh['error']})" if refresh["error"] else "")
                + f"; {FREED_BY}"
            )
        if not refresh["tests_passed"]:
            raise WriteBackHeld(
                f"write-back held: no test of the last refresh passed; {FREED_BY}"
            )
    [there] = rows(
        connection, f"select to_regclass('{OPERATIONS}.orders_publications') as log"
    )
    if there["log"] is None or not rows(
        connection,
        # the last refresh that had work in orders; others do not touch them
        f"{REFRESHES} select from {OPERATIONS}.orders_publications where run_id = ("
        "select logid from refreshes where not is_of_one"
        " and (payload -> 'systems' ? 'orders' or not payload ? 'systems')"
        " order by log_id desc limit 1) limit 1",
    ):
        raise WriteBackHeld(
            f"write-back held: the last refresh did not publish orders; {FREED_BY}"
        )


def count_written(connection: Connection, logid: str) -> Counter[str]:
    """Return the number of customers that a run has written, by tenant."""
    return Counter(
        {
            row["tenant_slug"]: row["customers_count"]
            for row in rows(
                connection,
                "select tenant_slug, count(distinct customer_id) as customers_count"
                f" from {OPERATIONS}.write_back_batches"
                f" inner join {OPERATIONS}.write_back_changes using (batch_id, tenant_id)"
                " where logid = %(logid)s and write_back_changes.state = 'written'"
                " group by tenant_slug",
                {"logid": logid},
            )
        }
    )


def compare(
    connection: Connection, tenant: str | None = None, *, force: bool = False
) -> WriteBack:
    """Return what a write-back would do, by tenant, before it has written anything."""
    columns = fingerprint_of_columns(connection)
    guards = rows(
        connection,
        f"select * from {OPERATIONS}.write_back_guards"
        " where %(tenant)s::text is null or tenant_slug = %(tenant)s order by tenant_slug",
        {"tenant": tenant},
    )
    return WriteBack(guards=guards, tenant=tenant, is_forced=force, columns=columns)


def write_back(log: RunLog, lock: Lock, done: WriteBack, progress: Progress) -> WriteBack:
    """Write every customer that differs, except those that the guards hold; return the result.

    It is also logged, however the write-back ends.

    Customers that are not written stay pending, and the next run tries them again. If one
    tenant fails, the others are still written. Raises Infrastructure if the lock is lost, or
    if row security lets the write-back see or write no row.
    """
    connection, logid, force = log.connection, log.logid, done.is_forced
    install(connection, "write_back.sql")
    if done.guards and (lacking := lacking_policies(connection)):
        raise Infrastructure(f"write-back failed: {'; '.join(lacking)}")
    say_what_stays(connection, progress)
    for guard in done.guards:
        for line in guard_lines(guard, is_forced=force):
            progress.say(line)
    if any(guard["is_tripped"] for guard in done.guards):
        done.other_rules_since = other_rules_since(connection)
    if done.guards:
        held = [guard["tenant_slug"] for guard in done.guards if guard["is_tripped"]]
        connection.execute(
            f"select {OPERATIONS}.plan_write_back(%s, %s, %s, %s, %s)",
            (logid, done.tenant, BATCH_SIZE, force, held),
        )
    else:
        # nothing differs; what a run that died had planned is not to be written any more
        connection.execute(f"select {OPERATIONS}.give_up_batches(null, '{{}}')")
    batches = rows(
        connection,
        f"select batch_id, tenant_slug from {OPERATIONS}.write_back_batches"
        " where logid = %(logid)s order by batch_id",
        {"logid": logid},
    )
    try:
        for number, batch in enumerate(batches, 1):
            slug = batch["tenant_slug"]
            if slug in done.failed:
                continue
            lock.check()
            error = _write_batch(connection, batch["batch_id"], done, slug)
            progress.finished(
                f"batch {number} of {len(batches)}", "error" if error else "success"
            )
    finally:
        # batches of a failed tenant or an interrupted run; the next run plans them again
        _give_up(connection, logid, done)
        log.payload |= done.log()
    for slug, error in done.errors.items():
        progress.say(f"{slug}: some customers could not be written: {error}")
    return done


def _write_batch(
    connection: Connection, batch_id: int, done: WriteBack, slug: str
) -> str | None:
    """Write one batch and store its result; return the error that stopped it."""
    this = {"batch_id": batch_id}
    stopped = error = None
    try:
        connection.execute(f"select {OPERATIONS}.leave_new_orders(%(batch_id)s)", this)
        planned = rows(
            connection,
            f"select distinct customer_id from {OPERATIONS}.write_back_changes"
            " where batch_id = %(batch_id)s and state = 'planned' order by customer_id",
            this,
        )
        if planned:
            _write(connection, batch_id, [row["customer_id"] for row in planned])
            connection.execute(f"select {OPERATIONS}.name_hidden_rows(%(batch_id)s)", this)
    except (psycopg.Error, Failure) as problem:
        stopped = done.failed[slug] = _in_words(connection, problem)
        done.is_temporary &= is_temporary(problem)
        if connection.broken:
            raise
    connection.execute(
        f"update {OPERATIONS}.write_back_changes set state = 'error', error = %(error)s"
        " where batch_id = %(batch_id)s and state = 'planned'",
        {**this, "error": stopped},
    )
    # also of a batch that was stopped after a half of it was written
    outcomes = {
        row["state"]: row
        for row in rows(
            connection,
            "select state, count(distinct customer_id) as customers, max(error) as error"
            f" from {OPERATIONS}.write_back_changes where batch_id = %(batch_id)s"
            " group by state",
            this,
        )
    }
    done.outcomes += Counter({state: row["customers"] for state, row in outcomes.items()})
    if "written" in outcomes:
        done.batches.append(batch_id)
    if "error" in outcomes and not stopped:
        error = done.errors[slug] = outcomes["error"]["error"]
        if outcomes.keys() == {"error"}:
            stopped = error
    connection.execute(
        f"update {OPERATIONS}.write_back_batches"
        " set state = %(state)s, error = %(error)s, finished_at = now()"
        " where batch_id = %(batch_id)s",
        {
            **this,
            "state": "failed" if stopped else "written",
            "error": stopped or error,
        },
    )
    return stopped


def _give_up(connection: Connection, logid: str, done: WriteBack) -> None:
    """Store why batches were not tried or did not finish."""

    def change(on: Connection) -> None:
        on.execute(f"select {OPERATIONS}.give_up_batches(%s, %s)", (logid, Jsonb(done.failed)))

    try:
        change(connection)
    except psycopg.Error:
        # perhaps only our session has ended; otherwise the next run does this
        with suppress(Infrastructure), connect() as again:
            change(again)


def _write(connection: Connection, batch_id: int, customers: list[str]) -> None:
    """Write these customers of a batch; halve them until a faulty row is alone."""
    this: dict[str, Any] = {"batch_id": batch_id, "customers": customers}
    try:
        with connection.transaction():
            take_role(connection, WRITE_BACK, is_local=True)
            connection.execute(
                f"select {OPERATIONS}.write_batch(%(batch_id)s, %(customers)s)", this
            )
    except psycopg.Error as error:
        if not _is_of_a_row(error):
            raise
        if len(customers) > 1:
            half = len(customers) // 2
            _write(connection, batch_id, customers[:half])
            _write(connection, batch_id, customers[half:])
            return
        connection.execute(
            f"update {OPERATIONS}.write_back_changes set state = 'error', error = %(error)s"
            " where batch_id = %(batch_id)s and customer_id = any(%(customers)s)",
            {**this, "error": _in_words(connection, error, batch_id, customers[0])},
        )


def _is_of_a_row(error: psycopg.Error) -> bool:
    """Return whether an error is that of one row, so that others can be written."""
    state = error.sqlstate
    return state is not None and (
        isinstance(error, psycopg.errors.DeadlockDetected)
        or not state.startswith(NOT_OF_A_ROW)
    )


def _in_words(
    connection: Connection,
    error: Exception,
    batch_id: int | None = None,
    customer: str | None = None,
) -> str:
    """Describe an error, with the table, columns and customer if PostgreSQL names them.

    If a column does not accept a value, PostgreSQL does not name it; the text then lists all
    columns that were to change.
    """
    text = one_line(error)
    if connection.broken or not isinstance(error, psycopg.Error):
        return text
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "; ".join([text, *lacking_rights(connection)])
    table = f"{error.diag.schema_name}.{error.diag.table_name}"
    columns = error.diag.column_name
    if error.diag.constraint_name:
        [found] = rows(
            connection,
            "select string_agg(attname, ', ' order by attnum) as columns from pg_constraint"
            " inner join pg_attribute on attrelid = conrelid and attnum = any(conkey)"
            " where conname = %(name)s and conrelid = ("
            "select pg_class.oid from pg_class"
            " inner join pg_namespace on relnamespace = pg_namespace.oid"
            " where nspname = %(schema)s and relname = %(table)s)",
            {
                "name": error.diag.constraint_name,
                "schema": error.diag.schema_name,
                "table": error.diag.table_name,
            },
        )
        columns = found["columns"]
    if isinstance(error, psycopg.DataError) and customer and not columns:
        [found] = rows(
            connection,
            "select string_agg(column_name, ' or ' order by column_name) as columns"
            f" from {OPERATIONS}.write_back_changes"
            " where batch_id = %(batch_id)s and customer_id = %(customer)s",
            {"batch_id": batch_id, "customer": customer},
        )
        columns = found["columns"]
    about = [
        *([f"table {table}"] if error.diag.table_name else []),
        *([f"column {columns}"] if columns else []),
    ]
    if about and customer:
        about.append(f"customer {customer}")
    return f"{text} ({', '.join(about)})" if about else text
