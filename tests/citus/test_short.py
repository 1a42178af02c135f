"""The short form of `make citus` that `make test` runs."""

from pathlib import Path

from conftest import UNTIL, Database, load_demo
from pairs import NIGHTLY, Pair, node

from bench.cluster import cluster

pytest_plugins = ["pairs"]


def test_a_night_is_as_on_one_server(
    refreshed: Database, programs: Path, of_citus: Path
) -> None:
    with cluster(programs, shards=6) as nodes:
        load_demo(node(nodes))
        nodes.distribute_demo()
        done = node(nodes).run(*NIGHTLY, project=of_citus)
        assert done.returncode == 0, done.stdout + done.stderr
        assert Pair(refreshed, node(nodes), of_citus).different() == {}
        done = node(nodes).run(
            *("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL), project=of_citus
        )
        assert done.returncode == 0, done.stdout + done.stderr
