"""Who reads one tenant while refreshes commit on Citus sees all marts of one refresh."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from application import change
from pairs import NIGHTLY, START, node
from test_faults import MARTS
from test_live_write_back import sessions

from bench.cluster import Cluster
from flows.database import Connection

pytestmark = pytest.mark.slow

pytest_plugins = ["pairs"]

ROUNDS = 4
# by system, what a mart calls its tenant, and the mart that says of when the others are
CLOCKS = {
    "orders": ("tenant_id", "tenants"),
    "bookings": ("organization_id", "booking_organizations"),
}
# everything about a tenant in one statement, which one node answers
STATE = """
    select
        (select max(as_of) from analytics.{clock} where {key} = %(tenant)s) as as_of,
        {marts}
"""
DIGEST = """
    (
        select md5(string_agg(marts::text, '' order by marts::text))
        from analytics.{mart} as marts
        where {key} = %(tenant)s
    ) as {mart}
"""


def state_of(system: str) -> bytes:
    key, clock = CLOCKS[system]
    marts = ", ".join(DIGEST.format(mart=mart, key=key) for mart in MARTS[system])
    return STATE.format(clock=clock, key=key, marts=marts).encode()


def test_a_reader_of_one_tenant_sees_all_marts_of_one_refresh(
    nodes: Cluster, of_citus: Path
) -> None:
    database = node(nodes)
    done = database.run(*NIGHTLY, project=of_citus)
    assert done.returncode == 0, done.stdout + done.stderr
    tenants = {
        system: [
            row["tenant"]
            for row in database.rows(f"select {key} as tenant from analytics.{clock}")
        ]
        for system, (key, clock) in CLOCKS.items()
    }
    statements = {system: state_of(system) for system in CLOCKS}
    # what one refresh left of a tenant, in each form in which somebody saw it
    seen: dict[tuple[object, ...], set[tuple[object, ...]]] = {}
    reads = 0

    def read(connection: Connection, chance: random.Random, _number: int) -> None:
        nonlocal reads
        system = chance.choice(list(CLOCKS))
        tenant = chance.choice(tenants[system])
        [row] = connection.execute(statements[system], {"tenant": tenant}).fetchall()
        as_of, *marts = row.values()
        seen.setdefault((system, tenant, as_of), set()).add(tuple(marts))
        reads += 1

    with sessions(database, read) as errors:
        for number in range(ROUNDS):
            now = START + timedelta(hours=number + 1)
            change([database], number, now, 60)
            hourly = ("flows", "refresh", "--mode", "hourly", "--as-of", now.isoformat())
            done = database.run(*hourly, project=of_citus)
            # 3: a guard holds so many changes of statuses
            assert done.returncode in (0, 3), done.stdout + done.stderr
    assert errors == []
    assert {key: len(states) for key, states in seen.items() if len(states) > 1} == {}
    refreshes = {as_of for _, _, as_of in seen}
    assert len(refreshes) == ROUNDS + 1
    assert reads > 50 * ROUNDS
    # the refreshes changed something
    assert len(set().union(*seen.values())) > 3 * ROUNDS
