"""Messages that did not arrive and people who get none, for `customer-health status`."""

from psycopg.rows import DictRow

from flows.channels import NAMED, Channels, channels_of_environment
from flows.database import Connection, rows
from flows.errors import WrongArgument
from flows.installed import gap
from flows.progress import Progress
from flows.schemas import ANALYTICS, OPERATIONS


def print_messages(connection: Connection, progress: Progress) -> None:
    """Print messages that may not have arrived, and who gets none, and why."""
    if gap(connection, "messages.sql"):
        # alerts are missing, too, and status already says so
        return
    if undelivered := rows(
        connection,
        "select state, kind, channel, count(*) as messages, max(error) as error"
        f" from {OPERATIONS}.message_states"
        " where state in"
        " ('pending', 'quiet', 'failed', 'unknown', 'withdrawn', 'expired')"
        " group by state, kind, channel order by state, kind, channel",
    ):
        progress.table("Messages that wait, were refused, or may have arrived", undelivered)
    try:
        channels = channels_of_environment()
    except WrongArgument as wrong:
        progress.say(f"messages: {wrong}")
        return
    if not channels.machine and not channels.team:
        progress.say(
            "no program and no team gets alerts, so they expire: neither ALERT_WEBHOOK_URL nor"
            " ALERT_SMTP_URL with ALERT_MAIL_TO is set"
        )
    [there] = rows(
        connection,
        f"select to_regclass('{OPERATIONS}.recipients') is not null"
        f" and to_regclass('{ANALYTICS}.customer_account_types') is not null as are_built",
    )
    if not there["are_built"]:
        return
    if not channels.mail_server and not channels.webhooks:
        progress.say(
            f"sales reps get no messages: neither ALERT_SMTP_URL nor any {NAMED}NAME is set"
        )
    elif without := _without_messages(connection, channels):
        progress.table("Who gets no messages now, and why", without)


def _without_messages(connection: Connection, channels: Channels) -> list[DictRow]:
    return rows(
        connection,
        f"""
        with unreached as (
            select
                tenant_slug,
                recipient_name,
                customers_count,
                case reason
                    when 'not set'
                        then
                            case channel
                                when 'mail' then 'ALERT_SMTP_URL'
                                else %(named)s || upper(address)
                            end || ' is not set'
                    else why
                end as why
            from {OPERATIONS}.unreached(%(reachable)s::text[])
        )

        select
            tenant_slug as tenant,
            why,
            coalesce(sum(customers_count), 0)::bigint as customers,
            string_agg(distinct recipient_name, ', ' order by recipient_name) as who
        from unreached
        group by tenant_slug, why
        order by tenant_slug, why
        """,
        {"reachable": channels.reachable(), "named": NAMED},
    )
