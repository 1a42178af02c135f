"""The real-time hook: it updates the customer of a new order at once.

The rules are in the database: a refresh creates the function operations.after_orders_created.
A trigger on the orders table calls it within the order's transaction, or the application does,
through `after_order_created` and `after_orders_created` below.
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
from flows.progress import Progress, count_of
from flows.roles import grant_sources
from flows.schemas import INTERNAL, OPERATIONS, OURS

TRIGGER = f"{OURS}_hook"
FUNCTION = f"{OPERATIONS}.after_order_created"
# columns that do not accept the values of the hook
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
    """The result of one call.

    errors counts ids without an order and orders that made the hook fail;
    operations.hook_errors says why. skipped counts orders that the hook ignored because their
    transaction is not read committed; they also count as success, and the next refresh handles
    them.
    """

    total: int
    success: int
    errors: int
    # in seconds
    duration: float
    skipped: int = 0


def after_order_created(connection: psycopg.Connection[Any], order_id: object) -> Statistics:
    """Do for one new order what the trigger does, for callers without a trigger."""
    return after_orders_created(connection, [order_id])


def after_orders_created(
    connection: psycopg.Connection[Any], order_ids: Sequence[object]
) -> Statistics:
    """Do for new orders what the trigger does, for callers without a trigger.

    It works within the caller's transaction, if there is one, leaves it usable, and never
    raises for an order. An id without an order counts as an error, that of a draft does not.
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
    """Create or replace the trigger on the orders table, and drop it from any other.

    Raises WrongArgument on Citus.
    """
    refuse_triggers_on_citus("hook")
    with with_queue() as connection:
        check_attached(connection)
        relation, table = _orders(connection)
        _check_isolation(connection, relation)
        if rows(
            connection,
            "select from pg_trigger where tgrelid = to_regclass(%(relation)s)"
            f" and tgname = %(trigger)s and tgfoid != to_regproc('{FUNCTION}')",
            {"relation": relation, "trigger": TRIGGER},
        ):
            name = relation.replace('"', "")
            raise WrongArgument(
                f"hook: trigger {TRIGGER} on {name} is not ours but has the name that we need;"
                " rename it"
            )
        family = {
            member["member_id"]
            for member in rows(
                connection,
                f"select member_id from {OPERATIONS}.family_of(%(relation)s)",
                {"relation": relation},
            )
        }
        others = [one for one in _triggers(connection) if one["oid"] not in family]
        _check_may_drop(others, "`customer-health hook remove` as {} first")
        put = sql.SQL(
            "create or replace trigger {} after insert on {} referencing new table as new_rows"
            " for each statement execute function {}()"
        ).format(sql.Identifier(TRIGGER), sql.SQL(relation), sql.SQL(FUNCTION))
        with_short_lock(connection, partial(connection.execute, put), [table["oid"]])
        connection.execute(
            f"insert into {OPERATIONS}.hooked_tables values (%s) on conflict do nothing",
            (relation,),
        )
        grant_sources(connection)
        # last: these tables may be in use
        _drop(connection, others)
        connection.execute(
            f"delete from {OPERATIONS}.hooked_tables where relation != %s", (relation,)
        )
        left_out = rows(connection, LEFT_OUT)
    for other in others:
        progress.say(f"hook removed from {other['relation']}")
    progress.say(f"hook installed on {relation}")
    if misses := table["misses"]:
        progress.say(f"warning: {relation} {misses}, so such orders wait for the next refresh")
    for column in left_out:
        progress.say(
            f"warning: the hook does not write {column['column_name']}: {column['remark']}"
        )


def remove_hook(progress: Progress) -> None:
    """Drop the trigger, whatever table it is on."""
    if not is_here():
        progress.say("the hook is not installed")
        return
    with with_queue() as connection:
        triggers = _triggers(connection)
        _check_may_drop(triggers, "this command as {}")
        _drop(connection, triggers)
        connection.execute(f"delete from {OPERATIONS}.hooked_tables")
        grant_sources(connection)
    progress.say("the hook is not installed: new orders wait for the next refresh")


