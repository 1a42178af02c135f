"""Run one refresh: build, test, publish, write back, log. The commands and Prefect call it."""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from flows import dbt, systems, untouched
from flows.alerts import raise_alerts
from flows.arguments import check_organization, check_tenant, is_built, refuse_others
from flows.citus import refuse_on_citus
from flows.database import (
    REFRESHER,
    Connection,
    Lock,
    connect,
    environment,
    install,
    refresh_lock,
    rows,
    with_short_lock,
)
from flows.detach import check_attached, put_back
from flows.errors import Infrastructure, WriteBackHeld, WrongArgument
from flows.fingerprints import fingerprint_of_files
from flows.forget import forget_old_rows
from flows.hook import say_lost_hook
from flows.installed import is_empty, make_schemas
from flows.progress import Progress
from flows.project import check_project, settings
from flows.project import name as project_name
from flows.reports import say_what_stays
from flows.retired import drop_retired
from flows.roles import are_installed, follow_inputs
from flows.run_log import COMPUTED, RunLog, check_maker, logged
from flows.schemas import ANALYTICS, INTERNAL, OPERATIONS
from flows.scope import (
    Scope,
    claim,
    last_relations,
    missing_relations,
    report_unknown_keys,
    say_scope,
)
from flows.subscribers import telling_of_new_tables
from flows.work import Work, find_work, move_clock, moved_by_others, unfinished
from flows.write_back import (
    WriteBack,
    check_freshness,
    compare,
    count_written,
    fingerprint_of_columns,
    only_recomputed,
    still_agrees,
    write_back,
)

# materializations of objects that last from refresh to refresh: views, and tables that keep
# their rows
STANDS = ("view_in_place", "published_table", "kept_table")


# columns of operations.order_statistics that are about the marts alone
STATISTICS = (
    "tenant_id, tenant_slug, analysed_count, skipped_count, dormant_count,"
    " at_risk_cadence_count, at_risk_revenue_count, healthy_count, active_count, target_count,"
    " prospect_count, active_pct, target_pct, prospect_pct"
)
# its other ones, as write_back_guards names them: there they cost no comparison of their own
PENDING = {
    "pending_count": "pending_count",
    "newly_dormant_count": "pending_dormant_count",
    "reactivated_count": "pending_reactivated_count",
}


@dataclass(frozen=True)
class Part:
    """The part of the project that a refresh runs: dbt's options and the published systems."""

    options: tuple[str, ...]
    systems: tuple[str, ...]
    is_full: bool = False
    # whether objects of the materializations in STANDS are left as they are
    stands: bool = False


def _all(empty: tuple[str, ...], *, stands: bool) -> Part:
    """Return what a full refresh runs: everything except the tests after the write-back.

    It also leaves out systems that are switched off, whose marts are empty already, with their
    tests. With `stands` it leaves out the lasting objects, but not their tests.
    """
    left_out = [_tags(("after_write_back", *empty))]
    if stands:
        left_out += [f"config.materialized:{kind}" for kind in STANDS]
        left_out += [f"tag:{name}+1,resource_type:test" for name in empty]
    return Part(
        (
            f"--exclude={' '.join(left_out)}",
            f"--indirect-selection={'empty' if stands else 'eager'}",
        ),
        tuple(name for name in systems.registry() if name not in empty),
        is_full=True,
        stands=stands,
    )


def _changed(work: Work) -> Part:
    """Return what an hourly refresh of changed keys runs.

    It leaves out views, tests of all rows, daily systems, and systems that have nothing to do.
    """
    idle = _tags(systems.daily() + work.idle)
    return Part(
        (
            "--select=config.materialized:working_table config.materialized:publication",
            f"--exclude=tag:after_write_back tag:nightly {idle}",
        ),
        tuple(work.systems),
    )


def _of_organization() -> Part:
    """Return what a refresh of one organization runs: the daily systems and their tests."""
    return Part(
        (
            f"--select={_tags(systems.daily())}",
            "--exclude=tag:after_write_back tag:nightly",
            "--indirect-selection=cautious",
        ),
        systems.daily(),
    )


def _tags(names: tuple[str, ...]) -> str:
    return " ".join(f"tag:{name}" for name in names)


Mode = Literal["hourly", "nightly", "organization"]


