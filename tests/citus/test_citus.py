"""On Citus, every mart equals that of one PostgreSQL server at the same instant."""

import json
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from application import change
from conftest import PYTHON, UNTIL, Database, copy_of_project, load_demo, new_database
from pairs import NIGHTLY, START, Pair, content, node, run_dbt, same_demo, switch
from psycopg.rows import DictRow
from receivers import MailReceiver, serving
from test_live_write_back import SESSIONS, pending, sessions
from test_write_back import outcomes, statuses

from bench.cluster import Cluster, cluster
from flows.database import Connection

pytestmark = pytest.mark.slow

pytest_plugins = ["pairs"]
# with either, both workers have tenants with orders; with 4 or 8, one has them all
SHARDS = (6, 32)


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


# what each publication did, but when and in which run
PUBLISHED = " union all ".join(
    f"""
    select
        mart, as_of::text, held_as_of::text, refresh_scope,
        rows_written, rows_removed, rows_corrected
    from operations.{system}_publications
    """
    for system in ("orders", "bookings", "usage", "accounts")
)


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
    plain, distributed = (
        Counter(map(repr, database.rows(PUBLISHED)))
        for database in (pair.plain, pair.distributed)
    )
    assert (plain - distributed, distributed - plain) == ({}, {})


REFUSED = (
    ("capture install", "distributes no table with triggers"),
    ("hook install", "distributes no table with triggers"),
    ("roles install", "docs/scale.md"),
    ("api", "none of our roles"),
    ("api-tokens list", "none of our roles"),
)


# all relations, schemas, functions and roles, with their owners and the rights to them
CATALOG = """
    select
        oid::regclass::text as name, relowner::regrole::text as owner, relacl::text as rights
    from pg_class
    where relpersistence != 't'
    union all
    select nspname, nspowner::regrole::text, nspacl::text
    from pg_namespace
    where nspname !~ '^pg_(toast_)?temp'
    union all
    select oid::regprocedure::text, proowner::regrole::text, proacl::text
    from pg_proc
    union all
    select rolname, null, null
    from pg_roles
    order by 1, 2, 3
"""


def catalogs(nodes: Cluster) -> list[list[DictRow]]:
    """Return what each node has."""
    return [node(nodes, number).rows(CATALOG) for number in range(len(nodes.nodes))]


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
        before = catalogs(nodes)
        # nothing is distributed yet
        for command, why in REFUSED:
            refuses(nodes, of_citus, command, why)
        assert catalogs(nodes) == before

        nodes.distribute_demo()
        before = catalogs(nodes)
        for command, why in (*REFUSED, ("check", "--no-write-back")):
            refuses(nodes, of_citus, command, why)
        assert catalogs(nodes) == before

        # without the setting Citus refuses, but late
        done = node(nodes).run(*NIGHTLY)
        assert done.returncode == 4, done.stdout
        assert "direct joins between distributed and local tables" in done.stderr


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
    worker.execute("alter system set statement_timeout to '1min'")
    worker.execute("select pg_reload_conf()")
    done = node(nodes).run(*NIGHTLY, project=of_citus)
    assert done.returncode == 2, done.stdout + done.stderr
    port = worker.environment["PGPORT"]
    assert (
        f"the node 127.0.0.1:{port} has timezone America/New_York, must be UTC" in done.stderr
    )
    assert f"the node 127.0.0.1:{port} has statement_timeout 60000, must be 0" in done.stderr
    remedies = re.findall(r"`(alter [^`]*)`", done.stderr)
    assert len(remedies) == 2
    for remedy in remedies:
        node(nodes).execute(remedy)
    assert node(nodes).run(*NIGHTLY, project=of_citus).returncode == 0


def test_without_citus_the_switch_is_refused(small: Database, of_citus: Path) -> None:
    done = small.run(*NIGHTLY, project=of_citus)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "setting citus is true, but this database has no extension citus" in done.stderr


def until(database: Database, query: str) -> DictRow:
    """Wait until the query has a row, and return it."""
    with database.connect() as connection:
        deadline = time.monotonic() + 60
        while (row := connection.execute(query.encode()).fetchone()) is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return row


BUSY = """
    select pid from pg_stat_activity
    where application_name = 'dbt' and state = 'active' and query like '%{}%'
"""


def during_a_working_table(nodes: Cluster) -> None:
    until(node(nodes), BUSY.format("insert into"))
    nodes.stop(1)


def during_the_commit_of_a_publication(nodes: Cluster) -> None:
    """Stop the first worker when it is prepared to commit, while the second is not."""
    second = node(nodes, 2)
    busy = until(node(nodes), BUSY.format("orders_publications%$publish$"))
    # it waits for a replica that does not exist
    second.execute("alter system set synchronous_standby_names to 'nobody'")
    second.execute("select pg_reload_conf()")
    until(
        node(nodes, 1),
        f"select from pg_prepared_xacts where gid like 'citus\\_0\\_{busy['pid']}\\_%'",
    )
    nodes.stop(1)
    second.execute("alter system reset synchronous_standby_names")
    second.execute("select pg_reload_conf()")


