"""One refresh: build, test, publish, write back, log. The command line and Prefect call it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from flows import dbt
from flows.alerts import raise_alerts
from flows.arguments import check_tenant
from flows.capture import claim, fingerprint_of_rules
from flows.database import Connection, connect, environment, install, refresh_lock, rows
from flows.progress import Progress
from flows.run_log import RunLog, logged
from flows.write_back import check_freshness, count_written, write_back

# what a full refresh runs: all, but for what is asked after the write-back
FULL = ("--exclude=tag:after_write_back",)
# what a refresh of some keys runs: the views stand, and tests of all rows wait
CHANGED = (
    "--select=config.materialized:table config.materialized:publication",
    "--exclude=tag:after_write_back tag:nightly",
)

Mode = Literal["hourly", "nightly"]


@dataclass(frozen=True)
class Options:
    """What a refresh is asked for."""

    mode: Mode
    as_of: datetime | None = None
    tenant: str | None = None
    write_back: bool = True


def refresh(options: Options, progress: Progress) -> dict[str, Any]:
    """Bring all marts to one instant and write the answer back; return the run's log.

    Raises a Failure with the exit code that README.md lists, whatever went wrong.
    """
    with refresh_lock(), connect() as connection:
        install(connection, "operations.sql")
        check_tenant(connection, options.tenant)
        try:
            with logged(connection, f"refresh_{options.mode}", "refresh") as log:
                _refresh(options, progress, connection, log)
        finally:
            # a refresh that was held or has failed is what people want to hear of
            raise_alerts(progress)
        return log.payload


def _refresh(
    options: Options, progress: Progress, connection: Connection, log: RunLog
) -> None:
    as_of = options.as_of or _database_clock(connection)
    rules = fingerprint_of_rules()
    log.payload |= {"mode": options.mode, "as_of": as_of.isoformat(), "rules": rules}
    log.store()
    scope = claim(connection, log.logid, as_of, rules)
    is_full = options.mode == "nightly" or scope.full_because is not None
    if options.mode == "hourly" and scope.full_because:
        log.payload["full_because"] = scope.full_because
        progress.say(f"this hourly refresh recomputes everything: {scope.full_because}")
    variables = {
        "as_of": as_of.isoformat(),
        "run_id": log.logid,
        "refresh_scope": "all" if is_full else "changed",
        "changed_since": scope.changed_since and scope.changed_since.isoformat(),
    }

    run = progress.run(
        f"{options.mode} refresh as of {as_of:%Y-%m-%d %H:%M:%S %Z}: models and tests",
        lambda: dbt.build(
            variables, environment(connection), progress, FULL if is_full else CHANGED
        ),
    )
    log.payload["dbt_startup_seconds"] = round(run.startup_seconds, 1)
    log.payload["dbt_run_seconds"] = round(run.run_seconds, 1)
    log.payload["tests_passed"] = len(run.with_status("pass"))
    dbt.name_offenders(run, connection)
    for warning in run.with_status("warn"):
        progress.say(f"warning: {warning.problem()}")
    if failure := run.failure():
        raise failure
    check_tenant(connection, options.tenant)

    log.payload["marts"] = rows(
        connection,
        "select mart, rows_written, rows_removed, rows_corrected from ("
        " select * from operations.orders_publications"
        " union all select * from operations.bookings_publications"
        ") as publications where run_id = %(logid)s order by mart",
        {"logid": log.logid},
    )
    # rows that no change announced; nothing announces those of a first refresh, of other
    # rules or of an earlier instant
    if is_full and not scope.full_because:
        log.payload["drift"] = sum(mart["rows_corrected"] for mart in log.payload["marts"])
    log.payload["quarantined_rows"] = rows(
        connection,
        'select system, "table", reason, sum(rows_count)::bigint as rows_count'
        " from operations.quarantined_rows group by 1, 2, 3 order by 1, 2, 3",
    )
    log.payload["tenants"] = statistics = rows(
        connection,
        "select * from operations.refresh_statistics"
        " where %(tenant)s::text is null or tenant_slug = %(tenant)s order by tenant_slug",
        {"tenant": options.tenant},
    )

    log.payload["organizations"] = rows(
        connection, "select * from operations.booking_statistics order by organization_slug"
    )

    if options.write_back:
        check_freshness(connection)
        done = progress.run(
            "write-back",
            lambda: write_back(connection, log.logid, options.tenant, progress),
        )
        log.payload |= done.log()
    written = count_written(connection, log.logid)
    for tenant in statistics:
        tenant["updated_count"] = written.get(tenant["tenant_slug"], 0)
    log.payload["rows_written"] = written.total()
    if options.write_back and (failure := done.failure()):
        raise failure


def _database_clock(connection: Connection) -> datetime:
    [clock] = rows(connection, "select clock_timestamp() as instant")
    instant: datetime = clock["instant"]
    return instant.astimezone(UTC)
