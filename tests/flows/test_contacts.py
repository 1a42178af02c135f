"""Contacts with customers: who may write them, that they stay, and what they change."""

import random
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from conftest import PROJECT, UNTIL, Database
from psycopg.rows import DictRow

from flows.contacts import record
from flows.dbt import command

CONTACTS = "operations.customer_contacts"
WRITER = "customer_health_contact_writer"
GROUPS = (
    *("customer_health_refresher", "customer_health_write_back", "customer_health_analyst"),
    *(WRITER, "customer_health_tenant"),
)
SESSIONS = 20
CHANGES = (
    f"update {CONTACTS} set note = 'other words'",
    f"delete from {CONTACTS}",
    f"truncate {CONTACTS}",
    (
        f"insert into {CONTACTS} (tenant_id, customer_id, channel, outcome, recorded_by)"
        " select tenant_id, customer_id, 'PHONE', 'OTHER', 'somebody else'"
        " from analytics.due_to_order limit 1"
    ),
    f"merge into {CONTACTS} using (select 1) as one on true when matched then delete",
    f"alter table {CONTACTS} disable row level security",
    f"drop table {CONTACTS}",
)
NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
SLOW_KEY = f"""
    create function slow(uuid) returns uuid immutable language plpgsql
    as $$ begin perform pg_sleep(0.5); return $1; end $$;
    do $$
    declare
        key text;
    begin
        select indexrelid::regclass into strict key from pg_index
        where indrelid = '{CONTACTS}'::regclass and indisunique and indkey::text = '1 2 3';
        create index on {CONTACTS} (slow(contact_id));
        execute 'drop index ' || key;
        create unique index on {CONTACTS} (tenant_id, customer_id, contact_id);
    end $$
"""
DUE = "select * from analytics.due_to_order where tenant_id = %s and customer_id = %s"


@pytest.fixture
def logins(refreshed: Database) -> Iterator[dict[str, str]]:
    """Logins of a tenant that may and may not write, and of an analyst that may."""
    tenant, other = (
        row["role_name"]
        for row in refreshed.rows(
            "select role_name from operations.tenant_roles where system = 'orders'"
            " and tenant in (select tenant_id::text from analytics.due_to_order)"
            " order by tenant limit 2"
        )
    )
    made = {
        "rep": f"{tenant}, {WRITER}",
        "reader": tenant,
        "other": f"{other}, {WRITER}",
        "boss": f"customer_health_analyst, {WRITER}",
        "alone": WRITER,
    }
    for login, roles in made.items():
        refreshed.execute(f"create role {login} login in role {roles}")
    yield {"rep": tenant, "other": other}
    for login in made:
        refreshed.execute(f"drop owned by {login}; drop role {login}")


def due(database: Database, login: str) -> DictRow:
    """Return a customer that this login sees as due, and that orders no more."""
    rows = database.as_user(login).rows(
        "select * from analytics.due_to_order where due_bucket = 'OVERDUE'"
        " order by customer_id"
    )
    later = {
        row["customer_id"]
        for row in database.rows(
            "select distinct customer_id from commerce.orders where ordered_at > %s", UNTIL
        )
    }
    return next(row for row in rows if row["customer_id"] not in later)


def add(database: Database, login: str, customer: DictRow, **columns: Any) -> str:
    """Record a contact, and return its id."""
    said: dict[str, Any] = {
        "tenant_id": customer["tenant_id"],
        "customer_id": customer["customer_id"],
        "contact_id": uuid4(),
        "channel": "PHONE",
        "outcome": "REACHED",
        **columns,
    }
    database.as_user(login).execute(
        f"insert into {CONTACTS} ({', '.join(said)}) values ({', '.join(['%s'] * len(said))})",
        *said.values(),
    )
    return str(said["contact_id"])


@pytest.mark.usefixtures("logins")
def test_nobody_changes_or_removes_what_was_written(refreshed: Database) -> None:
    add(refreshed, "rep", due(refreshed, "rep"), note="as it was said")
    before = refreshed.rows(f"select * from {CONTACTS}")
    actors = [
        *(("set role", role) for role in GROUPS),
        *(("as", login) for login in ("rep", "reader", "other", "boss", "alone")),
    ]
    for kind, name in actors:
        who = refreshed if kind == "set role" else refreshed.as_user(name)
        for change in CHANGES:
            # the owner has all other rights on its table, which cannot be revoked
            if name == "customer_health_refresher" and re.match("insert|alter|drop", change):
                continue
            with who.connect() as connection:
                if kind == "set role":
                    connection.execute(f"set role {name}".encode())
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(change.encode())
    assert refreshed.rows(f"select * from {CONTACTS}") == before


