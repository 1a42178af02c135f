"""Find out which objects of flows/sql exist in `operations`, and whether they are ours.

The comment of our objects begins with MARK. An object with one of our names and no mark is
somebody else's and is not touched.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import DictRow

from flows.errors import Infrastructure, WrongArgument
from flows.schemas import OPERATIONS, OURS, SCHEMAS

Connection = psycopg.Connection[DictRow]

MARK = f"{OURS}: "
REGISTER = "installed_scripts"
# A condition on pg_namespace: whether `roles install` has given the schema to the refresher,
# as owner or, if somebody else made the schema, with the right to create objects in it.
IS_OF_REFRESHER = f"""
    exists (
        select from aclexplode(coalesce(nspacl, acldefault('n', nspowner))) as rights
        where grantee = to_regrole('{OURS}_refresher') and privilege_type = 'CREATE'
    )
"""
# A CTE: which view reads which relation. In the catalog each view also depends on itself.
READS = """
    reads as (
        select distinct pg_rewrite.ev_class as view_id, pg_depend.refobjid as read_id
        from pg_rewrite
        inner join pg_depend
            on
                pg_depend.classid = 'pg_rewrite'::regclass
                and pg_rewrite.oid = pg_depend.objid
                and pg_depend.refclassid = 'pg_class'::regclass
        where pg_rewrite.ev_class != pg_depend.refobjid
    )
"""
# functions that commands call that only read
READ = ("family_of", "unlisted_tables", "unreached")
# tests/flows/test_guest.py compares this with what the scripts really create
MADE: dict[str, dict[str, str]] = {
    "operations.sql": {
        "application_logs": "table",
        "application_logs__cron_name": "index",
        "application_logs__relations": "index",
        "application_logs__drift": "index",
        "application_logs__running": "index",
        "systems": "table",
        "write_back_batches": "table",
        "write_back_batches__logid": "index",
        "write_back_batches__planned": "index",
        "write_back_changes": "table",
        "detached_views": "table",
        "note_grants": "procedure",
        "recomputed_customers": "function",
        "job_status": "view",
        "refresh_health": "view",
    },
    "capture.sql": {
        "changed_keys": "table",
        "captured_tables": "table",
        "hook_errors": "table",
        "hooked_tables": "table",
        "hook_skips": "sequence",
        "hook_skipped_at": "sequence",
        "can_be": "function",
        "widen_wrong_keys": "function",
        "keys_of_rows": "function",
        "make_capture_function": "procedure",
        "family_of": "function",
        "unlisted_tables": "function",
        "capture_status": "view",
    },
    "alerts.sql": {
        "alert_tenants": "table",
        "alert_rounds": "table",
        "alert_episodes": "table",
        "alert_episodes__open": "index",
        "alert_outbox": "table",
        "alert_outbox__waiting": "index",
        "alert_outbox__created_at": "index",
        "refresh_alert_states": "view",
        "raise_alerts": "function",
        "claim_alert": "function",
        "pause_after": "function",
        "state_after": "function",
        "end_alert": "function",
    },
    "messages.sql": {
        "message_outbox": "table",
        "message_outbox__waiting": "index",
        "message_news": "table",
        "is_quiet": "function",
        "message_states": "view",
        "route_of": "function",
        "unreached": "function",
        "add_messages": "function",
        "compose_messages": "function",
        "find_alerts_of_people": "function",
        "find_week_of_people": "function",
        "claim_message": "function",
        "end_message": "function",
    },
    "write_back.sql": {
        "give_up_batches": "function",
        "plan_write_back": "function",
        "leave_new_orders": "function",
        "planned_rows": "function",
        "rows_of_customers": "function",
        "put_into_distributed_table": "function",
        "put_values": "function",
        "write_batch": "function",
        "name_hidden_rows": "function",
        "rollback_batch": "function",
    },
    "forget.sql": {
        "forget_old_rows": "function",
    },
    "row_security.sql": {
        "tenant_roles": "table",
        "source_grants": "table",
        "former_owners": "table",
        "map_tenants": "function",
        "missing_rights": "view",
    },
    "api_tokens.sql": {
        "api_tokens": "table",
        "api_tokens__name": "index",
    },
}
EVERYTHING = ({REGISTER: "table"}, *MADE.values())

# an index belongs to the owner of its table; a type with a table's name blocks that table
LOOK = f"""
    with made as (
        select name, kind, kind in ('function', 'procedure') as is_routine
        from unnest(%(names)s::text[], %(kinds)s::text[]) as made (name, kind)
    ),

    things as (
        select
            relname as name, false as is_routine, 'pg_class'::regclass as catalog,
            pg_class.oid as id, coalesce(indrelid, pg_class.oid) as marked_id,
            case relkind when 'r' then 'table' when 'v' then 'view' when 'i' then 'index'
                when 'S' then 'sequence' end
                as kind
        from pg_class
        left join pg_index on pg_class.oid = indexrelid
        where relnamespace = to_regnamespace('{OPERATIONS}')

        union all

        select
            proname, true, 'pg_proc'::regclass, oid, oid,
            case prokind when 'p' then 'procedure' when 'f' then 'function' end
        from pg_proc
        where pronamespace = to_regnamespace('{OPERATIONS}')

        union all

        select typname, false, 'pg_type'::regclass, oid, oid, 'type'
        from pg_type
        where
            typnamespace = to_regnamespace('{OPERATIONS}') and typrelid = 0
            and typcategory != 'A'
    ),

    found as (
        select
            made.name, made.kind, things.id, things.id is not null and starts_with(
                obj_description(things.marked_id, things.catalog::text), %(mark)s
            ) is not true as is_foreign
        from made
        left join things
            on made.name = things.name and made.is_routine = things.is_routine
    )
