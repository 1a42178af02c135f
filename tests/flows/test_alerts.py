"""Alerts: sent when a state begins or ends, once per episode, and at most once in any case."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT, UNTIL, Database
from receivers import OK, WebhookReceiver, serving

from flows import channels


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with serving(WebhookReceiver()) as made:
        yield made


def send(database: Database, receiver: WebhookReceiver) -> subprocess.CompletedProcess[str]:
    return database.run("flows", "alerts", environment=receiver.environment)


def customers(database: Database, count: int, *, high_value: bool = False) -> list[str]:
    """Return customers that are not dormant, of high value or not."""
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
    """End the pauses between attempts."""
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
    """A database whose alerts have all been sent."""
    refreshed.execute("update operations.alert_outbox set state = 'sent'")
    return refreshed


def test_states_before_the_first_refresh_raise_no_alert(refreshed: Database) -> None:
    assert refreshed.value("select count(*) from operations.alert_episodes where not is_told")
    told = refreshed.rows("select kind from operations.alert_outbox")
    # alerts about a tenant or an organization are sent at once
    assert {row["kind"] for row in told} <= {
        *("ACCOUNT_TYPE_SHARE", "FEED_SILENT"),
        *("TENANT_HEALTH_LOW", "TENANT_HEALTH_CRITICAL"),
    }


def test_an_episode_is_told_once_and_so_is_its_end(
    quiet: Database, receiver: WebhookReceiver
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
    """While the marts hold an earlier or a future day."""
    [customer] = customers(quiet, 1)
    set_status(quiet, [customer], "DORMANT")
    later = "update analytics.tenants set as_of = as_of + interval '1 day' * %s"
    for days in (-1, 1, 365):
        quiet.execute(later, days)
        assert quiet.run("flows", "alerts").returncode == 0
        assert states(quiet) == ({"pending": 1} if days > 0 else {})
    # a year later, nobody knows
    set_status(quiet, [customer], "HEALTHY")
    assert quiet.run("flows", "alerts").returncode == 0
    assert states(quiet) == {"pending": 1}
    quiet.execute(later, -365)
    assert quiet.run("flows", "alerts").returncode == 0
    assert states(quiet) == {"pending": 2}


@pytest.mark.slow
def test_a_refresh_assesses_customers_only_after_a_run_with_work(quiet: Database) -> None:
    hourly = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL, "--no-write-back")
    for _ in range(3):
        assert quiet.run(*hourly).returncode == 0
    # by hand, without a run: only the command looks
    set_status(quiet, customers(quiet, 1), "DORMANT")
    assert quiet.run(*hourly).returncode == 0
    runs = (
        "select payload -> 'runs_count' from operations.application_logs"
        " order by log_id desc limit 1"
    )
    assert (quiet.value(runs), states(quiet)) == (3, {})
    assert quiet.run("flows", "alerts").returncode == 0
    assert states(quiet) == {"pending": 1}
    run = (
        "insert into operations.application_logs (logid, log_type, status, payload)"
        " values ('a run', 'refresh', 'success', '{}')"
    )
    # a run with work, and one in a log that begins anew
    for news in (run, f"truncate operations.application_logs restart identity; {run}"):
        set_status(quiet, customers(quiet, 1), "DORMANT")
        quiet.execute(news)
        quiet.execute("select operations.raise_alerts(true)")
        quiet.execute("select operations.raise_alerts(true)")
    assert states(quiet) == {"pending": 3}


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


def test_tenants_that_leave_and_come_back_bring_no_old_news(quiet: Database) -> None:
    quiet.execute(
        """
        create table tenants as table analytics.tenants;
        create table statuses as table analytics.customer_risk_status;
        truncate analytics.tenants, analytics.customer_risk_status;
        -- the accounts are off, too
        truncate analytics.success_organizations
        """
    )
    done = quiet.run("flows", "alerts")
    assert done.returncode == 0, done.stderr
    quiet.execute(
        "insert into analytics.tenants select * from tenants;"
        " insert into analytics.customer_risk_status select * from statuses"
    )
    done = quiet.run("flows", "alerts")
    assert done.returncode == 0, done.stderr
    assert states(quiet) == {}
    # what happens from here on is news again
    set_status(quiet, customers(quiet, 1), "DORMANT")
    assert quiet.run("flows", "alerts").returncode == 0
    assert states(quiet) == {"pending": 1}


def test_more_than_20_of_a_kind_become_one_message(
    quiet: Database, receiver: WebhookReceiver
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
    # without a forecast, those with the most at risk come first
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


@pytest.mark.parametrize("count", [2, 22])
def test_what_nobody_could_be_told_expires_and_so_does_its_end(
    quiet: Database, receiver: WebhookReceiver, count: int
) -> None:
    """Alone or in a digest; a receiver that is named later hears of the last days only."""
    *old, new = customers(quiet, count)
    set_status(quiet, old, "DORMANT")
    assert quiet.run("flows", "alerts").returncode == 0
    quiet.execute(
        "update operations.alert_outbox set created_at = now() - interval '169 hours'"
    )
    set_status(quiet, [new], "DORMANT")
    assert quiet.run("flows", "alerts").returncode == 0
    said = quiet.run("flows", "status").stdout
    assert "no program and no team gets alerts, so they expire" in said
    quiet.execute(
        "update operations.alert_outbox set created_at = now() - interval '167 hours'"
        " where subject = %s",
        new,
    )
    set_status(quiet, [*old, new], "HEALTHY")
    assert send(quiet, receiver).returncode == 0
    assert [(one["subject"], one["edge"]) for one in receiver.accepted] == [
        (new, "raised"),
        (new, "recovered"),
    ]
    assert "pending" not in states(quiet)
    assert states(quiet)["sent"] == 2
    assert states(quiet)["expired"] == (2 if count == 2 else len(old) + 1)


def test_a_refused_message_is_sent_again_and_arrives_once(
    quiet: Database, receiver: WebhookReceiver
) -> None:
    set_status(quiet, customers(quiet, 3), "DORMANT")
    receiver.answer = lambda number: 550 if number in (1, 2, 4) else OK
    done = send(quiet, receiver)
    assert done.returncode == 4
    assert done.stderr.startswith("error: alerts: 2 were refused and will be sent again")
    assert states(quiet) == {"sent": 1, "pending": 2}
    # not before it is due
    assert send(quiet, receiver).returncode == 0
    assert len(receiver.tried) == 3
    for _ in range(2):
        due_again(quiet)
        send(quiet, receiver)
    assert states(quiet) == {"sent": 3}
    assert Counter(Counter(receiver.tried).values()) == {1: 1, 2: 1, 3: 1}
    assert len({message["id"] for message in receiver.accepted}) == 3
    assert len(receiver.accepted) == 3


def test_a_beginning_that_was_refused_arrives_before_its_end(
    quiet: Database, receiver: WebhookReceiver
) -> None:
    [customer, other] = customers(quiet, 2)
    set_status(quiet, [customer], "DORMANT")
    receiver.answer = lambda _number: 550
    assert send(quiet, receiver).returncode == 4
    # the end tries the beginning before its time, and that attempt is never the last
    quiet.execute("update operations.alert_outbox set attempts = 11")
    set_status(quiet, [customer], "HEALTHY")
    assert send(quiet, receiver).returncode == 4
    assert states(quiet) == {"pending": 2}
    receiver.answer = lambda _number: OK
    assert send(quiet, receiver).returncode == 0
    assert receiver.accepted == []
    due_again(quiet)
    assert send(quiet, receiver).returncode == 0
    assert [message["edge"] for message in receiver.accepted] == ["raised", "recovered"]

    # the end of a beginning that was refused for good is no news
    set_status(quiet, [other], "DORMANT")
    receiver.answer = lambda _number: 550
    assert send(quiet, receiver).returncode == 4
    set_status(quiet, [other], "HEALTHY")
    for _ in range(11):
        due_again(quiet)
        assert send(quiet, receiver).returncode == 4
    assert states(quiet) == {"sent": 2, "failed": 1, "pending": 1}
    receiver.answer = lambda _number: OK
    assert send(quiet, receiver).returncode == 0
    assert states(quiet) == {"sent": 2, "failed": 1, "expired": 1}


def test_certificates_or_a_proxy_that_are_not_there_are_said_and_lose_nothing(
    quiet: Database, receiver: WebhookReceiver
) -> None:
    set_status(quiet, customers(quiet, 2), "DORMANT")
    for name, value in (("SSL_CERT_FILE", "/gone.pem"), ("ALL_PROXY", "socks5://gone")):
        due_again(quiet)
        wrong = {**receiver.environment, name: value}
        done = quiet.run("flows", "alerts", environment=wrong)
        assert done.returncode == 4
        [line] = done.stderr.splitlines()
        assert line.startswith("error: alerts: 1 was refused and will be sent again")
        assert "proxy or certificates: " in line
    due_again(quiet)
    assert send(quiet, receiver).returncode == 0
    assert states(quiet) == {"sent": 2}


def test_a_receiver_that_is_not_there_is_asked_again_up_to_a_limit(
    quiet: Database, receiver: WebhookReceiver
) -> None:
    set_status(quiet, customers(quiet, 2), "DORMANT")
    receiver.server.shutdown()
    receiver.server.server_close()
    done = send(quiet, receiver)
    assert done.returncode == 4
    assert "1 was refused" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert states(quiet) == {"pending": 2}
    quiet.execute("update operations.alert_outbox set attempts = 11, next_attempt_at = now()")
    for _ in range(2):
        done = send(quiet, receiver)
        assert done.returncode == 4
        assert "alerts: 1 was refused too often and will not be sent again: " in done.stderr
    assert states(quiet) == {"failed": 2}
    assert send(quiet, receiver).returncode == 0
    assert "refused" in quiet.run("flows", "status").stdout


def test_a_message_whose_sender_is_killed_is_never_sent_again(
    quiet: Database, receiver: WebhookReceiver
) -> None:
    """The sender is killed each time that a receiver has a message, until none is left."""
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
        # while one run sends, another does not
        assert "by another run" in send(quiet, receiver).stdout
        sender.kill()
        sender.wait()
        receiver.release.set()
        # wait until the server notices that its client is gone
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


def test_a_webhook_that_falls_silent_loses_one_message_a_run(
    quiet: Database, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_status(quiet, customers(quiet, 3), "DORMANT")
    receiver.release.clear()
    with monkeypatch.context() as patched:
        patched.setattr(channels, "TIMEOUT_SECONDS", 0.5)
        done = send(quiet, receiver)
    assert done.returncode == 4
    assert "alerts: 1 may have arrived and will not be sent again: " in done.stderr
    assert states(quiet) == {"unknown": 1, "pending": 2}
    receiver.release.set()
    assert send(quiet, receiver).returncode == 0
    assert states(quiet) == {"unknown": 1, "sent": 2}
    assert len(set(receiver.tried)) == len(receiver.tried) == 3


def test_no_success_for_two_days_is_told_though_nothing_runs(
    quiet: Database,
    receiver: WebhookReceiver,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    # in a fleet, where the program must know which database it is about
    (tmp_path / "services").write_text("[berlin]\n")
    for name, value in (
        ("FLEET", "berlin"),
        ("PGSERVICE", "berlin"),
        ("PGSERVICEFILE", str(tmp_path / "services")),
    ):
        monkeypatch.setenv(name, value)
    back = "update operations.application_logs set created_at = now() - interval '%s hours'"
    quiet.execute(back.replace("%s", "47"))
    assert send(quiet, receiver).returncode == 0
    assert receiver.accepted == []
    quiet.execute(back.replace("%s", "49"))
    for _ in range(2):
        assert send(quiet, receiver).returncode == 0
    assert receiver.kinds() == {("REFRESH_OVERDUE", "raised"): 1}
    assert receiver.accepted[0]["database"] == "berlin"
    shared = {"DASHBOARD_URL": "https://health.example.com"}
    done = quiet.run("flows", "alerts", "--dry-run", environment=shared)
    assert "messages have no links: in a fleet DASHBOARD_URL must contain {" in done.stdout
    assert quiet.run("flows", "status").returncode == 1
    quiet.execute(back.replace("%s", "1"))
    assert send(quiet, receiver).returncode == 0
    assert receiver.kinds()["REFRESH_OVERDUE", "recovered"] == 1


def test_two_refreshes_that_fail_in_a_row_are_told_with_the_reason(
    quiet: Database, receiver: WebhookReceiver
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

    # not reported: a single failure, and runs that were started by hand, held or running
    for _ in range(2):
        end_as("refresh_organization", "failed", "database: gone")
    end_as("refresh_hourly", "tests_failed", "a_test: 1 rows")
    end_as("refresh_nightly", "failed", "database: gone")
    end_as("refresh_nightly", "held", "write-back held")
    # this run has died, as the next refresh will find
    end_as("refresh_nightly", "running")
    assert send(quiet, receiver).returncode == 0
    assert quiet.rows(told) == []

    # the second failure is reported
    quiet.execute("revoke select on commerce.orders from customer_health_refresher")
    done = quiet.run("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
    assert done.returncode == 4
    reason = done.stderr.strip().removeprefix("error: ")
    [row] = quiet.rows(told)
    assert (row["edge"], row["subject"]) == ("raised", "refresh_hourly")
    assert row["message"] == f"refresh_hourly has failed 2 times in a row: {reason}"
    # and the third is not reported again
    end_as("refresh_hourly", "interrupted")
    assert send(quiet, receiver).returncode == 0
    assert receiver.kinds() == {("REFRESH_FAILED", "raised"): 1}
    end_as("refresh_hourly", "success")
    assert send(quiet, receiver).returncode == 0
    assert quiet.rows(told)[1:] == [
        {
            "edge": "recovered",
            "subject": "refresh_hourly",
            "message": "refresh_hourly succeeds again",
        }
    ]


def test_settings_decide_when_refresh_alerts_are_raised(
    quiet: Database, project: Path
) -> None:
    file = project / "dbt_project.yml"
    settings = file.read_text()
    quiet.execute(
        "update operations.application_logs set created_at = now() - interval '20 hours'"
    )
    assert quiet.run("flows", "status", project=project).returncode == 0
    file.write_text(settings.replace("overdue_hours: 48", "overdue_hours: 19"))
    # a dry run changes nothing, but a command that writes updates the views
    assert quiet.run("flows", "alerts", project=project).returncode == 0
    assert quiet.run("flows", "status", project=project).returncode == 1
    for wrong in ("0", "two", "true", "1.5"):
        file.write_text(settings.replace("failed_runs: 2", f"failed_runs: {wrong}"))
        done = quiet.run("flows", "alerts", project=project)
        assert done.returncode == 2
        assert "setting refresh_failed_runs is " in done.stderr
        assert "must be a whole number from 1" in done.stderr


def test_a_source_that_goes_stale_is_told_and_after_a_crash_nobody_knows(
    quiet: Database, receiver: WebhookReceiver
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
    assert [row["edge"] for row in refreshed.rows(f"{told} order by created_at")] == [
        "raised",
        "recovered",
    ]


def test_a_guard_that_nobody_looked_at_at_first_is_told_later(refreshed: Database) -> None:
    """The database was away when the first held refresh with nothing to do looked."""
    refreshed.execute(
        "update operations.application_logs set payload = payload || '{\"agrees\": true}'"
    )
    assert refreshed.run("flows", "alerts").returncode == 0
    victim = "(select id from commerce.tenants where slug = 'harbor-foods')"
    refreshed.execute(
        "update commerce.customers set risk_status = 'HEALTHY', dormancy_since = null"
        f" where risk_status = 'DORMANT' and tenant_id = {victim}"
    )
    refreshed.execute(
        "insert into operations.application_logs (logid, log_type, status, payload)"
        " values ('again', 'refresh', 'held', '{\"cron_name\": \"refresh_hourly\","
        ' "is_idle": true, "agrees": false, "runs_count": 2}\')'
    )
    assert refreshed.run("flows", "alerts").returncode == 0
    told = "select edge, tenant_slug from operations.alert_outbox where kind = 'GUARD_TRIPPED'"
    assert refreshed.rows(told) == [{"edge": "raised", "tenant_slug": "harbor-foods"}]


def test_a_clock_that_was_ahead_silences_nothing(quiet: Database) -> None:
    quiet.execute("update operations.alert_tenants set judged_as_of = now() + interval '30 d'")
    quiet.execute(
        "update operations.application_logs set created_at = now() - interval '49 hours'"
    )
    quiet.execute(
        "insert into operations.application_logs"
        " (logid, log_type, status, payload, created_at) select 'ahead', 'refresh', 'success',"
        " '{\"cron_name\": \"refresh_hourly\"}', now() + interval '30 days'"
    )
    quiet.execute(
        "insert into operations.application_logs (logid, log_type, status, payload)"
        " select 'fails ' || number, 'refresh', 'failed',"
        ' \'{"cron_name": "refresh_hourly"}\' from generate_series(1, 2) as number'
    )
    set_status(quiet, customers(quiet, 1), "DORMANT")
    assert quiet.run("flows", "alerts").returncode == 0
    assert states(quiet) == {"pending": 1}
    assert quiet.rows(
        "select kind from operations.alert_outbox where kind like 'REFRESH%%' order by kind"
    ) == [{"kind": "REFRESH_FAILED"}, {"kind": "REFRESH_OVERDUE"}]
    [job] = quiet.rows(
        "select last_status, failures_in_a_row from operations.job_status"
        " where job = 'refresh_hourly'"
    )
    assert (job["last_status"], job["failures_in_a_row"]) == ("failed", 2)


def test_alerts_are_looked_at_without_being_sent(quiet: Database, empty: Database) -> None:
    set_status(quiet, customers(quiet, 1), "DORMANT")
    done = quiet.run("flows", "alerts", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "CUSTOMER_DORMANT" in done.stdout
    assert (
        "Alerts that would not be sent: neither ALERT_WEBHOOK_URL nor ALERT_SMTP_URL with"
        " ALERT_MAIL_TO is set" in done.stdout
    )
    assert states(quiet) == {}
    done = quiet.run("flows", "alerts")
    assert done.returncode == 0
    assert (
        "waiting until they expire: 1 alert, because neither ALERT_WEBHOOK_URL nor"
        in done.stdout
    )
    # before the first refresh there is nothing to send
    assert empty.run("flows", "alerts").returncode == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ALERT_WEBHOOK_URL": "ftp://there"}, "ALERT_WEBHOOK_URL must be a URL"),
        ({"ALERT_WEBHOOK_URL": "https://:secret@"}, "ALERT_WEBHOOK_URL must be a URL"),
        ({"ALERT_WEBHOOK_URL": "http://a:x/"}, "ALERT_WEBHOOK_URL must be a URL"),
        ({"ALERT_SMTP_URL": "smtp://a"}, "ALERT_MAIL_FROM: '' is not an e-mail address"),
        (
            {"ALERT_SMTP_URL": "smtp://a", "ALERT_MAIL_FROM": "a@b.c", "ALERT_MAIL_TO": "x"},
            "ALERT_MAIL_TO: 'x' is not an e-mail address",
        ),
        ({"ALERT_WEBHOOK_FORMAT": "irc"}, "ALERT_WEBHOOK_FORMAT is 'irc', must be one of"),
        ({"MESSAGE_URL_DAIRY": "https://:secret@"}, "MESSAGE_URL_DAIRY must be a URL"),
        ({"DASHBOARD_URL": "here"}, "DASHBOARD_URL must be a URL"),
        (
            {"DASHBOARD_URL": "https://h.example/{database}"},
            "DASHBOARD_URL contains {database}, but FLEET is not set",
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
