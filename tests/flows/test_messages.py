"""Messages to people: each is about the reader's own customers, once, and no other tenant."""

import random
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, UNTIL, Database
from receivers import MailReceiver, WebhookReceiver, serving

from flows.alerts import run_alerts
from flows.progress import Progress

PAGES = "https://health.example.com"
SEED = "analytics_internal.message_recipients"


@pytest.fixture
def mails() -> Iterator[MailReceiver]:
    with serving(MailReceiver()) as made:
        yield made


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with serving(WebhookReceiver()) as made:
        yield made


@pytest.fixture
def quiet(refreshed: Database) -> Database:
    """A database with nothing left to send, whose sales reps all have customers and news."""
    refreshed.execute("delete from operations.alert_outbox")
    refreshed.execute("update analytics.sales_reps set is_active = true")
    # a name for each customer, to search for
    for mart in ("customer_risk_status", "customer_account_types"):
        refreshed.execute(
            f"update analytics.{mart} set customer_name = 'C' || left(customer_id::text, 8)"
        )
    return refreshed


def send(
    database: Database, *receivers: MailReceiver | WebhookReceiver, **more: str
) -> subprocess.CompletedProcess[str]:
    environment = {"DASHBOARD_URL": PAGES, **more}
    for receiver in receivers:
        if isinstance(receiver, MailReceiver):
            environment |= receiver.environment
    return database.run("flows", "alerts", environment=environment)


def customers(
    database: Database, where: str = "true", limit: int = 1000
) -> list[dict[str, Any]]:
    """Return customers that are not dormant, with their sales reps."""
    return [
        dict(row)
        for row in database.rows(
            "select tenant_slug, customer_id::text, customer_name, sales_rep_email,"
            " sales_rep_id::text from analytics.customer_risk_status"
            " inner join analytics.tenants using (tenant_id)"
            " inner join analytics.sales_reps using (tenant_id, sales_rep_id)"
            f" where risk_status != 'DORMANT' and {where} order by customer_id limit %s",
            limit,
        )
    ]


def set_status(database: Database, rows: list[dict[str, Any]], status: str) -> None:
    database.execute(
        "update analytics.customer_risk_status set risk_status = %s"
        " where customer_id = any(%s::uuid[])",
        status,
        [row["customer_id"] for row in rows],
    )


