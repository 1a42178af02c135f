"""Real data, where ../shared has them: on Citus as on one server, and as the oracle says."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SHARED, Database, new_database
from pairs import Pair, node

from bench.cluster import cluster

CHECK = SHARED / "acceptance" / "check.py"
SALES, STAYS = "2011-12-10T12:00:00+00:00", "2017-09-30T12:00:00+00:00"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHECK.exists(), reason=f"no acceptance data in {SHARED}"),
]
pytest_plugins = ["pairs"]


def check(database: Database, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(CHECK), *arguments],
        env=database.os_environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_rows(here: Database, there: Database) -> None:
    """Copy all rows: loaded twice, they would have two clocks."""
    tables = here.rows(
        "select pg_class.oid::regclass::text as name from pg_class where relkind = 'r'"
        " and relnamespace::regnamespace::text in ('commerce', 'booking')"
    )
    with here.connect() as source, there.connect() as target:
        for table in tables:
            with (
                source.cursor().copy(f"copy {table['name']} to stdout".encode()) as rows,
                target.cursor().copy(f"copy {table['name']} from stdin".encode()) as into,
            ):
                for row in rows:
                    into.write(row)


@pytest.fixture
def pair(server: Database, programs: Path, of_citus: Path) -> Iterator[Pair]:
    plain = new_database(server)
    with cluster(programs, shards=8) as nodes:
        for database in (plain, node(nodes)):
            check(database, "create")
        check(plain, "load", "retail", "hotels")
        copy_rows(plain, node(nodes))
        nodes.distribute_demo()
        yield Pair(plain, node(nodes), of_citus)
    plain.drop()


FITS = """
    select tenant_id, valid_from, state, customers, round(log_likelihood::numeric, 2)
    from analytics.order_model_parameters order by tenant_id, valid_from
"""


def test_shops_and_hotels_are_as_on_one_server_and_as_the_oracle_says(pair: Pair) -> None:
    for data, as_of in (("retail", SALES), ("hotels", STAYS)):
        pair.run("refresh", "--mode", "nightly", "--as-of", as_of, "--no-write-back")
        assert pair.different() == {}
        told = check(pair.distributed, "compare", data, "--as-of", as_of)
        assert told.endswith("\n0 differences\n")
        if data == "retail":
            pair.run("fit-orders")
            plain, distributed = (each.rows(FITS) for each in (pair.plain, pair.distributed))
            assert plain == distributed
            assert "FITTED" in {fit["state"] for fit in plain}
            # they are as near as sums of fractions are
            for database in (pair.plain, pair.distributed):
                database.execute("delete from analytics.order_model_parameters")
