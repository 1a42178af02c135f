"""Alerts: what has begun or ended becomes messages, and each is sent at most once.

What is told is said by the view operations.alert_states, when by flows/sql/alerts.sql.
"""

from collections import Counter
from typing import Any

from flows.channels import Channel, Refused, Unknown, Unreachable, channel_of_environment
from flows.database import Connection, connect, install, rows
from flows.errors import Infrastructure
from flows.installed import gap
from flows.progress import Progress
from flows.schemas import OPERATIONS, OURS


def raise_alerts(progress: Progress) -> None:
    """Make messages of what has begun or ended; what goes wrong here stops no refresh."""
    try:
        with connect() as connection:
            _raise(connection)
    except Infrastructure as failure:
        progress.say(f"alerts could not be raised: {failure}")


def run_alerts(progress: Progress, *, dry_run: bool) -> None:
    """Raise and send alerts, or print what would be sent.

    Raises WrongArgument when the environment names no proper receiver, Infrastructure when
    some message was refused; it is tried again, later.
    """
    channel = channel_of_environment()
    with connect() as connection:
        if dry_run:
            if missing := gap(connection, "operations.sql"):
                progress.say(missing)
                return
            # raised as they would be, and all of it is undone
            with connection.transaction(force_rollback=True):
                _raise(connection)
                progress.table("Alerts that would be sent", _waiting(connection))
            return
        _raise(connection)
        if channel is None:
            progress.say(
                f"{len(_waiting(connection))} alerts wait: neither ALERT_WEBHOOK_URL nor"
                " ALERT_SMTP_URL says where to send them"
            )
            return
        # the lock ends with the connection
        [lock] = rows(
            connection,
            f"select pg_try_advisory_lock(hashtext('{OURS} send alerts')) as is_ours",
        )
        if lock["is_ours"]:
            _deliver(connection, channel, progress)
        else:
            progress.say("alerts are being sent by another run")


def _raise(connection: Connection) -> None:
    install(connection, "operations.sql")
    install(connection, "alerts.sql")
    connection.execute(f"select {OPERATIONS}.raise_alerts()")


def _deliver(connection: Connection, channel: Channel, progress: Progress) -> None:
    """Send what is due, one by one; a message is claimed for good before it is sent."""
    # we have the lock: whoever was sending these has died
    connection.execute(
        f"select {OPERATIONS}.end_alert(message_id, 'unknown', 'the sender died')"
        f" from {OPERATIONS}.alert_outbox where state = 'sending'"
    )
    outcomes: Counter[str] = Counter()
    reason = None
    while claimed := rows(connection, f"select * from {OPERATIONS}.claim_alert()"):
        [row] = claimed
        outcome, error, is_reachable = "sent", None, True
        try:
            channel.send(str(row["message_id"]), _content(row))
        except Refused as refused:
            outcome, error = "refused", str(refused)
            is_reachable = not isinstance(refused, Unreachable)
        except Unknown as unknown:
            outcome, error = "unknown", str(unknown)
        connection.execute(
            f"select {OPERATIONS}.end_alert(%s, %s, %s)", (row["message_id"], outcome, error)
        )
        progress.finished(f"{row['kind']} {row['edge']}: {row['message']}", outcome)
        outcomes[outcome] += 1
        reason = error or reason
        if not is_reachable:
            break
    progress.say(f"{outcomes['sent']} alerts sent, {len(_waiting(connection))} wait")
    if outcomes["refused"] or outcomes["unknown"]:
        raise Infrastructure(
            f"alerts: {outcomes['refused']} were refused and are tried again later,"
            f" {outcomes['unknown']} may have arrived and are not: {reason}"
        )


def _content(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the receiver gets of a message."""
    return {
        "id": str(row["message_id"]),
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