@dataclass(frozen=True)
class Options:
    """The options of a refresh."""

    mode: Mode
    as_of: datetime | None = None
    tenant: str | None = None
    write_back: bool = True
    # the slug, for mode organization
    organization: str | None = None
    backfill_days: int = 0
    # the id of the run in the run log, for callers that want to look it up
    run_id: str | None = None


def refresh(options: Options, progress: Progress) -> dict[str, Any]:
    """Bring all marts to one instant and write the statuses back; return the run's log entry.

    Raises a Failure with an exit code of docs/commands.md, whatever goes wrong.
    """
    # before anything is created
    check_project()
    if options.tenant is not None:
        _check_first_tenant(options.tenant)
    with connect(as_login=True) as login:
        if are_installed(login):
            refuse_on_citus(
                login,
                "refresh",
                "its nodes accept none of our roles, which this database has:"
                " `customer-health roles remove` removes them",
            )
        is_first = is_empty(login)
        made_again = make_schemas(login, REFRESHER)
    with refresh_lock() as lock:
        try:
            return _with_lock(options, progress, lock, made_again)
        except WrongArgument:
            if is_first:
                _take_back()
            raise


def _take_back() -> None:
    """Drop what a first refresh has created if it was refused before it built anything.

    Commands without the refresh lock may have put triggers on the application's tables
    meanwhile.
    """
    with connect() as connection:
        [needed] = rows(
            connection,
            f"select coalesce(to_regnamespace('{ANALYTICS}'), to_regnamespace('{INTERNAL}'))"
            " is not null or exists (select from pg_trigger"
            " inner join pg_proc on pg_trigger.tgfoid = pg_proc.oid"
            f" where pg_proc.pronamespace = to_regnamespace('{OPERATIONS}')) as it",
        )
        if not needed["it"]:
            connection.execute(f"drop schema if exists {OPERATIONS} cascade")


def _with_lock(
    options: Options, progress: Progress, lock: Lock, made_again: list[str]
) -> dict[str, Any]:
    with connect() as connection:
        made_again += install(connection, "operations.sql")
        check_maker(connection)
        if are_installed(connection):
            # objects that were dropped and created again lack their grants
            forgotten: list[str] = []
            with_short_lock(
                connection,
                lambda: forgotten.extend(
                    install(connection, "row_security.sql", again=bool(made_again))
                ),
            )
            if "tenant_roles" in forgotten:
                progress.say(
                    "the map of tenants to roles is lost: `customer-health roles install`"
                    " creates new roles"
                )
        check_tenant(connection, options.tenant)
        if options.organization is not None:
            # it creates only the views of its own systems
            check_attached(connection)
        check_organization(connection, options.organization)
        will_build = options.mode != "hourly" or _is_something_waiting(connection)
        try:
            with (
                dbt.loading(environment(connection)) if will_build else nullcontext(),
                logged(
                    connection, f"refresh_{options.mode}", "refresh", options.run_id
                ) as log,
            ):
                if options.organization is not None:
                    _refresh_organization(options.organization, options, progress, log, lock)
                else:
                    _refresh(options, progress, log, lock)
        finally:
            # also after a held or failed refresh, which people want to hear about
            raise_alerts(progress)
            if options.mode == "nightly":
                forget_old_rows(progress)
        return log.payload


def _is_something_waiting(connection: Connection) -> bool:
    """Return whether triggers have queued keys, so that an hourly refresh needs dbt."""
    queue = f"{OPERATIONS}.changed_keys"
    [there] = rows(connection, f"select to_regclass('{queue}') as queue")
    return bool(there["queue"] and rows(connection, f"select from {queue} limit 1"))


def _check_first_tenant(slug: str) -> None:
    """Before the first refresh, raise WrongArgument if the input has no tenant with this slug.

    Otherwise the error would come only after everything is computed and published.
    """
    with connect() as connection:
        if is_built(connection):
            return
        given = dbt.inputs(environment(connection)).get("input_orders__tenants")
        slugs = given and rows(
            connection,
            f"select tenant_slug::text as slug from ({given}\n) as given"
            " where is_active order by 1",
        )
    refuse_others("tenant", slug, [tenant["slug"] for tenant in slugs or ()])