def test_a_worker_that_dies_leaves_a_published_state_and_the_next_run_repairs(
    server: Database, programs: Path, of_citus: Path
) -> None:
    plain = new_database(server)
    with cluster(programs, shards=6) as nodes:
        database = node(nodes)
        pair = Pair(plain, database, of_citus)
        for each in (plain, database):
            load_demo(each, 60)
        nodes.distribute_demo()
        pair.run(*NIGHTLY[1:])
        assert pair.different(least=3000) == {}
        before = content(database)
        change([plain, database], 7, START, 40)
        repaired = plain.run(*NIGHTLY).returncode
        after = content(plain)

        def night_in_which(worker_dies: Callable[[Cluster], None]) -> None:
            with subprocess.Popen(
                [PYTHON, "-m", *NIGHTLY],
                cwd=of_citus,
                env=database.os_environment(DBT_TARGET_PATH=str(of_citus / "target")),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            ) as night:
                worker_dies(nodes)
                _, said = night.communicate(timeout=120)
            assert night.returncode == 4
            assert down in said.decode()

        port = nodes.nodes[1]["PGPORT"]
        down = f"connection to the remote node postgres@127.0.0.1:{port} failed"
        night_in_which(during_a_working_table)
        of_one = ("flows", "refresh", "--organization", "cedar-health")
        for refresh in (NIGHTLY, of_one):
            done = database.run(*refresh, project=of_citus)
            assert done.returncode == 4, done.stdout
            assert down in done.stderr
            assert len(done.stderr.splitlines()) == 1
        nodes.start(1)
        marts = {name for name in before if name.startswith("analytics.")}
        now = content(database)
        assert {name for name in marts if now[name] != before[name]} == set()

        night_in_which(during_the_commit_of_a_publication)
        nodes.start(1)
        # Citus does it itself every minute
        database.execute("select recover_prepared_transactions()")
        now = content(database)
        changed = {name for name in marts if now[name] != before[name]}
        assert "analytics.customer_risk_status" in changed
        assert {name for name in changed if now[name] != after[name]} == set()
        assert database.run(*NIGHTLY, project=of_citus).returncode == repaired
        assert pair.different(least=3000) == {}
    plain.drop()


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

    def run(*command: str) -> str:
        done = node(nodes).run(*command, project=of_citus)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(*NIGHTLY)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="not possible on Citus"):
        node(nodes).execute("select operations.after_orders_created('{}')")
    views = "select count(*) from pg_views where schemaname like 'analytics%%'"
    made = node(nodes).value(views)
    run("flows", "detach")
    node(nodes).execute("alter table commerce.orders alter currency type varchar(9)")
    run(*NIGHTLY)
    assert node(nodes).value(views) == made
    told = "customer_contacts is removed too"
    assert told not in run("flows", "uninstall", "--dry-run")
    [whom] = node(nodes).rows(
        "select tenant_id, customer_id from analytics.customer_risk_status limit 1"
    )
    node(nodes).execute(
        "insert into operations.customer_contacts (tenant_id, customer_id, channel, outcome)"
        " values (%s, %s, 'PHONE', 'REACHED')",
        *whom.values(),
    )
    assert told in run("flows", "uninstall")
    after = [(each.rows(tables), each.rows(schemas)) for each in databases]
    assert after == before


def test_a_tenant_moves_to_another_node_without_blocking_writes(
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


@pytest.fixture(scope="module")
def refreshed_nodes(
    programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, Path]]:
    """A cluster after a nightly refresh, and its project."""
    project = copy_of_project(tmp_path_factory.mktemp("project"))
    switch(project)
    with cluster(programs, shards=4) as nodes:
        database = node(nodes)
        load_demo(database, 120)
        nodes.distribute_demo()
        done = database.run(*NIGHTLY, project=project)
        assert done.returncode == 0, done.stdout + done.stderr
        yield database, project


WRITE_BACK = ("flows", "write-back")
SPOIL = "update commerce.customers set risk_status = 'WRONG' where not is_closed and "
# the tenant with the most customers, and their ids
LARGEST = """
    select
        customers.tenant_id,
        tenants.tenant_slug,
        array_agg(customers.customer_id order by customers.customer_id) as ids
    from analytics.customer_risk_status as customers
    inner join analytics.tenants on customers.tenant_id = tenants.tenant_id
    group by customers.tenant_id, tenants.tenant_slug
    order by count(*) desc limit 1
"""


