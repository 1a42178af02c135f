"""On Citus, every mart equals that of one PostgreSQL server at the same instant."""

import re
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from application import change
from conftest import PYTHON, UNTIL, Database, load_demo
from pairs import NIGHTLY, START, Pair, content, node, same_demo
from receivers import MailReceiver, serving

from bench.cluster import Cluster, cluster

pytestmark = pytest.mark.slow

pytest_plugins = ["pairs"]
SHARDS = (8, 32)


@pytest.fixture(params=SHARDS)
def pair(
    request: pytest.FixtureRequest, server: Database, programs: Path, of_citus: Path
) -> Iterator[Pair]:
    with same_demo(server, programs, of_citus, request.param) as both:
        yield both


# left by the last refresh
RECOMPUTED = """
    select count(*) from analytics_internal.int_customers as customers
    cross join lateral (
        select payload from operations.application_logs
        where payload ? 'marts' order by log_id desc limit 1
    ) as logs
    where payload ->> 'mode' = 'hourly' and not payload ? 'full_because'
"""


# staging views that look for copies of a row, because no index proves its key unique
COUNTED = """
    select relname from pg_class
    where
        relnamespace = 'analytics_internal'::regnamespace
        and relname like 'stg\\_%%' and pg_get_viewdef(oid) like '%%row_number()%%'
    order by 1
"""


def test_every_row_is_as_on_one_server(pair: Pair) -> None:
    pair.run("refresh", "--mode", "nightly", "--as-of", UNTIL, "--backfill-days", "5")
    assert pair.different() == {}
    assert pair.plain.rows(COUNTED) == pair.distributed.rows(COUNTED)
    for seed, hours in enumerate((1, 2)):
        at = pair.change(seed, hours)
        pair.run("refresh", "--mode", "hourly", "--as-of", at, "--no-write-back")
        pair.run("write-back", "--force")
        for database in (pair.plain, pair.distributed):
            assert database.value(RECOMPUTED) != 0
        assert pair.different() == {}
    at = pair.change(3, 3)
    pair.run("refresh", "--organization", "cedar-health", "--as-of", at)
    assert pair.different() == {}
    at = pair.change(4, 24)
    pair.run("refresh", "--mode", "nightly", "--as-of", at, "--no-write-back")
    pair.run("write-back", "--force")
    assert pair.different() == {}
    batch = str(pair.plain.value("select max(batch_id) from operations.write_back_batches"))
    pair.run("rollback", batch)
    assert pair.different() == {}


REFUSED = (
    ("capture install", "distributes no table with triggers"),
    ("hook install", "distributes no table with triggers"),
    ("roles install", "docs/scale.md"),
    ("api", "none of our roles"),
    ("api-tokens list", "none of our roles"),
)


def refuses(nodes: Cluster, project: Path, command: str, why: str) -> None:
    done = node(nodes).run("flows", *command.split(), project=project)
    assert done.returncode == 2, done.stdout
    # one line
    [said] = done.stderr.splitlines()
    assert f"error: {re.split('[ -]', command)[0]}: not possible " in said
    assert why in said


def test_what_citus_does_not_take_is_refused_before_anything_is_made(
    programs: Path, of_citus: Path
) -> None:
    with cluster(programs, shards=4) as nodes:
        load_demo(node(nodes), 60)
        catalog = "select relname from pg_class union all select rolname from pg_roles"
        before = [node(nodes, each).rows(f"{catalog} order by 1") for each in range(3)]
        # nothing is distributed yet
        for command, why in REFUSED:
            refuses(nodes, of_citus, command, why)
        assert before == [node(nodes, each).rows(f"{catalog} order by 1") for each in range(3)]

        nodes.distribute_demo()
        before = [node(nodes, each).rows(f"{catalog} order by 1") for each in range(3)]
        for command, why in (*REFUSED, ("check", "--no-write-back")):
            refuses(nodes, of_citus, command, why)
        assert before == [node(nodes, each).rows(f"{catalog} order by 1") for each in range(3)]


def test_roles_from_before_citus_are_refused_and_can_be_removed(
    programs: Path, of_citus: Path
) -> None:
    with cluster(programs, shards=4) as nodes:
        database = node(nodes)
        for number in range(3):
            nodes.execute(number, "drop extension citus")
        load_demo(database, 60)
        done = database.run("flows", "roles", "install")
        assert done.returncode == 0, done.stdout + done.stderr
        for number in range(3):
            nodes.execute(number, "create extension citus")
        nodes.join()
        nodes.distribute_demo()
        done = database.run(*NIGHTLY, project=of_citus)
        assert done.returncode == 2, done.stdout
        assert "error: refresh: not possible in a database with the extension" in done.stderr
        assert "`customer-health roles remove`" in done.stderr
        done = database.run("flows", "roles", "remove", project=of_citus)
        assert done.returncode == 0, done.stdout + done.stderr
        for number in range(len(nodes.nodes)):
            assert not node(nodes, number).rows(
                "select from pg_roles where rolname like 'customer_health%%'"
            )
        assert database.run(*NIGHTLY, project=of_citus).returncode == 0


