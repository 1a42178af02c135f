"""Our sessions have the settings that the rules rely on, or say what prevents that."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import UNTIL, Database, load_two_customers, new_database
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow
from settings_of_others import UNUSUAL, set_as_usual, set_otherwise

import flows.database
from flows.database import connect, install, refresh_lock
from flows.keepalives import KEEPALIVES
from flows.session import settings

PGBOUNCER = Path("/usr/sbin/pgbouncer")
NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
LATER = "2026-06-15T13:00:00+00:00"
MODELS_RUN = (
    "select relname from pg_class where starts_with(relname, 'int_')"
    " and relnamespace = to_regnamespace('analytics_internal')"
)
WAITING = "select from pg_locks where not granted"
# of a refresh; that of a script which is being installed is another
LOCK = (
    "select pid from pg_locks where locktype = 'advisory' and granted"
    " and objid::bigint = hashtext('customer_health refresh')::bigint & x'ffffffff'::bigint"
)


def refresh(database: Database, *arguments: str, **environment: str) -> str:
    done = database.run(*(arguments or NIGHTLY), environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(database: Database, *arguments: str, code: int = 4, **environment: str) -> str:
    """Run a command that must fail; return its line with the reason."""
    done = database.run(*(arguments or NIGHTLY), environment=environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def order_of_one(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute(
            """
        insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,
            delivered_at, total_amount, updated_at)
        select gen_random_uuid(), tenant_id, id, 'DELIVERED', instant, instant, 100, instant
        from commerce.customers
        cross join (select timestamptz '2026-06-15 12:30+00') as now (instant)
        where not is_closed
        order by commerce.customers.id limit 5
        """
        )


def test_every_setting_that_rules_rely_on_is_one_that_the_others_change(
    server: Database,
) -> None:
    with server.connect() as connection:
        ours = connection.execute(
            f"select name, value from ({settings()}) as settings (name, value)".encode()
        ).fetchall()
    # the settings of a server that nobody changes by accident
    same = {"default_table_access_method", "client_connection_check_interval"}
    assert {row["name"] for row in ours} - set(UNUSUAL) == same


@pytest.mark.slow
def test_settings_of_the_database_change_no_mart(refreshed: Database) -> None:
    set_otherwise(refreshed)
    assert " 0 rows of marts changed, 0 customers written back" in refresh(refreshed)
    refresh(refreshed, "flows", "capture", "install")
    # the hook runs in sessions of the application, and would fail serializable transactions
    assert "read committed" in refused(refreshed, "flows", "hook", "install", code=2)
    with refreshed.connect() as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute(
            "alter database usual set default_transaction_isolation = 'read committed'"
        )
        # nobody reads views in such a session
        connection.execute("alter database usual reset restrict_nonsystem_relation_kind")
    refresh(refreshed, "flows", "hook", "install")
    order_of_one(refreshed)
    assert refreshed.rows("select * from operations.hook_errors") == []
    hourly = ("flows", "refresh", "--mode", "hourly", "--as-of", LATER)
    # the triggers are new, so everything is recomputed once
    refresh(refreshed, *hourly)
    order_of_one(refreshed)
    out = refresh(refreshed, *hourly, PGTZ="America/New_York", PGDATESTYLE="German")
    assert "recomputes everything" not in out
    for command in (
        ("write-back", "--dry-run"),
        ("capture", "status"),
        ("hook", "status"),
        ("roles", "status"),
        ("alerts", "--dry-run"),
        ("weekly",),
        ("status",),
    ):
        refresh(refreshed, "flows", *command)
    set_as_usual(refreshed)
    again = ("flows", "refresh", "--mode", "nightly", "--as-of", LATER)
    assert " 0 rows of marts changed, 0 customers written back" in refresh(refreshed, *again)


@pytest.mark.slow
def test_a_service_file_changes_no_session(small: Database, tmp_path: Path) -> None:
    # its options override PGOPTIONS
    service = tmp_path / "service"
    where = small.environment
    service.write_text(
        f"[theirs]\nhost={where['PGHOST']}\nport={where['PGPORT']}\nuser={where['PGUSER']}\n"
        f"dbname={where['PGDATABASE']}\n"
        "options=-c statement_timeout=50 -c default_transaction_isolation=serializable\n"
    )
    small.execute(
        "create role their_login login; grant usage on schema commerce to their_login"
    )
    named = Database(
        {
            **dict.fromkeys(where, ""),
            "PGSERVICEFILE": str(service),
            "PGSERVICE": "theirs",
        }
    )
    try:
        assert "2 customers written back" in refresh(named)
    finally:
        small.execute("drop owned by their_login; drop role their_login")


@pytest.fixture
def secured(small: Database) -> Iterator[Database]:
    """Enable row-level security on the orders; yield a login without a policy."""
    small.execute(
        """
        create role a_reader login;
        grant create on database usual to a_reader;
        grant usage on schema commerce, booking, platform, success to a_reader;
        grant select on all tables in schema commerce, booking, platform, success to a_reader;
        alter table commerce.orders enable row level security;
        """
    )
    yield small.as_user("a_reader")
    small.execute("drop owned by a_reader cascade; drop role a_reader")


@pytest.mark.slow
def test_rows_that_a_policy_hides_are_an_error(secured: Database, project: Path) -> None:
    words = 'row-level security policy for table "orders"'
    shutil.copy(project / "profiles.example.yml", project / "profiles.yml")
    assert words in refused(secured)
    built = subprocess.run(
        [
            "dbt",
            "build",
            "--select",
            "+customer_risk_status",
            "--exclude-resource-type=unit_test",
        ],
        cwd=project,
        env=secured.os_environment(
            DBT_PROFILES_DIR=str(project),
            PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin",
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode != 0
    assert words in built.stdout


@contextmanager
def pooled(database: Database, mode: str) -> Iterator[Database]:
    """The same database behind a PgBouncer in this pool mode."""
    folder = Path(tempfile.mkdtemp(prefix="bouncer"))
    where = database.environment
    (folder / "users.txt").write_text(f'"{where["PGUSER"]}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={where['PGHOST']} port={where['PGPORT']}\n[pgbouncer]\n"
        f"listen_addr =\nlisten_port = 6432\nunix_socket_dir = {folder}\n"
        f"auth_type = trust\nauth_file = {folder}/users.txt\npool_mode = {mode}\n"
        "ignore_startup_parameters = options,extra_float_digits\n"
        "default_pool_size = 8\nmax_client_conn = 50\n"
    )
    as_user = []
    if os.geteuid() == 0:
        # root may not run it, and its user must reach the server's socket
        owner = Path(where["PGHOST"]).owner()
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, owner)
        as_user = ["setpriv", f"--reuid={owner}", "--clear-groups"]
    bouncer = subprocess.Popen(
        [*as_user, str(PGBOUNCER), "-q", str(folder / "pgbouncer.ini")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    behind = Database({**where, "PGHOST": str(folder), "PGPORT": "6432"})
    asked = make_conninfo(
        host=str(folder),
        port=6432,
        user=where["PGUSER"],
        dbname=where["PGDATABASE"],
        connect_timeout=2,
    )
    try:
        for _ in range(100):
            try:
                psycopg.connect(asked).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        else:
            raise AssertionError("PgBouncer does not answer")
        yield behind
    finally:
        bouncer.terminate()
        bouncer.wait()
        shutil.rmtree(folder)


@pytest.mark.skipif(not PGBOUNCER.exists(), reason="PgBouncer is not there")
def test_a_pool_of_transactions_is_refused_and_left_as_it_was(refreshed: Database) -> None:
    with pooled(refreshed, "transaction") as behind:
        commands = (
            ("refresh", "--mode", "hourly"),
            ("write-back", "--dry-run"),
            ("status",),
            ("capture", "install"),
            ("roles", "status"),
            ("alerts",),
        )
        for command in commands:
            assert "pool_mode = session" in refused(behind, "flows", *command)
        # sessions of the application, which use the same backends
        sessions = [behind.connect() for _ in range(3)]
        for session in sessions:
            session.execute("begin")
            assert session.execute(
                "select current_user, current_setting('role') as role,"
                " current_setting('row_security') as row_security"
            ).fetchone() == {
                "current_user": refreshed.environment["PGUSER"],
                "role": "none",
                "row_security": "on",
            }
            session.close()
    assert refreshed.value("select count(*) from operations.application_logs") == 1


@pytest.mark.skipif(not PGBOUNCER.exists(), reason="PgBouncer is not there")
@pytest.mark.slow
def test_a_pool_of_sessions_will_do(small: Database) -> None:
    with pooled(small, "session") as behind:
        assert "2 customers written back" in refresh(behind)


@contextmanager
def running(database: Database) -> Iterator[subprocess.Popen[str]]:
    """A nightly refresh whose lock is held."""
    refreshing = subprocess.Popen(
        [sys.executable, "-m", *NIGHTLY],
        env=database.os_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield refreshing
    finally:
        refreshing.kill()
        refreshing.wait()


def wait_for(database: Database, query: str) -> object:
    for _ in range(300):
        if found := database.rows(query):
            return next(iter(found[0].values()))
        time.sleep(0.1)
    raise AssertionError(query)


def test_dbt_notices_within_minutes_that_the_network_was_cut(empty: Database) -> None:
    """As our own sessions do; a profile may set a shorter time."""
    # dbt takes seconds to import
    from dbt.adapters.contracts.connection import Connection
    from dbt.adapters.postgres.connections import PostgresCredentials

    from flows.dbt_child import Connections

    kind: Any = "postgres"
    place: dict[str, Any] = {
        "host": empty.environment["PGHOST"],
        "port": int(empty.environment["PGPORT"]),
        "user": empty.environment["PGUSER"],
        "password": "",
        "database": empty.environment["PGDATABASE"],
        "schema": "public",
    }
    for given, idle in ((0, 60), (30, 30)):
        credentials = PostgresCredentials(**place, keepalives_idle=given)
        opened = Connections.open(Connection(kind, None, credentials)).handle
        said = opened.get_dsn_parameters()
        opened.close()
        expected = KEEPALIVES | {"keepalives_idle": idle}
        assert {name: said.get(name) for name in expected} == {
            name: str(value) for name, value in expected.items()
        }


@pytest.mark.slow
def test_connections_are_kept_from_node_to_node(small: Database) -> None:
    sessions = "select sessions from pg_stat_database where datname = current_database()"
    before = int(str(small.value(sessions)))
    # what a node leaves behind is not there for the next: a temporary object would keep what
    # it reads from being replaced
    refresh(small)
    assert int(str(small.value(sessions))) - before < 50
    assert small.value("select count(*) from pg_class where relpersistence = 't'") == 0


def test_a_script_that_two_commands_run_is_run_by_one_after_the_other(
    small: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade, when alerts and a refresh begin in the same minute."""
    for name, value in small.environment.items():
        monkeypatch.setenv(name, value)

    def run_it() -> list[str]:
        with connect() as connection:
            return install(connection, script)

    script = "write_back.sql"
    with connect() as connection:
        install(connection, "operations.sql")
    run_it()
    small.execute("update operations.installed_scripts set version = 'an older one'")
    with connect() as first, ThreadPoolExecutor(1) as pool:
        with first.transaction():
            install(first, script)
            second = pool.submit(run_it)
            while not small.rows(WAITING):
                time.sleep(0.01)
            assert not second.done()
        assert second.result(60) == []


