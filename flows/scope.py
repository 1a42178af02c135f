"""What a refresh recomputes: the keys that the change queue holds, or everything."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from flows import systems
from flows.capture import OLD_TRIGGERS, unlisted_tables
from flows.captured_keys import WHERE_TO_SAY
from flows.database import Connection, install, rows
from flows.detach import detached_since
from flows.fingerprints import current_mapping
from flows.progress import Progress, count_of, many
from flows.project import settings
from flows.schemas import ANALYTICS, INTERNAL, OPERATIONS

# covers rows that a slow transaction stamped before the last refresh began
OVERLAP = timedelta(hours=1)


@dataclass(frozen=True)
class Scope:
    """Which keys a refresh recomputes, and why."""

    # by system, the instant since which updated_at shows changes; without the systems of which
    # triggers watch all tables
    changed_since: dict[str, datetime] = field(default_factory=dict)
    # why an hourly refresh recomputes all keys; None if it does not
    full_because: str | None = None
    # tables that inputs read and `capture install` has not listed
    unlisted: tuple[str, ...] = ()
    # the number of claimed keys by system and kind, and of rows by table whose key was not
    # found
    keys: list[dict[str, Any]] = field(default_factory=list)
    not_found: list[dict[str, Any]] = field(default_factory=list)

    @property
    def claimed(self) -> list[dict[str, Any]]:
        """Everything that the refresh has claimed."""
        return self.keys + self.not_found


def claim(connection: Connection, logid: str, as_of: datetime, rules: str) -> Scope:
    """Claim the waiting keys; return whether an hourly refresh of them is enough.

    rules: the fingerprint of the files that the refresh computes with.

    Needs the refresh lock. Keys that a killed run claimed are claimed again.
    """
    install(connection, "capture.sql")
    connection.execute(f"update {OPERATIONS}.changed_keys set claimed_by = %s", (logid,))
    connection.execute(
        f"select {OPERATIONS}.widen_wrong_keys(%s, %s)", (logid, Jsonb(_id_types()))
    )
    claimed = rows(
        connection,
        "select system, kind, replace(relation, '\"', '') as relation,"
        " count(distinct (tenant, key, starts_at)) as keys,"
        " sum(rows_count)::bigint as rows_count, min(tenant) as tenant"
        f" from {OPERATIONS}.changed_keys where claimed_by = %(logid)s"
        " group by system, kind, relation order by 1, 2, 3 nulls first",
        {"logid": logid},
    )
    return replace(
        _scope(connection, as_of, rules),
        keys=[
            {"system": row["system"], "kind": row["kind"], "keys": row["keys"]}
            for row in claimed
            if row["relation"] is None
        ],
        not_found=[row for row in claimed if row["relation"] is not None],
    )


def _id_types() -> dict[str, dict[str, str]]:
    """Return the types of the ids in keys, by system and kind of key; others are text."""
    given = settings()
    ids = {"customer": "customer", "location": "location", "location_day": "location"}
    return {
        name: {
            kind: given[setting]
            for kind, entity in {"tenant": system.tenant, **ids}.items()
            if (setting := f"{name}_{entity}_id_type") in given
        }
        for name, system in systems.registry().items()
    }


def say_scope(scope: Scope, progress: Progress) -> dict[str, Any]:
    """Print where the refresh recomputes more than what changed; return the log entry."""
    for lost in scope.not_found:
        asked = (
            "everything"
            if lost["kind"] == "everything"
            else f"all of tenant {lost['tenant']}"
            if lost["keys"] == 1
            else f"all of {lost['keys']} tenants"
        )
        progress.say(
            f"no key was found for {count_of(lost['rows_count'], 'changed row')} of"
            f" {lost['relation']}:"
            f" {lost['system']} recomputes {asked}"
        )
    for relation in scope.unlisted:
        progress.say(
            f"an input reads {relation}, but `customer-health capture install` has not seen it"
            " yet: changes that updated_at does not show wait for the nightly refresh"
        )
    return {
        name: value
        for name, value in (
            ("claimed_keys", scope.keys),
            ("keys_not_found", scope.not_found),
            ("unlisted_tables", list(scope.unlisted)),
        )
        if value
    }


def report_unknown_keys(
    scope: Scope, connection: Connection, progress: Progress
) -> dict[str, Any]:
    """Print which claimed keys match no row of any input or mart; return the log entry."""
    unknown = {}
    for system in sorted({row["system"] for row in scope.keys}):
        keys = f"{INTERNAL}.int_unknown_keys__{system}"
        [there] = rows(connection, f"select to_regclass('{keys}') as keys")
        if there["keys"] is None:
            continue
        [found] = rows(
            connection,
            # the non-null parts of the key, in order
            "select count(*) as keys, min((select string_agg(value, '/' order by place)"
            " from json_each_text(row_to_json(unknown)) with ordinality"
            " as parts (name, value, place) where name != 'kind')) as example"
            f" from {keys} as unknown",
        )
        if found["keys"]:
            unknown[system] = found["keys"]
            progress.say(
                f"warning: {many(found['keys'], 'key', 'keys')} in the queue"
                f" {'matches' if found['keys'] == 1 else 'match'} no row of {system}, such as"
                f" {found['example']}: does {WHERE_TO_SAY} write the key in the same form as"
                " the input?"
            )
    return {"unknown_keys": unknown} if unknown else {}


def missing_relations(connection: Connection) -> list[str]:
    """Return the relations of the last full refresh that have been dropped since."""
    # functions created together with a model; the trigger function exists only with `hook:` in
    # the sources' yml
    facts = f'"{OPERATIONS}"."order_facts"'
    routines = {
        f"{OPERATIONS}.after_orders_created(text[])": facts,
        f"{ANALYTICS}.explain_risk_status(text,text)": (
            f'"{ANALYTICS}"."customer_status_changes"'
        ),
        f"{ANALYTICS}.explain_customer_analytics(text,text)": (
            f'"{ANALYTICS}"."customer_profiles"'
        ),
    }
    [hook] = rows(connection, f"select to_regclass('{OPERATIONS}.hooked_tables') as tables")
    if hook["tables"] and rows(connection, f"select from {OPERATIONS}.hooked_tables limit 1"):
        routines[f"{OPERATIONS}.after_order_created()"] = facts
    return [
        row["relation"]
        for row in rows(
            connection,
            """
            with made as (
                select unnest(%(made)s::text[]) as relation
            )

            select relation from made where to_regclass(relation) is null
            union all
            select routines.routine
            from made
            inner join unnest(%(makers)s::text[], %(routines)s::text[])
                as routines (maker, routine)
                on made.relation = routines.maker
            where to_regprocedure(routines.routine) is null
            order by 1
            """,
            {
                "makers": list(routines.values()),
                "routines": list(routines),
                "made": last_relations(connection),
            },
        )
    ]


def last_relations(connection: Connection) -> list[str]:
    """Return the relations that the last full refresh with passing tests created or found."""
    found = rows(
        connection,
        f"select payload -> 'relations' as made from {OPERATIONS}.application_logs"
        " where payload ? 'relations' order by log_id desc limit 1",
    )
    return list(found[0]["made"]) if found else []


def _scope(connection: Connection, as_of: datetime, rules: str) -> Scope:
    last = _last_published(connection)
    because = _rebuilt_because(connection, last, as_of, rules)
    if because or last is None:
        return Scope(full_because=because or "no refresh has run yet")
    [capture] = rows(
        connection,
        "with queue as (select relation, rows_count"
        f" from {OPERATIONS}.changed_keys where kind = 'everything')"
        " select count(*) as tables, count(*) filter (where is_captured) as captured,"
        " count(*) filter (where mapping = %(mapping)s) as mapped,"
        " array_agg(distinct system) as systems,"
        " array_agg(distinct system) filter (where watched_by in ('updated_at', 'both'))"
        " as with_updated_at,"
        " exists (select from queue where relation is null) as is_lost,"
        " (select sum(rows_count)::bigint from queue) as lost_rows"
        f" from {OPERATIONS}.capture_status",
        {"mapping": current_mapping()},
    )
    if capture["mapped"] < capture["tables"]:
        because = OLD_TRIGGERS
    elif capture["captured"] < capture["tables"]:
        because = (
            "triggers of a captured table are missing, were switched off or may not write to"
            " the queue"
        )
    elif capture["is_lost"]:
        because = "a table was truncated, the triggers are new, or a trigger has failed"
    elif capture["lost_rows"]:
        lost = count_of(capture["lost_rows"], "changed row")
        because = f"neither key nor tenant was found for {lost}"
    else:
        unlisted = unlisted_tables(connection) if capture["tables"] else []
        noticed = {*(capture["systems"] or ())} - {*(capture["with_updated_at"] or ())}
        noticed = noticed.difference(*(table["systems"] for table in unlisted))
        since = {
            system: began_at - OVERLAP
            for system, began_at in last["began_at"].items()
            if system not in noticed
        }
        relations = tuple(table["relation"] for table in unlisted)
        return Scope(changed_since=since, unlisted=relations)
    return Scope(full_because=because)


def _rebuilt_because(
    connection: Connection, last: dict[str, Any] | None, as_of: datetime, rules: str
) -> str | None:
    """Return why a refresh cannot build on the last one, or None."""
    if since := detached_since(connection):
        return f"our views were detached on {since:%Y-%m-%d %H:%M:%S %Z}"
    # before missing relations: a new version may add some
    if last and last["rules"] != rules:
        return "the rules have changed since the last refresh"
    if missing := missing_relations(connection):
        more = f" and {len(missing) - 1} more" if missing[1:] else ""
        name = missing[0].replace('"', "")
        return f"{name}{more} of ours {'are' if more else 'is'} missing"
    if last is None:
        return None
    later = f"the marts have a later as_of, {last['as_of']:%Y-%m-%d %H:%M:%S %Z}"
    untested = "a test failed in the last refresh or did not run, so its rows may be wrong"
    reasons = {
        untested: last["has_failed"],
        "the last refresh ended before its marts were tested": not last["is_tested"],
        later: last["as_of"] > as_of,
    }
    return next((reason for reason, is_so in reasons.items() if is_so), None)


def _last_published(connection: Connection) -> dict[str, Any] | None:
    """Return the run that published the current marts of all hourly systems, or None."""
    runs = []
    for system in systems.hourly():
        log = f"{OPERATIONS}.{system}_publications"
        clock = systems.registry()[system].tenants
        [there] = rows(
            connection,
            f"select to_regclass('{log}') as log, to_regclass('{ANALYTICS}.{clock}') as clock",
        )
        if None in there.values():
            return None
        runs += rows(
            connection,
            f"select '{system}' as system, logid, application_logs.created_at as began_at,"
            " payload ->> 'rules' as rules, payload -> 'systems' as systems,"
            " payload -> 'tests_failed_in' as tests_failed_in,"
            " payload ? 'tests_passed' as is_tested,"
            f" greatest(log.as_of, (select max(as_of) from {ANALYTICS}."
            f"{clock})) as as_of"
            f" from {log} as log inner join {OPERATIONS}.application_logs"
            " on log.run_id = application_logs.logid order by log_id desc limit 1",
        )
    if len(runs) < len(systems.hourly()):
        return None
    rules = {run["rules"] for run in runs}
    return {
        "has_failed": any(
            set(run["tests_failed_in"]) - _waiting(connection, run)
            for run in runs
            if run["tests_failed_in"]
        ),
        "is_tested": all(run["is_tested"] for run in runs),
        "began_at": {run["system"]: run["began_at"] for run in runs},
        "as_of": max(run["as_of"] for run in runs),
        "rules": rules.pop() if len(rules) == 1 else None,
    }


def _waiting(connection: Connection, run: dict[str, Any]) -> set[str]:
    """Return the systems that a run has computed but not published.

    A failed test of theirs says nothing about the marts.
    """
    return {
        system
        for system in set(systems.registry()).intersection(run["systems"])
        if not rows(
            connection,
            f"select from {OPERATIONS}.{system}_publications where run_id = %(logid)s limit 1",
            {"logid": run["logid"]},
        )
    }