"""


@dataclass(frozen=True)
class Installed:
    """The result of one look at the catalog."""

    # the schema
    is_there: bool
    # objects that are not ours, and objects that are missing
    foreign: list[str]
    missing: list[str]


def look(connection: Connection, script: str) -> Installed:
    """Return whether the schema exists, and which objects of this script are missing.

    Raises WrongArgument if an object of any script is somebody else's: better at the start of
    a run than in the middle of it.
    """
    found = _look(connection, script)
    if found.foreign:
        are_many = len(found.foreign) > 1
        names = ", ".join(f"{OPERATIONS}.{name}" for name in found.foreign)
        raise WrongArgument(
            f"{names} {'are' if are_many else 'is'} not ours: no command of ours has made"
            f" {'them; rename them or move them' if are_many else 'it; rename it or move it'}"
            " to another schema (if only the comment of one of our objects was changed, let"
            f' it begin with "{MARK}" again)'
        )
    return found


def gap(connection: Connection, *scripts: str) -> str | None:
    """Return a line that names what a read-only command needs and does not find, or None.

    Raises WrongArgument if an object there is somebody else's.
    """
    missing = []
    for script in scripts:
        found = look(connection, script)
        if len(found.missing) > len(MADE[script]):
            return "no refresh has run yet"
        missing += [
            f"{OPERATIONS}.{name}"
            for name in found.missing
            # what a newer version adds: reading needs no index, and few functions
            if name != REGISTER
            and (MADE[script].get(name) in ("table", "view") or name in READ)
        ]
    if missing:
        return f"missing objects: {', '.join(missing)}; the next refresh creates them again"
    return None


def is_empty(connection: Connection) -> bool:
    """Return whether this database holds nothing of ours."""
    [there] = connection.execute(f"select to_regnamespace('{OPERATIONS}') as it").fetchall()
    return there["it"] is None


def make_schemas(connection: Connection, refresher: str) -> list[str]:
    """Create missing schemas again if the roles are installed; return their names.

    Needs the rights of the login, because the roles may not create schemas. Raises
    Infrastructure if the login may not either.
    """
    missing = [
        row["name"]
        for row in connection.execute(
            f"""
            select name
            from unnest(%(schemas)s::text[]) as warehouse (name)
            where
                to_regnamespace(name) is null
                and exists (
                    select from pg_namespace
                    where nspname = any(%(schemas)s) and {IS_OF_REFRESHER}
                )
            """,
            {"schemas": list(SCHEMAS)},
        )
    ]
    for name in missing:
        statement = f"create schema {name} authorization {refresher}"
        try:
            make_schema(connection, name, f"authorization {refresher}")
        except psycopg.errors.InsufficientPrivilege as error:
            raise Infrastructure(
                f"schema {name} is missing, and {connection.info.user} may not create it: a"
                f" login that may must run `{statement}`"
            ) from error
    return missing


def make_schema(connection: Connection, name: str, authorization: str = "") -> None:
    """Create a missing schema, with the mark that it is ours."""
    connection.execute(f"create schema if not exists {name} {authorization}".encode())
    connection.execute(f"comment on schema {name} is '{MARK}{name}'".encode())


def _look(connection: Connection, script: str) -> Installed:
    [row] = connection.execute(
        LOOK
        + f"""
        select
            to_regnamespace('{OPERATIONS}') is not null as is_there,
            array(
                select distinct name from found where is_foreign order by name
            ) as foreign,
            array(
                select name from found where id is null and name = any(%(script)s)
            ) as missing
        """,
        {
            **_parameters({name: kind for made in EVERYTHING for name, kind in made.items()}),
            "script": [REGISTER, *MADE[script]],
        },
    ).fetchall()
    return Installed(**row)


def _parameters(made: dict[str, str]) -> dict[str, Any]:
    return {"names": list(made), "kinds": list(made.values()), "mark": MARK}