def _refresh_organization(
    organization: str, options: Options, progress: Progress, log: RunLog, lock: Lock
) -> None:
    """Recompute one organization in the daily systems, with the SQL of the nightly refresh."""
    connection = log.connection
    as_of = options.as_of or _database_clock(connection)
    log.payload |= {"organization": organization, "as_of": as_of.isoformat()}
    log.store()
    if missing := missing_relations(connection):
        name = missing[0].replace('"', "")
        raise Infrastructure(
            f"{name} is missing: `customer-health refresh --mode nightly` creates it again"
        )
    _build(
        f"refresh of {organization} as of {as_of:%Y-%m-%d %H:%M:%S %Z}: models and tests",
        {"as_of": as_of, "refresh_scope": "changed", "organization": organization},
        _of_organization(),
        progress,
        log,
        lock,
    )
    check_organization(connection, organization)
    log.payload["tenant_health"] = _tenant_health(connection, organization)


def _refresh(options: Options, progress: Progress, log: RunLog, lock: Lock) -> None:
    connection = log.connection
    as_of = options.as_of or _database_clock(connection)
    rules = fingerprint_of_files()
    log.payload |= {"mode": options.mode, "as_of": as_of.isoformat(), "rules": rules}
    log.payload["project"] = project_name()
    log.store()
    scope = claim(connection, log.logid, as_of, rules)
    is_full = options.mode == "nightly" or scope.full_because is not None
    if options.mode == "hourly" and scope.full_because:
        log.payload["full_because"] = scope.full_because
        progress.say(f"this hourly refresh recomputes everything: {scope.full_because}")
    log.payload |= say_scope(scope, progress)
    empty = () if scope.full_because else _empty(connection, rules)
    work = find_work(connection, scope, as_of, is_full=is_full, empty=empty)
    is_moved = not is_full and moved_by_others(connection, log.logid)
    if is_moved:
        log.payload["moved_by_others"] = True
    agreed = not (is_full or is_moved) and still_agrees(connection, log.logid)
    log.payload |= {"work": work.systems, "read_whole": work.read_whole}
    if not (is_full or work.systems):
        _do_nothing(options, as_of, scope, progress, log, lock, agreed=agreed)
        return
    # before anything is read from the files or the catalog
    files = untouched.fingerprint_of_project() if is_full else ""
    found = untouched.fingerprints(connection, files) if is_full else None
    stands = (
        is_full
        and not scope.full_because
        and unfinished(connection) is None
        and untouched.is_left(connection, found)
    )
    _build(
        f"{options.mode} refresh as of {as_of:%Y-%m-%d %H:%M:%S %Z}: models and tests",
        {
            "as_of": as_of,
            "refresh_scope": "all" if is_full else "changed",
            "changed_since": {
                name: since.isoformat() for name, since in scope.changed_since.items()
            },
            "backfill_days": options.backfill_days,
        },
        _all(empty, stands=stands) if is_full else _changed(work),
        progress,
        log,
        lock,
    )
    if is_full:
        log.payload["untouched"] = (
            found
            if stands
            else untouched.left(connection, files, log.payload["relations"], found)
        )
    move_clock(connection, work.idle, as_of)
    check_tenant(connection, options.tenant)
    say_lost_hook(connection, progress)
    log.payload |= report_unknown_keys(scope, connection, progress)

    # drift: rows that changed without a trigger or updated_at showing it; not counted for a
    # first refresh, changed rules or an earlier instant
    if is_full and not scope.full_because:
        log.payload["drift"] = sum(mart["rows_corrected"] for mart in log.payload["marts"])
    log.payload["tenants"] = rows(
        connection,
        f"select {STATISTICS} from {OPERATIONS}.order_statistics"
        " where %(tenant)s::text is null or tenant_slug = %(tenant)s order by tenant_slug",
        {"tenant": options.tenant},
    )
    log.payload["organizations"] = rows(
        connection, f"select * from {OPERATIONS}.booking_statistics order by organization_slug"
    )

    if is_full:
        log.payload["tenant_health"] = _tenant_health(connection)
    with only_recomputed(log) if agreed else nullcontext():
        _write_back(options, progress, log, lock)


