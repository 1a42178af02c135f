"""Alerts: a state that begins or ends becomes a message, which is sent at most once.

The view operations.alert_states decides what to report, flows/sql/alerts.sql when. A program
gets every alert; people get messages about their own customers, by flows/sql/messages.sql.
"""

from collections import Counter
from collections.abc import Callable
from email.errors import MessageError
from functools import partial
from typing import Any

from flows.channels import (
    Channels,
    Refused,
    Unknown,
    Unreachable,
    channels_of_environment,
)
from flows.database import Connection, connect, install, one_line, rows
from flows.errors import Infrastructure
from flows.installed import gap
from flows.messages import Message, message_of
from flows.messages.formats import FORMS, mail_of, text_of
from flows.progress import Progress, count_of, many
from flows.schemas import OPERATIONS, OURS

NOWHERE = "neither ALERT_WEBHOOK_URL nor ALERT_SMTP_URL with ALERT_MAIL_TO is set"

# what is said of messages that were not sent, by state: of one, of more
NOT_SENT = {
    "pending": ("was refused and will be sent again", "were refused and will be sent again"),
    "failed": (
        "was refused too often and will not be sent again",
        "were refused too often and will not be sent again",
    ),
    "unknown": ("may have arrived and will not be sent again",) * 2,
}

# number of messages by the state that an attempt has left, and the last error
Outcomes = tuple[Counter[str], str | None]


def raise_alerts(progress: Progress) -> None:
    """Create messages for states that began or ended; an error does not stop the refresh.

    Looks only at the jobs if no run has changed anything since the last time.
    """
    try:
        with connect() as connection:
            _raise(connection, after_runs_only=True)
    except Infrastructure as failure:
        progress.say(f"alerts could not be raised: {failure}")


def run_alerts(progress: Progress, *, dry_run: bool) -> None:
    """Raise and send alerts, or print what would be sent.

    Raises WrongArgument if a receiver in the environment is invalid, and Infrastructure if a
    message was refused; a later run sends it again.
    """
    channels = channels_of_environment()
    with connect() as connection:
        if dry_run:
            if missing := gap(connection, "operations.sql"):
                progress.say(missing)
                return
            # raise the alerts as usual, then roll back
            with connection.transaction(force_rollback=True):
                _raise(connection)
                # first, because they pass alerts on to the team
                messages = _composed(connection, channels)
                alerts = _waiting(connection)
            # later, because other runs wait for the transaction, and a pager for its reader
            _show(alerts, messages, channels, progress)
            return
        _raise(connection)
        _compose(connection, channels, channels.reachable())
        # the connection holds the lock until it closes
        [lock] = rows(
            connection,
            f"select pg_try_advisory_lock(hashtext('{OURS} send alerts')) as is_ours",
        )
        if lock["is_ours"]:
            _deliver(connection, channels, progress)
        else:
            progress.say("alerts are being sent by another run")


def _raise(connection: Connection, *, after_runs_only: bool = False) -> None:
    install(connection, "operations.sql")
    install(connection, "alerts.sql")
    # people hear only of alerts raised after messages were installed
    install(connection, "messages.sql")
    connection.execute(f"select {OPERATIONS}.raise_alerts(%s)", (after_runs_only,))


def _compose(connection: Connection, channels: Channels, reachable: list[str]) -> None:
    """Create messages from the news that people have not received yet."""
    connection.execute(
        f"select {OPERATIONS}.compose_messages(now(), %s::text[], %s::text[], %s)",
        (list(channels.team), reachable, channels.machine is not None),
    )


def _composed(connection: Connection, channels: Channels) -> list[dict[str, Any]]:
    """Create the messages, and return them, even if their channel is not set up yet."""
    routes = (
        rows(
            connection,
            f"select distinct {OPERATIONS}.route_of(channel, address) as route"
            f" from {OPERATIONS}.recipients where address is not null",
        )
        if _has_recipients(connection)
        else []
    )
    reachable = {*channels.reachable(), *(row["route"] for row in routes)}
    _compose(connection, channels, sorted(reachable))
    return rows(
        connection,
        f"select * from {OPERATIONS}.message_outbox where state = 'pending'"
        " order by reach, tenant_slug, channel, address, created_at",
    )


def _show(
    alerts: list[dict[str, Any]],
    waiting: list[dict[str, Any]],
    channels: Channels,
    progress: Progress,
) -> None:
    """Print what would be sent to whom, and what would not."""
    is_told = channels.machine or not alerts
    progress.table(
        "Alerts that would be sent"
        if is_told
        else f"Alerts that would not be sent: {NOWHERE}",
        alerts,
    )
    messages = [message_of(row, channels.pages, channels.database) for row in waiting]
    sent, unsent = [], []
    for row, message in zip(waiting, messages, strict=True):
        line = {"to": f"{row['channel']} {row['address']}", "subject": message.subject}
        if reason := channels.lacks(row["reach"], row["channel"], row["address"]):
            unsent.append({**line, "because": reason})
        else:
            sent.append(line)
    progress.table("Messages that would be sent", sent)
    if unsent:
        progress.table("Messages that would not be sent", unsent)
    if channels.no_links:
        progress.say(channels.no_links)
    for message in messages:
        progress.say(f"\nto {message.address}: {message.subject}\n\n{text_of(message)}")


def _has_recipients(connection: Connection) -> bool:
    [found] = rows(
        connection, f"select to_regclass('{OPERATIONS}.recipients') is not null as it"
    )
    return bool(found["it"])


