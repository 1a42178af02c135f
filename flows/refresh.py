"""One refresh: build, test, publish, write back, log. The command line and Prefect call it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from flows import dbt
from flows.alerts import raise_alerts
from flows.arguments import check_organization, check_tenant
from flows.capture import claim, fingerprint_of_rules
from flows.database import Connection, connect, environment, install, refresh_lock, rows
from flows.errors import Infrastructure
from flows.progress import Progress
from flows.run_log import RunLog, logged
from flows.write_back import check_freshness, count_written, write_back

HOURLY = ("orders", "bookings")
DAILY = ("tenants", "accounts")


@dataclass(frozen=True)
class Part:
    """What of the project a refresh runs: dbt's options, and the systems that it publishes."""

    options: tuple[str, ...]
    systems: tuple[str, ...]


# what a full refresh runs: all, but for what is asked after the write-back
FULL = Part(("--exclude=tag:after_write_back",), (*HOURLY, *DAILY))
# what a refresh of some keys runs: the views stand, and tests of all rows wait, as do the
# systems that are daily
CHANGED = Part(
    (
        "--select=config.materialized:working_table config.materialized:publication",
        "--exclude=tag:after_write_back tag:nightly tag:tenants tag:accounts",
    ),
    HOURLY,
)
# what a refresh of one organization runs: the daily systems, with no test of others
ORGANIZATION = Part(
    (
        "--select=tag:tenants tag:accounts",
        "--exclude=tag:after_write_back tag:nightly",
        "--indirect-selection=cautious",
    ),
    DAILY,
)

Mode = Literal["hourly", "nightly", "organization"]


@dataclass(frozen=True)
class Options:
    """What a refresh is asked for."""

    mode: Mode
    as_of: datetime | None = None
    tenant: str | None = None
    write_back: bool = True
    # the one that mode organization is for
    organization: str | None = None
    backfill_days: int = 0


def refresh(options: Options, progress: Progress) -> dict[str, Any]:
    """Bring all marts to one instant and write the answer back; return the run's log.

    Raises a Failure with the exit code that README.md lists, whatever went wrong.
    """
    with refresh_lock(), connect() as connection:
        install(connection, "operations.sql")
        check_tenant(connection, options.tenant)
        check_organization(connection, options.organization)
        try:
            with logged(connection, f"refresh_{options.mode}", "refresh") as log:
                if options.organization:
                    _refresh_organization(options.organization, options, progress, log)
                else:
                    _refresh(options, progress, connection, log)
        finally:
            # a refresh that was held or has failed is what people want to hear of
            raise_alerts(progress)
        return log.payload


def _refresh_organization(
    organization: str, options: Options, progress: Progress, log: RunLog
) -> None:
    """Recompute one organization in the daily systems, by the SQL of the nightly refresh."""
    connection = log.connection
    as_of = options.as_of or _database_clock(connection)
    log.payload |= {"organization": organization, "as_of": as_of.isoformat()}
    log.store()
    _build(
        f"refresh of {organization} as of {as_of:%Y-%m-%d %H:%M:%S %Z}: models and tests",
        {"as_of": as_of, "refresh_scope": "changed", "organization": organization},
        ORGANIZATION,
        progress,
        log,
    )
    check_organization(connection, organization)
    log.payload["tenant_health"] = _tenant_health(connection, organization)


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
    _build(
        f"{options.mode} refresh as of {as_of:%Y-%m-%d %H:%M:%S %Z}: models and tests",
        {
            "as_of": as_of,
            "refresh_scope": "all" if is_full else "changed",
            "changed_since": scope.changed_since,
            "backfill_days": options.backfill_days,
        },
        FULL if is_full else CHANGED,
        progress,
        log,
    )
    check_tenant(connection, options.tenant)

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

    if is_full:
        log.payload["tenant_health"] = _tenant_health(connection)

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


def _build(
    name: str,
    variables: dict[str, Any],
    part: Part,
    progress: Progress,
    log: RunLog,
) -> None:
    """Run a part of the project with these vars, and log what it has moved in the marts.

    Raises the failure that it ends with, if any.
    """
    texts = {
        var: value.isoformat() if isinstance(value, datetime) else value
        for var, value in {**variables, "run_id": log.logid}.items()
    }
    run = progress.run(
        name, lambda: dbt.build(texts, environment(log.connection), progress, part.options)
    )
    log.payload["dbt_startup_seconds"] = round(run.startup_seconds, 1)
    log.payload["dbt_run_seconds"] = round(run.run_seconds, 1)
    log.payload["tests_passed"] = len(run.with_status("pass"))
    dbt.name_offenders(run, log.connection)
    for warning in run.with_status("warn"):
        progress.say(f"warning: {warning.problem()}")
    if failure := run.failure():
        raise failure
    if not run.with_status("pass", "warn"):
        raise Infrastructure("dbt: no test ran, so nobody knows whether the rows are right")
    log.payload["marts"] = _moved(log, part.systems)


def _moved(log: RunLog, systems: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return what the run has moved in each mart of these systems.

    Raises Infrastructure when it has not published each of them, whatever dbt says.
    """
    moved: list[dict[str, Any]] = []
    for system in systems:
        publications = f"operations.{system}_publications"
        [there] = rows(log.connection, f"select to_regclass('{publications}') as log")
        found = there["log"] and rows(
            log.connection,
            "select mart, rows_written, rows_removed, rows_corrected"
            f" from {publications} where run_id = %(logid)s",
            {"logid": log.logid},
        )
        if not found:
            raise Infrastructure(
                f"dbt: it has published nothing of {system} in this database; what it ran is"
                " another project, or profiles.yml leads to another database"
            )
        moved += found
    return sorted(moved, key=lambda mart: str(mart["mart"]))


def _tenant_health(
    connection: Connection, organization: str | None = None
) -> list[dict[str, Any]]:
    """Return the latest score of every organization, or of one."""
    return rows(
        connection,
        "select * from analytics.tenant_latest_health"
        " where %(organization)s::text is null or organization_slug = %(organization)s"
        " order by organization_slug",
        {"organization": organization},
    )


def _database_clock(connection: Connection) -> datetime:
    [clock] = rows(connection, "select clock_timestamp() as instant")
    instant: datetime = clock["instant"]
    return instant.astimezone(UTC)
