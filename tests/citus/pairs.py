"""The same application on one PostgreSQL and on Citus, and what is different then."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from application import change
from conftest import PROJECT, PYTHON, UNTIL, Database, load_demo, new_database

from bench.cluster import WHERE, Cluster, cluster, installation
from flows.dbt import PROGRAM

CUSTOMERS = 200
START = datetime.fromisoformat(UNTIL)
NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
# when and as what things ran: different each time
OF_RUNS = {
    "alert_episodes",
    "alert_outbox",
    "alert_rounds",
    "application_logs",
    "detached_views",
    "installed_scripts",
    "job_status",
    "message_outbox",
    "message_news",
    "refresh_alert_states",
    "refresh_health",
    "write_back_batches",
    *(f"{system}_publications" for system in ("orders", "bookings", "usage", "accounts")),
    # of roles, which there are not on Citus
    "former_owners",
    "missing_rights",
    "source_grants",
    "tenant_roles",
}
# dbt's own command line, with our connection and the place of our project
DBT = PROGRAM.format("command_line")
WITHOUT_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    with installation() as found:
        if found is None:
            pytest.skip(WHERE)
        yield found


@pytest.fixture
def of_citus(project: Path) -> Path:
    """The project with the one switch that is for Citus."""
    switch(project)
    return project


def switch(project: Path) -> None:
    """Set the switch in a copy of the project."""
    settings = project / "dbt_project.yml"
    text = settings.read_text()
    assert "\n  citus: false\n" in text
    settings.write_text(text.replace("\n  citus: false\n", "\n  citus: true\n"))


def for_both(project: Path, factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two copies of a project that was edited: for Citus, and for one server."""
    plain = factory.mktemp("plain") / "project"
    shutil.copytree(project, plain)
    switch(project)
    return project, plain


def node(nodes: Cluster, number: int = 0) -> Database:
    """Return the database as a node has it; the first is the coordinator."""
    return Database(nodes.nodes[number])


@pytest.fixture
def nodes(programs: Path) -> Iterator[Cluster]:
    with cluster(programs, shards=4) as started:
        load_demo(node(started), 60)
        started.distribute_demo()
        yield started


def run_dbt(database: Database, project: Path, *command: str) -> None:
    """Run dbt itself."""
    done = subprocess.run(
        [PYTHON, "-c", DBT, *command],
        cwd=project,
        env=database.os_environment(DBT_TARGET_PATH=str(project / "target")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Pair:
    """The same application on one PostgreSQL and on Citus."""

    plain: Database
    distributed: Database
    project: Path
    # of the plain side
    other_project: Path = PROJECT

    def run(self, *command: str, code: int = 0) -> list[subprocess.CompletedProcess[str]]:
        """Run a command of ours on both."""
        done = [
            self.plain.run("flows", *command, project=self.other_project),
            self.distributed.run("flows", *command, project=self.project),
        ]
        for run in done:
            assert run.returncode == code, run.stdout + run.stderr
        return done

    def dbt(self, *command: str) -> None:
        """Run dbt itself on both, without its tests."""
        for database, project in (
            (self.plain, self.other_project),
            (self.distributed, self.project),
        ):
            run_dbt(database, project, *command, *WITHOUT_TESTS)

    def change(self, seed: int, hours: int) -> str:
        """Let the application work until an instant; return it."""
        now = START + timedelta(hours=hours)
        change([self.plain, self.distributed], seed, now, 60)
        return now.isoformat()

    def different(self, least: int = 10_000) -> dict[str, tuple[list[str], list[str]]]:
        """Return the rows that only one of them has, by relation; both have many rows."""
        plain, distributed = content(self.plain), content(self.distributed)
        assert plain.keys() == distributed.keys(), plain.keys() ^ distributed.keys()
        assert sum(rows.total() for rows in plain.values()) > least
        return {
            name: (
                sorted((plain[name] - distributed[name]).elements()),
                sorted((distributed[name] - plain[name]).elements()),
            )
            for name in plain
            if plain[name] != distributed[name]
        }


def content(database: Database) -> dict[str, Counter[str]]:
    """Return the rows of all marts and views of ours, and of the table we write to."""
    with database.connect() as connection:
        names = [
            row["name"]
            for row in connection.execute(
                "select format('%%I.%%I', nspname, relname) as name from pg_class"
                " inner join pg_namespace on pg_namespace.oid = relnamespace"
                " where nspname in ('analytics', 'operations') and relkind in ('r', 'v')"
                " and obj_description(pg_class.oid, 'pg_class') like 'customer_health:%%'"
                " and relname != all(%s)",
                (list(OF_RUNS),),
            )
        ]
        connection.execute("set timezone to 'UTC'")
        found = {}
        for name in [*names, "commerce.customers"]:
            with connection.cursor().copy(
                f"copy (select * from {name}) to stdout".encode()
            ) as rows:
                found[name] = Counter(bytes(row).decode() for row in rows)
    return found


@contextmanager
def same_demo(
    server: Database, programs: Path, project: Path, shards: int, customers: int = CUSTOMERS
) -> Iterator[Pair]:
    """Make both with the same demo data."""
    plain = new_database(server)
    with cluster(programs, shards) as nodes:
        for database in (plain, node(nodes)):
            load_demo(database, customers)
        nodes.distribute_demo()
        yield Pair(plain, node(nodes), project)
    plain.drop()