def _deliver(connection: Connection, channels: Channels, progress: Progress) -> None:
    """Send the messages that are due, one by one; each is claimed before it is sent."""
    # we hold the lock, so the process that was sending these has died
    for table, end in (("alert_outbox", "end_alert"), ("message_outbox", "end_message")):
        connection.execute(
            f"select {OPERATIONS}.{end}(message_id, 'unknown', 'the sender died')"
            f" from {OPERATIONS}.{table} where state = 'sending'".encode()
        )
    ended = [_deliver_alerts(connection, channels, progress)]
    ended.append(_deliver_messages(connection, channels, progress))
    outcomes = sum((counted for counted, _ in ended), Counter[str]())
    reasons = [reason for _, reason in ended if reason]
    said = [
        many(outcomes[state], *words) for state, words in NOT_SENT.items() if outcomes[state]
    ]
    if said:
        raise Infrastructure(f"alerts: {'; '.join(said)}: {reasons[-1]}")


def _deliver_alerts(
    connection: Connection, channels: Channels, progress: Progress
) -> Outcomes:
    """Send each alert to the webhook of the program."""
    outcomes: Counter[str] = Counter()
    reason = None
    machine = channels.machine
    if machine is None:
        if waiting := len(_waiting(connection)):
            progress.say(
                f"waiting until they expire: {count_of(waiting, 'alert')}, because {NOWHERE}"
            )
        return outcomes, reason
    is_reachable = True
    while is_reachable and (
        claimed := rows(connection, f"select * from {OPERATIONS}.claim_alert()")
    ):
        [row] = claimed
        outcome, error, is_reachable = _tried(
            partial(machine.send, str(row["message_id"]), _content(row, channels.database))
        )
        outcomes[_end(connection, "end_alert", row, outcome, error)] += 1
        progress.finished(f"{row['kind']} {row['edge']}: {row['message']}", outcome)
        reason = error or reason
    progress.say(
        f"{count_of(outcomes['sent'], 'alert')} sent, {len(_waiting(connection))} waiting"
    )
    return outcomes, reason


def _deliver_messages(
    connection: Connection, channels: Channels, progress: Progress
) -> Outcomes:
    """Send messages to people; an unreachable channel does not stop the others."""
    outcomes: Counter[str] = Counter()
    reason = None
    reachable = channels.reachable()
    while claimed := rows(
        connection,
        f"select * from {OPERATIONS}.claim_message(now(), %(team)s::text[],"
        " %(routes)s::text[])",
        {"team": list(channels.team), "routes": reachable},
    ):
        [row] = claimed
        message = message_of(row, channels.pages, channels.database)
        outcome, error, is_reachable = _tried(partial(_send, row, message, channels))
        outcomes[_end(connection, "end_message", row, outcome, error)] += 1
        progress.finished(f"to {row['channel']} {row['address']}: {message.subject}", outcome)
        reason = error or reason
        if not is_reachable:
            place = f"{row['channel']} {row['address']}"
            reachable.remove("mail" if row["channel"] == "mail" else place)
    [left] = rows(
        connection,
        f"select count(*) as number from {OPERATIONS}.message_outbox where state = 'pending'",
    )
    if reachable or outcomes or left["number"]:
        progress.say(f"{count_of(outcomes['sent'], 'message')} sent, {left['number']} waiting")
    return outcomes, reason


def _end(
    connection: Connection, end: str, row: dict[str, Any], outcome: str, error: str | None
) -> str:
    """Record the outcome of a message; return the state that it has left."""
    [ended] = rows(
        connection,
        f"select {OPERATIONS}.{end}(%(message_id)s, %(outcome)s, %(error)s),"
        f" {OPERATIONS}.state_after(%(outcome)s, %(attempts)s) as state",
        {**row, "outcome": outcome, "error": error},
    )
    return str(ended["state"])


def _tried(send: Callable[[], None]) -> tuple[str, str | None, bool]:
    """Send a message; return outcome, error, and whether to go on with the channel.

    One that does not answer would lose every message, after a long wait for each.
    """
    try:
        send()
    except Refused as refused:
        return "refused", str(refused), not isinstance(refused, Unreachable)
    except Unknown as unknown:
        return "unknown", str(unknown), False
    return "sent", None, True


def _send(row: dict[str, Any], message: Message, channels: Channels) -> None:
    # only messages to reachable channels are claimed
    if row["channel"] == "mail" and (server := channels.mail_server):
        try:
            mail = mail_of(message, server.sender)
        except (ValueError, MessageError) as error:
            # an address that no header can have; the others must not wait for it
            raise Refused(one_line(error)) from error
        server.send(mail)
    else:
        webhook = channels.webhooks[row["channel"], row["address"]]
        webhook.send(message.message_id, FORMS[row["channel"]](message))


def _content(row: dict[str, Any], database: str | None) -> dict[str, Any]:
    """Return the content of an alert for the webhook."""
    return {
        "id": str(row["message_id"]),
        "database": database,
        "kind": row["kind"],
        "edge": row["edge"],
        "tenant": row["tenant_slug"],
        "subject": row["subject"],
        "message": row["message"],
        "events": row["events_count"],
        "episode": row["episode_id"],
        "raised_at": row["created_at"].isoformat(),
        "details": row["details"],
    }


def _waiting(connection: Connection) -> list[dict[str, Any]]:
    return rows(
        connection,
        f"select kind, edge, tenant_slug as tenant, message from {OPERATIONS}.alert_outbox"
        " where state = 'pending' order by created_at, kind, tenant_slug, message",
    )
