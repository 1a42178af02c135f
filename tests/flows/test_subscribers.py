"""Subscribers of a publication for all tables: a table of ours that they lack stops them."""

import time
from collections.abc import Iterator

import pytest
from conftest import Database, load_two_customers, new_database, running, server_folder

from flows import subscribers
from flows.project import settings

ALL_TABLES = "create publication upgrade for all tables"
SLOT = "select pg_create_logical_replication_slot('standby', 'pgoutput')"
FIRST = (
    ("alerts",),
    ("capture", "install"),
    ("detach",),
    ("hook", "install"),
    ("refresh", "--mode", "nightly"),
    ("roles", "install"),
    ("write-back",),
)
OURS = """
    select nspname from pg_namespace where nspname ~ '^(analytics|operations)'
    union all select rolname from pg_roles where rolname ~ '^customer_health'
"""


@pytest.fixture(scope="module")
def logical() -> Iterator[Database]:
    """A server that decodes its WAL for subscribers."""
    folder = server_folder()
    with running(folder, "stop") as database:
        database.execute("alter system set wal_level = logical")
    with running(folder, "delete") as database:
        yield database


@pytest.fixture
def publisher(logical: Database) -> Iterator[Database]:
    """An application that publishes all tables, and nothing of ours."""
    database = new_database(logical, "usual")
    load_two_customers(database)
    database.execute(ALL_TABLES)
    yield database
    for slot in database.rows(
        "select slot_name from pg_replication_slots where database = current_database()"
    ):
        database.rows("select pg_drop_replication_slot(%s)", slot["slot_name"])
    database.drop()


def test_no_command_creates_the_first_table_of_ours_where_it_would_stop_a_subscriber(
    publisher: Database,
) -> None:
    publisher.rows(SLOT)
    for command in FIRST:
        done = publisher.run("flows", *command)
        assert done.returncode == 2, f"{command}\n{done.stdout}\n{done.stderr}"
        [line] = done.stderr.splitlines()
        assert "publication upgrade publishes every new table" in line
        assert "the subscriber of slot standby would stop" in line
        assert "for tables in schema" in line
        assert "`subscribers_have_our_tables: true`" in line
        assert publisher.rows(OURS) == []
    # a login that may do nothing else sees it, too
    publisher.execute("create role nobody_at_all login")
    with publisher.as_user("nobody_at_all").connect() as connection:
        found = subscribers.followers(connection)
    publisher.execute("drop role nobody_at_all")
    assert found == subscribers.Followers("upgrade", "standby", are_here=False)


def test_where_nobody_follows_or_only_other_schemas_are_published_nothing_is_refused(
    publisher: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a publication for all tables, which nobody follows
    done = publisher.run("flows", "alerts")
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith(
        "warning: publication upgrade publishes every new table, so whoever"
    )
    # once
    assert publisher.run("flows", "detach").stderr == ""
    # from now on, somebody follows: each new table is named
    publisher.rows(SLOT)
    publisher.execute("drop table operations.message_news")
    done = publisher.run("flows", "alerts")
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    assert line == (
        "warning: the subscriber of slot standby needs a new table, or its replication stops:"
        " operations.message_news (docs/ownership.md)"
    )
    found = subscribers.Followers("upgrade", "standby", are_here=True)
    assert "stops when a command of ours creates a table" in str(found.problem())
    # published by schema
    publisher.execute(
        "drop schema operations cascade; drop publication upgrade;"
        "create publication shop for tables in schema commerce"
    )
    assert publisher.run("flows", "alerts").stderr == ""
    # a schema with a name of ours, which is somebody else's
    publisher.execute(
        "drop schema operations cascade; create schema operations;"
        "create publication theirs for tables in schema operations"
    )
    assert "publication theirs publishes" in publisher.run("flows", "alerts").stderr
    # the user says that the subscribers get them
    monkeypatch.setitem(settings(), subscribers.VAR, True)  # noqa: FBT003
    done = publisher.run("flows", "alerts")
    assert done.returncode == 0, done.stderr
    assert "standby needs 6 new tables, or its replication stops: operations." in done.stderr


def test_a_subscriber_with_our_tables_goes_on(
    publisher: Database, logical: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/ownership.md says, with the tables of one command instead of a dump."""
    follower = new_database(logical, "follower")
    load_two_customers(follower)
    publisher.rows(SLOT)
    host = publisher.environment["PGHOST"]
    with follower.connect() as connection:
        connection.execute(
            f"create subscription standby connection 'host={host} user=postgres dbname=usual'"
            " publication upgrade with (create_slot = false, copy_data = false)".encode()
        )
    try:
        follower.execute("alter subscription standby disable")
        monkeypatch.setitem(settings(), subscribers.VAR, True)  # noqa: FBT003
        assert publisher.run("flows", "alerts").returncode == 0
        # in place of `pg_dump --schema-only`
        assert follower.run("flows", "alerts").returncode == 0
        follower.execute("alter subscription standby enable")
        publisher.execute("update commerce.customers set name = 'new'")
        deadline = time.monotonic() + 20
        while not follower.value("select every(name = 'new') from commerce.customers"):
            assert time.monotonic() < deadline, "the change has not arrived"
            time.sleep(0.05)
    finally:
        follower.execute("alter subscription standby disable")
        follower.execute("alter subscription standby set (slot_name = none)")
        follower.execute("drop subscription standby")
        follower.drop()