def print_hook(progress: Progress) -> None:
    """Print which table has the trigger, and the last errors."""
    with reading(as_login=True) as connection:
        if missing := gap(connection, "operations.sql", "capture.sql"):
            progress.say(missing)
            return
        progress.table(
            "Tables with the hook",
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
                f"the hook has skipped {count_of(skips['times'], 'call')}, the last at"
                f" {skips['at']}, because it works only in read committed transactions: their"
                " orders wait for the next refresh"
            )
        progress.table(
            "Last 10 errors of the hook, which the application did not see",
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
    """Warn about a table that has lost its trigger, for example with a dropped function."""
    for lost in rows(
        connection,
        f"select relation from {OPERATIONS}.hooked_tables where not exists ("
        f"select from pg_trigger where tgfoid = to_regproc('{FUNCTION}')"
        f" and tgrelid in (select member_id from {OPERATIONS}.family_of(relation)"
        " where is_source)) order by relation",
    ):
        relation = lost["relation"].replace('"', "")
        progress.say(
            f"warning: {relation} has lost the trigger of the hook, so new orders wait for the"
            " next refresh: `customer-health hook install` creates it again"
        )


def _move(connection: psycopg.Connection[Any], order_ids: list[str]) -> tuple[int, int]:
    """Call the function for these orders; halve them until a faulty order is alone.

    A lock or a timeout is no order's fault: then all of them wait for the refresh. Return how
    many orders succeeded, and how many of these were skipped.
    """
    try:
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            [[found]] = cursor.execute(
                f"select {OPERATIONS}.after_orders_created(%s::text[])", (order_ids,)
            ).fetchall()
            return (len(order_ids), len(order_ids)) if found is None else (found, 0)
    except psycopg.Error as error:
        is_theirs = not isinstance(
            error, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled
        )
        if len(order_ids) > 1 and is_theirs and not connection.closed:
            half = len(order_ids) // 2
            halves = [_move(connection, part) for part in (order_ids[:half], order_ids[half:])]
            return halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]
        _note(connection, order_ids, error)
        return 0, 0


def _note(
    connection: psycopg.Connection[Any], order_ids: list[str], error: psycopg.Error
) -> None:
    named = f"order{'s' if order_ids[1:] else ''} {', '.join(order_ids[:3])}"
    more = f" and {len(order_ids) - 3} more" if order_ids[3:] else ""
    with suppress(psycopg.Error), connection.transaction():
        connection.execute(
            f"insert into {OPERATIONS}.hook_errors (hook, relation, error)"
            " values ('after_order_created', %s, %s)",
            (named + more, one_line(error)),
        )


def _orders(connection: Connection) -> tuple[str, dict[str, Any]]:
    """Return the orders table and what `look_at` says; raise if it cannot have the hook."""
    hooked = [source for source in dbt.sources(environment(connection)) if source["hook"]]
    if not hooked:
        raise WrongArgument(
            "hook: no source in use has `hook: {order: <key column>}` in"
            " models/orders/inputs/_orders__sources.yml, or orders_enabled is false"
        )
    [function] = rows(connection, f"select to_regproc('{FUNCTION}') as there")
    if function["there"] is None:
        raise Infrastructure(
            "hook: run a nightly refresh first; it creates the function of the hook"
        )
    for view in rows(
        connection,
        f"select viewname from pg_views where schemaname = '{INTERNAL}'"
        " and viewname like 'stg_orders__%' and definition like '%row_number()%'",
    ):
        raise WrongArgument(
            f"hook: {view['viewname']} removes duplicate rows, so each order would read the"
            " whole view: add a unique key to its table, or replace the joins of its input by"
            " subqueries, then run a nightly refresh"
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
    return str(source["relation"]), found


def _check_isolation(connection: Connection, relation: str) -> None:
    """Raise if orders are inserted by default in transactions that the hook skips."""
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
        -- the default of this session, whatever sets it
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
                " default, and the hook skips those because it could make an order fail: set"
                " default_transaction_isolation to 'read committed' there, or do without the"
                " hook"
            )


def _check_may_drop(triggers: list[dict[str, Any]], run: str) -> None:
    """Raise if one of these triggers is on a table of another owner; say what to run."""
    for trigger in triggers:
        if not trigger["is_ours"]:
            raise Infrastructure(
                f"hook: {trigger['owner']} owns {trigger['relation']}, and only the owner"
                f" may drop its trigger: run {run.format(trigger['owner'])}"
            )


def _drop(connection: Connection, triggers: list[dict[str, Any]]) -> None:
    for trigger in triggers:
        drop = sql.SQL("drop trigger {} on {}").format(
            sql.Identifier(trigger["tgname"]), sql.SQL(trigger["relation"])
        )
        with_short_lock(connection, partial(connection.execute, drop), [trigger["oid"]])


def _triggers(connection: Connection) -> list[dict[str, Any]]:
    return rows(
        connection,
        "select tgname, tgrelid as oid, tgrelid::regclass::text as relation,"
        " tgenabled in ('O', 'A') as is_enabled, pg_get_userbyid(relowner) as owner,"
        " pg_has_role(relowner, 'usage') as is_ours"
        " from pg_trigger inner join pg_class on tgrelid = pg_class.oid"
        f" where tgfoid = to_regproc('{FUNCTION}')",
    )
