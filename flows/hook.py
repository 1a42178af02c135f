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
from flows.capture import is_here, look_at, with_queue
from flows.citus import refuse_triggers_on_citus
from flows.database import (
    Connection,
    environment,
    one_line,
    reading,
    rows,
    with_short_lock,
)
from flows.detach import check_attached, detached_since, in_words
from flows.errors import Infrastructure, WrongArgument
from flows.installed import gap
from flows.progress import Progress
from flows.roles import grant_sources
from flows.schemas import INTERNAL, OPERATIONS, OURS

TRIGGER = f"{OURS}_hook"
FUNCTION = f"{OPERATIONS}.after_order_created"
# columns that do not take what the hook would write
LEFT_OUT = f"""
    select column_name, remark from {OPERATIONS}.written_columns
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
    says why. Skipped are those, counted as success, of a transaction that is not read
    committed: the hook has not looked at them, and the next refresh says what they say.
    """

    total: int
    success: int
    errors: int
    # in seconds
    duration: float
    skipped: int = 0


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
    success, skipped = _move(connection, different)
    return Statistics(
        total=len(different),
        success=success,
        errors=len(different) - success,
        duration=time.monotonic() - began,
        skipped=skipped,
    )


def install_hook(progress: Progress) -> None:
    """Put the trigger on the orders table; one that is there is put anew.

    Raises WrongArgument on Citus.
    """
    refuse_triggers_on_citus("hook")
    with with_queue() as connection:
        check_attached(connection)
        relation = _orders(connection)
        _check_isolation(connection, relation)
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
        with_short_lock(connection, partial(connection.execute, put))
        connection.execute(
            f"insert into {OPERATIONS}.hooked_tables values (%s) on conflict do nothing",
            (relation,),
        )
        grant_sources(connection)
        left_out = rows(connection, LEFT_OUT)
    progress.say(f"hooked: {relation}")
    for column in left_out:
        progress.say(
            f"warning: the hook leaves out {column['column_name']}: {column['remark']}"
        )


def remove_hook(progress: Progress) -> None:
    """Take the trigger off again, wherever it is."""
    if not is_here():
        progress.say("no table is hooked")
        return
    with with_queue() as connection:
        triggers = _triggers(connection)
        for trigger in triggers:
            if not trigger["is_ours"]:
                raise Infrastructure(
                    f"hook: only {trigger['owner']}, who owns {trigger['relation']}, may take"
                    f" its trigger off: run it as {trigger['owner']}"
                )
        for trigger in triggers:
            drop = sql.SQL("drop trigger {} on {}").format(
                sql.Identifier(trigger["tgname"]), sql.SQL(trigger["relation"])
            )
            with_short_lock(connection, partial(connection.execute, drop))
        connection.execute(f"delete from {OPERATIONS}.hooked_tables")
        grant_sources(connection)
    progress.say("no table is hooked: a new order shows with the next refresh")


def print_hook(progress: Progress) -> None:
    """Print which table has the trigger, and its last errors."""
    with reading(as_login=True) as connection:
        if missing := gap(connection, "operations.sql", "capture.sql"):
            progress.say(missing)
            return
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
        [skips] = rows(
            connection,
            "select hook_skips.last_value as times,"
            " to_timestamp(hook_skipped_at.last_value)::timestamptz(0)::text as at,"
            " hook_skips.is_called as has_skipped"
            f" from {OPERATIONS}.hook_skips, {OPERATIONS}.hook_skipped_at",
        )
        if skips["has_skipped"]:
            progress.say(
                f"the hook has done nothing {skips['times']} times, last at {skips['at']}, in"
                " transactions that are not read committed: those orders show with the next"
                " refresh"
            )
        progress.table(
            "Errors of the hook, which the application did not notice: the last 10",
            rows(
                connection,
                "select created_at::timestamptz(0)::text as at, relation, error"
                f" from {OPERATIONS}.hook_errors where hook = 'after_order_created'"
                " order by error_id desc limit 10",
            ),
        )
        say_lost_hook(connection, progress)
        if since := detached_since(connection):
            progress.say(f"{in_words(since)}; until then the hook does nothing")


def say_lost_hook(connection: Connection, progress: Progress) -> None:
    """Say which table has lost its trigger: dropped, with the function that it calls, say."""
    for lost in rows(
        connection,
        f"select relation from {OPERATIONS}.hooked_tables where not exists ("
        f"select from pg_trigger where tgfoid = to_regproc('{FUNCTION}')"
        f" and tgrelid in (select member_id from {OPERATIONS}.family_of(relation)"
        " where is_source)) order by relation",
    ):
        relation = lost["relation"].replace('"', "")
        progress.say(
            f"warning: {relation} has lost the trigger of the hook, so a new order shows with"
            " the next refresh: `customer-health hook install` puts it back"
        )


