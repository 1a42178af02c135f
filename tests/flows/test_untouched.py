"""What a nightly refresh leaves as it is: views and marts that nobody has altered."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, UNTIL, USUAL, Database, load_two_customers, new_database

from flows.fingerprints import fingerprint_of_files
from flows.scope import last_relations
from flows.untouched import fingerprints as fingerprints_of

pytestmark = pytest.mark.slow

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
STAGED = "select pg_get_viewdef('analytics_internal.stg_orders__orders'::regclass)"


@pytest.fixture(scope="module")
def template(server: Database) -> Iterator[Database]:
    database = new_database(server, USUAL)
    load_two_customers(database)
    done = database.run(*NIGHTLY)
    assert done.returncode == 0, done.stdout + done.stderr
    database = database.as_template()
    yield database
    database.drop()


@pytest.fixture
def small(template: Database) -> Iterator[Database]:
    database = template.copy(USUAL)
    yield database
    database.drop()


def fingerprints(connection: Any) -> dict[str, str] | None:
    return fingerprints_of(connection, "the files")


def touched(connection: Any, touch: str) -> set[str]:
    """Return which fingerprints a statement changes."""
    before = fingerprints(connection)
    assert before
    assert before == fingerprints(connection)
    connection.execute(touch.encode())
    after = fingerprints(connection)
    assert after
    return {of for of in before if before[of] != after[of]}


def nightly(database: Database, project: Path = PROJECT) -> tuple[int, int]:
    """Run a nightly refresh; return the number of views it ran, and of tests that passed."""
    lines = Path(os.environ["DBT_LOG_PATH"], "lines.log")
    done = database.run(*NIGHTLY, "--log-file", str(lines), project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    finished = {word for line in lines.read_text().splitlines() for word in line.split()}
    lines.unlink()
    views = database.rows("select viewname as name from pg_views")
    passed = database.value(
        "select (payload ->> 'tests_passed')::integer from operations.application_logs"
        " order by log_id desc limit 1"
    )
    assert isinstance(passed, int)
    return len(finished.intersection(view["name"] for view in views)), passed


def test_a_nightly_refresh_skips_unaltered_views(small: Database, project: Path) -> None:
    passed = nightly(small, project)[1]
    # not ours, and all tests run
    small.execute("create view commerce.first as select * from commerce.orders limit 1")
    assert nightly(small, project) == (0, passed)

    yml = project / "models" / "orders" / "marts" / "due_to_order.yml"
    yml.write_text(f"{yml.read_text()}# a word more\n")
    views, passed_again = nightly(small, project)
    assert (views > 50, passed_again) == (True, passed)
    assert nightly(small, project) == (0, passed)


def test_a_key_that_is_no_longer_unique_is_looked_at_again(small: Database) -> None:
    assert "row_number()" not in str(small.value(STAGED))
    small.execute("alter table commerce.orders drop constraint orders_pkey cascade")
    assert nightly(small)[0] > 50
    assert "row_number()" in str(small.value(STAGED))
    assert nightly(small)[0] == 0


@pytest.mark.parametrize(
    "touch",
    [
        # our objects
        "create or replace view analytics.due_to_order as table analytics.due_to_order",
        "alter view analytics.due_to_order set (security_invoker = false)",
        "alter view analytics.due_to_order owner to somebody",
        "grant select on analytics.due_to_order to somebody",
        "grant select (tenant_id) on analytics.due_to_order to somebody",
        "comment on column analytics.due_to_order.tenant_id is 'theirs'",
        "alter table analytics.customer_risk_status add column more integer",
        "create index on analytics.customer_risk_status (risk_status)",
        "alter table analytics.customer_risk_status alter reason set not null",
        "alter table analytics.customer_risk_status enable row level security",
        "create policy own on analytics.customer_risk_status using (true)",
        "alter function operations.after_orders_created(text[]) set work_mem = '1MB'",
        "alter function operations.after_orders_created(text[]) security invoker",
        # their objects
        "alter table commerce.orders add column more integer",
        "alter table commerce.orders drop constraint orders_pkey cascade",
        "create unique index on commerce.orders (tenant_id, id)",
        "alter table commerce.customers add check (account_type != 'HOLD')",
        "alter table commerce.customers alter created_at drop not null",
        "create table commerce.more_orders () inherits (commerce.orders)",
        "set local search_path = commerce, public",
    ],
)
def test_every_alteration_changes_a_fingerprint(touch: str, small: Database) -> None:
    with small.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("create role somebody")
        assert touched(connection, touch)


def reads(connection: Any, what: str) -> None:
    """Let one of our views read another relation."""
    view = "analytics.due_to_order"
    [body] = connection.execute(f"select pg_get_viewdef('{view}'::regclass) as it").fetchall()
    connection.execute(
        f"create or replace view {view} as select list.* from ({body['it'].rstrip(';')})"
        f" as list where exists (select from {what})".encode()
    )


def test_a_table_behind_a_view_of_theirs_is_noticed(small: Database) -> None:
    with small.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("create table commerce.parcels (id integer)")
        connection.execute("create view commerce.sent as select * from commerce.parcels")
        reads(connection, "commerce.sent")
        more = "alter table commerce.parcels add column more integer"
        assert touched(connection, more) == {"theirs"}
        # one that the refresh drops with cascade and creates again
        made = [*last_relations(connection), '"commerce"."sent"']
        assert fingerprints_of(connection, "the files", made) is None


def test_lookups_through_sql_functions_are_treated_as_unknown(small: Database) -> None:
    function = (
        "create function commerce.all_orders() returns setof commerce.orders language {}"
        " stable as 'begin return query select * from commerce.orders; end'"
    )
    with small.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute(function.format("plpgsql").encode())
        reads(connection, "commerce.all_orders()")
        assert touched(connection, "alter function commerce.all_orders() volatile")
        connection.execute(
            "create or replace function commerce.all_orders() returns setof commerce.orders"
            " language sql stable as 'select * from commerce.orders'"
        )
        assert fingerprints(connection) is None


def test_a_variable_of_the_environment_that_a_file_names_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "dbt_project.yml").write_text(
        "vars: {region: \"{{ env_var('REGION', 'all') }}\","
        ' place: "{{ env_var (\\"PLACE\\") }}",'
        " key: \"{{ env_var('DBT_ENV_SECRET_KEY') }}\"}\n"
    )
    monkeypatch.setattr("flows.fingerprints.PROJECTS", (tmp_path,))
    before = fingerprint_of_files()
    monkeypatch.setenv("DBT_ENV_SECRET_KEY", "other")
    assert fingerprint_of_files() == before
    monkeypatch.setenv("REGION", "north")
    assert (of_region := fingerprint_of_files()) != before
    monkeypatch.setenv("PLACE", "north")
    assert fingerprint_of_files() != of_region


def test_a_source_that_names_another_table_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "models" / "orders").mkdir(parents=True)
    sources = tmp_path / "models" / "orders" / "_orders__sources.yml"
    monkeypatch.setattr("flows.fingerprints.PROJECTS", (tmp_path,))
    fingerprints = set()
    for schema in ("shop", "copy_of_shop"):
        sources.write_text(f"sources: [{{name: shop, schema: {schema}}}]\n")
        fingerprints.add(fingerprint_of_files())
    assert len(fingerprints) == 2
    (tmp_path / "models" / "orders" / "_orders__models.yml").write_text("models: []\n")
    assert fingerprint_of_files() in fingerprints


def test_retired_objects_are_dropped_unless_something_depends_on_them(
    small: Database, project: Path
) -> None:
    operations = project / "models" / "orders" / "operations"
    rules = project / "models" / "orders" / "rules"
    models = {
        operations / "first_view.sql": "select 1 as one",
        operations / "second_view.sql": "select * from {{ ref('first_view') }}",
        operations / "read_view.sql": "select 1 as one",
        rules / "int_first_step.sql": "select 1 as one",
    }
    for file, query in models.items():
        file.write_text(f"{{{{ config(contract={{'enforced': false}}) }}}}\n{query}\n")
    nightly(small, project)
    small.execute("create view commerce.reader as select * from operations.read_view")
    for file in models:
        file.unlink()
    done = small.run(*NIGHTLY, project=project)
    assert done.returncode == 0, done.stderr
    said = "no longer refreshed but kept: operations.read_view; drop them when"
    assert said in " ".join(done.stdout.split())
    stands = small.rows(
        "select relname as name from pg_class where relname = any(%s) order by 1",
        ["first_view", "second_view", "read_view", "int_first_step", "reader"],
    )
    assert [one["name"] for one in stands] == ["read_view", "reader"]
    # reported once
    assert "no longer refreshed" not in small.run(*NIGHTLY, project=project).stdout
