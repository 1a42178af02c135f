"""Marts as others see them: rows that are always there, and columns that are only appended."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import UNTIL, Database


def dbt(database: Database, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "dbt"), *arguments],
        cwd=folder,
        env=database.os_environment(DBT_TARGET_PATH=str(folder / "target")),
        capture_output=True,
        text=True,
        check=False,
    )


# a column in the middle of a mart that views read, of a mart that is read back day by day,
# and of a view that another view selects completely
GROWN = {
    "bookings/rules/int_customer_analytics.sql": {
        "        customers.email_address,\n        customers.phone_number": (
            "        customers.email_address,\n"
            "        length(customers.email_address) as email_length,\n"
            "        customers.phone_number"
        )
    },
    "bookings/marts/customer_analytics.yml": {
        "      - &phone_number\n": "      - &email_length\n        name: email_length\n"
        "        data_type: integer\n        description: Its length.\n"
        "      - &phone_number\n",
        "      - *phone_number\n": "      - *email_length\n      - *phone_number\n",
    },
    "usage/rules/int_usage_counts.sql": {
        "        coalesce(cases.closed_cases_count, 0) as closed_cases_count,\n": (
            "        coalesce(users.enabled_users_count, 0) * 2 as twice_users_count,\n"
            "        coalesce(cases.closed_cases_count, 0) as closed_cases_count,\n"
        )
    },
    "usage/rules/int_usage_counts__held.sql": {
        "        held.closed_cases_count,\n": "        held.twice_users_count,\n"
        "        held.closed_cases_count,\n"
    },
    "usage/marts/tenant_usage_metrics_daily.yml": {
        "      - name: closed_cases_count\n": "      - name: twice_users_count\n"
        "        data_type: bigint\n        description: Twice.\n"
        "      - name: closed_cases_count\n"
    },
    "usage/marts/tenant_latest_health.sql": {
        "        latest.data_coverage,\n": (
            "        latest.overall_score * 2 as double_score,\n"
            "        latest.data_coverage,\n"
        )
    },
    **{
        f"usage/marts/{view}.yml": {
            "      - name: data_coverage\n": "      - name: double_score\n"
            "        data_type: integer\n        description: Twice.\n"
            "      - name: data_coverage\n"
        }
        for view in ("tenant_latest_health", "tenant_high_risk")
    },
}
NEW = {
    "customer_analytics": ("email_length", "phone_number"),
    "customer_profiles": ("email_length", "phone_number"),
    "tenant_usage_metrics_daily": ("twice_users_count", "closed_cases_count"),
    "tenant_latest_health": ("double_score", "data_coverage"),
    "tenant_high_risk": ("double_score", "data_coverage"),
}
READERS = """
    create role reader_of_reports;
    create schema reports;
    create view reports.customers as select * from analytics.customer_analytics;
    create view reports.ages as
    select display_name, profile_age_days from analytics.customer_profiles;
    create view reports.risks as select * from analytics.tenant_high_risk;
    grant select on analytics.customer_profiles, reports.ages to reader_of_reports
"""
SEEN = """
    select pg_class.oid, relname, relacl::text, relrowsecurity,
        (
            select array_agg(polname order by polname)
            from pg_policy where polrelid = pg_class.oid
        ) as policies
    from pg_class
    where
        relnamespace in ('reports'::regnamespace, 'analytics'::regnamespace)
        and relkind in ('r', 'v')
    order by 1
