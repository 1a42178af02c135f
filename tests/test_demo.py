"""A newcomer's first steps from a bare clone, and the demo's data."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import CUSTOMERS, PROJECT, UNTIL, Database, new_database

LIBPQ = {"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE"}


@pytest.mark.slow
def test_make_demo_in_a_bare_clone_ends_with_the_summary(tmp_path: Path) -> None:
    """In the existing environment, which `make setup` has built before."""
    if not (PROJECT / ".venv" / "done").exists():
        pytest.skip("no .venv: run `make setup` first")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(clone)], check=True)
    (clone / ".venv").symlink_to(PROJECT / ".venv")
    # as old as possible, so that the environment counts as newer
    os.utime(clone / "requirements.lock", (0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in LIBPQ}

    def make(target: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--silent", target],
            cwd=clone,
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )

    done = make("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "harbor-foods" in done.stdout
    assert "customers written back" in done.stdout
    assert "left out: " in done.stdout
    assert not done.stderr
    done = make("psql", "select 'late: ' || (count(*) > 0) from analytics.due_to_order")
    assert "late: true" in done.stdout, done.stderr
    shutil.rmtree(clone)


def test_demo_data_are_the_same_each_time(server: Database) -> None:
    sums = []
    for _ in range(2):
        database = new_database(server)
        done = database.run("demo", "--customers", "100", "--seed", "7", "--until", UNTIL)
        assert done.returncode == 0, done.stderr
        sums.append(
            database.value(
                "select sum(hashtextextended(orders::text, 0)) from commerce.orders"
            )
        )
        database.drop()
    assert sums[0] == sums[1]


def test_demo_data_have_the_dirt_of_real_life(refreshed_template: Database) -> None:
    conditions = {
        "an order without customer": "customer_id is null",
        "a cancelled order": "status = 'CANCELLED'",
        "an order that is not delivered": "delivered_at is null",
        "a total of zero": "total_amount = 0",
        "a negative total": "total_amount < 0",
        "a missing total": "total_amount is null",
    }
    for what, condition in conditions.items():
        assert refreshed_template.rows(
            f"select from commerce.orders where {condition} limit 1"
        ), what
    assert refreshed_template.rows(
        "select from commerce.orders group by customer_id having count(distinct currency) > 1"
    )
    assert refreshed_template.rows(
        "select from commerce.orders group by customer_id, delivered_at::date"
        " having count(*) > 1 and customer_id is not null"
    )
    assert refreshed_template.rows("select from commerce.customers where is_closed")
    assert refreshed_template.rows(
        "select from commerce.customers group by name having count(distinct tenant_id) > 1"
    )
    assert refreshed_template.rows(
        "select from commerce.tenants where id not in"
        " (select tenant_id from commerce.customers)"
    )
    zones = refreshed_template.rows("select distinct time_zone from commerce.tenants")
    assert len(zones) == 3


def test_demo_never_touches_tables_that_are_there(refreshed: Database) -> None:
    done = refreshed.run("demo")
    assert done.returncode == 0
    first, last = done.stdout.splitlines()
    assert "database usual on" in first
    assert last == "demo data: already loaded"
    refreshed.execute("comment on schema commerce is 'the real thing'")
    done = refreshed.run("demo")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "schema commerce" in line


def test_demo_goes_into_no_database_of_others(empty: Database) -> None:
    empty.execute("create schema shop; create table shop.orders ()")
    done = empty.run("demo", "--customers", "20")
    assert done.returncode == 2
    assert done.stderr == (
        "error: database empty already has tables, such as shop.orders; the demo needs a"
        " database of its own: unset DATABASE_URL and the libpq variables\n"
    )
    assert empty.value("select to_regnamespace('commerce')") is None


def test_the_row_in_the_readme_is_one_of_the_demo(refreshed_template: Database) -> None:
    readme = (PROJECT / "README.md").read_text()
    assert f"--customers {CUSTOMERS} --years 2 --until {UNTIL}" in readme
    [block] = re.findall(r"```text\n(customer_name .*?)\n```", readme, re.DOTALL)
    # a value may continue on the next line
    lines = re.sub(r"\n {20,}", " ", block).splitlines()
    told = {name.strip(): value for name, value in (line.split(" | ") for line in lines)}
    assert {"risk_status", "reason"} <= told.keys()
    columns = ", ".join(f"{name}::text" for name in told)
    found = refreshed_template.rows(
        f"select {columns} from analytics.customer_risk_status where customer_name = %s",
        told["customer_name"],
    )
    assert told in found
