"""The real-time hook: what a new order says of its customer, written at once.

The rules are in the database: a refresh makes the function operations.after_orders_created.
Either a trigger on the orders table calls it, within the order's own transaction, or the
application does, by `after_order_created` and `after_orders_created` below.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from flows import dbt
from flows.capture import with_queue
from flows.database import Connection, environment, in_a_moment, one_line, rows
from flows.detach import check_attached, detached_since, in_words
from flows.errors import Infrastructure, WrongArgument
from flows.progress import Progress
from flows.roles import grant_sources

TRIGGER = "customer_health_hook"
FUNCTION = "operations.after_order_created"
# columns that do not take what the hook would write
LEFT_OUT = """
    select column_name, remark from operations.written_columns
    where refused_values && case column_name
        when 'account_type' then array['any', 'ACTIVE']
        when 'last_order_date' then array['any']
        when 'dormancy_since' then array['any', 'NULL']
    end
    order by column_name
"""


@dataclass(frozen=True)
class Statistics:
    """What a batch has done.

    Errors are ids of no order, and orders at which the hook failed: operations.hook_errors
    says why.
    """

    total: int
    success: int
    errors: int
    # in seconds
    duration: float


def after_order_created(connection: psycopg.Connection[Any], order_id: object) -> Statistics:
    """Do for one new order what the trigger does; for callers that have no trigger."""
    return after_orders_created(connection, [order_id])


def after_orders_created(
    connection: psycopg.Connection[Any], order_ids: Sequence[object]
) -> Statistics:
    """Do for new orders what the trigger does; for callers that have no trigger.

    Works within the caller's transaction, where there is one, and leaves it usable: never
    raises for an order. An id of no order is an error, one of a draft is not.
    """
    began = time.monotonic()
    different = list(dict.fromkeys(map(str, order_ids)))
    success = _move(connection, different)
    return Statistics(
        total=len(different),
        success=success,
        errors=len(different) - success,
        duration=time.monotonic() - began,
    )


def install_hook(progress: Progress) -> None:
    """Put the trigger on the orders table; one that is there is put anew."""
    with with_queue() as connection:
        check_attached(connection)
        relation = _orders(connection)
        if rows(
            connection,
            "select from pg_trigger where tgrelid = to_regclass(%(relation)s)"
            f" and tgname = %(trigger)s and tgfoid != to_regproc('{FUNCTION}')",
            {"relation": relation, "trigger": TRIGGER},
        ):
            name = relation.replace('"', "")
            raise WrongArgument(
                f"hook: trigger {TRIGGER} on {name} is not ours, and has the name we need;"
                " rename it"
            )
        put = sql.SQL(
            "create or replace trigger {} after insert on {} referencing new table as new_rows"
            " for each statement execute function {}()"
        ).format(sql.Identifier(TRIGGER), sql.SQL(relation), sql.SQL(FUNCTION))
        in_a_moment(connection, partial(connection.execute, put))
        grant_sources(connection)
        left_out = rows(connection, LEFT_OUT)
    progress.say(f"hooked: {relation}")
    for column in left_out:
        progress.say(
            f"warning: the hook leaves out {column['column_name']}: {column['remark']}"
        )


def remove_hook(progress: Progress) -> None:
    """Take the trigger off again, wherever it is."""
    with with_queue() as connection:
        for trigger in _triggers(connection):
            drop = sql.SQL("drop trigger {} on {}").format(
                sql.Identifier(trigger["tgname"]), sql.SQL(trigger["relation"])
            )
            in_a_moment(connection, partial(connection.execute, drop))
        grant_sources(connection)
    progress.say("no table is hooked: a new order shows with the next refresh")


def print_hook(progress: Progress) -> None:
    """Print which table has the trigger, and its last errors."""
    with with_queue() as connection:
        progress.table(
            "Hooked tables",
            [
                {
                    "relation": trigger["relation"],
                    "hook": "by a trigger" if trigger["is_enabled"] else "switched off",
                }
                for trigger in _triggers(connection)
            ],
        )
        progress.table(
            "Errors of the hook, which the application did not notice: the last 10",
            rows(
                connection,
                "select created_at::timestamptz(0)::text as at, relation, error"
                " from operations.hook_errors where hook = 'after_order_created'"
                " order by error_id desc limit 10",
            ),
        )
        if since := detached_since(connection):
            progress.say(f"{in_words(since)}; until then the hook does nothing")


def _move(connection: psycopg.Connection[Any], order_ids: list[str]) -> int:
    """Call the function for these orders, halved down to those that it cannot take."""
    try:
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            found = cursor.execute(
                "select operations.after_orders_created(%s::text[])", (order_ids,)
            ).fetchone()
            return found[0] if found else 0
    except psycopg.Error as error:
        if len(order_ids) > 1 and not connection.closed:
            half = len(order_ids) // 2
            return _move(connection, order_ids[:half]) + _move(connection, order_ids[half:])
        _note(connection, order_ids, error)
        return 0


def _note(
    connection: psycopg.Connection[Any], order_ids: list[str], error: psycopg.Error
) -> None:
    with suppress(psycopg.Error), connection.transaction():
        connection.execute(
            "insert into operations.hook_errors (hook, relation, error)"
            " values ('after_order_created', %s, %s)",
            (f"order {', '.join(order_ids)}", one_line(error)),
        )


def _orders(connection: Connection) -> str:
    """Return the orders table, or raise when it cannot be hooked."""
    [function] = rows(connection, f"select to_regproc('{FUNCTION}') as there")
    if function["there"] is None:
        raise Infrastructure("hook: run a nightly refresh first, which makes its function")
    for view in rows(
        connection,
        "select viewname from pg_views where schemaname = 'analytics_internal'"
        " and viewname like 'stg_commerce__%' and definition like '%row_number()%'",
    ):
        raise WrongArgument(
            f"hook: the table behind {view['viewname']} has no unique key, so each order"
            " would read all of it; add one and run a nightly refresh"
        )
    for source in dbt.sources(environment(connection)):
        if source["hook"]:
            return str(source["relation"])
    raise WrongArgument("hook: orders_enabled is false, so there are no orders")


def _triggers(connection: Connection) -> list[dict[str, Any]]:
    return rows(
        connection,
        "select tgname, tgrelid::regclass::text as relation,"
        " tgenabled in ('O', 'A') as is_enabled"
        f" from pg_trigger where tgfoid = to_regproc('{FUNCTION}')",
    )
