"""Print what the commands report: a run's statistics, the state of the jobs."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import DictRow

from flows.arguments import is_built
from flows.database import Connection, reading, rows
from flows.detach import detached_since, in_words
from flows.errors import WriteBackHeld
from flows.fit_models import Fit
from flows.installed import IS_OF_REFRESHER, gap
from flows.progress import Progress, count_of
from flows.schemas import ANALYTICS, OPERATIONS, OURS
from flows.systems import registry
from flows.undelivered import print_messages

RISK_COLUMNS = {
    "tenant": "tenant_slug",
    "analyzed": "analysed_count",
    "updated": "updated_count",
    "skipped": "skipped_count",
    "healthy": "healthy_count",
    "less revenue": "at_risk_revenue_count",
    "late": "at_risk_cadence_count",
    "dormant": "dormant_count",
    "newly dormant": "newly_dormant_count",
    "reactivated": "reactivated_count",
}

SEGMENT_COLUMNS = {
    "organization": "organization_slug",
    "customers": "customers_count",
    "new": "new_count",
    "active": "active_count",
    "at risk": "at_risk_count",
    "lost": "lost_count",
    "never visited": "never_visited_count",
    "upcoming bookings": "upcoming_bookings",
}

HEALTH_COLUMNS = {
    "organization": "organization_slug",
    "day": "metric_date",
    "score": "overall_score",
    "observed": "overall_score_observed",
    "coverage": "data_coverage",
    "before": "previous_score",
    "trend": "trend",
    "risk": "risk_level",
    "helps most": "top_driver",
    "costs most": "top_drag",
}

WEEKLY_COLUMNS = {
    "tenant": "tenant_slug",
    "sales rep": "sales_rep_name",
    "week of": "week_begins_on",
    "healthy": "healthy_count",
    "less revenue": "at_risk_revenue_count",
    "late": "at_risk_cadence_count",
    "dormant": "dormant_count",
    "dormant, change": "dormant_count_change",
    "newly dormant": "newly_dormant_count",
    "reactivated": "reactivated_count",
    "reactivation rate": "reactivation_rate",
    "expected in 90 days": "expected_amount_90d",
    "value at risk": "at_risk_amount",
    "at risk, change": "at_risk_amount_change",
}

OUTCOMES = {
    "conflict": "changed by somebody meanwhile, or kept by a trigger",
    "locked": "locked by another transaction, or kept by a row security policy",
    "gone": "deleted or closed meanwhile",
    "error": f"with an error, see {OPERATIONS}.write_back_changes",
}


# the parameters of a model, by column title
MODEL_COLUMNS = {
    "r": "r",
    "alpha, days": "alpha_days",
    "a": "a",
    "b": "b",
    "log-likelihood": "log_likelihood",
}

LEFT_BY_ROLLBACK = {
    "kept": "changed by somebody since, or kept by a trigger",
    "locked": "locked by another transaction, or kept by a row security policy; run it again",
    "gone": "of customers that were deleted, or that a row security policy hides",
}


def risk_statistics(tenants: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the statistics of risk statuses, one line per tenant."""
    return _titled(tenants, RISK_COLUMNS)