def _empty(connection: Connection, rules: str) -> tuple[str, ...]:
    """Return the systems that are off and whose empty marts are published by these rules."""
    # a system that a user has added need not have a switch
    on = settings()
    off = [name for name in systems.registry() if not on.get(f"{name}_enabled", True)]
    return tuple(
        name
        for name in off
        if rows(
            connection,
            "select from (select payload ->> 'rules' as rules"
            f" from {OPERATIONS}.{name}_publications as log"
            f" inner join {OPERATIONS}.application_logs"
            " on log.run_id = application_logs.logid order by log_id desc limit 1) as last"
            " where rules = %(rules)s",
            {"rules": rules},
        )
    )


def _do_nothing(  # noqa: PLR0913, PLR0917
    options: Options,
    as_of: datetime,
    scope: Scope,
    progress: Progress,
    log: RunLog,
    lock: Lock,
    *,
    agreed: bool,
) -> None:
    """Move as_of, and write back what may have been left pending."""
    move_clock(log.connection, systems.hourly(), as_of)
    check_tenant(log.connection, options.tenant)
    say_lost_hook(log.connection, progress)
    log.payload |= {"is_idle": True, "marts": [], "tenants": []}
    try:
        # the triggers notice everything
        if "orders" not in scope.changed_since and agreed:
            done = WriteBack(columns=fingerprint_of_columns(log.connection))
            say_what_stays(log.connection, progress)
            log.payload |= done.log() | {COMPUTED: True, "rows_written": 0}
        else:
            _write_back(options, progress, log, lock)
    except WriteBackHeld:
        # the same hold as in earlier runs
        if not log.payload.get("rows_written"):
            log.count_with_last("is_idle", "held")
        raise
    if not log.payload["rows_written"]:
        log.count_with_last("is_idle", "success")


def _write_back(options: Options, progress: Progress, log: RunLog, lock: Lock) -> None:
    connection = log.connection
    log.payload[COMPUTED] = True
    done = compare(connection, options.tenant)
    guards = {guard["tenant_slug"]: guard for guard in done.guards}
    for tenant in log.payload["tenants"]:
        guard = guards.get(tenant["tenant_slug"], {})
        tenant |= {logged_as: guard.get(name, 0) for logged_as, name in PENDING.items()}
    if options.write_back:
        check_freshness(connection)
        progress.run("write-back", lambda: write_back(log, lock, done, progress))
    else:
        say_what_stays(connection, progress)
    written = count_written(connection, log.logid)
    for tenant in log.payload["tenants"]:
        tenant["updated_count"] = written.get(tenant["tenant_slug"], 0)
    log.payload["rows_written"] = written.total()
    if options.write_back and (failure := done.failure()):
        raise failure


def _build(  # noqa: PLR0913, PLR0917
    name: str,
    variables: dict[str, Any],
    part: Part,
    progress: Progress,
    log: RunLog,
    lock: Lock,
) -> None:
    """Run a part of the project with these vars, and log the rows that changed in the marts.

    Raises the failure of the run, if any.
    """
    texts = {
        var: value.isoformat() if isinstance(value, datetime) else value
        for var, value in {**variables, "run_id": log.logid, "lock_pid": lock.pid}.items()
    }
    missing = missing_relations(log.connection)
    with telling_of_new_tables(log.connection, progress.say):
        run = progress.run(
            name,
            lambda: dbt.build(
                texts, environment(log.connection), progress, part.options, lock.check
            ),
        )
    _say_what_is_lost(run, missing, texts, progress, log)
    log.payload["systems"] = list(part.systems)
    log.payload["dbt_startup_seconds"] = round(run.startup_seconds, 1)
    log.payload["dbt_run_seconds"] = round(run.run_seconds, 1)
    if passed := run.with_status("pass"):
        log.payload["tests_passed"] = len(passed)
    if failed := {one.folder for one in run.nodes if _has_not_passed(one)}:
        log.payload["tests_failed_in"] = sorted(failed)
    # now, because the next refresh must know of it even if this process is killed
    log.store()
    # before a failed test ends the run, because the views exist already
    put_back(log.connection, progress, is_complete=part.is_full and run.failure() is None)
    if part.is_full:
        follow_inputs(progress)
    dbt.name_offenders(run, log.connection)
    for warning in run.with_status("warn"):
        progress.say(f"warning: {warning.problem()}")
    if failure := run.failure():
        raise failure
    if not run.with_status("pass", "warn"):
        raise Infrastructure("dbt: no test ran, so the rows may be wrong")
    log.payload["marts"] = _moved(log, part.systems)
    log.payload["quarantined_rows"] = _left_out(log.connection, part.systems)
    if part.is_full:
        made = [_name(node) for node in run.nodes if node.relation and node.kind != "test"]
        before = last_relations(log.connection)
        if part.stands or len(part.systems) < len(systems.registry()):
            made += before
        else:
            drop_retired(log.connection, before, made, progress)
        # the inputs of a system that was never switched on do not exist
        log.payload["relations"] = [
            row["name"]
            for row in rows(
                log.connection,
                "select distinct name from unnest(%(made)s::text[]) as name"
                " where to_regclass(name) is not null order by name",
                {"made": made},
            )
        ]


