"""`customer-health roles` that stops halfway: nobody sees more, and no change is lost."""

from collections.abc import Iterator

import psycopg
import pytest
from conftest import Database
from test_foreign_roles import without_ours

INSTALL = ("flows", "roles", "install")
REMOVE = ("flows", "roles", "remove")
REFRESHER = "customer_health_refresher"
KEYS = "select count(*) as keys from operations.changed_keys where kind != 'everything'"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up a table in use after a second."""
    monkeypatch.setattr("flows.database.ATTEMPTS", 2)


def seen(database: Database, role: str, mart: str) -> list[str]:
    """Return the tenants whose rows a role sees in a mart."""
    with database.connect() as connection:
        connection.execute(f"set role {role}".encode())
        try:
            return [
                row["tenant"]
                for row in connection.execute(
                    f"select distinct tenant_id::text as tenant from analytics.{mart}".encode()
                )
            ]
        except psycopg.errors.InsufficientPrivilege:
            return []


def refused(database: Database, command: tuple[str, ...], code: int) -> str:
    done = database.run(*command)
    assert done.returncode == code, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_removing_that_stops_shows_no_rows_of_others(refreshed: Database) -> None:
    roles = refreshed.rows(
        "select role_name, tenant from operations.tenant_roles where system = 'orders'"
    )
    marts = ("tenants", "customer_account_types", "customer_risk_status")
    # yours, to one of these roles
    refreshed.execute(f"grant select on analytics.tenants to {roles[0]['role_name']}")
    with refreshed.connect() as reader, reader.transaction():
        # the map goes after the policies of all marts
        reader.execute("select from operations.tenant_roles")
        assert refused(refreshed, REMOVE, 4) == (
            "error: roles: one of operations.missing_rights, operations.source_grants,"
            " operations.tenant_roles is in use; run `customer-health roles remove` again:"
            " until then tenants and analysts may no longer read every mart\n"
        )
    assert not refreshed.value(
        "select relrowsecurity from pg_class where oid = 'analytics.tenants'::regclass"
    )
    for role in roles:
        for mart in marts:
            assert set(seen(refreshed, role["role_name"], mart)) <= {role["tenant"]}, mart
    assert seen(refreshed, "customer_health_analyst", "tenants") == []

    # an open transaction of the application has noted a change: others can note theirs
    note = "insert into operations.changed_keys (system, kind, tenant) values ('orders',"
    with refreshed.connect() as writer, writer.transaction():
        writer.execute(f"{note} 'tenant', 'one')".encode())
        told = refused(refreshed, REMOVE, 4)
        assert ", table operations.changed_keys, table" in told, told
        assert told.endswith("again: until then every other command may lack rights\n")
        refreshed.execute(f"set lock_timeout = 1; {note} 'tenant', 'two')")
    # nor has the hook another owner than the queue
    assert (
        refreshed.value(
            "select proowner::regrole::text from pg_proc where proname = 'after_order_created'"
        )
        == REFRESHER
    )
    assert refreshed.value(
        "select count(*) > 1 from pg_proc where proowner = 'postgres'::regrole"
        " and pronamespace = 'analytics'::regnamespace"
    )

    done = refreshed.run(*REMOVE)
    assert done.returncode == 0, done.stderr
    assert refreshed.rows(
        "select distinct relowner::regrole::text as owner from pg_class"
        " where relnamespace::regnamespace::text in ('analytics', 'operations')"
        " union select nspowner::regrole::text from pg_namespace"
        " where nspname in ('analytics', 'operations')"
    ) == [{"owner": "postgres"}]
    assert refreshed.value("select to_regclass('operations.former_owners')") is None
    assert refreshed.rows("select from pg_policies") == []


def test_what_forbids_the_removal_is_said_before(refreshed: Database) -> None:
    secured = "select tablename, policyname from pg_policies order by 1, 2"
    before = refreshed.rows(secured)
    groups = refreshed.value(
        "select string_agg(quote_ident(rolname), ', ') from pg_roles where rolname in"
        " ('customer_health_refresher', 'customer_health_write_back',"
        " 'customer_health_tenant', 'customer_health_analyst',"
        " 'customer_health_contact_writer')"
        " or rolname in (select role_name from operations.tenant_roles)"
    )
    refreshed.execute(f"create role half login createrole; grant {REFRESHER} to half")
    half = refreshed.as_user("half")
    try:
        told = refused(half, REMOVE, 4)
        assert "roles: half may not drop role customer_health_" in told
        refreshed.execute(f"grant {groups} to half with admin option")
        told = refused(half, REMOVE, 4)
        assert 'this needs `grant create on database "usual" to "half"`' in told
        refreshed.execute(
            "create view public.our_tenants as select tenant from operations.tenant_roles"
        )
        told = refused(refreshed, REMOVE, 2)
        assert "view our_tenants: this reads operations.tenant_roles" in told
        assert refreshed.rows(secured) == before
    finally:
        refreshed.execute("drop owned by half; drop role half")


@pytest.fixture
def captured(small: Database) -> Iterator[Database]:
    """A superuser has installed the triggers, and there are no roles of ours."""
    with without_ours(small):
        done = small.run("flows", "capture", "install")
        assert done.returncode == 0, done.stderr
        yield small


def test_installing_that_stops_loses_no_change(captured: Database) -> None:
    """The functions of the triggers and the tables that they write to go together."""
    [before] = captured.rows(KEYS)
    touch = "update commerce.orders set currency = 'EUR'"
    with captured.connect() as writer, writer.transaction():
        writer.execute(b"insert into operations.changed_keys (system, kind) values ('x', 'y')")
        told = refused(captured, INSTALL, 4)
        assert "operations.changed_keys" in told
        assert told.endswith(
            " is in use; run `customer-health roles install` again: until then every other"
            " command may lack rights\n"
        )
        captured.execute(touch)
    [after] = captured.rows(KEYS)
    assert after["keys"] == before["keys"] + 2, (before, after)
    assert captured.rows("select * from operations.hook_errors") == []

    done = captured.run(*INSTALL)
    assert done.returncode == 0, done.stderr
    # a superuser's rights would be too many for them
    assert captured.rows(
        "select distinct proowner::regrole::text as owner from pg_proc"
        " where starts_with(proname, 'capture_') and prorettype = 'trigger'::regtype"
    ) == [{"owner": REFRESHER}]
    captured.execute(touch)
    [last] = captured.rows(KEYS)
    assert last["keys"] == after["keys"] + 1
    assert captured.rows("select * from operations.hook_errors") == []