def _move(connection: psycopg.Connection[Any], order_ids: list[str]) -> tuple[int, int]:
    """Call the function for these orders, halved down to those that it cannot take.

    Return how many it has taken, and of how many of them it has done nothing.
    """
    try:
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            [[found]] = cursor.execute(
                f"select {OPERATIONS}.after_orders_created(%s::text[])", (order_ids,)
            ).fetchall()
            return (len(order_ids), len(order_ids)) if found is None else (found, 0)
    except psycopg.Error as error:
        if len(order_ids) > 1 and not connection.closed:
            half = len(order_ids) // 2
            halves = [_move(connection, part) for part in (order_ids[:half], order_ids[half:])]
            return halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]
        _note(connection, order_ids, error)
        return 0, 0


def _note(
    connection: psycopg.Connection[Any], order_ids: list[str], error: psycopg.Error
) -> None:
    with suppress(psycopg.Error), connection.transaction():
        connection.execute(
            f"insert into {OPERATIONS}.hook_errors (hook, relation, error)"
            " values ('after_order_created', %s, %s)",
            (f"order {', '.join(order_ids)}", one_line(error)),
        )


def _orders(connection: Connection) -> str:
    """Return the orders table, or raise when it cannot be hooked."""
    hooked = [source for source in dbt.sources(environment(connection)) if source["hook"]]
    if not hooked:
        raise WrongArgument(
            "hook: no source that is read says `hook: {order: the column of its key}` in"
            " models/orders/inputs/_orders__sources.yml, or orders_enabled is false"
        )
    [function] = rows(connection, f"select to_regproc('{FUNCTION}') as there")
    if function["there"] is None:
        raise Infrastructure("hook: run a nightly refresh first, which makes its function")
    for view in rows(
        connection,
        f"select viewname from pg_views where schemaname = '{INTERNAL}'"
        " and viewname like 'stg_orders__%' and definition like '%row_number()%'",
    ):
        raise WrongArgument(
            f"hook: copies of rows are looked for in {view['viewname']}, so each order would"
            " read all of it: its table has no unique key, or its input joins others; add a"
            " key, or read the others by a select in brackets, and run a nightly refresh"
        )
    source = hooked[0]
    found = look_at(connection, source)
    if cannot := found["cannot"]:
        raise WrongArgument(f"hook: {source['relation']} {cannot}")
    if (key := source["hook"]["order"]) not in found["columns"]:
        raise WrongArgument(
            f"hook: {source['relation']} has no column {key}, which `hook:` in"
            " models/orders/inputs/_orders__sources.yml names as the key of an order"
        )
    return str(source["relation"])


def _check_isolation(connection: Connection, relation: str) -> None:
    """Raise where those who insert orders do it in transactions that the hook leaves alone."""
    found = rows(
        connection,
        """
        with settings as (
            select setdatabase, setrole, option_value as isolation
            from pg_db_role_setting, pg_options_to_table(setconfig)
            where
                option_name = 'default_transaction_isolation'
                and setdatabase in (
                    0, (select oid from pg_database where datname = current_database())
                )
        )

        select 'database ' || current_database() as whose, isolation
        from settings
        where setrole = 0
        union all
        select 'login ' || rolname, isolation
        from settings
        inner join pg_roles on setrole = pg_roles.oid
        where rolcanlogin and has_any_column_privilege(setrole, %(relation)s, 'insert')
        union all
        -- wherever that is set
        select 'login ' || current_user, reset_val
        from pg_settings
        where name = 'default_transaction_isolation'
        """,
        {"relation": relation},
    )
    for setting in found:
        if setting["isolation"] in ("repeatable read", "serializable"):
            raise WrongArgument(
                f"hook: transactions of {setting['whose']} are {setting['isolation']} by"
                " default, and in those the hook does nothing, for it could cost an order:"
                " set default_transaction_isolation to 'read committed' there, or wait for"
                " refreshes to tell what new orders say"
            )


def _triggers(connection: Connection) -> list[dict[str, Any]]:
    return rows(
        connection,
        "select tgname, tgrelid::regclass::text as relation,"
        " tgenabled in ('O', 'A') as is_enabled, pg_get_userbyid(relowner) as owner,"
        " pg_has_role(relowner, 'usage') as is_ours"
        " from pg_trigger inner join pg_class on tgrelid = pg_class.oid"
        f" where tgfoid = to_regproc('{FUNCTION}')",
    )