def of(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Return the names of customers by the address of their rep."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["sales_rep_email"], set()).add(row["customer_name"])
    return found


def names(text: str) -> set[str]:
    return set(re.findall(r"\bC[0-9a-f]{8}\b", text))


def told(mails: MailReceiver) -> dict[str, set[str]]:
    """Return the names in the mails to each address, the same in both formats."""
    found: dict[str, set[str]] = {}
    for mail in mails.accepted:
        assert names(mail["plain"]) == names(mail["html"])
        found.setdefault(mail["to"], set()).update(names(mail["plain"]))
    return found


def states(database: Database) -> dict[str, int]:
    return {
        row["state"]: row["messages"]
        for row in database.rows(
            "select state, count(*)::int as messages from operations.message_outbox"
            " group by state"
        )
    }


def compose(database: Database, instant: str, *team: str) -> None:
    """Compose messages as if it were that instant."""
    database.execute(
        "select operations.compose_messages(%s, %s::text[], %s, false)",
        instant,
        [f"mail {address}" for address in team],
        ["mail"],
    )


def composed(database: Database) -> list[dict[str, Any]]:
    return [dict(row) for row in database.rows("select * from operations.message_outbox")]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_each_rep_gets_news_of_own_customers_once(
    quiet: Database, mails: MailReceiver, seed: int
) -> None:
    """Drawn customers of all tenants, over several runs; some come back."""
    draw = random.Random(seed)
    everyone = customers(quiet)
    assert len({row["tenant_slug"] for row in everyone}) > 2
    sent: dict[str, set[str]] = {}
    gone: list[dict[str, Any]] = []
    for _ in range(2):
        fresh = draw.sample([row for row in everyone if row not in gone], 12)
        set_status(quiet, fresh, "DORMANT")
        back = draw.sample(gone, len(gone) // 3)
        set_status(quiet, back, "HEALTHY")
        gone += fresh
        mails.accepted.clear()
        for _again in range(2):
            done = send(quiet, mails)
            assert done.returncode == 0, done.stderr
        assert told(mails) == of(fresh + back)
        # one mail per person
        assert set(Counter(mail["to"] for mail in mails.accepted).values()) == {1}
        for mail in mails.accepted:
            tenants = {row["tenant_slug"] for row in everyone}
            [own] = {
                row["tenant_slug"] for row in everyone if row["sales_rep_email"] == mail["to"]
            }
            assert own in mail["plain"]
            assert not any(other in mail["plain"] + mail["html"] for other in tenants - {own})
            links = re.findall(r"customer=[0-9a-f-]{36}%2F(C?[0-9a-f]{8})", mail["plain"])
            assert {f"C{link}" for link in links} == names(mail["plain"])
        sent |= told(mails)
    assert states(quiet)["sent"] == len(quiet.rows("select from operations.message_outbox"))


@pytest.mark.parametrize("channel", ["mail", "slack"])
def test_a_message_whose_sender_is_killed_is_never_sent_again(
    quiet: Database, mails: MailReceiver, hook: WebhookReceiver, channel: str
) -> None:
    gone = customers(quiet, limit=30)
    set_status(quiet, gone, "DORMANT")
    # one message per person, or per tenant to its channel
    receiver: MailReceiver | WebhookReceiver = mails
    environment, messages = mails.environment, len(of(gone))
    if channel == "slack":
        quiet.execute(f"insert into {SEED} values ('default', 'default', 'slack', 'wire')")
        receiver, environment = hook, {"MESSAGE_URL_WIRE": hook.url}
        messages = len({row["tenant_slug"] for row in gone})
    assert messages > 2
    for kills in range(1, 3):
        receiver.release.clear()
        receiver.holding.clear()
        sender = subprocess.Popen(
            [sys.executable, "-m", "flows", "alerts"],
            cwd=PROJECT,
            env=quiet.os_environment(**environment),
            stdout=subprocess.DEVNULL,
        )
        assert receiver.holding.wait(60)
        assert "by another run" in send(quiet, **environment).stdout
        sender.kill()
        sender.wait()
        receiver.release.set()
        while quiet.value(
            "select count(*) from pg_stat_activity where pid != pg_backend_pid()"
            " and datname = current_database()"
        ):
            threading.Event().wait(0.1)
        assert len(receiver.tried) == kills
    # and nobody is told its news again
    for _ in range(2):
        assert send(quiet, **environment).returncode == 0
        assert len(receiver.tried) == len(set(receiver.tried)) == messages
        assert states(quiet) == {"unknown": 2, "sent": messages - 2}
    assert "the sender died" in quiet.run("flows", "status").stdout


def test_who_is_not_reached_does_not_keep_others_from_their_messages(
    quiet: Database, mails: MailReceiver, hook: WebhookReceiver
) -> None:
    gone = customers(quiet, limit=30)
    set_status(quiet, gone, "DORMANT")
    [north] = {row["tenant_slug"] for row in gone if row["tenant_slug"] == "north-dairy"}
    quiet.execute(f"insert into {SEED} values (%s, null, 'slack', 'dairy')", north)
    mails.server.shutdown()
    mails.server.server_close()
    secret = f"{hook.url}?token=topsecret"
    done = send(quiet, mails, MESSAGE_URL_DAIRY=secret)
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
    [message] = hook.accepted
    assert names(str(message["blocks"])) == {
        row["customer_name"] for row in gone if row["tenant_slug"] == north
    }
    # one attempt showed that the mail server is down
    assert states(quiet) == {"sent": 1, "pending": len(of(gone))}
    tries = "select sum(attempts) from operations.message_outbox where channel = 'mail'"
    assert quiet.value(tries) == 1
    assert "topsecret" not in done.stdout + done.stderr
    kept = str(composed(quiet)) + str(quiet.rows("select * from operations.message_news"))
    assert "topsecret" not in kept


def test_a_refused_message_is_tried_again_and_arrives_once(
    quiet: Database, mails: MailReceiver
) -> None:
    gone = customers(quiet, limit=30)
    set_status(quiet, gone, "DORMANT")
    mails.answer = lambda number: 550 if number in (1, 3) else 250
    assert send(quiet, mails).returncode == 4
    assert states(quiet) == {"sent": len(of(gone)) - 2, "pending": 2}
    quiet.execute("update operations.message_outbox set next_attempt_at = now()")
    assert send(quiet, mails).returncode == 0
    assert told(mails) == of(gone)
    assert len(mails.accepted) == len(of(gone))


def test_a_message_that_was_refused_arrives_before_a_newer_one(
    quiet: Database, mails: MailReceiver
) -> None:
    rep = customers(quiet, limit=1)[0]["sales_rep_id"]
    one, other = customers(quiet, f"sales_rep_id = '{rep}'", 2)
    set_status(quiet, [one], "DORMANT")
    mails.answer = lambda _number: 550
    assert send(quiet, mails).returncode == 4
    # the end waits for the beginning, and the server is in order when there is other news
    set_status(quiet, [one], "HEALTHY")
    assert send(quiet, mails).returncode == 0
    mails.answer = lambda _number: 250
    set_status(quiet, [other], "DORMANT")
    for _ in range(2):
        assert send(quiet, mails).returncode == 0
    assert [
        (" back " in mail["subject"], names(mail["plain"])) for mail in mails.accepted
    ] == [
        (False, {one["customer_name"]}),
        (False, {other["customer_name"]}),
        (True, {one["customer_name"]}),
    ]


def test_a_message_that_cannot_be_sent_for_days_is_not_sent_later(
    quiet: Database, mails: MailReceiver
) -> None:
    gone = customers(quiet, limit=30)
    set_status(quiet, gone, "DORMANT")
    mails.answer = lambda _number: 550
    assert send(quiet, mails).returncode == 4
    old = min(of(gone))
    for hours, address in ((169, "="), (167, "!=")):
        quiet.execute(
            "update operations.message_outbox set next_attempt_at = now(), created_at = now()"
            f" - interval '{hours} hours' where address {address} %s",
            old,
        )
    mails.answer = lambda _number: 250
    assert send(quiet, mails).returncode == 0
    assert told(mails) == {to: whom for to, whom in of(gone).items() if to != old}
    assert states(quiet) == {"sent": len(of(gone)) - 1, "expired": 1}
    assert "expired" in quiet.run("flows", "status", environment=mails.environment).stdout
    # and who never heard of the beginning does not hear of the end
    refused, left, *others = sorted(of(gone).keys() - {old})
    for state, address in (("failed", refused), ("withdrawn", left)):
        quiet.execute(
            "update operations.message_outbox set state = %s where address = %s",
            state,
            address,
        )
    mails.accepted.clear()
    set_status(quiet, gone, "HEALTHY")
    assert send(quiet, mails).returncode == 0
    assert told(mails) == {to: of(gone)[to] for to in others} != {}


def test_people_are_told_though_somebody_emptied_the_table_of_news(
    quiet: Database, mails: MailReceiver
) -> None:
    quiet.execute("truncate operations.message_news")
    gone = customers(quiet, limit=4)
    set_status(quiet, gone, "DORMANT")
    assert send(quiet, mails).returncode == 0
    assert told(mails) == of(gone)


def test_the_team_is_told_of_all_tenants_in_one_message(
    quiet: Database, mails: MailReceiver, hook: WebhookReceiver
) -> None:
    gone = customers(quiet, limit=6)
    set_status(quiet, gone, "DORMANT")
    done = send(
        quiet,
        mails,
        ALERT_MAIL_TO="ops@example.com, boss@example.com",
        ALERT_WEBHOOK_URL=hook.url,
        ALERT_WEBHOOK_FORMAT="teams",
    )
    assert done.returncode == 0, done.stderr
    all_names = {row["customer_name"] for row in gone}
    expected = {**of(gone), "ops@example.com": all_names, "boss@example.com": all_names}
    assert told(mails) == expected
    [card] = hook.accepted
    assert names(str(card["attachments"])) == all_names
    # no message waits for a program that nobody has named
    assert (
        quiet.value("select count(*) from operations.alert_outbox where state != 'passed_on'")
        == 0
    )
    assert "waiting: " not in done.stdout


def test_pending_messages_to_a_former_team_member_are_dropped(
    quiet: Database, mails: MailReceiver
) -> None:
    quiet.execute(
        f"insert into {SEED} (tenant_slug, sales_rep_id, is_unsubscribed)"
        " values ('default', 'default', 'true')"
    )
    set_status(quiet, customers(quiet, limit=1), "DORMANT")
    mails.answer = lambda _number: 450
    assert (
        send(quiet, mails, ALERT_MAIL_TO="ops@example.com, gone@example.com").returncode == 4
    )
    mails.answer = lambda _number: 250
    quiet.execute("update operations.message_outbox set next_attempt_at = now()")
    for team in ("", "ops@example.com"):
        assert send(quiet, mails, ALERT_MAIL_TO=team).returncode == 0
        assert [mail["to"] for mail in mails.accepted] == ([team] if team else [])
    assert states(quiet) == {"sent": 1, "pending": 1}


def test_what_a_program_reads_is_as_it_was_beside_messages(
    quiet: Database, mails: MailReceiver, hook: WebhookReceiver
) -> None:
    gone = customers(quiet, limit=4)
    set_status(quiet, gone, "DORMANT")
    done = send(quiet, mails, ALERT_WEBHOOK_URL=hook.url)
    assert done.returncode == 0, done.stderr
    assert {message["subject"] for message in hook.accepted} == {
        row["customer_id"] for row in gone
    }
    assert told(mails) == of(gone)


def test_a_customer_that_changes_hands_is_told_to_its_new_rep_only(
    quiet: Database, mails: MailReceiver
) -> None:
    one, other = customers(quiet, "tenant_slug = 'north-dairy'", 2)
    reps = quiet.rows(
        "select sales_rep_id, sales_rep_email from analytics.sales_reps where tenant_id ="
        " (select tenant_id from analytics.tenants where tenant_slug = 'north-dairy')"
        " and sales_rep_id::text != all(%s) order by 1 limit 1",
        [one["sales_rep_id"], other["sales_rep_id"]],
    )
    [new] = reps
    set_status(quiet, [one, other], "DORMANT")
    assert send(quiet, mails).returncode == 0
    assert told(mails) == of([one, other])
    mails.accepted.clear()

    def hand_over(customer: dict[str, Any]) -> None:
        for mart in ("customer_risk_status", "customer_account_types"):
            quiet.execute(
                f"update analytics.{mart} set sales_rep_id = %s where customer_id = %s",
                new["sales_rep_id"],
                customer["customer_id"],
            )

    # the new rep is told, because it is still true; the former rep is told nothing
    hand_over(one)
    assert send(quiet, mails).returncode == 0
    assert told(mails) == {new["sales_rep_email"]: {one["customer_name"]}}
    # a customer that comes back as its rep changes: neither is told, because one no longer has
    # the customer, and the other was not told that it had left
    mails.accepted.clear()
    hand_over(other)
    set_status(quiet, [one, other], "HEALTHY")
    assert send(quiet, mails).returncode == 0
    assert told(mails) == {new["sales_rep_email"]: {one["customer_name"]}}


def test_the_recipients_seed_decides_the_addresses(
    quiet: Database, mails: MailReceiver, hook: WebhookReceiver
) -> None:
    gone = customers(quiet, "tenant_slug in ('north-dairy', 'harbor-foods')", 60)
    dairy = [row for row in gone if row["tenant_slug"] == "north-dairy"]
    foods = [row for row in gone if row["tenant_slug"] == "harbor-foods"]
    first, second, third = sorted({row["sales_rep_id"] for row in dairy})[:3]
    for row in (
        ("north-dairy", first, "mail", "other@example.com", None, None, None),
        ("north-dairy", second, "mattermost", "dairy", None, None, None),
        ("north-dairy", third, None, None, None, None, "true"),
        ("harbor-foods", "default", None, None, None, None, "true"),
        ("default", "default", "mail", "nobody@example.com", None, None, None),
    ):
        quiet.execute(f"insert into {SEED} values (%s, %s, %s, %s, %s, %s, %s)", *row)
    set_status(quiet, gone, "DORMANT")
    done = send(quiet, mails, MESSAGE_URL_DAIRY=hook.url)
    assert done.returncode == 0, done.stderr

    def of_rep(*ids: str) -> set[str]:
        return {row["customer_name"] for row in dairy if row["sales_rep_id"] in ids}

    others = {row["sales_rep_id"] for row in dairy} - {first, second, third}
    assert told(mails) == {
        "other@example.com": of_rep(first),
        # one message per address, however many reps share it
        "nobody@example.com": of_rep(*others),
    }
    assert len(mails.accepted) == 2
    [message] = hook.accepted
    assert names(message["text"]) == of_rep(second)
    status = quiet.run(
        "flows", "status", environment={**mails.environment, "MESSAGE_URL_DAIRY": hook.url}
    ).stdout
    assert (
        len(re.findall(r"^(?:north-dairy|harbor-foods) .*unsubscribed", status, re.MULTILINE))
        == 2
    )
    assert foods
    # when the environment does not name it
    status = quiet.run("flows", "status", environment=mails.environment).stdout
    assert "MESSAGE_URL_DAIRY is not set" in status


def test_an_address_that_is_none_gets_nothing_and_status_says_so(
    quiet: Database, mails: MailReceiver
) -> None:
    [one] = customers(quiet, limit=1)
    set_status(quiet, [one], "DORMANT")
    for address, why in (
        (None, "no e-mail address"),
        ("  ", "no e-mail address"),
        ("ana", "no valid e-mail address"),
        ("ana@a.example, eve@e.example", "no valid e-mail address"),
        ("ana@a.example\nBcc: eve@e.example", "no valid e-mail address"),
        ("<eve@e.example>", "no valid e-mail address"),
        # characters that the e-mail library cannot handle
        ("ana@[a.example", "no valid e-mail address"),
        ("ana@a..example", "no valid e-mail address"),
        ("ana@a.example", ""),
    ):
        quiet.execute(
            "update analytics.sales_reps set sales_rep_email = %s where sales_rep_id = %s",
            address,
            one["sales_rep_id"],
        )
        assert send(quiet, mails).returncode == 0
        assert [mail["to"] for mail in mails.accepted] == ([] if why else [address])
        assert why == (
            quiet.value(
                "select not_told_because from operations.recipients where sales_rep_id = %s",
                one["sales_rep_id"],
            )
            or ""
        )
        if address == "ana":
            status = quiet.run("flows", "status", environment=mails.environment).stdout
            assert why in status


def test_a_rep_whom_only_customers_know_gets_nothing_and_status_says_so(
    quiet: Database, mails: MailReceiver
) -> None:
    [one] = customers(quiet, "tenant_slug = 'north-dairy'", 1)
    quiet.execute(
        "delete from analytics.sales_reps where sales_rep_id::text = %s", one["sales_rep_id"]
    )
    assert send(quiet, mails).returncode == 0
    looked_after = quiet.value(
        "select count(*) from analytics.customer_account_types where sales_rep_id::text = %s",
        one["sales_rep_id"],
    )
    told = quiet.rows(
        "select tenant_slug, recipient_name, customers_count"
        " from operations.unreached(array['mail']) where reason = 'unknown sales rep'"
    )
    assert told == [
        {
            "tenant_slug": "north-dairy",
            "recipient_name": one["sales_rep_id"],
            "customers_count": looked_after,
        }
    ]
    status = quiet.run("flows", "status", environment=mails.environment).stdout
    assert re.search(rf"unknown sales rep.*\b{looked_after}\b.*{one['sales_rep_id']}", status)


def test_a_rep_who_has_left_or_unsubscribes_gets_not_even_what_waits(
    quiet: Database, mails: MailReceiver
) -> None:
    gone = customers(quiet, "tenant_slug = 'north-dairy'", 30)
    set_status(quiet, gone, "DORMANT")
    first, second, *others = sorted(of(gone))
    mails.answer = lambda _number: 450
    assert send(quiet, mails).returncode == 4
    mails.answer = lambda _number: 250
    quiet.execute(
        "update analytics.sales_reps set is_active = false where sales_rep_email = %s", first
    )
    [rep] = {row["sales_rep_id"] for row in gone if row["sales_rep_email"] == second}
    quiet.execute(f"insert into {SEED} values ('north-dairy', %s)", rep)
    quiet.execute(f"update {SEED} set is_unsubscribed = 'true'")
    quiet.execute("update operations.message_outbox set next_attempt_at = now()")
    assert send(quiet, mails).returncode == 0
    assert told(mails).keys() == set(others)
    assert states(quiet) == {"withdrawn": 2, "sent": len(others)}


HOURS = (
    ("19:59:59", "20:00", "07:00", False),
    ("20:00:00", "20:00", "07:00", True),
    ("23:59:59", "20:00", "07:00", True),
    ("00:00:00", "20:00", "07:00", True),
    ("06:59:59", "20:00", "07:00", True),
    ("07:00:00", "20:00", "07:00", False),
    ("11:59:59", "12:00", "13:00", False),
    ("12:00:00", "12:00", "13:00", True),
    ("13:00:00", "12:00", "13:00", False),
    ("12:00:00", "12:00", "12:00", False),
    ("12:00:00", None, None, False),
)


def test_quiet_hours_begin_and_end_on_the_second_of_the_zone(refreshed: Database) -> None:
    for zone in ("Pacific/Auckland", "America/Los_Angeles", "UTC"):
        for local, begin, end, is_quiet in HOURS:
            found = refreshed.value(
                "select operations.is_quiet("
                "(date '2026-06-15' + %s::time) at time zone %s::text,"
                " %s::text, %s::time, %s::time)",
                *(local, zone, zone, begin, end),
            )
            assert found is is_quiet, (zone, local)


def test_news_of_the_quiet_hours_are_one_message_at_their_end(quiet: Database) -> None:
    one, other, back = customers(quiet, "tenant_slug = 'harbor-foods'", 3)
    quiet.execute(
        f"insert into {SEED} values ('harbor-foods', 'default', null, null, '20:00', '07:00')"
    )
    [rep] = quiet.rows(
        "select sales_rep_id from analytics.sales_reps where sales_rep_email = %s",
        one["sales_rep_email"],
    )
    for mart in ("customer_risk_status", "customer_account_types"):
        quiet.execute(
            f"update analytics.{mart} set sales_rep_id = %s"
            " where customer_id = any(%s::uuid[])",
            rep["sales_rep_id"],
            [row["customer_id"] for row in (one, other, back)],
        )
    zone = "America/Los_Angeles"
    today = quiet.value(f"select (now() at time zone '{zone}')::date::text")
    for customer in (one, back, other):
        set_status(quiet, [customer], "DORMANT")
        assert quiet.run("flows", "alerts").returncode == 0
        compose(quiet, f"{today} 06:59:59 {zone}")
    # news that ended before it was sent is no longer news
    set_status(quiet, [back], "HEALTHY")
    assert quiet.run("flows", "alerts").returncode == 0
    assert composed(quiet) == []
    compose(quiet, f"{today} 07:00:00 {zone}")
    [message] = composed(quiet)
    assert {line["name"] for line in message["body"]} == {
        one["customer_name"],
        other["customer_name"],
    }
    # and a message made earlier waits for the end of the quiet hours, too
    claim = "select count(*) from operations.claim_message(%s, '{}', array['mail'])"
    assert quiet.value(claim, f"{today} 06:59:59 {zone}") == 0
    assert quiet.value(claim, f"{today} 07:00:00 {zone}") == 1


ZONES = {"kiwi-produce": "Pacific/Auckland", "harbor-foods": "America/Los_Angeles"}


WEEKS = (
    # the last second before the hour, and the hour
    ("2026-06-15 06:59:59", "2026-06-15 00:00:00", False),
    ("2026-06-15 07:00:00", "2026-06-15 00:00:00", True),
    # the marts have not reached the new week yet
    ("2026-06-15 07:00:00", "2026-06-14 23:59:59", False),
    # on Tuesday after an outage, and no later
    ("2026-06-16 23:59:59", "2026-06-15 00:00:00", True),
    ("2026-06-17 00:00:00", "2026-06-15 00:00:00", False),
    # marts of a future day, and of another week
    ("2026-06-15 07:00:00", "2026-06-16 00:00:00", False),
    ("2026-06-22 07:00:00", "2026-06-15 00:00:00", False),
    ("2026-06-14 07:00:00", "2026-06-14 00:00:00", False),
)


@pytest.mark.parametrize("tenant", ZONES)
def test_the_week_is_told_on_monday_of_the_zone(quiet: Database, tenant: str) -> None:
    zone = ZONES[tenant]
    assert quiet.run("flows", "alerts").returncode == 0
    # only this tenant has marts of today
    quiet.execute("update analytics.tenants set as_of = '2030-01-01'")
    for local, marts_local, is_told in WEEKS:
        quiet.execute("delete from operations.message_outbox")
        quiet.execute("delete from operations.message_news where news != 'begun'")
        quiet.execute(
            "update analytics.tenants set as_of = %s, today = %s::timestamp::date,"
            " time_zone = %s where tenant_slug = %s",
            *(f"{marts_local} {zone}", marts_local, zone, tenant),
        )
        # once, however often the command runs
        for _ in range(2):
            compose(quiet, f"{local} {zone}", "ops@example.com")
        week = [message for message in composed(quiet) if message["kind"] == "weekly"]
        assert bool(week) == is_told, local
        if is_told:
            days = {line["week_begins_on"] for row in week for line in row["body"]}
            assert days == {"2026-06-08"}
            assert {message["tenant_slug"] for message in week} == {tenant, ""}
            assert set(Counter(message["address"] for message in week).values()) == {1}


def set_monday(database: Database, tenant: str) -> str:
    """Let it be Monday, with marts for this tenant alone; return an instant of that day."""
    assert database.run("flows", "alerts").returncode == 0
    database.execute("update analytics.tenants set as_of = '2030-01-01'")
    database.execute(
        "update analytics.tenants set as_of = '2026-06-15', today = '2026-06-15',"
        " time_zone = 'UTC' where tenant_slug = %s",
        tenant,
    )
    return "2026-06-15 07:00:00+00"


def test_a_week_in_which_nothing_was_is_no_message(quiet: Database) -> None:
    monday = set_monday(quiet, "north-dairy")
    quiet.execute("update analytics.tenants set today = '2029-01-01'")
    quiet.execute("update analytics.customer_risk_status set next_expected_order_date = null")
    quiet.execute(
        "update analytics.tenants set today = '2026-06-15' where tenant_slug = 'north-dairy'"
    )
    quiet.execute("delete from analytics.customer_risk_status_history")
    compose(quiet, monday, "ops@example.com")
    assert composed(quiet) == []
    # and the command does not search for it again
    told = quiet.rows("select from operations.message_news where starts_with(news, 'week ')")
    reps = quiet.rows("select from operations.recipients where tenant_slug = 'north-dairy'")
    assert len(told) == len(reps) + 1 > 1


def test_the_week_waits_while_no_orders_arrive(quiet: Database) -> None:
    monday = set_monday(quiet, "north-dairy")
    quiet.execute("alter view operations.tenant_feeds rename to feeds_before")
    quiet.execute(
        "create view operations.tenant_feeds as"
        " select tenant_id, true as is_silent from analytics.tenants"
    )
    compose(quiet, monday)
    assert composed(quiet) == []
    quiet.execute("drop view operations.tenant_feeds")
    quiet.execute("alter view operations.feeds_before rename to tenant_feeds")
    compose(quiet, monday)
    assert {message["tenant_slug"] for message in composed(quiet)} == {"north-dairy"}


def test_reps_who_share_an_address_are_told_at_their_own_hours(quiet: Database) -> None:
    monday = set_monday(quiet, "north-dairy")
    ids = sorted(
        {
            row["sales_rep_id"]
            for row in customers(quiet)
            if row["tenant_slug"] == "north-dairy"
        }
    )
    for rep, until in ((ids[0], None), (ids[1], "09:00")):
        quiet.execute(
            f"insert into {SEED} values ('north-dairy', %s, 'mail', 'both@a.example', %s, %s)",
            *(rep, "00:00" if until else None, until),
        )
    for hour, reps in ((7, ids[:1]), (9, ids[1:2])):
        quiet.execute("delete from operations.message_outbox")
        compose(quiet, monday.replace("07", f"{hour:02}", 1))
        [message] = [row for row in composed(quiet) if row["address"] == "both@a.example"]
        found = {line["link"].partition("/")[2] for line in message["body"]}
        assert found
        assert found <= {
            row["customer_id"]
            for row in quiet.rows(
                "select customer_id::text from analytics.customer_risk_status"
                " where sales_rep_id::text = any(%s)",
                reps,
            )
        }
        assert owners(message) == set(reps)
    # a list of both is nobody's own
    quiet.execute(f"update {SEED} set quiet_from = null, quiet_to = null")
    quiet.execute("delete from operations.message_outbox")
    quiet.execute("delete from operations.message_news where news != 'begun'")
    compose(quiet, monday)
    [message] = [row for row in composed(quiet) if row["address"] == "both@a.example"]
    assert owners(message) == {None}


def owners(message: dict[str, Any]) -> set[str | None]:
    """Return the sales reps whose list of whom to call a message leads to."""
    return {
        line["sales_rep_id"] for line in message["body"] if line["section"] == "CALL_FIRST"
    }


def test_the_week_of_each_rep_is_that_of_its_customers(quiet: Database) -> None:
    assert quiet.run("flows", "alerts").returncode == 0
    # every week of the demo, as if it were the last one
    expected: dict[str, set[tuple[str, str]]] = {}
    for row in quiet.rows(
        """
        select
            sales_rep_email, customer_name, status, previous_status,
            exists (
                select from analytics.customer_risk_status_history as earlier
                where
                    earlier.tenant_id = steps.tenant_id
                    and earlier.customer_id = steps.customer_id
                    and earlier.previous_status = 'DORMANT'
                    and earlier.valid_from between '2026-06-08' and '2026-06-14'
            ) as has_come_back
        from analytics.customer_risk_status_history as steps
        inner join analytics.customer_risk_status using (tenant_id, customer_id)
        inner join analytics.sales_reps using (tenant_id, sales_rep_id)
        inner join analytics.tenants using (tenant_id)
        where
            valid_from between '2026-06-08' and '2026-06-14'
            and (valid_to is null or valid_to > '2026-06-14')
        """
    ):
        section = "CAME_BACK" if row["previous_status"] == "DORMANT" else row["status"]
        section = {"DORMANT": "LOST", "AT_RISK_CADENCE": "BECAME_LATE"}.get(section, section)
        if row["has_come_back"] and section in ("HEALTHY", "AT_RISK_REVENUE"):
            section = "CAME_BACK"
        if section in ("LOST", "BECAME_LATE", "CAME_BACK"):
            key = row["sales_rep_email"]
            expected.setdefault(key, set()).add((section, row["customer_name"]))
    assert len({section for rows in expected.values() for section, _ in rows}) == 3
    compose(quiet, "2026-06-15 16:00:00+00")
    found: dict[str, set[tuple[str, str]]] = {}
    for message in composed(quiet):
        calls = [line for line in message["body"] if line["section"] == "CALL_FIRST"]
        amounts = [line["revenue_at_risk"] or -1 for line in calls]
        # without a forecast, those with the most at risk are to be called first
        assert amounts == sorted(amounts, reverse=True)
        assert len(calls) <= 10
        due = quiet.value(
            "select count(*) from analytics.due_to_order inner join analytics.sales_reps"
            " using (tenant_id, sales_rep_id) where sales_rep_email = %s",
            message["address"],
        )
        assert {line["of"] for line in calls} == ({due} if due else set())
        rep = quiet.value(
            "select sales_rep_id::text from analytics.sales_reps where sales_rep_email = %s",
            message["address"],
        )
        assert {line["sales_rep_id"] for line in calls} <= {rep}
        for line in message["body"]:
            if line["section"] != "CALL_FIRST":
                key = message["address"]
                found.setdefault(key, set()).add((line["section"], line["name"]))
    assert found == expected


def test_a_slow_reader_of_what_would_be_sent_holds_up_no_run(
    quiet: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_status(quiet, customers(quiet, limit=3), "DORMANT")
    for name, value in quiet.environment.items():
        monkeypatch.setenv(name, value)

    class Pager(Progress):
        """Another run raises alerts while this waits for its reader."""

        def table(self, title: str, lines: Sequence[Mapping[str, Any]]) -> None:
            with quiet.connect() as connection:
                connection.execute("set lock_timeout = '1s'")
                connection.execute("select operations.raise_alerts(false)")
            shown[title] = len(lines)

    shown: dict[str, int] = {}
    run_alerts(Pager(), dry_run=True)
    assert {title.partition(" that would not be sent")[0] for title in shown} == {
        "Alerts",
        "Messages",
        "Messages that would be sent",
    }


def test_messages_are_looked_at_without_being_sent(
    quiet: Database, mails: MailReceiver
) -> None:
    gone = customers(quiet, limit=4)
    set_status(quiet, gone, "DORMANT")
    # even before a mail server is set, and the team's channel hears what a program would
    done = quiet.run(
        *("flows", "alerts", "--dry-run"),
        environment={"ALERT_WEBHOOK_URL": "http://team", "ALERT_WEBHOOK_FORMAT": "slack"},
    )
    assert done.returncode == 0, done.stderr
    head, _, texts = done.stdout.partition("\n\nto ")
    sent, _, unsent = head.partition("Messages that would not be sent")
    assert "Alerts that would be sent: none" in sent
    assert "slack ALERT_WEBHOOK_URL" in sent
    assert unsent.count("ALERT_SMTP_URL is not set") == len(of(gone))
    assert texts
    for address, theirs in of(gone).items():
        [part] = re.findall(
            rf"^to {address}: (?:.|\n)*?(?=^to |\Z)", done.stdout, re.MULTILINE
        )
        assert names(part) == theirs
    assert composed(quiet) == []
    assert send(quiet, mails).returncode == 0
    assert told(mails) == of(gone)


def test_alerts_sent_before_an_upgrade_are_not_sent_to_people(
    quiet: Database, mails: MailReceiver
) -> None:
    """A database of the earlier version, and news that have become old."""
    gone = customers(quiet, limit=4)
    set_status(quiet, gone[:1], "DORMANT")
    assert quiet.run("flows", "alerts").returncode == 0
    quiet.execute("drop table operations.message_news, operations.message_outbox cascade")
    set_status(quiet, gone[1:2], "DORMANT")
    assert send(quiet, mails).returncode == 0
    assert told(mails) == of(gone[1:2])
    set_status(quiet, gone[2:3], "DORMANT")
    assert quiet.run("flows", "alerts").returncode == 0
    quiet.execute(
        "update operations.message_news set told_at = now() - interval '1 year'"
        " where news = 'begun'"
    )
    quiet.execute(
        "update operations.alert_outbox set created_at = now() - interval '169 hours'"
        " where subject = %s",
        gone[2]["customer_id"],
    )
    quiet.execute(
        "update operations.alert_outbox set created_at = now() - interval '167 hours'"
        " where subject = %s",
        gone[0]["customer_id"],
    )
    mails.accepted.clear()
    assert send(quiet, mails).returncode == 0
    assert told(mails) == of(gone[:1])


def test_while_views_are_detached_nothing_is_told_and_nothing_lost(
    quiet: Database, mails: MailReceiver
) -> None:
    gone = customers(quiet, limit=4)
    set_status(quiet, gone, "DORMANT")
    assert quiet.run("flows", "alerts").returncode == 0
    quiet.execute("alter view operations.recipients rename to recipients_away")
    quiet.execute("alter view operations.weekly_lines rename to weekly_lines_away")
    assert send(quiet, mails).returncode == 0
    assert quiet.run("flows", "status", environment=mails.environment).returncode == 0
    assert mails.tried == []
    quiet.execute("alter view operations.recipients_away rename to recipients")
    assert send(quiet, mails).returncode == 0
    assert told(mails) == of(gone)


def test_two_runs_at_once_compose_each_message_once(quiet: Database) -> None:
    set_status(quiet, customers(quiet, limit=8), "DORMANT")
    assert quiet.run("flows", "alerts").returncode == 0
    call = "select operations.compose_messages(now(), '{}', array['mail'], true)"
    with quiet.connect() as first, quiet.connect() as second:
        first.autocommit = False
        first.execute(call.encode())
        waits = threading.Thread(target=second.execute, args=[call.encode()])
        waits.start()
        waits.join(0.5)
        assert waits.is_alive()
        first.commit()
        waits.join(60)
    assert len({row["address"] for row in composed(quiet)}) == len(composed(quiet)) > 0


@pytest.mark.parametrize(
    "marts", [(), ("sales_reps", "customer_risk_status", "customer_account_types")]
)
def test_equal_ids_of_two_tenants_are_two_people_and_two_customers(
    quiet: Database, mails: MailReceiver, marts: tuple[str, ...]
) -> None:
    """A customer and a rep with the same ids in both tenants, which count from one."""
    [one] = customers(quiet, "tenant_slug = 'north-dairy'", 1)
    [other] = customers(quiet, "tenant_slug = 'harbor-foods'", 1)
    for mart in marts:
        quiet.execute(
            f"update analytics.{mart} set sales_rep_id = %s where sales_rep_id = %s",
            one["sales_rep_id"],
            other["sales_rep_id"],
        )
    for mart in ("customer_risk_status", "customer_account_types"):
        quiet.execute(
            f"update analytics.{mart} set customer_id = %s where customer_id = %s",
            one["customer_id"],
            other["customer_id"],
        )
    set_status(quiet, [one], "DORMANT")
    assert send(quiet, mails).returncode == 0
    assert told(mails) == of([one, other])
    # only one of them comes back
    mails.accepted.clear()
    quiet.execute(
        "update analytics.customer_risk_status set risk_status = 'HEALTHY' where customer_id"
        " = %s and tenant_id = (select tenant_id from analytics.tenants where tenant_slug ="
        " 'north-dairy')",
        one["customer_id"],
    )
    assert send(quiet, mails).returncode == 0
    assert told(mails) == of([one])


def test_equal_ids_of_two_systems_are_two_tenants(quiet: Database) -> None:
    """An organization of another system has the id of a tenant; its channel gets nothing."""
    quiet.execute(f"insert into {SEED} values ('north-dairy', null, 'mail', 'all@n.example')")
    assert quiet.run("flows", "alerts").returncode == 0
    for slug in ("north-dairy", "of-another-system"):
        quiet.execute(
            "with episodes as ("
            " insert into operations.alert_episodes"
            " (kind, subject_kind, tenant_id, subject, is_told)"
            " select 'TENANT_HEALTH_LOW', 'tenant', tenant_id::text, %s, true"
            " from analytics.tenants where tenant_slug = 'north-dairy' returning *)"
            " insert into operations.alert_outbox"
            " (episode_id, edge, kind, tenant_slug, subject, message, details)"
            " select episode_id, 'raised', kind, subject, subject, 'low', '{}' from episodes",
            slug,
        )
    compose(quiet, "now")
    [message] = composed(quiet)
    assert message["address"] == "all@n.example"
    assert [line["tenant"] for line in message["body"]] == ["north-dairy"]


def test_a_week_stays_with_its_tenant_where_two_systems_have_equal_ids(
    quiet: Database,
) -> None:
    quiet.execute(f"insert into {SEED} values ('elsewhere', null, 'mail', 'all@e.example')")
    quiet.execute(
        "update analytics.platform_organizations set organization_slug = 'elsewhere',"
        " organization_id = (select tenant_id from analytics.tenants"
        " where tenant_slug = 'north-dairy')"
        " where organization_id ="
        " (select organization_id from analytics.platform_organizations limit 1)"
    )
    now = set_monday(quiet, "north-dairy")
    compose(quiet, now)
    week = [message for message in composed(quiet) if message["kind"] == "weekly"]
    assert week
    assert "all@e.example" not in {message["address"] for message in week}


@pytest.mark.slow
def test_a_row_of_recipients_that_makes_no_sense_is_named(
    small: Database, project: Path
) -> None:
    """One of each kind, in one refresh; unknown values are a warning."""
    command = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    seed = project / "seeds" / "message_recipients.csv"
    header = seed.read_text()
    wrong = (
        "acme,1,pigeon,,,,",
        "acme,1,slack,Https://x,,,",
        "acme,1,mail,x,,,",
        "acme,,mail,,,,",
        "acme,1,,,25:00,07:00,",
        "acme,1,,,20:00,,",
        "acme,1,,,,,perhaps",
        "default,1,,,,,",
        # one place twice: mail is the usual channel
        "acme,2,,,20:00,07:00,",
        "acme,2,mail,,,,",
    )
    seed.write_text(header + "\n".join(wrong) + "\n")
    done = small.run(*command, project=project)
    assert done.returncode == 2, done.stdout[-2000:]
    [line] = done.stderr.splitlines()
    assert "message_recipients_are_sane" in line
    assert f"{len(wrong)} rows" in line
    seed.write_text(f"{header}acme,1,slack,acme,,,\nacmee,,slack,acme,,,\n")
    done = small.run(*command, project=project)
    assert done.returncode == 0, done.stderr
    assert "message_recipients_name_tenants_and_reps" in done.stdout
