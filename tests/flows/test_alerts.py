"""Alerts: told at the edge, once an episode, and at most once whatever happens on the way."""

import email
import email.policy
import json
import socketserver
import ssl
import subprocess
import sys
import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, UNTIL, Database
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from flows import channels

Message = dict[str, Any]
MESSAGE = {"id": "1", "kind": "K", "edge": "raised", "tenant": "t", "message": "m"}
# what a receiver says to its n-th message: 200 or 250 and the like, or worse
Answer = Callable[[int], int]
OK = 250


class Receiver:
    """A server of the test that keeps what it accepted, and answers as it is told."""

    environment: dict[str, str]

    def __init__(self) -> None:
        self.accepted: list[Message] = []
        self.tried: list[str] = []
        self.answer: Answer = lambda _number: OK
        # a message has come in, and its sender waits
        self.holding = threading.Event()
        self.release = threading.Event()
        self.release.set()

    def take(self, message: Message) -> int:
        self.tried.append(message["id"])
        self.holding.set()
        self.release.wait(60)
        code = self.answer(len(self.tried))
        if code == OK:
            self.accepted.append(message)
        return code

    def kinds(self) -> Counter[tuple[str, str]]:
        return Counter((message["kind"], message["edge"]) for message in self.accepted)


class MailHandler(socketserver.StreamRequestHandler):
    """One conversation with a mail server of the test."""

    receiver: "MailReceiver"
    is_encrypted: bool
    context: ssl.SSLContext | None

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def encrypt(self) -> None:
        assert self.context
        self.connection = self.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)

    def handle(self) -> None:
        if self.is_encrypted:
            self.encrypt()
        self.say("220 sink")
        while line := self.rfile.readline().decode().strip():
            verb, *words = line.split()
            match verb.lower():
                case "ehlo":
                    offers = ["250-STARTTLS"] if self.context else []
                    self.say("250-sink", *offers, "250 AUTH PLAIN")
                case "starttls":
                    self.say("220 go on")
                    self.encrypt()
                case "auth":
                    self.receiver.logins.append(b64decode(words[-1]).decode())
                    self.say("235 welcome")
                case "data":
                    self.say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    mail = email.message_from_bytes(text, policy=email.policy.default)
                    message = json.loads(mail.get_content())
                    assert mail["Message-ID"] == f"<{message['id']}@customer-health>"
                    self.say(f"{self.receiver.take(message)} so it is")
                case "quit":
                    self.say("221 bye")
                case _:
                    self.say("250 yes")


class WebhookReceiver(Receiver):
    """Takes messages by HTTP."""

    def __init__(self) -> None:
        super().__init__()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                message = json.loads(body)
                assert self.headers["Idempotency-Key"] == message["id"]
                code = receiver.take(message)
                self.send_response({OK: 200, 550: 500}[code])
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.environment = {
            "ALERT_WEBHOOK_URL": f"http://127.0.0.1:{self.server.server_port}/hook"
        }


