"""`python -m bench accounts` compares the nightly step of account health with a scan."""

from datetime import timedelta
from functools import partial

from rich.console import Console

from bench.compiled import build_project, compile_project
from bench.measure import HERE, UNTIL, fresh_database, timed
from bench.nightly import Report, fill, measured
from demo.__main__ import HERE as DEMO
from flows.database import environment, rows

SCAN = """
    select *
    from (
        select
            count(organization_id), count(account_id), max(metric_date),
            sum(login_frequency), sum(feature_adoption_score),
            sum(training_completion_rate), max(created_at)
        from success.health_metrics
    ) as metrics
    cross join (
        select
            count(organization_id), count(account_id), count(type), count(title),
            count(outcome), max(completed_at), count(attendees)
        from success.engagements
    ) as engagements
    cross join (
        select count(account_id), sum(severity), sum(csat), max(created_at), max(resolved_at)
        from success.support_tickets
    ) as tickets
    cross join (
        select count(account_id), max(due_on), max(paid_on), sum(amount) from success.invoices
    ) as invoices
"""


def bench(customers: int | None, tenants: int, years: int) -> None:  # noqa: ARG001
    """Make the data, measure and print. customers: number of accounts, default 100,000."""
    accounts, days = customers or 100_000, min(years, 2) * 365
    report = Report(f"Account health, {accounts} accounts, {days} days of metrics")
    with fresh_database() as (connection, _):
        connection.execute((DEMO / "operational_schema.sql").read_bytes())
        # build keys and indexes once at the end, not row by row
        for key in rows(
            connection,
            "select conrelid::regclass::text as relation, conname from pg_constraint"
            " where connamespace = 'success'::regnamespace and (contype = 'f'"
            " or contype = 'p' and conrelid = 'success.health_metrics'::regclass)",
        ):
            connection.execute(
                f"alter table {key['relation']} drop constraint {key['conname']}".encode()
            )
        for index in rows(
            connection,
            "select indexname, indexdef from pg_indexes where schemaname = 'success'"
            " and indexname like 'health_metrics%%idx'",
        ):
            connection.execute(f"drop index success.{index['indexname']}".encode())
        connection.execute("set synchronous_commit = off")
        size = {"accounts": accounts, "days": days, "until": UNTIL}
        for statement in (HERE / "accounts.sql").read_text().split(";\n"):
            if statement.strip():
                connection.execute(statement.encode(), size)
        connection.execute("alter table success.health_metrics add primary key (id)")
        connection.execute(
            "create index on success.health_metrics (organization_id, account_id, metric_date)"
        )
        connection.execute("vacuum analyze")
        build_project(environment(connection))
        for mart in ("health_factors", "health_scores", "churn_risk"):
            connection.execute(f"truncate analytics.account_{mart}".encode())
        models = compile_project(environment(connection), tags={"accounts"})
        report.scan = report.add_taken(
            "scan the columns of the source once",
            measured(connection, lambda: connection.execute(SCAN.encode())),
        )
        for title, night in (
            ("SQL of the models, the first day", 0),
            ("SQL of the models, the next night", 1),
            ("SQL of the models, nothing changed", 1),
        ):
            found: dict[str, float] = {}
            as_of = UNTIL + timedelta(days=night)
            taken = measured(connection, partial(fill, connection, models, found, as_of))
            report.add_taken(title, taken)
            for model, seconds in sorted(found.items(), key=lambda one: -one[1])[:6]:
                report.add(f"  of this, {model}", seconds)
        one = (
            "select * from analytics.account_360"
            " where organization_id = %s and account_id = %s"
        )
        [account] = rows(
            connection,
            "select organization_id, account_id from analytics.account_profiles limit 1",
        )
        milliseconds = timed(
            lambda: connection.execute(one.encode(), list(account.values())).fetchall(), 7
        )
        print(f"one row of account_360: {1000 * milliseconds:.1f} ms")
    Console(width=100).print(report.table)
