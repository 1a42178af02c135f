"""`python -m bench usage` compares the nightly step of tenant health with a scan."""

from datetime import timedelta

from rich.console import Console

from bench.compiled import build_project, compile_project
from bench.measure import HERE, UNTIL, fresh_database
from bench.nightly import Report, measured
from demo.__main__ import HERE as DEMO
from flows.database import environment, rows

USERS = 1000
HISTORY = 120
SCAN = """
    select *
    from (
        select
            count(organization_id), count(id), count(is_enabled), max(last_login_at),
            max(created_at), max(updated_at)
        from platform.users
    ) as users
    cross join (select count(organization_id), max(closed_at) from platform.cases) as cases
    cross join (
        select
            count(organization_id), count(case_id), count(is_primary), count(sla_status)
        from platform.investigations
    ) as investigations
    cross join (
        select count(organization_id), count(status), max(due_at), max(completed_at)
        from platform.campaign_assignments
    ) as assignments
    cross join (
        select count(organization_id), max(last_used_at) from platform.feature_adoptions
    ) as features
    cross join (
        select count(organization_id), max(created_at) from platform.support_tickets
    ) as tickets
"""


def bench(customers: int | None, tenants: int, years: int) -> None:  # noqa: ARG001
    """Make the data, measure and print. customers: number of organizations, default 1,000."""
    organizations = customers or 1000
    title = f"Tenant health, {organizations} organizations of {USERS} users"
    report = Report(title)
    with fresh_database() as (connection, _):
        connection.execute((DEMO / "operational_schema.sql").read_bytes())
        size = {"organizations": organizations, "users": USERS, "until": UNTIL}
        for statement in (HERE / "usage.sql").read_text().split(";\n"):
            if statement.strip():
                connection.execute(statement.encode(), size)
        connection.execute("vacuum analyze")
        build_project(environment(connection))
        # the build has collected rows for an instant long ago
        connection.execute("truncate analytics.tenant_usage_metrics_daily")
        models = compile_project(environment(connection), tags={"usage"})
        report.scan = report.add_taken(
            "scan the columns of the source once",
            measured(connection, lambda: connection.execute(SCAN.encode())),
        )
        report.add_taken(
            "SQL of the models, the first day",
            measured(connection, lambda: models.refresh(connection, UNTIL)),
        )
        # as if every night before had collected the same figures
        connection.execute(
            b"insert into analytics.tenant_usage_metrics_daily"
            b" select (jsonb_populate_record(metrics, jsonb_build_object("
            b" 'metric_date', metric_date - number,"
            b" 'active_users_count', active_users_count * (number %% 7) / 7))).*"
            b" from analytics.tenant_usage_metrics_daily as metrics"
            b" cross join generate_series(1, %s) as number",
            [HISTORY],
        )
        connection.execute("vacuum analyze")
        report.add_taken(
            f"SQL of the models, {HISTORY} earlier days scored for the first time",
            measured(connection, lambda: models.refresh(connection, UNTIL)),
        )
        next_day = UNTIL + timedelta(days=1)
        report.add_taken(
            "SQL of the models, the next night",
            measured(connection, lambda: models.refresh(connection, next_day)),
        )
        found = models.seconds(connection, next_day)
        report.add("SQL of the models, nothing changed", sum(found.values()))
        for model, seconds in sorted(found.items(), key=lambda taken: -taken[1])[:5]:
            report.add(f"  of this, {model}", seconds)
        [scored] = rows(
            connection, "select count(*) as days from analytics.tenant_health_scores"
        )
        print(f"{scored['days']} days of organizations scored")
    Console(width=100).print(report.table)
