"""The dry run: print what a write-back would change, and what holds it."""

from flows.arguments import check_tenant, is_built
from flows.database import Connection, reading, rows
from flows.detach import check_attached
from flows.errors import Failure, WriteBackHeld
from flows.progress import Progress, count_of, many
from flows.reports import (
    guard_lines,
    lacking_rights,
    other_rules_since,
    rules_in_words,
    say_what_stays,
)
from flows.schemas import OPERATIONS
from flows.write_back import check_freshness, check_last_refresh


def preview(tenant: str | None, progress: Progress, *, force: bool) -> None:
    """Print what a write-back would do, with --force or without."""
    with reading() as connection:
        if not is_built(connection):
            raise WriteBackHeld("no refresh has run yet, so there is nothing to compare")
        check_tenant(connection, tenant)
        check_attached(connection)
        _print(connection, tenant, progress, force=force)


def _print(
    connection: Connection, tenant: str | None, progress: Progress, *, force: bool
) -> None:
    """Print what a write-back would change."""
    say_what_stays(connection, progress)
    lacking = lacking_rights(connection)
    for line in lacking:
        progress.say(f"warning: the write-back would fail: {line}")
    held_by = _held_by(connection, force=force)
    for reason in held_by:
        progress.say(f"the write-back would end with: {reason}")
    only = " where %(tenant)s::text is null or tenant_slug = %(tenant)s"
    this = {"tenant": tenant}
    progress.table(
        "Customers by status: now in your customers table, and by the rules",
        rows(
            connection,
            "select tenant_slug as tenant, status_kind as kind,"
            " coalesce(status, '(none)') as status, current_count as now,"
            ' current_pct as "now %%", expected_count as expected,'
            ' expected_pct as "expected %%"'
            f" from {OPERATIONS}.status_distribution{only}"
            " order by tenant_slug, status_kind, status",
            this,
        ),
    )
    progress.table(
        "Changes",
        rows(
            connection,
            "select tenant_slug as tenant, status_kind as kind,"
            " coalesce(from_status, '(none)') as \"from\","
            " coalesce(to_status, '(none)') as \"to\", customers_count as customers,"
            " case when is_expected_transition then '' else 'unexpected' end as note"
            f" from {OPERATIONS}.pending_transitions{only}"
            " order by tenant_slug, status_kind, customers_count desc",
            this,
        ),
    )
    guards = rows(
        connection,
        f"select * from {OPERATIONS}.write_back_guards{only} order by tenant_slug",
        this,
    )
    for guard in guards:
        for line in guard_lines(guard, is_forced=force):
            progress.say(line)
    is_tripped = not force and any(guard["is_tripped"] for guard in guards)
    if is_tripped and (since := other_rules_since(connection)):
        progress.say(rules_in_words(since))
    pending_count = sum(guard["pending_count"] for guard in guards)
    written_count = sum(
        guard["pending_count"] - (0 if force else guard["held_count"])
        for guard in guards
        if force or not guard["is_tripped"]
    )
    pending = rows(
        connection,
        "select tenant_slug as tenant, customer_name as customer,"
        " current_risk_status as status, expected_risk_status as expected,"
        " current_account_type as type, expected_account_type as expected_type,"
        f" coalesce(risk_status_reason, account_type_reason) as why"
        f" from {OPERATIONS}.pending_customer_updates{only}"
        " order by tenant_slug, customer_id limit 10",
        this,
    )
    progress.table("The first 10 customers", pending)
    for finding in rows(
        connection,
        f"select * from {OPERATIONS}.account_type_findings{only} order by 2, 3",
        this,
    ):
        progress.say(
            f"{finding['tenant_slug']}: {finding['share_pct']} % {finding['account_type']},"
            f" usually {finding['expected_min_pct']} to"
            f" {finding['expected_max_pct']} %"
            + (f" - {finding['alert']}" if finding["alert"] else "")
        )
    if lacking or held_by:
        written_count = 0
    held_count = pending_count - written_count
    held = f"{many(held_count, 'is', 'are')} held, " if held_count else ""
    progress.say(
        f"dry run: {count_of(written_count, 'customer')} would be changed, {held}nothing was"
        " written"
    )


def _held_by(connection: Connection, *, force: bool) -> list[str]:
    """Return what holds everything, as the write-back would say it."""
    [server] = rows(connection, "select pg_is_in_recovery() as is_standby")
    checks = [check_last_refresh]
    # a standby cannot read unlogged tables, among them the one with the newest change
    if not (force or server["is_standby"]):
        checks.append(check_freshness)
    reasons = []
    for check in checks:
        try:
            check(connection)
        except Failure as failure:
            reasons.append(str(failure))
    return reasons