def test_a_row_in_use_waits_and_a_value_changed_meanwhile_is_kept(
    refreshed_nodes: tuple[Database, Path],
) -> None:
    """A trigger of the test delays the end of the plan, after its comparison."""
    database, project = refreshed_nodes
    right = statuses(database)
    [tenant] = database.rows(LARGEST)
    ids = tenant["ids"][:8]
    of_tenant = f"tenant_id = '{tenant['tenant_id']}' and id = any(%s)"
    database.execute(SPOIL + of_tenant, ids)
    database.execute(
        """
        create function public.hold_up() returns trigger language plpgsql as $$
        begin
            perform pg_advisory_xact_lock(1);
            return null;
        end
        $$;
        create trigger hold_up after insert on operations.write_back_batches
        for each statement execute function public.hold_up();
        """
    )
    with database.connect() as application, application.transaction():
        application.execute(
            f"select from commerce.customers where {of_tenant} for update".encode(),
            (ids[:2],),
        )
        with database.connect() as human:
            human.execute("select pg_advisory_lock(1)")
            command = threading.Thread(
                target=database.run, args=WRITE_BACK, kwargs={"project": project}
            )
            command.start()
            until(
                database,
                "select from pg_locks where objid = 1 and objsubid = 1 and not granted",
            )
            database.execute(
                f"update commerce.customers set risk_status = 'MINE' where {of_tenant}",
                ids[2:3],
            )
            human.execute("select pg_advisory_unlock(1)")
            command.join()
    assert outcomes(database) == {"written": 5, "locked": 2, "conflict": 1}
    now = statuses(database)
    assert [now[str(customer)][1] for customer in ids[:3]] == ["WRONG", "WRONG", "MINE"]
    database.execute("drop function public.hold_up cascade")
    done = database.run(*WRITE_BACK, project=project)
    assert done.returncode == 0, done.stderr
    assert outcomes(database) == {"written": 3}
    assert statuses(database) == right


def test_a_tenant_that_would_change_too_much_is_held_on_citus_too(
    refreshed_nodes: tuple[Database, Path],
) -> None:
    database, project = refreshed_nodes
    right = statuses(database)
    [tenant] = database.rows(LARGEST)
    database.execute(SPOIL + "tenant_id = %s", tenant["tenant_id"])
    [other] = database.rows(
        "select tenant_id, customer_id from analytics.customer_risk_status"
        " where tenant_id != %s limit 1",
        tenant["tenant_id"],
    )
    database.execute(SPOIL + "tenant_id = %s and id = %s", *other.values())
    done = database.run(*WRITE_BACK, project=project)
    assert done.returncode == 3, done.stderr
    assert f"write-back held: {tenant['tenant_slug']}: " in done.stderr
    assert outcomes(database) == {"written": 1}
    waiting = "select distinct tenant_slug from operations.pending_customer_updates"
    assert database.rows(waiting) == [{"tenant_slug": tenant["tenant_slug"]}]
    done = database.run(*WRITE_BACK, "--force", project=project)
    assert done.returncode == 0, done.stderr
    assert statuses(database) == right


def test_writers_beside_a_write_back_lose_nothing_on_citus(
    refreshed_nodes: tuple[Database, Path],
) -> None:
    """Each session has customers of its own, of several tenants, which are on two nodes."""
    database, project = refreshed_nodes
    ids = database.rows(
        "select tenant_id, id from commerce.customers where not is_closed order by id"
    )
    updates: Counter[object] = Counter()
    overridden: set[object] = set()

    def work(connection: Connection, chance: random.Random, number: int) -> None:
        mine = chance.sample(ids[number::SESSIONS], 3)
        with connection.transaction():
            for customer in mine:
                connection.execute(
                    "update commerce.customers set name = name || '+'"
                    " where tenant_id = %(tenant_id)s and id = %(id)s",
                    customer,
                )
        updates.update(customer["id"] for customer in mine)
        connection.execute(
            "update commerce.customers set account_type = 'HOLD'"
            " where tenant_id = %(tenant_id)s and id = %(id)s",
            mine[0],
        )
        overridden.add(mine[0]["id"])

    for _ in range(3):
        database.execute(SPOIL + "true")
        database.execute("update commerce.customers set account_type = 'TARGET'")
        overridden.clear()
        with sessions(database, work) as errors:
            done = database.run(*WRITE_BACK, "--force", project=project)
            assert done.returncode == 0, done.stderr
        assert errors == []
        held = database.rows("select id from commerce.customers where account_type = 'HOLD'")
        assert {row["id"] for row in held} == overridden
    named = database.rows(
        "select id, length(name) - length(rtrim(name, '+')) as times from commerce.customers"
    )
    assert sum(updates.values()) > 100
    assert {row["id"]: row["times"] for row in named if row["times"]} == updates
    done = database.run(*WRITE_BACK, "--force", project=project)
    assert done.returncode == 0, done.stderr
    assert pending(database) == 0


