"""Check the rows of inputs: counts, NULLs, words, amounts, and rows that would be left out.

The staging views and the quarantine model of the project decide which rows are invalid; see
flows/check_inputs.py.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flows import systems
from flows.check_inputs import (
    LOOK,
    WRONG,
    Input,
    noted,
    quoted,
    raw,
    staging_of,
    temporary,
)
from flows.database import Connection, rows
from flows.init.names import evidence
from flows.progress import many
from flows.project import settings

# how many words of a column are counted, and how many are shown
WORDS_READ, WORDS_SHOWN = 100, 10
# how many rows are read to judge amounts, and how many are needed
AMOUNTS_READ, AMOUNTS_LEAST = 100_000, 20
# implausible medians: amounts above the first limit, cents below the second
AMOUNT_OF_CENTS, CENTS_OF_AMOUNT = 5_000, 500


def look_at_rows(connection: Connection, one: Input) -> None:
    """Count rows, NULLs and words, and check amounts and time zones."""
    steps: tuple[Callable[[Connection, Input], None], ...] = (
        count_rows,
        count_words,
        look_at_amounts,
        look_at_drafts,
        look_at_clocks,
        look_at_written,
        look_at_overwritten,
    )
    for step in steps if one.is_read else ():
        with noted(one, f"fix {one.path}"), connection.transaction():
            step(connection, one)


def count_rows(connection: Connection, one: Input) -> None:
    """Count the rows, and the NULLs of each column."""
    counts = ", ".join(
        f"count(*) - count({quoted(name)}) as {quoted(name)}" for name in one.given
    )
    [found] = rows(
        connection,
        f"select count(*) as {quoted('all rows')}, {counts or '0'} from {temporary(one.name)}",
    )
    one.rows = found["all rows"]
    one.nulls = {name: found[name] for name in one.given if found[name]}


def note_empty(inputs: Sequence[Input]) -> None:
    """Note inputs without rows that must have some; note an empty system only once."""
    empty = [one for one in inputs if one.is_read and not one.rows]
    if len(empty) == len(inputs):
        system = inputs[0].system
        inputs[0].find(
            WRONG,
            None,
            f"has no rows, like all inputs of {system}",
            f"if you do not use this system, set `{system}_enabled: false` in the vars",
        )
        return
    for one in empty:
        if not one.meta.get("may_be_empty"):
            one.find(WRONG, None, "has no rows", f"look at {one.path}")


def note_nulls(one: Input) -> None:
    """Note NULLs in columns that rules need, unless they leave the row out anyway."""
    for name, count in one.nulls.items():
        meta = one.columns[name]["config"]["meta"]
        is_all = count == one.rows
        if f"{name}_missing" in one.left_out or meta.get("optional"):
            continue
        if f"{name}_unknown" in one.left_out and meta.get("allowed"):
            continue
        if is_all or not meta.get("nullable"):
            where = f"{'all' if is_all else f'{count} of'} {one.rows} rows"
            if one.rows == 1:
                where = "its only row"
            one.find(
                LOOK,
                name,
                f"is NULL in {where} ({count / one.rows:.1%})",
                f"the rules need it: {' '.join(one.columns[name]['description'].split())}",
            )


def note_equal_slugs(connection: Connection, tenants: Input) -> None:
    """Note slugs that several active tenants have, because people name a tenant by it."""
    tenant = systems.registry()[tenants.system].tenant
    found = rows(
        connection,
        f"select {tenant}_slug as slug, count(*) from {temporary(staging_of(tenants.name))}"
        f" where is_valid and is_active group by {tenant}_slug having count(*) > 1"
        " order by 2 desc, 1",
    )
    if found:
        tenants.find(
            LOOK,
            f"{tenant}_slug",
            f"{many(len(found), 'slug belongs', 'slugs belong')} to several {tenant}s, such as"
            f" {found[0]['slug']!r} to {found[0]['count']}",
            "thresholds, recipients of messages and commands name a"
            f" {tenant} by its slug: make it unique in {tenants.path}",
        )


def count_words(connection: Connection, one: Input) -> None:
    """Count the words of columns with a fixed set of words."""
    for name in one.given:
        meta = one.columns[name]["config"]["meta"]
        if "allowed" not in meta:
            continue
        one.words[name] = {
            row["word"]: row["count"]
            for row in rows(
                connection,
                f"select coalesce({quoted(name)}::text, 'NULL') as word, count(*)"
                f" from {temporary(one.name)} group by {quoted(name)}"
                # unknown words first, because there may be many
                f" order by {quoted(name)}::text = any(%(allowed)s) is true, 2 desc, 1"
                f" limit {WORDS_READ}",
                {"allowed": meta["allowed"]},
            )
        }
        # in an optional column it costs the word, not the row, so no quarantine reason shows
        # it
        if meta.get("optional") and (words := unknown_words(one, name)):
            one.find(
                LOOK,
                name,
                f"has unknown words, which become NULL: {words}",
                map_it(one, name),
            )


def unknown_words(one: Input, name: str) -> str:
    """Return the words of a column that are not allowed, with counts."""
    meta = one.columns[name]["config"]["meta"]
    unknown = [
        f"{word!r} {count}"
        for word, count in one.words.get(name, {}).items()
        if word not in meta["allowed"] and not (word == "NULL" and meta.get("optional"))
    ]
    more = len(unknown) - WORDS_SHOWN
    return ", ".join(unknown[:WORDS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def map_it(one: Input, name: str) -> str:
    """Return advice about unknown words."""
    allowed = ", ".join(one.columns[name]["config"]["meta"]["allowed"])
    return f"map them to {allowed} with a `case` in {one.path}"


def look_at_amounts(connection: Connection, one: Input) -> None:
    """Note amounts that look like cents, and cents that look like amounts."""
    for name in one.given:
        is_cents = name == "amount_cents"
        if not (is_cents or name == "amount" or name.endswith("_amount")):
            continue
        [found] = rows(
            connection,
            f"""
            select
                count(amount) as values,
                count(*) filter (where amount != trunc(amount)) as fractions,
                percentile_disc(0.5) within group (order by amount) as median
            from (
                select {quoted(name)}::numeric as amount from {temporary(one.name)}
                where
                    {quoted(name)} != 0
                    and {quoted(name)}::text not in ('NaN', 'Infinity', '-Infinity')
                limit {AMOUNTS_READ}
            ) as amounts
            """,
        )
        if found["values"] < AMOUNTS_LEAST:
            continue
        median = found["median"].normalize()
        if is_cents and median < CENTS_OF_AMOUNT:
            one.find(
                LOOK,
                name,
                "looks like whole amounts, not cents: half of the values are at most"
                f" {median:f}",
                f"if so, write `(... * 100)::bigint as {name}` in {one.path}",
            )
        elif not is_cents and not found["fractions"]:
            kind = one.given[name]
            is_whole = kind in ("smallint", "integer", "bigint")
            if is_whole or median >= AMOUNT_OF_CENTS:
                why = f"it is {kind}" if is_whole else "no row has a fraction"
                one.find(
                    LOOK,
                    name,
                    f"looks like cents: {why}, and half of the values are at least {median:f}",
                    f"if so, write `... / 100.0 as {name}` in {one.path}",
                )


def look_at_drafts(connection: Connection, one: Input) -> None:
    """Note draft orders with a delivery, because they count as deliveries."""
    if not {"order_id", "order_status", "delivered_at"} <= one.given.keys():
        return
    [found] = rows(
        connection,
        f"""
        select count(*) as orders, min(order_id::text) as such_as
        from {temporary(one.name)}
        where order_status::text = 'DRAFT' and delivered_at is not null
        """,
    )
    if found["orders"]:
        one.find(
            LOOK,
            "order_status",
            f"{many(found['orders'], 'row is DRAFT and has', 'rows are DRAFT and have')} a"
            f" delivered_at, such as order_id {found['such_as']}: such a row counts as a"
            " delivery",
            f"if it is not a delivery, make its delivered_at NULL in {one.path}",
        )


def look_at_clocks(connection: Connection, one: Input) -> None:
    """Note timestamps without a time zone, which are read as UTC.

    The query plan distinguishes an implicit cast from `at time zone`, and ignores constants.
    """
    for name, kind in one.given.items():
        if kind != "timestamp with time zone":
            continue
        [plan] = rows(
            connection,
            f"explain (verbose, format json) select {quoted(name)} from {raw(one.name)}",
        )
        if any(")::timestamp with time zone" in text for text in outputs(plan["QUERY PLAN"])):
            one.find(
                LOOK,
                name,
                "comes from a column without a time zone and is read as UTC",
                f"add its time zone in {one.path}, such as"
                f" `... at time zone 'Europe/Berlin' as {name}`",
            )


def outputs(plan: Any) -> Iterator[str]:
    """Yield the output columns of every node of a plan."""
    if isinstance(plan, list):
        for part in plan:
            yield from outputs(part)
    elif isinstance(plan, dict):
        yield from plan.get("Output", [])
        for name, part in plan.items():
            if name != "Output":
                yield from outputs(part)


def look_at_written(connection: Connection, one: Input) -> None:
    """Note status columns that cannot be written through this input."""
    if one.entity != "customer_statuses":
        return
    written = [name for name in one.given if name in one.of_any_type]
    refused = [
        row["name"]
        for row in rows(
            connection,
            "select name from unnest(%(written)s::text[]) as name"
            " inner join pg_attribute on attrelid = %(view)s::regclass and attname = name"
            " where not pg_column_is_updatable(attrelid, attnum, false)",
            {"written": written, "view": raw(one.name)},
        )
    ]
    if refused:
        one.find(
            LOOK,
            None,
            f"cannot be written through: {', '.join(refused)}",
            f"keep {one.path} a plain select from one table, or refresh with --no-write-back",
        )


def look_at_overwritten(connection: Connection, one: Input) -> None:
    """Note words in status columns that the write-back would replace with ours."""
    if one.entity != "customer_statuses":
        return
    for name, ours in evidence()["written_words"].items():
        if name not in one.given:
            continue
        kept = settings()["protected_account_types"] if name == "account_type" else []
        found = rows(
            connection,
            f"select {quoted(name)}::text as word, count(*) from {temporary(one.name)}"
            f" where btrim({quoted(name)}::text) != ''"
            f" and {quoted(name)}::text != all(%(known)s) group by {quoted(name)}::text"
            f" order by 2 desc, 1 limit {WORDS_SHOWN}",
            {"known": [*ours, *map(str, kept)]},
        )
        if found:
            words = ", ".join(f"{row['word']!r} {row['count']}" for row in found)
            one.find(
                LOOK,
                name,
                f"has words that are not ours, and a write-back would replace them: {words}",
                f"if your application needs them, leave {name} out of {one.path}"
                + (
                    " or list them in the setting protected_account_types"
                    if name == "account_type"
                    else ""
                ),
            )


def judge_rows(connection: Connection, inputs: list[Input], quarantine: str) -> None:
    """Note the rows that a refresh would leave out, by reason, with three examples.

    quarantine: the SQL of the system's quarantine model.
    """
    table = temporary(f"left_out_{inputs[0].system}")
    connection.execute(f"create table {table} as {quarantine}".encode())
    by_entity = {one.entity: one for one in inputs}
    # the tenants: if none of them is valid, no other row can be
    whole = inputs[0]
    found = rows(
        connection,
        f"""
        select
            "table",
            reason,
            is_left_out,
            sum(rows_count)::bigint as count,
            (array_agg(key order by tenant, key))[:3] as keys
        from {table}
        group by "table", reason, is_left_out
        order by "table", count desc, reason
        """,
    )
    for row in found:
        one = by_entity[row["table"]]
        if row["is_left_out"]:
            one.left_out[row["reason"]] = {"rows": row["count"], "such_as": row["keys"]}
        else:
            note_without_date(one, row["reason"], row["count"], row["keys"])
    for one in (whole,) if are_all_left_out(whole) else inputs:
        # if all rows have the same reason, one finding says both
        is_one = are_all_left_out(one) and len(one.left_out) == 1
        for reason, left in one.left_out.items():
            level = WRONG if is_one else LOOK
            note_left_out(one, reason, left["rows"], left["such_as"], level)
        if are_all_left_out(one) and not is_one:
            one.find(WRONG, None, f"{all_rows(one)} left out", "no rule can use any of them")


def are_all_left_out(one: Input) -> bool:
    """Return whether an input has rows but no valid ones."""
    gone: int = sum(reason["rows"] for reason in one.left_out.values())
    return 0 < one.rows <= gone


def all_rows(one: Input) -> str:
    """Return words for all rows of an input, with a verb."""
    return "its only row is" if one.rows == 1 else f"all {one.rows} rows are"


def note_without_date(one: Input, reason: str, count: int, such_as: Sequence[str]) -> None:
    """Note rows that count, but without a date that is out of range."""
    column = reason.removesuffix("_out_of_range")
    one.find(
        LOOK,
        column,
        f"is an implausible date in {count} of {one.rows} rows, which count without it, such"
        f" as {one.key[-1]} {', '.join(such_as)}",
        "if it means that there is no date, make it NULL in the input",
    )


def note_left_out(
    one: Input, reason: str, count: int, keys: Sequence[str], level: str
) -> None:
    """Note rows that are left out for one reason."""
    such_as = ", ".join(key or "NULL" for key in keys)
    some = f"{count} of {one.rows} rows {'is' if count == 1 else 'are'}"
    counted = all_rows(one) if level == WRONG else some
    problem = f"{counted} left out: {reason}, such as {one.key[-1]} {such_as}"
    column, _, what = reason.rpartition("_")
    key = ", ".join(one.key)
    todo = "see operations.quarantined_rows after a refresh"
    if reason.endswith("_not_of_tenant"):
        column = reason.removesuffix("_not_of_tenant")
        todo = (
            "no valid row has that key: check whether those rows are left out, or missing in"
            " their input"
        )
    elif reason.endswith("_out_of_range"):
        column = reason.removesuffix("_out_of_range")
        todo = "such a value is implausible: fix the row, or make it NULL in the input"
    elif what == "missing":
        todo = f"fill it, or leave such rows out in {one.path}"
    elif what == "duplicate":
        todo = f"give one row for each {key} in {one.path}; only the newest counts"
    elif what == "unknown" and one.columns.get(column, {}).get("config", {}).get(
        "meta", {}
    ).get("allowed"):
        problem += f"; its words: {unknown_words(one, column)}"
        todo = map_it(one, column)
    elif what == "unknown" and column == "time_zone":
        todo = "use a time zone of pg_timezone_names"
    elif what == "unknown":
        todo = (
            "no valid row has that key: check whether those rows are left out, or missing in"
            " their input"
        )
    one.find(level, column if column in one.columns else None, problem, todo)