def test_the_lock_is_free_as_soon_as_a_run_has_ended(
    small: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as backends:

        @contextmanager
        def connect_and_stay() -> Iterator[psycopg.Connection[DictRow]]:
            # as if its backend were slow to notice that the client is gone
            yield backends.enter_context(small.connect())

        monkeypatch.setattr(flows.database, "connect", connect_and_stay)
        for _ in range(2):
            with refresh_lock():
                pass


def test_a_run_that_has_lost_its_lock_stops(small: Database) -> None:
    with running(small) as refreshing:
        pid = wait_for(small, LOCK)
        wait_for(
            small,
            MODELS_RUN,
        )
        small.execute("select pg_terminate_backend(%s)", pid)
        out, error = refreshing.communicate(timeout=60)
    assert refreshing.returncode == 4, out + error
    assert "the refresh lock was lost" in error
    [log] = small.rows(
        "select status, payload ->> 'error' as error from operations.application_logs"
    )
    assert log["status"] == "failed"
    assert "lock was lost" in log["error"]
    assert small.value("select count(*) from commerce.customers where risk_status != ''") == 0


@pytest.mark.slow
@pytest.mark.parametrize("has_lock", [True, False])
def test_a_run_whose_session_has_ended_says_how_it_ended(
    small: Database,
    has_lock: bool,  # noqa: FBT001 - given by pytest
) -> None:
    with running(small) as refreshing:
        lock = wait_for(small, LOCK)
        wait_for(small, MODELS_RUN)
        small.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'customer_health' and (pid != %s or not %s)",
            lock,
            has_lock,
        )
        out, error = refreshing.communicate(timeout=120)
    assert refreshing.returncode == 4, out + error
    [log] = small.rows(
        "select status, payload ->> 'error' as error from operations.application_logs"
    )
    assert log["status"] == "failed"
    assert log["error"] in error