# Models that are not computed where their rows are stored, marts that are not filled there,
# and why. All others are.
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
        "orders_quarantined_rows",
        "bookings_quarantined_rows",
        "usage_quarantined_rows",
        "accounts_quarantined_rows",
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


# statements of a publication, with the mart that they write
MOVES = re.compile(
    r'^ +((?:merge into|delete from) \S+"(\w+)" as mart\n.*?);$', re.MULTILINE | re.DOTALL
)


def is_gathered(plan: list[str]) -> bool:
    """Return whether the coordinator gets rows, instead of the nodes working by themselves."""
    is_pushed = plan[0].startswith("Custom Scan (Citus Adaptive)")
    return not is_pushed or any("Distributed Subplan" in line for line in plan)


def pulled(database: Database, project: Path) -> set[str]:
    """Return the models and moves of marts for which the coordinator gets rows."""
    compiled = project / "target" / "compiled" / "customer_health" / "models"
    found = set()
    with database.connect() as connection:

        def explain(statement: str) -> list[str]:
            plan = connection.execute(f"explain {statement}".encode()).fetchall()
            return [row["QUERY PLAN"] for row in plan]

        tables = connection.execute(
            "select relname from pg_class where relkind = 'r'"
            " and relnamespace = 'analytics_internal'::regnamespace"
            " and relname like 'int\\_%'"
        ).fetchall()
        assert len(tables) > 60
        for name in (row["relname"] for row in tables):
            [file] = compiled.rglob(f"{name}.sql")
            insert = f"insert into analytics_internal.{name} {file.read_text()}"
            if is_gathered(explain(insert)):
                found.add(name)
        moves = [
            move
            for file in compiled.rglob("*_publications.sql")
            for move in MOVES.findall(file.read_text())
        ]
        assert len(moves) > 40
        found |= {mart for statement, mart in moves if is_gathered(explain(statement))}
    return found


# Data tests and views for which the coordinator gets more than rows of tenants and reps, and
# why. All others are computed on the nodes.
GATHERED = {
    "a few columns of all customers, which are united with the sales reps": {
        "rep_metrics",
        "statuses_add_up_to_the_assessed_customers",
    },
    "all states, which are compared with the episodes of the log on the coordinator": {
        "alert_states",
    },
    "for people, who read them now and then: they read the weeks or settings twice": {
        "rep_weeks",
        "threshold_backtest",
        "threshold_suggestions",
        "threshold_values",
        "threshold_what_if",
        "weekly_summary",
    },
}
RECEIVED = re.compile(r"Tuple data received from nodes: (\d+) (bytes|kB|MB)")
UNITS = {"bytes": 1, "kB": 1000, "MB": 1_000_000}
# a few for each tenant and rep; the keys of all customers are more
FEW_BYTES = 3000


def gathered(database: Database, project: Path) -> set[str]:
    """Return the data tests and views for which the coordinator gets many rows."""
    compiled = project / "target" / "compiled" / "customer_health"
    found = set()
    with database.connect() as connection:
        views = connection.execute(
            "select relname, oid::regclass::text as relation from pg_class"
            " where relkind = 'v' and relnamespace::regnamespace::text"
            " in ('analytics', 'operations')"
            " and obj_description(oid, 'pg_class') like 'customer_health:%'"
        ).fetchall()
        queries = {view["relname"]: f"select * from {view['relation']}" for view in views}
        tests = [*compiled.rglob("tests/**/*.sql"), *compiled.rglob("models/**/*.yml/*.sql")]
        queries |= {file.stem: file.read_text() for file in tests}
        assert len(views) > 80
        assert len(tests) > 80
        for name, query in queries.items():
            plan = connection.execute(
                "explain (analyze, costs off, timing off)"
                f" select count(*) from ({query}) as counted".encode()
            ).fetchall()
            sizes = RECEIVED.findall("\n".join(row["QUERY PLAN"] for row in plan))
            if max((int(size) * UNITS[unit] for size, unit in sizes), default=0) > FEW_BYTES:
                found.add(name)
    return found


def test_rows_are_computed_where_they_are_kept(
    refreshed_nodes: tuple[Database, Path],
) -> None:
    database, project = refreshed_nodes
    known, few = (set().union(*which.values()) for which in (PULLED, GATHERED))
    assert pulled(database, project) == known
    assert gathered(database, project) == few
    since = {"orders": UNTIL, "bookings": UNTIL}
    hourly = {"as_of": UNTIL, "refresh_scope": "changed", "changed_since": since}
    run_dbt(database, project, "compile", "--vars", json.dumps(hourly))
    assert pulled(database, project) <= known
    assert gathered(database, project) <= few
