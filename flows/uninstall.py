"""Uninstall: drop our triggers, functions, marts, schemas and roles, and nothing of others.

It finds every object by its mark, so it works whatever somebody has dropped and wherever an
earlier run stopped.
"""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from flows.capture import drop_with_triggers
from flows.citus import is_distributed, shards
from flows.database import (
    REFRESHER,
    Connection,
    connect,
    refresh_lock,
    rows,
    with_short_lock,
)
from flows.errors import Infrastructure, WrongArgument
from flows.installed import MARK
from flows.progress import Progress, count_of
from flows.roles import (
    belongings_of_others,
    check_may_drop,
    drop_roles,
    load,
    roles_here,
    say_what_remains,
    tenant_roles,
)
from flows.schemas import INTERNAL, OPERATIONS, OURS

CONTACTS = f"{OPERATIONS}.customer_contacts"

# Objects with our mark, in any schema, and their parts: indexes, rules, types, policies,
# sequences of columns.
FOUND = """
    with recursive marked as (
        select classoid as class_id, objoid as object_id
        from pg_description
        where
            classoid in (
                'pg_class'::regclass, 'pg_proc'::regclass, 'pg_namespace'::regclass
            )
            and objsubid = 0
            and starts_with(description, %(mark)s)
    ),

    parts as (
        select class_id, object_id from marked
        union
        select pg_depend.classid, pg_depend.objid
        from parts
        inner join pg_depend
            on
                parts.class_id = pg_depend.refclassid
                and parts.object_id = pg_depend.refobjid
                and pg_depend.deptype in ('a', 'i', 'P', 'S')
    )
"""
# in the order of dropping; one statement drops a whole kind, so that dependencies between our
# objects do not matter
KINDS = {
    "v": "view",
    "m": "materialized view",
    "routine": "routine",
    "r": "table",
    "p": "table",
    "f": "foreign table",
    "S": "sequence",
    "schema": "schema",
}
THINGS = f"""
    {FOUND}

    select
        coalesce(
            pg_class.relkind::text,
            case when pg_proc.oid is null then 'schema' else 'routine' end
        ) as kind,
        named.schema,
        named.identity as name,
        owners.rolname::text as owner,
        pg_has_role(owners.oid, 'usage') as may_drop,
        coalesce(
            pg_class.relname = 'customer_contacts' and named.schema = '{OPERATIONS}'
            and pg_relation_size(pg_class.oid) > 0,
            false
        ) as has_words
    from marked
    left join pg_class
        on marked.class_id = 'pg_class'::regclass and marked.object_id = pg_class.oid
    left join pg_proc
        on marked.class_id = 'pg_proc'::regclass and marked.object_id = pg_proc.oid
    left join pg_namespace
        on
            marked.class_id = 'pg_namespace'::regclass
            and marked.object_id = pg_namespace.oid
    inner join pg_roles as owners
        on owners.oid = coalesce(pg_class.relowner, pg_proc.proowner, pg_namespace.nspowner)
    cross join lateral pg_identify_object(marked.class_id, marked.object_id, 0) as named
    where pg_class.relkind is null or pg_class.relkind in ('v', 'm', 'r', 'p', 'f', 'S')
    order by named.identity
"""
TRIGGERS = f"""
    {FOUND}

    select
        pg_trigger.tgname as name,
        tables.identity as relation,
        functions.identity as function
    from marked
    inner join pg_trigger
        on marked.class_id = 'pg_proc'::regclass and marked.object_id = pg_trigger.tgfoid
    cross join lateral
        pg_identify_object('pg_class'::regclass, pg_trigger.tgrelid, 0) as tables
    cross join lateral
        pg_identify_object('pg_proc'::regclass, pg_trigger.tgfoid, 0) as functions
    where not pg_trigger.tgisinternal and pg_trigger.tgparentid = 0
    order by 2, 1
"""
# objects of others that depend on ours
OTHERS = f"""
    {FOUND}

    select distinct
        coalesce(
            pg_describe_object('pg_class'::regclass, pg_rewrite.ev_class, 0),
            pg_describe_object(pg_depend.classid, pg_depend.objid, 0)
        ) as thing,
        pg_describe_object(pg_depend.refclassid, pg_depend.refobjid, 0) as on_what
    from pg_depend
    inner join parts
        on
            pg_depend.refclassid = parts.class_id
            and pg_depend.refobjid = parts.object_id
    left join pg_rewrite
        on
            pg_depend.classid = 'pg_rewrite'::regclass
            and pg_depend.objid = pg_rewrite.oid
    where
        pg_depend.deptype = 'n'
        and (pg_depend.classid, pg_depend.objid) not in (
            select class_id, object_id from parts
        )
        -- Citus drops them with the table whose rows they hold
        and not (
            pg_depend.classid = 'pg_class'::regclass
            and pg_depend.objid = any(%(shards)s::oid[])
        )
        -- except the triggers that call our functions
        and not exists (
            select
            from pg_trigger
            where
                pg_depend.classid = 'pg_trigger'::regclass
                and pg_depend.objid = pg_trigger.oid
                and pg_depend.refobjid = pg_trigger.tgfoid
        )
    order by 1, 2
"""