@pytest.mark.slow
def test_a_profile_that_leads_elsewhere_is_refused(
    small: Database, server: Database, project: Path
) -> None:
    profile = project / "profiles.yml"
    profile.write_text(
        (project / "profiles.example.yml")
        .read_text()
        .replace("{{ env_var('PGDATABASE', 'postgres') }}", "elsewhere")
    )
    server.execute("create database elsewhere")
    try:
        done = small.run(*NIGHTLY, project=project)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "profiles.yml: dbt is connected to elsewhere" in done.stderr
        elsewhere = Database({**small.environment, "PGDATABASE": "elsewhere"})
        assert (
            elsewhere.value("select count(*) from pg_class where starts_with(relname, 'int_')")
            == 0
        )
    finally:
        server.execute("drop database elsewhere with (force)")


@pytest.mark.slow
def test_a_database_without_an_encoding_is_read_as_utf8(server: Database) -> None:
    server.execute(
        "create database usual template template0 encoding 'SQL_ASCII'"
        " lc_collate 'C' lc_ctype 'C'"
    )
    database = Database({**server.environment, "PGDATABASE": "usual"})
    try:
        load_two_customers(database)
        with database.connect() as connection:
            connection.execute("set client_encoding = utf8")
            connection.execute(
                "update commerce.customers set name = 'Zoë 🍞' where name = 'One'"
            )
        assert "2 customers written back" in refresh(database)
        refresh(database, "flows", "roles", "install")
        refresh(database, "flows", "refresh", "--mode", "hourly", "--as-of", LATER)
        refresh(database, "flows", "write-back", "--dry-run")
    finally:
        database.drop()


@pytest.mark.slow
def test_settings_of_the_database_change_no_mart_on_15(server_15: Database) -> None:
    database = new_database(server_15, "usual")
    try:
        load_two_customers(database)
        set_otherwise(database)
        assert "2 customers written back" in refresh(database)
        order_of_one(database)
        hourly = ("flows", "refresh", "--mode", "hourly", "--as-of", LATER)
        refresh(database, *hourly)
        set_as_usual(database)
        again = ("flows", "refresh", "--mode", "nightly", "--as-of", LATER)
        assert " 0 rows of marts changed, 0 customers written back" in refresh(
            database, *again
        )
    finally:
        database.drop()