def account_statistics(tenants: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the statistics of account types, one line per tenant."""
    return [
        {"tenant": tenant["tenant_slug"]}
        | {
            kind: f"{tenant[f'{kind}_count']} ({tenant[f'{kind}_pct']} %)"
            for kind in ("active", "target", "prospect")
        }
        for tenant in tenants
    ]


def segment_statistics(organizations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the statistics of segments, one line per organization."""
    return _titled(organizations, SEGMENT_COLUMNS)


def health_statistics(organizations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the statistics of tenant health, one line per organization."""
    return _titled(organizations, HEALTH_COLUMNS)


def print_refresh(payload: Mapping[str, Any], progress: Progress) -> None:
    """Print what a refresh found and did."""
    if payload.get("is_idle"):
        progress.say(
            f"done in {payload['seconds']} s: nothing has changed since the last refresh,"
            f" {count_of(payload['rows_written'], 'customer')} written back"
        )
        print_batches(payload, progress)
        return
    progress.table("Risk status", risk_statistics(payload["tenants"]))
    progress.table("Account types", account_statistics(payload["tenants"]))
    progress.table("Customer segments", segment_statistics(payload["organizations"]))
    if "tenant_health" in payload:
        progress.table("Tenant health", health_statistics(payload["tenant_health"]))
    print_left_out(payload, progress)
    moved = sum(mart["rows_written"] + mart["rows_removed"] for mart in payload["marts"])
    progress.say(
        f"done in {payload['seconds']} s: {count_of(payload['tests_passed'], 'test')} passed,"
        f" {count_of(moved, 'row')} of marts changed,"
        f" {count_of(payload['rows_written'], 'customer')} written back"
    )
    print_batches(payload, progress)


def print_organization(payload: Mapping[str, Any], progress: Progress) -> None:
    """Print what the refresh of one organization found and did."""
    progress.table("Tenant health", health_statistics(payload["tenant_health"]))
    print_left_out(payload, progress)
    moved = sum(mart["rows_written"] + mart["rows_removed"] for mart in payload["marts"])
    progress.say(
        f"done in {payload['seconds']} s: {payload['organization']},"
        f" {count_of(payload['tests_passed'], 'test')} passed,"
        f" {count_of(moved, 'row')} of marts changed"
    )


def print_left_out(payload: Mapping[str, Any], progress: Progress) -> None:
    """Print how many rows the run left out, or counted without a date, and why."""
    for row in payload["quarantined_rows"]:
        what = "left out" if row["is_left_out"] else "counted without a date"
        progress.say(
            f"{what}: {count_of(row['rows_count'], 'row')} of {row['system']}.{row['table']},"
            f" {row['reason']}"
        )


def print_write_back(payload: Mapping[str, Any], progress: Progress) -> None:
    """Print what a write-back did outside a refresh."""
    progress.say(f"{count_of(payload['rows_written'], 'customer')} written back")
    print_batches(payload, progress)


def print_batches(payload: Mapping[str, Any], progress: Progress) -> None:
    """Print the command that undoes what was written, and what was not written."""
    if payload["rows_written"]:
        first, *more = payload["batches"]
        progress.say(
            f"batches {first} to {more[-1]}: `customer-health rollback {first}` undoes one"
            if more
            else f"batch {first}: `customer-health rollback {first}` undoes it"
        )
    print_outcomes(payload.get("write_back", {}), progress)


def written_in_words(payload: Mapping[str, Any]) -> str:
    """Return in one line what a run wrote back, and what it left."""
    outcomes = payload.get("write_back", {})
    left = [
        f"{outcomes[outcome]} {meaning}"
        for outcome, meaning in OUTCOMES.items()
        if outcomes.get(outcome)
    ]
    return "; ".join([f"{count_of(payload['rows_written'], 'customer')} written back", *left])


def print_outcomes(outcomes: Mapping[str, int], progress: Progress) -> None:
    """Print what the write-back left for the next run, and why."""
    for outcome, meaning in OUTCOMES.items():
        if outcomes.get(outcome):
            progress.say(f"not written: {count_of(outcomes[outcome], 'customer')}, {meaning}")


def print_rollback(outcomes: Mapping[str, int], progress: Progress) -> None:
    """Print what a rollback did, and what it left."""
    progress.say(f"{count_of(outcomes.get('rolled_back', 0), 'value')} restored")
    for outcome, meaning in LEFT_BY_ROLLBACK.items():
        if outcomes.get(outcome):
            progress.say(f"not restored: {count_of(outcomes[outcome], 'value')}, {meaning}")


def print_models(fit: Fit, payload: Mapping[str, Any], progress: Progress) -> None:
    """Print the parameters of each tenant's model, or why it has none."""
    progress.table(
        f"{fit.model.capitalize()}s",
        [
            {
                fit.tenant: model[f"{fit.tenant}_slug"],
                "valid from": model["valid_from"],
                "customers": model["customers"],
                **{
                    name: f"{model[column]:.4g}" if model["state"] == "FITTED" else ""
                    for name, column in MODEL_COLUMNS.items()
                },
                "fit": model["reason"] or model["state"].lower(),
            }
            for model in payload[fit.models]
        ],
    )


def guard_lines(guard: Mapping[str, Any], *, is_forced: bool = False) -> list[str]:
    """Return what a person should know before a tenant is written."""
    lines = []
    if guard["initial_count"]:
        lines.append(f"first statuses for {count_of(guard['initial_count'], 'customer')}")
    if guard["held_count"]:
        lines.append(
            f"changes for the worse are held for {count_of(guard['held_count'], 'customer')}:"
            f" nothing has been delivered since {guard['last_delivery_on']}, although"
            f" {count_of(guard['missed_customers_count'], 'order')} were expected"
        )
    if guard["is_tripped"]:
        change = (
            f"{guard['changed_pct']} % of the customers would change, and"
            f" {guard['newly_dormant_pct']} % would become dormant"
        )
        lines.append(
            f"forced: {change}" if is_forced else f"held: {change}; --force writes it"
        )
    return [f"{guard['tenant_slug']}: {line}" for line in lines]


def other_rules_since(connection: Connection) -> str | None:
    """Return the time of the last write-back if the rules have changed since, or None.

    In that case many changes at once may be intended.
    """
    [last] = rows(
        connection,
        f"""
        with refreshes as not materialized (
            select
                log_id,
                payload ->> 'rules' as rules,
                status = 'success' and payload ? 'write_back' as is_written,
                to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') as day
            from {OPERATIONS}.application_logs
            where log_type = 'refresh' and payload ? 'rules'
        )

        select
            (select rules from refreshes order by log_id desc limit 1) as now,
            written.rules as written,
            written.day
        from (select) as always
        left join
            -- a log of years is read from its end
            (select * from refreshes where is_written order by log_id desc limit 1) as written
            on true
        """,
    )
    is_other = last["written"] is not None and last["now"] != last["written"]
    return str(last["day"]) if is_other else None


def rules_in_words(since: str) -> str:
    """Return a line with a possible reason for many changes, and what to do about them."""
    return (
        f"the rules (a setting, a threshold, a model) have changed since the write-back of"
        f" {since}: see the changes with `customer-health write-back --dry-run`, then write"
        " them with `customer-health write-back --force`, for one tenant with --tenant SLUG"
    )


def say_what_stays(connection: Connection, progress: Progress) -> None:
    """Print which of the seven columns cannot take every computed value, and why."""
    for column in rows(
        connection,
        "select string_agg(column_name, ', ' order by column_name) as names, remark"
        f" from {OPERATIONS}.written_columns where remark is not null"
        " group by remark order by 1",
    ):
        progress.say(f"{column['names']}: {column['remark']}")


def _writer(connection: Connection) -> DictRow:
    """Return the role that writes, and whether the login may take it."""
    [who] = rows(
        connection,
        "select session_user::text as login, role,"
        " pg_has_role(session_user, role, 'member') as is_it"
        " from (select case when exists (select from pg_namespace"
        f" where nspname = '{OPERATIONS}' and {IS_OF_REFRESHER})"
        f" then '{OURS}_write_back' else current_user::text end as role) as acting",
    )
    return who


def lacking_policies(connection: Connection) -> list[str]:
    """Return the tables of which row security lets the write-back see or write no row."""
    role = _writer(connection)["role"]
    return [
        f"{role} has no policy for select and update in the row security of"
        f" {table['relation']}: its owner can `create policy {OURS} on {table['relation']}"
        f" to {role} using (true)`"
        for table in rows(
            connection,
            f"""
            select distinct written.relation
            from {OPERATIONS}.written_columns as written
            inner join pg_class on to_regclass(written.relation) = pg_class.oid
            inner join pg_roles as writer on writer.rolname = %(role)s
            cross join unnest('{{r,w}}'::"char"[]) as needed (command)
            where
                written.is_written
                and pg_class.relrowsecurity
                and not (writer.rolsuper or writer.rolbypassrls)
                and (
                    pg_class.relforcerowsecurity
                    or not pg_has_role(writer.oid, pg_class.relowner, 'usage')
                )
                and not exists (
                    select from pg_policy
                    cross join unnest(pg_policy.polroles) as given (id)
                    where
                        pg_policy.polrelid = pg_class.oid
                        and pg_policy.polpermissive
                        and pg_policy.polcmd in ('*', needed.command)
                        and (given.id = 0 or pg_has_role(writer.oid, given.id, 'usage'))
                )
            order by written.relation
            """,
            {"role": role},
        )
    ]


def lacking_rights(connection: Connection) -> list[str]:
    """Return the rights that the write-back lacks, one line per table."""
    who = _writer(connection)
    lines = [
        f"{who['role']} may not update {table['columns']} of {table['relation']}: its owner"
        f" can `grant update ({table['columns']}) on {table['relation']} to {who['role']}`"
        for table in rows(
            connection,
            "select relation, string_agg(quote_ident(origin), ', ' order by origin) as columns"
            f" from {OPERATIONS}.written_columns where is_written"
            " and not has_column_privilege(%(role)s::name, relation, origin, 'update')"
            " group by relation order by relation",
            {"role": who["role"]},
        )
    ]
    lines += lacking_policies(connection)
    if not who["is_it"]:
        lines.append(
            f"{who['login']} is not a member of {who['role']}: whoever installed the roles can"
            f' `grant {who["role"]} to "{who["login"]}"`'
        )
    return lines


def print_weekly_summary(connection: Connection, progress: Progress) -> None:
    """Print the last complete week, rep by rep, against the week before."""
    lines = rows(
        connection,
        f"select * from {ANALYTICS}.weekly_summary "
        " order by tenant_slug, expected_amount_90d desc nulls last,"
        " at_risk_amount desc nulls last, sales_rep_name",
    )
    progress.table("Weekly summary", _titled(lines, WEEKLY_COLUMNS))


def summarize(progress: Progress) -> None:
    """Print the weekly summary."""
    with reading() as connection:
        if not is_built(connection):
            raise WriteBackHeld("no refresh has run yet, so there is no summary")
        print_weekly_summary(connection, progress)


def print_status(connection: Connection, progress: Progress) -> bool:
    """Print how the jobs are doing; return whether a refresh succeeded recently."""
    if missing := gap(connection, "operations.sql"):
        progress.say(missing)
        return False
    progress.table("Jobs", [job_line(job) for job in read_jobs(connection)])
    if missing := gap(connection, "alerts.sql"):
        # a first refresh raises alerts at its end
        progress.say(f"alerts: {missing}")
    elif undelivered := rows(
        connection,
        "select state, kind, edge, count(*) as messages, max(error) as error"
        f" from {OPERATIONS}.alert_outbox where state in ('pending', 'failed', 'unknown')"
        " group by state, kind, edge order by state, kind, edge",
    ):
        progress.table("Alerts that wait, were refused, or may have arrived", undelivered)
    print_messages(connection, progress)
    if since := detached_since(connection):
        progress.say(in_words(since))
    if oldest := oldest_instant(connection):
        progress.say(f"figures as of {_minute(oldest)}")
    health = read_health(connection)
    progress.say(health_in_words(health))
    return health["success_age"] is not None and not health["is_overdue"]


def read_jobs(connection: Connection) -> list[DictRow]:
    """Return how each job is doing."""
    return rows(connection, f"select * from {OPERATIONS}.job_status order by job")


def job_line(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a job in the table."""
    return {
        "job": job["job"],
        "last run": _minute(job["last_run_at"]),
        "status": job["last_status"],
        "last success": _minute(job["last_success_at"]),
        "failures in a row": job["failures_in_a_row"],
        "seconds": job["seconds"],
        "rows written": job["rows_written"],
        "drift": job["drift"],
    }


def read_health(connection: Connection) -> DictRow:
    """Return when a refresh last succeeded, and whether that is too long ago."""
    [health] = rows(connection, f"select * from {OPERATIONS}.refresh_health")
    return health


def oldest_instant(connection: Connection) -> datetime | None:
    """Return the oldest instant of any tenant's figures.

    Tenants differ after a refresh of one organization and, on Citus, while a refresh commits.
    """
    marts = rows(
        connection,
        "select mart from unnest(%(marts)s::text[]) as mart"
        " where has_table_privilege(to_regclass(mart), 'select')",
        {"marts": [f"{ANALYTICS}.{system.tenants}" for system in registry().values()]},
    )
    if not marts:
        return None
    union = " union all ".join(f"select as_of from {row['mart']}" for row in marts)
    [found] = rows(connection, f"select min(as_of) as oldest from ({union}) as figures")
    oldest: datetime | None = found["oldest"]
    return oldest


def health_in_words(health: Mapping[str, Any]) -> str:
    """Return a line that says how old the figures are."""
    if health["success_age"] is None:
        return "no refresh has succeeded yet"
    return f"the last successful refresh is {_hours(health['success_age'])} hours old"


def _titled(
    lines: Sequence[Mapping[str, Any]], columns: Mapping[str, str]
) -> list[dict[str, Any]]:
    return [{title: line.get(column) for title, column in columns.items()} for line in lines]


def _minute(instant: Any) -> str:
    return f"{instant:%Y-%m-%d %H:%M %Z}" if instant else "never"


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.1f}"