@pytest.mark.usefixtures("logins")
def test_a_tenant_writes_and_reads_its_own_contacts_only(refreshed: Database) -> None:
    own, theirs = due(refreshed, "rep"), due(refreshed, "other")
    assert own["tenant_id"] != theirs["tenant_id"]
    add(refreshed, "rep", own, note="of rep")
    add(refreshed, "other", theirs, note="of other")
    add(refreshed, "boss", theirs, note="of boss")
    for login in ("reader", "rep", "other", "boss", "alone"):
        for customer in (own, theirs):
            may = login == "boss" or (login, customer) in (("rep", own), ("other", theirs))
            if not may:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    add(refreshed, login, customer)
    seen = {
        login: {
            row["note"]
            for row in refreshed.as_user(login).rows(
                "select note from analytics.effective_contacts"
            )
        }
        for login in ("reader", "other", "boss")
    }
    assert seen == {
        "reader": {"of rep"},
        "other": {"of other", "of boss"},
        "boss": {"of rep", "of other", "of boss"},
    }
    assert {row["recorded_by"] for row in refreshed.rows(f"select * from {CONTACTS}")} == {
        *("rep", "other", "boss")
    }
    # a correction by another tenant corrects nothing
    [contact] = refreshed.rows(f"select contact_id from {CONTACTS} where note = 'of rep'")
    add(
        refreshed,
        "other",
        theirs,
        outcome="WITHDRAWN",
        corrects_contact_id=contact["contact_id"],
    )
    assert refreshed.as_user("rep").rows("select from analytics.effective_contacts")


@pytest.mark.usefixtures("logins")
def test_what_no_contact_can_be_is_refused(refreshed: Database) -> None:
    customer = due(refreshed, "rep")
    first = add(refreshed, "rep", customer)
    now = refreshed.value("select now()")
    wrong: list[dict[str, Any]] = [
        {"channel": "SMOKE"},
        {"outcome": "BOUGHT"},
        {"note": "x" * 2001},
        {"contacted_by": " "},
        {"contacted_by": "x" * 201},
        {"outcome": "LOST"},
        {"outcome": "WITHDRAWN"},
        {"contacted_at": refreshed.value("select now() + interval '6 minutes'")},
        {"contacted_at": "infinity"},
        {"contacted_at": "-infinity"},
        {"contacted_at": now, "snoozed_until": refreshed.value("select current_date - 1")},
        {"contacted_at": now, "snoozed_until": refreshed.value("select current_date + 367")},
        {"contacted_at": now, "snoozed_until": "infinity"},
    ]
    for columns in wrong:
        with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.DataError)):
            add(refreshed, "rep", customer, **columns)
    for columns in ({"channel": None}, {"outcome": None}, {"contacted_at": None}):
        with pytest.raises(psycopg.errors.NotNullViolation):
            add(refreshed, "rep", customer, **columns)
    add(refreshed, "rep", customer, corrects_contact_id=first)
    with pytest.raises(psycopg.errors.UniqueViolation):
        add(refreshed, "rep", customer, corrects_contact_id=first)
    with pytest.raises(psycopg.errors.UniqueViolation):
        add(refreshed, "rep", customer, contact_id=first)
    assert refreshed.value(f"select count(*) from {CONTACTS}") == 2
    add(refreshed, "rep", customer, snoozed_until=refreshed.value("select current_date + 366"))