class MailReceiver(Receiver):
    """Takes messages by SMTP, in TLS from the start, from STARTTLS on, or without."""

    def __init__(self, scheme: str = "smtp", tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.logins: list[str] = []

        class Handler(MailHandler):
            receiver = self
            is_encrypted = scheme == "smtps"
            context = tls

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_arguments: object) -> None:
                """A sender that was killed is expected here."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.environment = {
            "ALERT_SMTP_URL": f"{scheme}://127.0.0.1:{self.server.server_address[1]}",
            "ALERT_MAIL_FROM": "health@example.com",
            "ALERT_MAIL_TO": "ana@example.com, ben@example.com",
        }


@pytest.fixture(params=[WebhookReceiver, MailReceiver])
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    made = request.param()
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.release.set()
    made.server.shutdown()
    made.server.server_close()


def send(database: Database, receiver: Receiver) -> subprocess.CompletedProcess[str]:
    return database.run("flows", "alerts", environment=receiver.environment)


def customers(database: Database, count: int, *, high_value: bool = False) -> list[str]:
    """Return customers that are not dormant, and of high value or not."""
    return [
        str(row["customer_id"])
        for row in database.rows(
            "select customer_id from operations.customer_revenues inner join"
            " analytics.customer_risk_status using (tenant_id, customer_id)"
            " where risk_status != 'DORMANT' and is_high_value = %s"
            " order by customer_id limit %s",
            high_value,
            count,
        )
    ]


def set_status(database: Database, ids: list[str], status: str) -> None:
    database.execute(
        "update analytics.customer_risk_status set risk_status = %s"
        " where customer_id = any(%s::uuid[])",
        status,
        ids,
    )


def due_again(database: Database) -> None:
    """Let the pauses between tries be over."""
    database.execute("update operations.alert_outbox set next_attempt_at = now()")


def states(database: Database) -> dict[str, int]:
    return {
        row["state"]: row["messages"]
        for row in database.rows(
            "select state, count(*)::int as messages from operations.alert_outbox"
            " where kind like '%%CUSTOMER_DORMANT' group by state"
        )
    }


@pytest.fixture
def quiet(refreshed: Database) -> Database:
    """A database whose alerts so far have all been sent."""
    refreshed.execute("update operations.alert_outbox set state = 'sent'")
    return refreshed


def test_what_was_so_before_is_not_told(refreshed: Database) -> None:
    assert refreshed.value("select count(*) from operations.alert_episodes where not is_told")
    told = refreshed.rows("select kind from operations.alert_outbox")
    # figures of a tenant or an organization are told at once
    assert {row["kind"] for row in told} <= {
        *("ACCOUNT_TYPE_SHARE", "FEED_SILENT"),
        *("TENANT_HEALTH_LOW", "TENANT_HEALTH_CRITICAL"),
    }


def test_an_episode_is_told_once_and_so_is_its_end(
    quiet: Database, receiver: Receiver
) -> None:
    plain, valued = customers(quiet, 2), customers(quiet, 1, high_value=True)
    set_status(quiet, plain + valued, "DORMANT")
    for _ in range(2):
        done = send(quiet, receiver)
        assert done.returncode == 0, done.stderr
    once = Counter(
        {("CUSTOMER_DORMANT", "raised"): 2, ("HIGH_VALUE_CUSTOMER_DORMANT", "raised"): 1}
    )
    assert receiver.kinds() == once
    assert {message["subject"] for message in receiver.accepted} == {*plain, *valued}
    [rank] = [
        message["details"]["revenue_rank"]
        for message in receiver.accepted
        if message["subject"] in valued
    ]
    assert rank >= 1

    set_status(quiet, plain[:1] + valued, "HEALTHY")
    for _ in range(2):
        assert send(quiet, receiver).returncode == 0
    ended = Counter(
        {
            ("CUSTOMER_DORMANT", "recovered"): 1,
            ("HIGH_VALUE_CUSTOMER_DORMANT", "recovered"): 1,
        }
    )
    assert receiver.kinds() == once + ended

    set_status(quiet, plain[:1], "DORMANT")
    assert send(quiet, receiver).returncode == 0
    assert receiver.kinds() == once + ended + Counter({("CUSTOMER_DORMANT", "raised"): 1})
    assert len({message["id"] for message in receiver.accepted}) == len(receiver.accepted)


def test_marts_of_another_day_begin_nothing_and_end_nothing(quiet: Database) -> None:
    """While the marts hold a day before, or one that is yet to come."""
    [customer] = customers(quiet, 1)
    set_status(quiet, [customer], "DORMANT")
    later = "update analytics.tenants set as_of = as_of + interval '1 day' * %s"
    for days in (-1, 1, 365):
        quiet.execute(later, days)
        assert quiet.run("flows", "alerts").returncode == 0
        assert states(quiet) == ({"pending": 1} if days > 0 else {})
    # in a year from then nobody knows
    set_status(quiet, [customer], "HEALTHY")
    assert quiet.run("flows", "alerts").returncode == 0
    assert states(quiet) == {"pending": 1}
    quiet.execute(later, -365)
    assert quiet.run("flows", "alerts").returncode == 0
    assert states(quiet) == {"pending": 2}


def test_a_customer_that_is_gone_ends_its_episode_without_a_word(quiet: Database) -> None:
    [customer] = customers(quiet, 1)
    set_status(quiet, [customer], "DORMANT")
    assert quiet.run("flows", "alerts").returncode == 0
    quiet.execute(
        "delete from analytics.customer_risk_status where customer_id = %s", customer
    )
    assert quiet.run("flows", "alerts").returncode == 0
    assert states(quiet) == {"pending": 1}
    is_open = "select closed_at is null from operations.alert_episodes where subject = %s"
    assert quiet.value(is_open + " and kind = 'CUSTOMER_DORMANT'", customer) is False


def test_more_than_20_of_a_kind_become_one_message(
    quiet: Database, receiver: Receiver
) -> None:
    ids = customers(quiet, 41)
    set_status(quiet, ids[:20], "DORMANT")
    assert send(quiet, receiver).returncode == 0
    assert receiver.kinds() == {("CUSTOMER_DORMANT", "raised"): 20}
    assert states(quiet) == {"sent": 20}
    set_status(quiet, ids[20:], "DORMANT")
    for _ in range(2):
        assert send(quiet, receiver).returncode == 0
    assert receiver.kinds() == {("CUSTOMER_DORMANT", "raised"): 21}
    digest = receiver.accepted[-1]
    assert digest["events"] == 21
    # nobody foresees anything here: first those of whom most is at risk
    lines = quiet.rows(
        "select tenant_slug || ': ' || message as line, revenue_at_risk"
        " from operations.alert_outbox"
        " inner join analytics.customer_risk_status on customer_id::text = subject"
        " where state = 'digested'"
        " order by revenue_at_risk desc nulls last, tenant_slug, message"
    )
    assert len({row["revenue_at_risk"] for row in lines}) > 10
    assert digest["details"]["first"] == [row["line"] for row in lines[:20]]
    assert sum(digest["details"]["by_tenant"].values()) == 21
    assert states(quiet) == {"sent": 21, "digested": 21}


def test_a_refused_message_is_sent_again_and_arrives_once(
    quiet: Database, receiver: Receiver
) -> None:
    set_status(quiet, customers(quiet, 3), "DORMANT")
    receiver.answer = lambda number: 550 if number in (1, 2, 4) else OK
    done = send(quiet, receiver)
    assert done.returncode == 4
    assert done.stderr.startswith("error: alerts: 2 were refused and are tried again later")
    assert states(quiet) == {"sent": 1, "pending": 2}
    # not before its time
    assert send(quiet, receiver).returncode == 0
    assert len(receiver.tried) == 3
    for _ in range(2):
        due_again(quiet)
        send(quiet, receiver)
    assert states(quiet) == {"sent": 3}
    assert Counter(Counter(receiver.tried).values()) == {1: 1, 2: 1, 3: 1}
    assert len({message["id"] for message in receiver.accepted}) == 3
    assert len(receiver.accepted) == 3


def test_a_receiver_that_is_not_there_is_asked_again_up_to_a_limit(
    quiet: Database, receiver: Receiver
) -> None:
    set_status(quiet, customers(quiet, 2), "DORMANT")
    receiver.server.shutdown()  # type: ignore[attr-defined]
    receiver.server.server_close()  # type: ignore[attr-defined]
    done = send(quiet, receiver)
    assert done.returncode == 4
    assert "1 were refused" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert states(quiet) == {"pending": 2}
    quiet.execute("update operations.alert_outbox set attempts = 11, next_attempt_at = now()")
    for _ in range(2):
        assert send(quiet, receiver).returncode == 4
    assert states(quiet) == {"failed": 2}
    assert send(quiet, receiver).returncode == 0
    assert "refused" in quiet.run("flows", "status").stdout


def test_a_message_whose_sender_is_killed_is_never_sent_again(
    quiet: Database, receiver: Receiver
) -> None:
    """Killed each time that the receiver has a message in its hands, until none is left."""
    set_status(quiet, customers(quiet, 4), "DORMANT")
    command = [sys.executable, "-m", "flows", "alerts"]
    environment = quiet.os_environment(**receiver.environment)
    for kills in range(1, 3):
        receiver.release.clear()
        receiver.holding.clear()
        sender = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL
        )
        assert receiver.holding.wait(60)
        # while one sends, another does not
        assert "by another run" in send(quiet, receiver).stdout
        sender.kill()
        sender.wait()
        receiver.release.set()
        # the server notices that its client is gone
        while quiet.value(
            "select count(*) from pg_stat_activity where pid != pg_backend_pid()"
            " and datname = current_database()"
        ):
            threading.Event().wait(0.1)
        assert len(receiver.tried) == kills
    assert send(quiet, receiver).returncode == 0
    assert Counter(receiver.tried).most_common(1)[0][1] == 1
    assert len(receiver.tried) == 4
    assert states(quiet) == {"unknown": 2, "sent": 2}
    status = quiet.run("flows", "status").stdout
    assert "may have arrived" in status
    assert "the sender died" in status


def test_a_webhook_that_falls_silent_is_not_asked_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels, "TIMEOUT_SECONDS", 0.5)
    made = WebhookReceiver()
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    made.release.clear()
    with pytest.raises(channels.Unknown):
        channels.Webhook(made.environment["ALERT_WEBHOOK_URL"]).send("1", MESSAGE)
    made.release.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server of the test needs to be trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "sink.pem"
    file.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


def mail_to(made: MailReceiver, monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    """Send a mail to a receiver, with a login."""
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value.replace("://", f"://{login}@"))
    channel = channels.channel_of_environment()
    assert channel
    try:
        channel.send("1", MESSAGE)
    finally:
        made.server.shutdown()
        made.server.server_close()


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_password_goes_to_a_mail_server_with_tls(
    scheme: str, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MailReceiver(scheme, tls)
    mail_to(made, monkeypatch, "ana:p%40ss")
    assert made.logins == ["\0ana\0p@ss"]
    assert made.accepted == [MESSAGE]


def test_a_password_never_goes_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    made = MailReceiver()
    with pytest.raises(channels.Unreachable, match="no TLS, so it gets no password"):
        mail_to(made, monkeypatch, "ana:p%40ss")
    assert made.logins == made.tried == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_mail_server_that_nobody_vouches_for_gets_nothing(
    scheme: str, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    made = MailReceiver(scheme, tls)
    with pytest.raises(channels.Unreachable, match="certificate verify failed"):
        mail_to(made, monkeypatch, "ana:p%40ss")
    assert made.logins == made.tried == []


def test_no_success_for_two_days_is_told_though_nothing_runs(
    quiet: Database, receiver: Receiver
) -> None:
    back = "update operations.application_logs set created_at = now() - interval '%s hours'"
    quiet.execute(back.replace("%s", "47"))
    assert send(quiet, receiver).returncode == 0
    assert receiver.accepted == []
    quiet.execute(back.replace("%s", "49"))
    for _ in range(2):
        assert send(quiet, receiver).returncode == 0
    assert receiver.kinds() == {("REFRESH_OVERDUE", "raised"): 1}
    assert quiet.run("flows", "status").returncode == 1
    quiet.execute(back.replace("%s", "1"))
    assert send(quiet, receiver).returncode == 0
    assert receiver.kinds()["REFRESH_OVERDUE", "recovered"] == 1


def test_two_refreshes_that_fail_in_a_row_are_told_with_the_reason(
    quiet: Database, receiver: Receiver
) -> None:
    told = (
        "select edge, subject, message from operations.alert_outbox"
        " where kind = 'REFRESH_FAILED' order by created_at, subject"
    )

    def end_as(job: str, status: str, error: str | None = None) -> None:
        quiet.execute(
            "insert into operations.application_logs (logid, log_type, status, payload)"
            " values (gen_random_uuid()::text, 'refresh', %s,"
            " jsonb_build_object('cron_name', %s::text, 'error', %s::text))",
            status,
            job,
            error,
        )

    # once is nobody's business, nor is what was asked for by hand, what is held or running
    for _ in range(2):
        end_as("refresh_organization", "failed", "database: gone")
    end_as("refresh_hourly", "tests_failed", "a_test: 1 rows")
    end_as("refresh_nightly", "failed", "database: gone")
    end_as("refresh_nightly", "held", "write-back held")
    # which has died, as the next refresh will find
    end_as("refresh_nightly", "running")
    assert send(quiet, receiver).returncode == 0
    assert quiet.rows(told) == []

    # the second one tells by itself
    quiet.execute("revoke select on commerce.orders from customer_health_refresher")
    done = quiet.run("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
    assert done.returncode == 4
    reason = done.stderr.strip().removeprefix("error: ")
    [row] = quiet.rows(told)
    assert (row["edge"], row["subject"]) == ("raised", "refresh_hourly")
    assert row["message"] == f"refresh_hourly has failed 2 times in a row: {reason}"
    # and the third not again
    end_as("refresh_hourly", "interrupted")
    assert send(quiet, receiver).returncode == 0
    assert receiver.kinds() == {("REFRESH_FAILED", "raised"): 1}
    end_as("refresh_hourly", "success")
    assert send(quiet, receiver).returncode == 0
    assert quiet.rows(told)[1:] == [
        {
            "edge": "recovered",
            "subject": "refresh_hourly",
            "message": "refresh_hourly is well again",
        }
    ]


def test_when_refreshes_are_told_of_is_a_setting(quiet: Database, project: Path) -> None:
    file = project / "dbt_project.yml"
    settings = file.read_text()
    quiet.execute(
        "update operations.application_logs set created_at = now() - interval '20 hours'"
    )
    assert quiet.run("flows", "status", project=project).returncode == 0
    file.write_text(settings.replace("overdue_hours: 48", "overdue_hours: 19"))
    # looking changes nothing: what works brings the views up to date
    assert quiet.run("flows", "alerts", project=project).returncode == 0
    assert quiet.run("flows", "status", project=project).returncode == 1
    for wrong in ("0", "two", "true", "1.5"):
        file.write_text(settings.replace("failed_runs: 2", f"failed_runs: {wrong}"))
        done = quiet.run("flows", "alerts", project=project)
        assert done.returncode == 2
        assert "setting refresh_failed_runs is " in done.stderr
        assert "must be a whole number from 1" in done.stderr


def test_a_source_that_goes_stale_is_told_and_after_a_crash_nobody_knows(
    quiet: Database, receiver: Receiver
) -> None:
    freshness = "analytics_internal.int_source_freshness__orders"
    quiet.execute(f"create table was as select * from {freshness}")
    quiet.execute(f"update {freshness} set is_stale = true")
    assert send(quiet, receiver).returncode == 0
    assert receiver.kinds() == {("SOURCE_STALE", "raised"): 1}
    quiet.execute(f"truncate {freshness}")
    assert send(quiet, receiver).returncode == 0
    assert len(receiver.accepted) == 1
    quiet.execute(f"insert into {freshness} select * from was")
    assert send(quiet, receiver).returncode == 0
    assert receiver.kinds()["SOURCE_STALE", "recovered"] == 1


def test_a_refresh_that_is_held_raises_what_held_it(refreshed: Database) -> None:
    victim = "(select id from commerce.tenants where slug = 'harbor-foods')"
    refreshed.execute(
        "update commerce.customers set risk_status = 'HEALTHY', dormancy_since = null"
        f" where risk_status = 'DORMANT' and tenant_id = {victim}"
    )
    done = refreshed.run("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
    assert done.returncode == 3
    assert "could not be raised" not in done.stdout, done.stdout
    told = "select edge, tenant_slug from operations.alert_outbox where kind = 'GUARD_TRIPPED'"
    assert refreshed.rows(told) == [{"edge": "raised", "tenant_slug": "harbor-foods"}]
    assert refreshed.run("flows", "write-back", "--force").returncode == 0
    assert refreshed.run("flows", "alerts").returncode == 0
    assert [row["edge"] for row in refreshed.rows(f"{told} order by created_at")] == [
        "raised",
        "recovered",
    ]


def test_alerts_are_looked_at_without_being_sent(quiet: Database, empty: Database) -> None:
    set_status(quiet, customers(quiet, 1), "DORMANT")
    done = quiet.run("flows", "alerts", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "CUSTOMER_DORMANT" in done.stdout
    assert states(quiet) == {}
    done = quiet.run("flows", "alerts")
    assert done.returncode == 0
    assert "1 alerts wait: neither ALERT_WEBHOOK_URL nor ALERT_SMTP_URL" in done.stdout
    # before the first refresh there is nothing to tell
    assert empty.run("flows", "alerts").returncode == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ALERT_WEBHOOK_URL": "ftp://there"}, "ALERT_WEBHOOK_URL must be a URL"),
        ({"ALERT_WEBHOOK_URL": "https://:secret@"}, "ALERT_WEBHOOK_URL must be a URL"),
        ({"ALERT_WEBHOOK_URL": "http://a:x/"}, "ALERT_WEBHOOK_URL must be a URL"),
        ({"ALERT_SMTP_URL": "smtp://a"}, "ALERT_MAIL_FROM: '' is no mail address"),
        (
            {"ALERT_SMTP_URL": "smtp://a", "ALERT_MAIL_FROM": "a@b.c", "ALERT_MAIL_TO": "x"},
            "ALERT_MAIL_TO: 'x' is no mail address",
        ),
        (
            {"ALERT_SMTP_URL": "smtp://a", "ALERT_WEBHOOK_URL": "http://a"},
            "set only one of them",
        ),
    ],
)
def test_a_receiver_that_cannot_be_is_one_clear_line(
    server: Database, wrong: dict[str, str], said: str
) -> None:
    done = server.run("flows", "alerts", environment=wrong)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert said in line
    assert "secret" not in line
