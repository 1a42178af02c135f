"""Whatever types an application's ids have, every row is as on one server."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import UNTIL, Database, load_demo, new_database
from pairs import Pair, for_both, node

from bench.cluster import cluster

pytestmark = pytest.mark.slow

pytest_plugins = ["pairs"]

SETTINGS = {
    "commerce": ("orders_tenant_id", "orders_sales_rep_id", "orders_customer_id",
                 "orders_order_id"),
    "booking": ("bookings_organization_id", "bookings_customer_id"),
    "platform": ("usage_organization_id", "usage_id"),
    "success": ("accounts_organization_id", "accounts_account_id", "accounts_id"),
}  # fmt: skip
# by schema, the types that keys get: that of a tenant, and all others
TYPES = {
    "numbers": dict.fromkeys(SETTINGS, ("bigint", "bigint")),
    "mixed": {
        "commerce": ("text", "bigint"),
        "booking": ("bigint", "text"),
        "platform": ("integer", "text"),
        "success": ("uuid", "text"),
    },
}
NUMBER = {"bigint": "bit(60)::bigint", "integer": "bit(28)::integer"}
KEYS = """
    select
        relnamespace::regnamespace::text as schema,
        pg_class.oid::regclass::text as relation,
        attname as name,
        attname in ('tenant_id', 'organization_id')
        or relname in ('tenants', 'organizations') as is_of_tenant
    from pg_attribute
    inner join pg_class on attrelid = pg_class.oid and relkind = 'r'
    where
        relnamespace::regnamespace::text = any(%s)
        and (atttypid = 'uuid'::regtype or attname = 'square_customer_id')
        and attnum > 0
"""

# puts bookings on other shards than tables whose ids have the same type, as if they had been
# distributed at another time
APART = """
    select alter_distributed_table('booking.customers', shard_count => 6,
        colocate_with => 'none', cascade_to_colocated => false);
    select alter_distributed_table(
        logicalrelid, colocate_with => 'booking.customers', cascade_to_colocated => false)
    from pg_dist_partition
    where partmethod = 'h' and logicalrelid::text like 'booking.%'
        and logicalrelid != 'booking.customers'::regclass
"""
# the tables of ours, by system, that are not beside the application's
ELSEWHERE = """
    select marts.logicalrelid::text as name
    from (
        values
        ('analytics.customer_risk_status', 'commerce.orders'),
        ('analytics_internal.int_customers', 'commerce.orders'),
        ('analytics.customer_analytics', 'booking.bookings'),
        ('analytics_internal.int_bookings', 'booking.bookings'),
        ('analytics.tenant_health_scores', 'platform.users'),
        ('analytics.account_profiles', 'success.accounts')
    ) as pairs (ours, theirs)
    inner join pg_dist_partition as marts on ours::regclass = marts.logicalrelid
    inner join pg_dist_partition as given on theirs::regclass = given.logicalrelid
    where marts.colocationid != given.colocationid
"""
# two batches
WRITTEN = """
    select batch_id from operations.write_back_batches where state = 'written'
    order by batch_id limit 2
"""
CHANGED_SINCE = """
    update commerce.customers
    set
        account_type = 'MINE',
        risk_status = 'MINE',
        last_order_date = '2001-02-03',
        next_expected_order_date = '2001-02-03',
        average_order_interval_days = 1001,
        dormancy_since = '2001-02-03',
        reactivated_date = '2001-02-03'
"""


def give_types(database: Database, types: dict[str, tuple[str, str]]) -> None:
    """Give all keys these types; a foreign key would want both its ends at once."""
    for key in database.rows(
        "select conrelid::regclass::text as relation, conname as name from pg_constraint"
        " where contype = 'f' and connamespace::regnamespace::text = any(%s)",
        list(types),
    ):
        database.execute(f"alter table {key['relation']} drop constraint {key['name']}")
    for key in database.rows(KEYS, list(types)):
        kind = types[key["schema"]][0 if key["is_of_tenant"] else 1]
        name = key["name"]
        value = (
            f"('x' || left(md5({name}::text), 15))::{NUMBER[kind]}"
            if kind in NUMBER
            else f"{name}::{kind}"
        )
        database.execute(
            f"alter table {key['relation']} alter {name} drop default,"
            f" alter {name} type {kind} using {value}"
        )


def settings_for(project: Path, types: dict[str, tuple[str, str]]) -> None:
    """Name the types in a copy of the project."""
    file = project / "dbt_project.yml"
    text = file.read_text()
    for schema, settings in SETTINGS.items():
        for setting in settings:
            is_of_tenant = setting.endswith(("tenant_id", "organization_id"))
            kind = types[schema][0 if is_of_tenant else 1]
            text, count = re.subn(rf"(\n  {setting}_type): \w+", rf"\1: {kind}", text)
            assert count == 1
    file.write_text(text)


@pytest.fixture(params=TYPES)
def pair(
    request: pytest.FixtureRequest,
    server: Database,
    programs: Path,
    project: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    settings_for(project, TYPES[request.param])
    copies = for_both(project, tmp_path_factory)
    database = new_database(server)
    with cluster(programs, shards=4) as nodes:
        for each in (database, node(nodes)):
            load_demo(each, 60)
            give_types(each, TYPES[request.param])
        nodes.distribute_demo()
        if request.param == "numbers":
            node(nodes).execute(APART)
        yield Pair(database, node(nodes), *copies)
    database.drop()


def test_every_row_is_as_on_one_server_whatever_the_types_of_ids(pair: Pair) -> None:
    def differs() -> object:
        return pair.different(least=3000)

    pair.run("refresh", "--mode", "nightly", "--as-of", UNTIL)
    assert differs() == {}
    assert pair.distributed.rows(ELSEWHERE) == []
    at = pair.change(1, hours=1)
    pair.run("refresh", "--mode", "hourly", "--as-of", at, "--no-write-back")
    pair.run("write-back", "--force")
    assert differs() == {}
    first, last = pair.plain.rows(WRITTEN)
    pair.run("rollback", str(last["batch_id"]))
    # nothing is left that could be undone
    for database in (pair.plain, pair.distributed):
        database.execute(CHANGED_SINCE)
    for done in pair.run("rollback", str(first["batch_id"])):
        assert "\n0 values restored" in done.stdout
        assert ", changed by somebody since" in done.stdout
    pair.run("refresh", "--organization", "cedar-health", "--as-of", at)
    assert differs() == {}
