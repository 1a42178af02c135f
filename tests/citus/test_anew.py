"""What is made anew or grows, by dbt or by a new version, is as on one server."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT, UNTIL, Database
from pairs import Pair, for_both, same_demo

pytestmark = pytest.mark.slow

pytest_plugins = ["pairs"]

# tables and views that are not spread over the nodes, of those that have a tenant
UNSPREAD = """
    select relname from pg_class
    inner join pg_attribute on attrelid = pg_class.oid
    where
        relnamespace::regnamespace::text in ('analytics', 'analytics_internal')
        and relkind = 'r'
        and attname in ('tenant_id', 'organization_id')
        and relname not like 'int_quarantined_rows%%'
        and pg_class.oid not in (
            select logicalrelid from pg_dist_partition where partmethod = 'h'
        )
"""


@pytest.fixture
def pair(
    server: Database, programs: Path, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Both with a copy of the project, which a test may edit."""
    copies = for_both(project, tmp_path_factory)
    with same_demo(server, programs, copies[0], shards=6, customers=60) as both:
        yield Pair(both.plain, both.distributed, *copies)


def add_column(project: Path) -> None:
    """Add the column of CONTRIBUTING.md to a mart."""
    text = (PROJECT / "CONTRIBUTING.md").read_text().partition("\n## Add a column to a mart\n")
    [diff] = re.findall(r"```diff\n(.*?)```", text[2].partition("\n## ")[0], re.DOTALL)
    subprocess.run(["git", "apply"], cwd=project, input=diff, text=True, check=True)


def move_column(project: Path) -> None:
    """Swap two columns of one type, in a table between two steps of a daily system."""
    model = project / "models" / "accounts" / "rules" / "int_account_engagements.sql"
    text = model.read_text()
    before, after = (
        "scheduled_at,\n        completed_at,",
        "completed_at,\n        scheduled_at,",
    )
    assert text.count(before) == 1
    model.write_text(text.replace(before, after))


def test_marts_that_are_made_anew_or_grow_are_as_on_one_server(pair: Pair) -> None:
    def differs() -> object:
        return pair.different(least=3000)

    nightly = ("refresh", "--mode", "nightly", "--as-of")
    anew = ("build", "--full-refresh", "--vars", json.dumps({"as_of": UNTIL}))
    pair.run(*nightly, UNTIL)
    pair.dbt(*anew)
    assert differs() == {}

    # by an upgrade
    for project in (pair.project, pair.other_project):
        add_column(project)
        move_column(project)
    pair.run("refresh", "--organization", "beacon-software", "--as-of", UNTIL)
    assert differs() == {}
    at = pair.change(1, hours=1)
    for done in pair.run("refresh", "--mode", "hourly", "--as-of", at):
        assert "recomputes everything: the rules have changed" in done.stdout
    assert differs() == {}
    for database in (pair.plain, pair.distributed):
        assert database.value(
            "select count(first_order_date) > 0 from analytics.customer_risk_status"
        )
    at = pair.change(2, hours=2)
    for done in pair.run("refresh", "--mode", "hourly", "--as-of", at):
        assert "recomputes everything" not in done.stdout
    assert differs() == {}

    # by a version that no longer has a column: the mart is dropped, and the views on it
    for database in (pair.plain, pair.distributed):
        database.execute("alter table analytics.customer_risk_status add of_before text")
    for done in pair.run(*nightly, at, code=2):
        assert "no longer has, or has another type for, of_before" in done.stderr
    pair.dbt(*anew)
    at = pair.change(3, hours=3)
    pair.run(*nightly, at)
    assert differs() == {}
    assert pair.distributed.rows(UNSPREAD) == []
