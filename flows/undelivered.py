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
        f" from {OPERATIONS}.message_outbox"
        " where state in ('pending', 'failed', 'unknown', 'withdrawn')"
        " group by state, kind, channel order by state, kind, channel",
    ):
        progress.table("Messages that wait, were refused, or may have arrived", undelivered)
    [there] = rows(
        connection,
        f"select to_regclass('{OPERATIONS}.recipients') is not null"
        f" and to_regclass('{ANALYTICS}.customer_account_types') is not null as are_built",
    )
    if not there["are_built"]:
        return
    try:
        channels = channels_of_environment()
    except WrongArgument as wrong:
        progress.say(f"messages: {wrong}")
        return
    if not channels.mail_server and not channels.webhooks:
        progress.say(
            f"sales reps get no messages: ALERT_SMTP_URL is not set, and no {NAMED}NAME is"
        )
    elif without := _without_messages(connection, channels):
        progress.table("Who gets no messages now, and why", without)


def _without_messages(connection: Connection, channels: Channels) -> list[DictRow]:
    return rows(
        connection,
        f"""
        with looked_after as (
            select
                tenant_id::text as tenant_id,
                sales_rep_id::text as sales_rep_id,
                count(*) as customers_count
            from {ANALYTICS}.customer_account_types
            group by tenant_id, sales_rep_id
        ),

        judged as (
            select
                recipients.tenant_slug,
                coalesce(
                    recipients.sales_rep_name, recipients.sales_rep_id, 'the whole tenant'
                ) as name,
                looked_after.customers_count,
                coalesce(
                    recipients.not_told_because,
                    case
                        when
                            {OPERATIONS}.way_to(channel, address)
                            != all(%(reachable)s::text[])
                            then
                                case when channel = 'mail' then 'ALERT_SMTP_URL'
                                else %(named)s || upper(address) end || ' is not set'
                        when {OPERATIONS}.is_quiet(now(), time_zone, quiet_from, quiet_to)
                            then 'quiet until ' || to_char(quiet_to, 'HH24:MI')
                    end
                ) as why
            from {OPERATIONS}.recipients
            left join looked_after
                on
                    recipients.tenant_id = looked_after.tenant_id
                    and recipients.sales_rep_id = looked_after.sales_rep_id
            -- a rep without customers gets no messages anyway
            where recipients.sales_rep_id is null or looked_after.customers_count > 0
        )

        select
            tenant_slug as tenant,
            why,
            coalesce(sum(customers_count), 0)::bigint as customers,
            string_agg(distinct name, ', ' order by name) as who
        from judged
        where why is not null
        group by tenant_slug, why
        order by tenant_slug, why
        """,
        {"reachable": channels.reachable(), "named": NAMED},
    )