@pytest.mark.usefixtures("logins")
@pytest.mark.slow
def test_a_customer_leaves_the_list_until_it_orders(refreshed: Database) -> None:
    customer = due(refreshed, "rep")
    keys = (customer["tenant_id"], customer["customer_id"])
    statuses = "select * from analytics.customer_risk_status order by 1, 2"
    before = refreshed.rows(statuses)
    add(
        refreshed,
        *("rep", customer),
        contacted_at=UNTIL,
        outcome="LOST",
        snoozed_until="2026-07-05",
    )
    [row] = refreshed.as_user("rep").rows(DUE, *keys)
    assert (row["last_outcome"], row["snooze_outcome"]) == ("LOST", "LOST")
    assert str(row["snoozed_until"]) == "2026-07-05"
    # the status is that of the rule, and the row exists
    added = {"last_contacted_at", "last_outcome", "snoozed_until", "snooze_outcome"}
    assert {k: v for k, v in row.items() if k not in added} == {
        k: v for k, v in customer.items() if k not in added
    }

    hourly = ("flows", "refresh", "--mode", "hourly", "--no-write-back", "--as-of")
    for later in ("2026-06-15T13:00+00:00", "2026-06-30T13:00+00:00"):
        assert refreshed.run(*hourly, later).returncode == 0
        [row] = refreshed.rows(DUE, *keys)
        assert str(row["snoozed_until"]) == "2026-07-05", later
    refreshed.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
        " total_amount, created_at, updated_at) values (gen_random_uuid(), %s, %s,"
        " 'CONFIRMED', '2026-06-30 14:00+00', 10, now(), now())",
        *keys,
    )
    assert refreshed.run(*hourly, "2026-06-30T15:00+00:00").returncode == 0
    [row] = refreshed.rows(DUE, *keys)
    assert (row["snoozed_until"], row["last_outcome"]) == (None, "LOST")
    # no rule has read the contact, so nothing differs
    assert refreshed.run(*NIGHTLY).returncode == 0
    assert refreshed.rows(statuses) == before
    assert refreshed.value(f"select count(*) from {CONTACTS}") == 1


@pytest.mark.usefixtures("logins")
def test_the_day_that_was_said_is_the_first_one_back_in_the_list(refreshed: Database) -> None:
    customer = due(refreshed, "rep")
    refreshed.execute(
        "update analytics.tenants set today = current_date + 10, as_of = now() + '10 days'"
    )
    add(refreshed, "rep", customer, snoozed_until=refreshed.value("select current_date + 11"))
    keys = (customer["tenant_id"], customer["customer_id"])
    assert refreshed.rows(DUE, *keys)[0]["snoozed_until"]
    refreshed.execute("update analytics.tenants set today = today + 1")
    assert refreshed.rows(DUE, *keys)[0]["snoozed_until"] is None


def test_the_example_of_the_document_can_be_carried_out(
    refreshed: Database, logins: dict[str, str]
) -> None:
    document = (PROJECT / "docs" / "contacts.md").read_text()
    grant, insert = re.findall(r"```sql\n(.*?)```", document, re.DOTALL)
    refreshed.execute(f"create role bob login in role {logins['rep']}")
    try:
        refreshed.execute(grant)
        customer = due(refreshed, "bob")
        statement = re.sub(r":(\w+)", r"%s", insert)
        refreshed.as_user("bob").execute(
            statement, customer["tenant_id"], customer["customer_id"]
        )
        [row] = refreshed.as_user("bob").rows("select * from analytics.effective_contacts")
        assert (row["contacted_by"], row["recorded_by"]) == ("Ann", "bob")
        assert row["snoozed_until"]
    finally:
        refreshed.execute("drop owned by bob; drop role bob")


