"""Detach views for a migration of the application, and create them again."""

import pytest
from conftest import ONE, TENANT, TWO, UNTIL, Database

from flows.database import connect, install
from flows.detach import put_back
from flows.errors import Infrastructure
from flows.progress import Progress

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
HOURLY = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
VIEWS = """
    select schemaname || '.' || viewname as name from pg_views
    where schemaname in ('analytics', 'analytics_internal', 'operations') order by 1
"""
# changes to the tables of an application
MIGRATION = """
alter table commerce.customers alter column name type varchar(300);
alter table commerce.customers alter column risk_status type varchar(40);
alter table commerce.customers drop column email;
alter table commerce.customers add column email text;
alter table commerce.orders alter column total_amount type numeric(20, 4);
alter table commerce.orders rename to purchases;
alter table commerce.purchases rename to orders;
"""
MARTS = """
    select table_name as name from information_schema.tables
    where table_schema = 'analytics' and left(table_name, 6) != 'metric' order by 1
"""


def run(database: Database, *arguments: str, code: int = 0) -> str:
    done = database.run(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def names(database: Database, query: str) -> list[object]:
    return [row["name"] for row in database.rows(query)]


def marts(database: Database) -> dict[object, list[object]]:
    """Return the rows of every mart, as text."""
    return {
        mart: names(database, f"select them::text as name from analytics.{mart} as them")
        for mart in names(database, MARTS)
    }


def order(database: Database) -> None:
    database.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at)"
        " values (gen_random_uuid(), %s, %s, 'SUBMITTED', '2026-06-15 11:30+00')",
        TENANT,
        TWO,
    )


def test_grants_that_could_not_be_restored_are_still_noted(
    small: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is lost between the grants of a view loses none."""
    for name, value in small.environment.items():
        monkeypatch.setenv(name, value)
    with connect() as connection:
        install(connection, "operations.sql")
    noted = "select * from operations.detached_views"
    small.execute(
        "insert into operations.detached_views (relation, grant_statements) values"
        " ('pg_catalog.pg_class', array['select pg_terminate_backend(pg_backend_pid())'])"
    )
    before = small.rows(noted)
    with pytest.raises(Infrastructure), connect() as connection:
        put_back(connection, Progress(), is_complete=False)
    assert small.rows(noted) == before
    # a grant that fails takes none of the others with it
    small.execute(
        "create role reads_classes;"
        " update operations.detached_views set grant_statements = array["
        "'grant select on pg_class to nobody_knows',"
        " 'grant select on pg_class to reads_classes']"
    )
    with connect() as connection:
        put_back(connection, Progress(), is_complete=False)
    assert not small.rows(noted)
    assert small.value(
        "select count(*) from pg_class cross join lateral aclexplode(relacl) as rights"
        " where pg_class.oid = 'pg_class'::regclass"
        " and grantee = 'reads_classes'::regrole"
    )
    small.execute("drop owned by reads_classes; drop role reads_classes")


@pytest.mark.slow
def test_a_migration_runs_while_we_are_detached_and_a_refresh_comes_back(
    small: Database,
) -> None:
    run(small, *NIGHTLY)
    for part in ("capture", "hook", "roles"):
        run(small, "flows", part, "install")
    before, views = marts(small), names(small, VIEWS)
    small.execute(
        "create schema reporting; create view reporting.mine as"
        " select tenant_id from analytics.customer_risk_status;"
        "do $$ begin if to_regrole('a_reader') is null then create role a_reader; end if; end"
        " $$; grant select on operations.write_back_guards to a_reader;"
        "grant select (tenant_slug) on operations.pending_customer_updates to public"
    )
    with pytest.raises(Exception, match="cannot alter type of a column used by a view"):
        small.execute(MIGRATION)

    # never views that are not ours
    small.execute("create view reporting.theirs as select * from operations.order_statistics")
    refused = run(small, "flows", "detach", code=2)
    assert "view reporting.theirs depends on view operations.order_statistics" in refused
    assert names(small, VIEWS) == views
    small.execute("drop view reporting.theirs")

    printed = run(small, "flows", "detach")
    away = sorted(set(map(str, views)) - set(map(str, names(small, VIEWS))))
    assert f"detached: dropped {len(away)} views" in printed
    assert not [view for view in away if view.startswith("analytics.")]
    assert marts(small) == before
    assert small.value("select count(*) from reporting.mine") == 1
    small.execute(MIGRATION)

    # no statement of the application fails or is logged as an error, and no change is lost
    order(small)
    assert small.value("select count(*) from operations.hook_errors") == 0
    changed = "select count(*) from operations.changed_keys where key = %s"
    assert small.value(changed, TWO) == 1
    since = "detached since 20"
    # nor by a key column that no longer exists, once a refresh has seen it
    with small.connect() as application, application.transaction(force_rollback=True):
        application.execute("alter table commerce.orders rename column customer_id to client")
        application.execute("update commerce.orders set total_amount = 1")
        [noted] = application.execute(
            "select count(*) filter (where kind = 'everything') as lost,"
            " (select count(*) from operations.hook_errors) as errors"
            " from operations.changed_keys"
        ).fetchall()
        assert noted == {"lost": 3, "errors": 1}
    for words in (
        "write-back",
        "write-back --dry-run",
        "rollback 1",
        "hook install",
        "roles install",
        "refresh --organization acme",
    ):
        assert since in run(small, "flows", *words.split(), code=3), words
    for words in ("status", "hook status", "capture status", "detach"):
        assert since in run(small, "flows", *words.split()), words
    run(small, "flows", "alerts", "--dry-run")
    run(small, "flows", "weekly")

    printed = run(small, *HOURLY)
    assert "this hourly refresh recomputes everything: our views were detached" in printed
    assert names(small, VIEWS) == views
    assert small.value("select count(*) from operations.detached_views") == 0
    assert small.value("select account_type from commerce.customers where id = %s", TWO) == (
        "ACTIVE"
    )
    assert small.value(
        "select has_table_privilege('a_reader', 'operations.write_back_guards', 'select')"
        " and has_column_privilege('a_reader', 'operations.pending_customer_updates',"
        " 'tenant_slug', 'select')"
    )
    after = marts(small)
    assert after.keys() == before.keys()
    assert after["customer_risk_status"] == before["customer_risk_status"]
    assert since not in run(small, "flows", "status")
    order(small)
    assert small.value("select count(*) from operations.hook_errors") == 0
    small.execute("update commerce.customers set account_type = 'TARGET' where id = %s", ONE)
    assert "1 customer written back" in run(small, "flows", "write-back", "--force")
    # with nothing to do, it is an hourly refresh again
    assert "recomputes everything" not in run(small, *HOURLY)