@dataclass(frozen=True)
class Plan:
    """What would be removed."""

    things: list[dict[str, Any]]
    triggers: list[dict[str, Any]]
    # roles that own something in this database, and the roles in tenant_roles
    roles: list[str]
    mapped: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.things or self.triggers or self.roles)


def uninstall(progress: Progress, *, dry_run: bool) -> None:
    """Remove everything of ours from this database, or with dry_run print what that is.

    Raises WrongArgument if an object of others depends on ours or lies among them, and
    Infrastructure if the login lacks a right; nothing is removed then.
    """
    if dry_run:
        with connect(as_login=True) as connection, connection.transaction(force_rollback=True):
            load(connection)
            plan = _plan(connection)
            _say(plan, progress)
        progress.say("dry run: nothing was removed")
        return
    with refresh_lock(), connect(as_login=True) as connection:
        load(connection)
        plan = _plan(connection)
        _say(plan, progress)
        if plan.is_empty:
            return
        if REFRESHER in plan.roles:
            connection.execute("select pg_temp.join_role(%s)", (REFRESHER,))
        # one by one, because the application is running
        for function in dict.fromkeys(trigger["function"] for trigger in plan.triggers):
            drop_with_triggers(connection, function)
        try:
            with_short_lock(connection, partial(_drop_warehouse, connection))
        except psycopg.errors.DependentObjectsStillExist as error:
            others = "; ".join((error.diag.message_detail or str(error)).splitlines())
            raise WrongArgument(
                "uninstall: only the triggers were removed, because other objects depend on"
                f" ours: {others}"
            ) from error
        if plan.roles:
            say_what_remains(drop_roles(connection, plan.mapped), progress)
    progress.say("uninstalled: nothing of customer-health is left in this database")


def _plan(connection: Connection) -> Plan:
    """Return what would be removed; raise if it cannot be removed."""
    mark = {"mark": MARK}
    others = rows(connection, OTHERS, mark | {"shards": shards(connection)})
    if others:
        named = "; ".join(f"{one['thing']} depends on {one['on_what']}" for one in others[:10])
        more = f" and {len(others) - 10} more" if others[10:] else ""
        raise WrongArgument(
            f"uninstall: {named}{more}: these are not ours; drop or move them first"
        )
    if belongings := belongings_of_others(connection):
        raise WrongArgument(f"uninstall: {belongings}")
    plan = Plan(
        things=rows(connection, THINGS, mark),
        triggers=rows(connection, TRIGGERS, mark),
        roles=roles_here(connection),
        mapped=tenant_roles(connection),
    )
    # an empty table on this node, if its rows are on others
    if is_distributed(connection, CONTACTS):
        written = bool(rows(connection, f"select from {CONTACTS} limit 1"))
        for thing in plan.things:
            thing["has_words"] = written and thing["name"] == CONTACTS
    login = connection.info.user
    check_may_drop(connection, plan.roles, "uninstall")
    for thing in plan.things:
        # the login can make itself a member of our roles
        if not (thing["may_drop"] or thing["owner"] in plan.roles):
            raise Infrastructure(
                f"uninstall: {login} may not drop {thing['name']}, which {thing['owner']} owns"
            )
    return plan


def _drop_warehouse(connection: Connection) -> None:
    """Drop everything with our mark; PostgreSQL refuses if objects of others depend on it."""
    found: dict[str, list[str]] = {}
    for thing in rows(connection, THINGS, {"mark": MARK}):
        found.setdefault(KINDS[thing["kind"]], []).append(thing["name"])
    for kind in dict.fromkeys(KINDS.values()):
        if names := found.get(kind):
            connection.execute(f"drop {kind} {', '.join(names)}".encode())


def _say(plan: Plan, progress: Progress) -> None:
    """Print what is removed and what stays."""
    if plan.is_empty:
        progress.say("this database holds nothing of customer-health")
        return
    progress.table(
        "Triggers",
        [{"trigger": trigger["name"], "on": trigger["relation"]} for trigger in plan.triggers],
    )
    counts = Counter(
        (thing["schema"], KINDS[thing["kind"]])
        for thing in plan.things
        if thing["kind"] != "schema"
    )
    progress.table(
        "Tables, views and functions",
        [
            {"schema": schema, "kind": kind, "number": number}
            for (schema, kind), number in sorted(counts.items())
        ],
    )
    schemas = [thing["name"] for thing in plan.things if thing["kind"] == "schema"]
    progress.table("Schemas", [{"schema": name} for name in schemas])
    for schema in sorted({schema for schema, _ in counts} - set(schemas)):
        progress.say(
            f"schema {schema} stays: somebody else made it, so only the objects listed above"
            " are removed"
        )
    groups = [name for name in plan.roles if not name.startswith(f"{OURS}_tenant_")]
    progress.table(
        "Roles, with all rights that they have here",
        [{"role": name} for name in groups]
        + (
            [{"role": count_of(len(plan.roles) - len(groups), "tenant role")}]
            if len(plan.roles) > len(groups)
            else []
        ),
    )
    if any(thing["name"].startswith(f"{INTERNAL}.input_orders") for thing in plan.things):
        progress.say(
            "values that were written back stay in up to seven columns of the customers"
            " table; they can no longer be rolled back"
        )
    if any(thing["has_words"] for thing in plan.things):
        progress.say(
            f"{CONTACTS} is removed too: people wrote its rows and no"
            " refresh can compute them again, so copy it first"
        )