def _has_not_passed(node: dbt.Node) -> bool:
    """Return whether a test failed or could not run, so that rows of its system may be wrong.

    Tests of settings come before all that they are about.
    """
    if node.kind != "test" or node.is_setting:
        return False
    # below a failed test, also those of other folders are skipped
    is_skipped = node.status == "skipped" and node.folder in systems.registry()
    return is_skipped or node.status in ("fail", "error", "runtime error")


def _say_what_is_lost(
    run: dbt.Run,
    missing: list[str],
    variables: dict[str, Any],
    progress: Progress,
    log: RunLog,
) -> None:
    """Report marts that lost days nobody can collect again, because they were dropped."""
    lost = []
    for node in run.with_status("success"):
        if not (node.day and _name(node) in missing):
            continue
        [system] = set(node.tags) & set(systems.registry())
        publications = f'"{OPERATIONS}"."{system}_publications"'
        earlier = rows(
            log.connection,
            f"select from {publications} where mart = %(mart)s and rows_written > 0"
            " and (as_of at time zone 'UTC')::date"
            " < (%(as_of)s::timestamptz at time zone 'UTC')::date limit 1",
            {"mart": node.name, "as_of": variables["as_of"]},
        )
        if earlier or publications in missing:
            lost.append(_name(node).replace('"', ""))
    if lost:
        log.payload["days_lost"] = lost
        progress.say(
            f"{', '.join(lost)}: dropped and created again; days before"
            f" {variables['as_of'][:10]} are lost and cannot be collected again"
        )


def _name(node: dbt.Node) -> str:
    """Return the name of a node's relation, without the database."""
    return str(node.relation).partition(".")[2]


def _moved(log: RunLog, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the number of rows that the run has changed in each mart of these systems.

    Raises Infrastructure if the run has not published one of them, whatever dbt says.
    """
    moved: list[dict[str, Any]] = []
    for system in names:
        publications = f"{OPERATIONS}.{system}_publications"
        [there] = rows(log.connection, f"select to_regclass('{publications}') as log")
        found = there["log"] and rows(
            log.connection,
            "select mart, rows_written, rows_removed, rows_corrected"
            f" from {publications} where run_id = %(logid)s",
            {"logid": log.logid},
        )
        if not found:
            raise Infrastructure(
                f"dbt: the run published nothing for {system} in this database; it ran another"
                " project, or profiles.yml names another database"
            )
        moved += found
    return sorted(moved, key=lambda mart: str(mart["mart"]))


def _left_out(connection: Connection, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return how many of the recomputed rows this refresh has left out, by reason.

    The rows include those that count but lost a date; is_left_out tells them apart.
    """
    if not names:
        return []
    found = " union all ".join(
        f'select system, "table", reason, is_left_out, rows_count'
        f" from {INTERNAL}.int_quarantined_rows__{system}"
        for system in names
    )
    return rows(
        connection,
        'select system, "table", reason, is_left_out, sum(rows_count)::bigint as rows_count'
        f" from ({found}) as left_out group by 1, 2, 3, 4 order by 1, 2, 3",
    )


def _tenant_health(
    connection: Connection, organization: str | None = None
) -> list[dict[str, Any]]:
    """Return the latest score of every organization, or of one."""
    return rows(
        connection,
        f"select * from {ANALYTICS}.tenant_latest_health"
        " where %(organization)s::text is null or organization_slug = %(organization)s"
        " order by organization_slug",
        {"organization": organization},
    )


def _database_clock(connection: Connection) -> datetime:
    [clock] = rows(connection, "select clock_timestamp() as instant")
    instant: datetime = clock["instant"]
    return instant.astimezone(UTC)