"""


def grow(project: Path) -> None:
    for name, edits in GROWN.items():
        file = project / "models" / name
        text = file.read_text()
        for old, new in edits.items():
            assert text.count(old) == 1, f"{name}: {old}"
            text = text.replace(old, new)
        file.write_text(text)


def columns_of(database: Database, name: str) -> list[object]:
    return [
        row["attname"]
        for row in database.rows(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
            " order by attnum",
            f"analytics.{name}",
        )
    ]


def refresh(database: Database, project: Path, mode: str, as_of: str) -> str:
    done = database.run(
        *("flows", "refresh", "--mode", mode, "--as-of", as_of, "--no-write-back"),
        project=project,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_new_column_is_appended_where_readers_stand_and_in_its_place_on_a_fresh_build(
    refreshed: Database, project: Path
) -> None:
    refreshed.execute(READERS)
    try:
        before = {name: columns_of(refreshed, name) for name in NEW}
        seen = refreshed.rows(SEEN)
        grow(project)
        refresh(refreshed, project, "nightly", UNTIL)
        assert refreshed.rows(SEEN) == seen
        for name, (column, _) in NEW.items():
            assert columns_of(refreshed, name) == [*before[name], column], name
        role = refreshed.value(
            "select role_name from operations.tenant_roles where system = 'bookings' limit 1"
        )
        with refreshed.connect() as connection:
            connection.execute(f"set role {role}".encode())
            for name in ("customer_analytics", "customer_profiles"):
                found = connection.execute(
                    f"select distinct organization_id from analytics.{name}".encode()
                )
                assert len(found.fetchall()) == 1, name
        refreshed.execute(
            "update booking.bookings set customer_note = 'grown', updated_at = now()"
            " where booking_id in (select booking_id from booking.bookings limit 9);"
            "update booking.customers set email_address = 'longer.' || email_address,"
            " updated_at = now() where email_address is not null and random() < 0.2"
        )
        later = "2026-06-15T13:00:00+00:00"
        assert "recomputes everything" not in refresh(refreshed, project, "hourly", later)
        assert refreshed.rows(SEEN) == seen
        for name in ("customer_analytics", "customer_profiles"):
            refreshed.execute(f"create table kept_{name} as select * from analytics.{name}")
        # the same from an empty database
        refreshed.execute("drop schema reports, analytics, analytics_internal cascade")
        refresh(refreshed, project, "nightly", later)
        for name, (column, follower) in NEW.items():
            columns = columns_of(refreshed, name)
            assert columns[columns.index(column) + 1] == follower, name
            assert sorted(map(str, columns)) == sorted(map(str, [*before[name], column]))
        for name in ("customer_analytics", "customer_profiles"):
            # a new build cannot know when a row first appeared and last changed
            compared = ", ".join(
                f'"{column}"'
                for column in columns_of(refreshed, name)
                if column not in ("created_at", "updated_at", "refreshed_at")
            )
            kept, fresh = f"public.kept_{name}", f"analytics.{name}"
            for one, other in ((kept, fresh), (fresh, kept)):
                assert (
                    refreshed.rows(
                        f"select {compared} from {one} except select {compared} from {other}"
                    )
                    == []
                ), name
        assert refreshed.value(
            "select count(email_length) > 0 from analytics.customer_analytics"
        )
    finally:
        refreshed.execute(
            "drop schema if exists reports cascade; drop owned by reader_of_reports;"
            " drop role reader_of_reports"
        )


@pytest.mark.slow
def test_a_public_view_that_loses_a_column_says_what_helps(refreshed: Database) -> None:
    refreshed.execute(
        "drop view analytics.tenant_high_risk; create view analytics.tenant_high_risk with"
        " (security_invoker = true) as"
        " select 1::bigint as one, metric_date::text as metric_date"
        " from analytics.tenant_latest_health;"
        "comment on view analytics.tenant_high_risk is 'customer_health: of another version'"
    )
    done = refreshed.run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    assert done.returncode == 2, done.stdout
    assert done.stderr == (
        "error: tenant_high_risk: tenant_high_risk loses one and gets other types for"
        " metric_date: run once with --full-refresh to drop and rebuild it (grants on it are"
        " dropped too)\n"
    )


@pytest.mark.slow
def test_a_mart_and_its_publication_that_do_not_fit_are_named_in_one_line(
    built: Database, project: Path
) -> None:
    orders = project / "models" / "orders"
    shutil.copyfile(project / "profiles.example.yml", project / "profiles.yml")

    def refused(what: str, name: str, old: str, new: str) -> str:
        text = (orders / name).read_text()
        assert old in text
        (orders / name).write_text(text.replace(old, new, 1))
        models = ("int_sales_reps", "orders_publications")
        done = dbt(built, project, what, "--quiet", "--select", *models)
        (orders / name).write_text(text)
        assert done.returncode, done.stdout
        assert "Compilation Error" in done.stdout, done.stdout + done.stderr
        lines = [line.strip() for line in done.stdout.splitlines()]
        [at] = [
            i for i, line in enumerate(lines) if "Compilation Error in model orders_" in line
        ]
        return lines[at + 1]

    mart = "marts/customer_risk_status.sql"
    scope = "'scope': 'int_customers__scope'"
    assert refused("compile", mart, scope, "'scoop': 1, 'day': 'today', 'keep_days': 3") == (
        "published of customer_risk_status: scoop is unknown; day is today, must be a column"
        " of unique_key; keep_days needs day and scope"
    )
    assert refused(
        "compile",
        mart,
        scope,
        "'scope': 'int_tenant', 'stamps': {'seen': 'a', 'written': 'b'}",
    ) == (
        "published of customer_risk_status: stamps.seen is unknown; scope is int_tenant,"
        " must be a model; stamps.seen is a, must be a column; stamps.written is b, must be a"
        " column"
    )
    assert refused("compile", mart, scope, "'scope': 'int_booking_customers__scope'") == (
        "published of customer_risk_status: scope is int_booking_customers__scope, whose"
        " unique_key must begin that of the mart"
    )
    line = "    'sales_reps': ref('int_sales_reps'),\n"
    assert refused("compile", "orders_publications.sql", line, "") == (
        "sales_reps says published_by(ref('orders_publications')), which has no rows for it"
    )
    assert refused(
        "compile", "orders_publications.sql", line, line.replace("'sales", "'sale_", 1)
    ) == (
        "orders_publications gives rows for sale__reps, which does not say"
        " published_by(ref('orders_publications'))"
    )
    found = refused(
        "run",
        "rules/int_sales_reps.sql",
        "select * from final",
        "select sales_rep_id, tenant_id::text as tenant_id, 1 as one from final",
    )
    assert found == (
        'the rows for sales_reps in "usual"."analytics_internal"."int_sales_reps" do not fit'
        " its contract: sales_rep_name is missing; sales_rep_email is missing; is_active is"
        " missing; tenant_id must be uuid; one must be left out"
    )