def write_together(database: Database, total: int) -> None:
    """Write so many contacts in 20 sessions, some twice and some that must fail."""
    customers = database.rows(
        "select tenant_id, customer_id from analytics.due_to_order"
        " where due_bucket != 'DUE_SOON' order by customer_id"
    )
    insert = (
        f"insert into {CONTACTS} (tenant_id, customer_id, contact_id, channel, outcome, note,"
        " snoozed_until) values (%s, %s, %s, 'PHONE', 'REACHED', %s, current_date + %s)"
        " on conflict do nothing"
    )
    wrong: list[str] = []

    def write(session: int) -> None:
        draw = random.Random(session)
        with database.as_user("boss").connect() as connection:
            for number in range(session, total, SESSIONS):
                customer = draw.choice(customers)
                keys = (customer["tenant_id"], customer["customer_id"])
                said = (*keys, uuid4(), f"{session} {number}", draw.randint(1, 9))
                for _ in range(draw.choice((1, 1, 2))):
                    connection.execute(insert, said)
                with suppress(psycopg.errors.InsufficientPrivilege):
                    connection.execute(draw.choice(CHANGES).encode())
                    wrong.append("changed")
                # any statement that begins later sees it
                if number % 25 == 0 and not database.rows(DUE, *keys)[0]["snoozed_until"]:
                    wrong.append(f"not hidden: {keys}")

    threads = [threading.Thread(target=write, args=(one,)) for one in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    found = database.rows(
        f"select count(*) as rows, count(distinct note) as notes from {CONTACTS}"
    )
    assert found == [{"rows": total, "notes": total}]
    # snoozed customers of the view and of the rows
    assert (
        database.rows(
            "select customer_id from analytics.due_to_order where snoozed_until is not null"
            " except select customer_id from operations.customer_contacts"
        )
        == []
    )
    last = database.rows(
        "select distinct on (tenant_id, customer_id) customer_id, snoozed_until"
        f" from {CONTACTS} order by tenant_id, customer_id, contacted_at desc,"
        " recorded_at desc, contact_id desc"
    )
    told = database.rows(
        "select customer_id, snoozed_until from analytics.customer_contact_states"
        " order by tenant_id, customer_id"
    )
    assert told == last


@pytest.mark.usefixtures("logins")
def test_20_sessions_write_together(refreshed: Database) -> None:
    write_together(refreshed, 400)


@pytest.mark.usefixtures("logins")
def test_a_correction_sent_twice_at_once_is_recorded_once(refreshed: Database) -> None:
    customer = due(refreshed, "rep")
    contact = {
        **{key: customer[key] for key in ("tenant_id", "customer_id")},
        **dict.fromkeys(("contacted_at", "contacted_by", "note", "snoozed_until")),
        "contact_id": uuid4(),
        "corrects_contact_id": add(refreshed, "rep", customer),
        "channel": "PHONE",
        "outcome": "OTHER",
    }
    # the key is checked, then its index is slow to follow the rows
    refreshed.execute(SLOW_KEY)
    together = threading.Barrier(2)

    def send(connection: psycopg.Connection[DictRow]) -> DictRow | None:
        together.wait()
        return record(connection, contact)

    rep = refreshed.as_user("rep")
    with rep.connect() as one, rep.connect() as other, ThreadPoolExecutor(2) as pool:
        first, second = pool.map(send, (one, other))
        assert first is not None
        assert first == second
        with pytest.raises(psycopg.errors.UniqueViolation):
            record(one, {**contact, "contact_id": uuid4()})
    assert refreshed.value(f"select count(*) from {CONTACTS}") == 2


@pytest.mark.slow
@pytest.mark.usefixtures("logins")
def test_20_sessions_write_10000_contacts(refreshed: Database) -> None:
    write_together(refreshed, 10_000)


@pytest.mark.slow
@pytest.mark.usefixtures("logins")
def test_contacts_survive_what_is_made_anew(refreshed: Database) -> None:
    """A full refresh of dbt, an older version's roles, roles removed and installed again."""
    customer = due(refreshed, "rep")
    add(refreshed, "rep", customer)
    done = refreshed.run("flows", "uninstall", "--dry-run")
    assert f"{CONTACTS} is removed too: people wrote its rows" in done.stdout
    anew = ("run", "--full-refresh", "--select", "customer_contacts")
    done = command(refreshed.os_environment(), *anew)
    assert done.returncode == 0, done.stdout
    refreshed.execute(f"drop owned by {WRITER}")
    # that version had no index for the ETags of the API
    index = "operations.customer_contacts__tenant_id__recorded_at"
    refreshed.execute(f"drop index {index}")
    assert refreshed.run(*NIGHTLY).returncode == 0
    assert refreshed.value(f"select to_regclass('{index}')")
    assert refreshed.as_user("boss").rows("select from analytics.due_to_order limit 1")
    assert refreshed.run("flows", "roles", "install").returncode == 0
    add(refreshed, "rep", customer)
    assert refreshed.run("flows", "roles", "remove").returncode == 0
    assert not refreshed.rows("select from pg_policies")
    assert refreshed.value(f"select count(*) from {CONTACTS}") == 2