def test_a_node_with_other_settings_is_named(nodes: Cluster, of_citus: Path) -> None:
    worker = node(nodes, 1)
    worker.execute("alter system set timezone to 'America/New_York'")
    worker.execute("select pg_reload_conf()")
    done = node(nodes).run(*NIGHTLY, project=of_citus)
    assert done.returncode == 2, done.stdout + done.stderr
    port = worker.environment["PGPORT"]
    assert (
        f"the node 127.0.0.1:{port} has timezone America/New_York, must be UTC" in done.stderr
    )
    [remedy] = re.findall(r"`(alter [^`]*)`", done.stderr)
    node(nodes).execute(remedy)
    assert node(nodes).run(*NIGHTLY, project=of_citus).returncode == 0


def test_without_citus_the_switch_is_refused(small: Database, of_citus: Path) -> None:
    done = small.run(*NIGHTLY, project=of_citus)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "setting citus is true, but this database has no extension citus" in done.stderr


def test_a_worker_that_dies_leaves_the_last_state_and_the_next_run_repairs(
    nodes: Cluster, of_citus: Path
) -> None:
    assert node(nodes).run(*NIGHTLY, project=of_citus).returncode == 0
    before = content(node(nodes))
    change([node(nodes)], 7, START, 40)
    command = [PYTHON, "-m", *NIGHTLY]
    environment = node(nodes).os_environment(DBT_TARGET_PATH=str(of_citus / "target"))
    with subprocess.Popen(
        command,
        cwd=of_citus,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as night:
        deadline = time.monotonic() + 60
        while not node(nodes).rows(
            "select from pg_stat_activity where application_name = 'dbt' and state = 'active'"
            " and query like '%%insert into%%'"
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        nodes.stop(1)
        _, said = night.communicate(timeout=120)
    down = (
        f"connection to the remote node postgres@127.0.0.1:{nodes.nodes[1]['PGPORT']} failed"
    )
    assert night.returncode == 4
    assert down in said.decode()
    of_one = ("flows", "refresh", "--organization", "cedar-health")
    for refresh in (NIGHTLY, of_one):
        done = node(nodes).run(*refresh, project=of_citus)
        assert done.returncode == 4, done.stdout
        assert down in done.stderr
        assert len(done.stderr.splitlines()) == 1
    nodes.start(1)
    marts = {name for name in before if name.startswith("analytics.")}
    now = content(node(nodes))
    assert {name for name in marts if now[name] != before[name]} == set()
    assert node(nodes).run(*NIGHTLY, project=of_citus).returncode in (0, 3)
    assert content(node(nodes)) != before


def test_owners_get_their_messages(nodes: Cluster, of_citus: Path) -> None:
    database = node(nodes)
    assert database.run(*NIGHTLY, project=of_citus).returncode == 0
    database.execute("delete from operations.alert_outbox")
    due = (
        "risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE', 'HEALTHY')"
        " and sales_rep_id is not null"
    )
    assert database.value(f"select count(*) from analytics.customer_risk_status where {due}")
    database.execute(
        f"update analytics.customer_risk_status set risk_status = 'DORMANT' where {due}"
    )
    with serving(MailReceiver()) as mails:
        done = database.run("flows", "alerts", project=of_citus, environment=mails.environment)
        assert done.returncode == 0, done.stdout + done.stderr
    owners = {
        row["sales_rep_email"]
        for row in database.rows("select sales_rep_email from analytics.sales_reps")
    }
    assert {message["to"] for message in mails.accepted} & owners
    # a Monday, so the weekly messages are due
    database.execute(
        "select operations.compose_messages(%s, '{}', array['mail'], false)",
        START + timedelta(hours=20),
    )
    assert database.value(
        "select count(*) from operations.message_outbox where kind = 'weekly'"
    )


def test_a_detached_table_can_be_altered_and_uninstall_leaves_nothing(
    nodes: Cluster, of_citus: Path
) -> None:
    tables = "select relname from pg_class where relkind in ('r', 'v', 'i') order by 1"
    schemas = "select nspname from pg_namespace where nspname not like 'pg_%%' order by 1"
    databases = [node(nodes, number) for number in range(len(nodes.nodes))]
    before = [(each.rows(tables), each.rows(schemas)) for each in databases]

    def run(*command: str) -> None:
        done = node(nodes).run(*command, project=of_citus)
        assert done.returncode == 0, done.stdout + done.stderr

    run(*NIGHTLY)
    views = "select count(*) from pg_views where schemaname like 'analytics%%'"
    made = node(nodes).value(views)
    run("flows", "detach")
    node(nodes).execute("alter table commerce.orders alter currency type varchar(9)")
    run(*NIGHTLY)
    assert node(nodes).value(views) == made
    run("flows", "uninstall")
    after = [(each.rows(tables), each.rows(schemas)) for each in databases]
    assert after == before


def test_a_tenant_moves_to_another_node_while_the_application_writes(
    nodes: Cluster, of_citus: Path
) -> None:
    database = node(nodes)
    placed = """
        select shard_name, nodename, nodeport from citus_shards
        where shardid = get_shard_id_for_distribution_column('commerce.orders', %s)
    """

    def run(*command: str) -> None:
        done = database.run(*command, project=of_citus)
        assert done.returncode == 0, done.stdout + done.stderr

    run(*NIGHTLY)
    shown = content(database)
    run("flows", "detach")
    # without blocking writes, as is Citus's default
    tenant = database.value("select id from commerce.tenants order by slug limit 1")
    database.execute(
        "select isolate_tenant_to_new_shard('commerce.orders', %s, 'CASCADE')", tenant
    )
    [home] = database.rows(placed, tenant)
    [there] = [
        int(one["PGPORT"]) for one in nodes.nodes[1:] if int(one["PGPORT"]) != home["nodeport"]
    ]
    database.execute(
        "select citus_move_shard_placement("
        "get_shard_id_for_distribution_column('commerce.orders', %s), %s, %s, %s, %s)",
        tenant,
        home["nodename"],
        home["nodeport"],
        home["nodename"],
        there,
    )
    run(*NIGHTLY)
    assert content(database) == shown
    [moved] = database.rows(
        placed.replace("commerce.orders", "analytics.customer_risk_status"), tenant
    )
    assert moved["nodeport"] == there


# Views that are not computed where their rows are stored, and why. All others are.
PULLED = {
    "from the application's tables of tenants, which are on every node: a row a tenant": {
        "int_tenants",
        "int_booking_organizations",
        "int_usage_organizations",
        "int_accounts_organizations",
    },
    "the few keys that have changed, read from the queue on the coordinator": {
        "int_changed_keys__orders",
        "int_changed_keys__bookings",
        "int_unknown_keys__orders",
        "int_unknown_keys__bookings",
    },
    "keys alone: those that have changed, whose time has come, and the others, united": {
        "int_customers__due",
        "int_customers__scope",
        "int_booking_customers__due",
    },
    "no tenant: kept on the coordinator": {
        "int_quarantined_rows__orders",
        "int_quarantined_rows__bookings",
        "int_quarantined_rows__usage",
        "int_quarantined_rows__accounts",
        "int_source_freshness__orders",
        "int_source_freshness__bookings",
    },
    "a row a tenant is gathered first": {
        "int_account_days__engagement",
        "int_booking_locations",
        "int_booking_totals",
        "int_booking_totals__before",
        "int_tenant_health_days",
        "int_tenant_health_scores",
        "int_usage_counts__campaigns",
        "int_usage_counts__held",
    },
    "tenants, and the few whose status is another than was said, are read several times": {
        "int_customers__status_revisions",
    },
}


def test_rows_are_computed_where_they_are_kept(nodes: Cluster, of_citus: Path) -> None:
    assert node(nodes).run(*NIGHTLY, project=of_citus).returncode == 0
    compiled = of_citus / "target" / "compiled" / "customer_health" / "models"
    pulled = set()
    with node(nodes).connect() as connection:
        tables = connection.execute(
            "select relname from pg_class where relkind = 'r'"
            " and relnamespace = 'analytics_internal'::regnamespace"
            " and relname like 'int\\_%'"
        ).fetchall()
        for name in (row["relname"] for row in tables):
            [file] = compiled.rglob(f"{name}.sql")
            insert = f"explain insert into analytics_internal.{name} {file.read_text()}"
            plan = [row["QUERY PLAN"] for row in connection.execute(insert.encode())]
            is_pushed = plan[0].startswith("Custom Scan (Citus Adaptive)")
            if not is_pushed or any("Distributed Subplan" in line for line in plan):
                pulled.add(name)
        pending = "explain analyze select * from operations.pending_customer_updates"
        compared = "\n".join(row["QUERY PLAN"] for row in connection.execute(pending))
    assert len(tables) > 60
    assert pulled == set().union(*PULLED.values())
    # of 60 customers the coordinator gets those that differ, none, and rows of tenants
    gathered = re.findall(
        r"Distributed Subplan.*?actual .*?rows=([\d.]+)", compared, re.DOTALL
    )
    assert gathered
    assert max(map(float, gathered)) < 10
