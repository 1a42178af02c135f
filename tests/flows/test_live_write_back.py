"""The write-back beside an application that writes to the same customers all the time.

`make test` runs a short form, `make faults` the long one, which prints what it observed.
"""

import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from conftest import CUSTOMERS, PROJECT, UNTIL, USUAL, Database, load_demo, new_database

from flows.database import Connection

SESSIONS = 4
WRITE_BACK = ("flows", "write-back", "--force")


@pytest.fixture(scope="module")
def refreshed_module(
    server: Database, request: pytest.FixtureRequest, pytestconfig: pytest.Config
) -> Iterator[Database]:
    customers = pytestconfig.getoption("customers")
    if customers == CUSTOMERS:
        yield request.getfixturevalue("refreshed_template")
        return
    database = new_database(server, USUAL)
    load_demo(database, customers)
    done = database.run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    assert done.returncode == 0, done.stderr
    database = database.as_template()
    yield database
    database.drop()


@pytest.fixture
def live(refreshed_module: Database) -> Iterator[Database]:
    database = refreshed_module.copy(USUAL)
    yield database
    database.drop()


@contextmanager
def sessions(
    database: Database, work: Callable[[Connection, random.Random, int], None]
) -> Iterator[list[BaseException]]:
    """Do the same work in several sessions until the end, and collect the errors."""
    done = threading.Event()
    errors: list[BaseException] = []

    def run(number: int) -> None:
        chance = random.Random(number)
        with database.connect() as connection:
            while not done.is_set():
                try:
                    work(connection, chance, number)
                except psycopg.Error as error:
                    errors.append(error)

    threads = [threading.Thread(target=run, args=[number]) for number in range(SESSIONS)]
    with ExitStack() as ending:
        for thread in threads:
            thread.start()
            ending.callback(thread.join)
        ending.callback(done.set)
        yield errors


def customers(database: Database) -> list[object]:
    return [
        row["id"]
        for row in database.rows(
            "select id from commerce.customers where not is_closed"
            " and id in (select customer_id from analytics.customer_risk_status) order by id"
        )
    ]


def spoil(database: Database) -> int:
    """Give idle customers a status that differs from the rules; return how many."""
    return len(
        database.rows(
            "update commerce.customers set risk_status = 'WRONG' where id in ("
            " select id from commerce.customers where not is_closed"
            " and id in (select customer_id from analytics.customer_risk_status)"
            " for no key update skip locked) returning id"
        )
    )


def pending(database: Database) -> object:
    return database.value("select count(*) from operations.pending_customer_updates")


def test_an_application_is_not_disturbed(live: Database, pytestconfig: pytest.Config) -> None:
    wanted = pytestconfig.getoption("transactions")
    ids = customers(live)
    seconds: list[float] = []

    def update(connection: Connection, chance: random.Random, number: int) -> None:
        # each session has a quarter of its own, so that it never waits for another session
        mine = chance.sample(ids[number::SESSIONS], 3)
        began = time.perf_counter()
        with connection.transaction():
            for customer in mine:
                connection.execute(
                    "update commerce.customers set name = name || '' where id = %s", [customer]
                )
        seconds.append(time.perf_counter() - began)

    rounds = 0
    with sessions(live, update) as errors:
        while len(seconds) < wanted or not rounds:
            spoil(live)
            done = live.run(*WRITE_BACK)
            assert done.returncode == 0, done.stderr
            rounds += 1
    assert errors == []
    assert live.run(*WRITE_BACK).returncode == 0
    assert pending(live) == 0
    p99 = statistics.quantiles(seconds, n=100)[-1]
    print(
        f"\n{rounds} write-backs of {len(ids)} customers beside {len(seconds)} transactions:"
        f" no deadlock, p99 {1000 * p99:.1f} ms"
    )


def test_no_override_by_hand_is_lost(live: Database, pytestconfig: pytest.Config) -> None:
    wanted = pytestconfig.getoption("races")
    ids = customers(live)
    overridden: set[object] = set()

    def override(connection: Connection, chance: random.Random, number: int) -> None:
        customer = chance.choice(ids[number::SESSIONS])
        connection.execute(
            "update commerce.customers set account_type = 'HOLD' where id = %s", [customer]
        )
        overridden.add(customer)
        time.sleep(0.02)

    races = 0
    while races < wanted:
        live.execute("update commerce.customers set account_type = 'TARGET'")
        overridden.clear()
        with sessions(live, override) as errors:
            done = live.run(*WRITE_BACK)
            assert done.returncode == 0, done.stderr
        assert errors == []
        held = live.rows("select id from commerce.customers where account_type = 'HOLD'")
        assert {row["id"] for row in held} == overridden
        races += len(overridden)
    print(f"\n{races} overrides by hand during write-backs, none lost")


def test_one_poison_row_is_recorded_and_all_others_are_written(live: Database) -> None:
    poison = random.Random(1).choice(customers(live))
    count = spoil(live)
    live.execute(
        "alter table commerce.customers add constraint poison check"
        f" (id != '{poison}' or risk_status = 'WRONG')"
    )
    done = live.run(*WRITE_BACK)
    assert done.returncode == 0, done.stderr
    assert f"{count - 1} customers written back" in done.stdout
    assert "not written: 1 customer, with an error" in done.stdout
    assert live.rows(
        "select distinct customer_id, error ~ 'poison' as is_named"
        " from operations.write_back_changes where state = 'error'"
    ) == [{"customer_id": str(poison), "is_named": True}]
    print(f"\n{count - 1} of {count} customers written, 1 recorded")


AT_WORK = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and application_name = 'customer_health'"
)


def test_a_killed_write_back_is_finished_without_writing_twice(
    live: Database, pytestconfig: pytest.Config
) -> None:
    # slow enough to be observed at every stage
    live.execute(
        """
        create function commerce.slow() returns trigger language plpgsql as $$
        begin perform pg_sleep(0.002); return new; end $$;
        create trigger slow before update of risk_status on commerce.customers
        for each row execute function commerce.slow();
        """
    )
    chance = random.Random(3)
    met: list[int] = []
    for _ in range(pytestconfig.getoption("write_back_kills")):
        live.execute("alter table commerce.customers disable trigger slow")
        count = spoil(live)
        live.execute("alter table commerce.customers enable trigger slow")
        before = live.value("select max(batch_id) from operations.write_back_batches")
        killed = subprocess.Popen(
            [sys.executable, "-m", *WRITE_BACK],
            cwd=PROJECT,
            env=live.os_environment(),
            stdout=subprocess.DEVNULL,
        )
        planned = (
            f"select count(*) from operations.write_back_batches where batch_id > {before}"
        )
        while live.value(planned) == 0:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.003 * count))
        killed.kill()
        killed.wait()
        # the backend finishes its statement, and holds the rows until then
        while live.value(AT_WORK) != 0:
            time.sleep(0.01)
        left = pending(live)
        assert isinstance(left, int)
        met.append(count - left)
        done = live.run(*WRITE_BACK)
        assert done.returncode == 0, done.stderr
        assert pending(live) == 0
        # each value was written by one of the two, and recorded once
        assert live.rows(
            "select count(*) as written, count(distinct customer_id) as customers"
            " from operations.write_back_changes"
            f" where batch_id > {before} and state = 'written'"
        ) == [{"written": count, "customers": count}]
    print(f"\nwrite-backs killed after {met} of {count} customers, all finished by the next")
