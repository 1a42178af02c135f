"""The roles: what a refresh, the write-back, an analyst and each tenant may do."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from flows import dbt, systems
from flows.citus import refuse_on_citus
from flows.database import (
    REFRESHER,
    Connection,
    connect,
    environment,
    install,
    not_ours,
    one_line,
    reading,
    refresh_lock,
    rows,
    take_role,
    text_of,
    with_short_lock,
)
from flows.detach import check_attached, detached_since
from flows.errors import Infrastructure, WrongArgument
from flows.installed import IS_OF_REFRESHER
from flows.progress import Progress
from flows.project import FLOWS
from flows.reports import say_what_stays
from flows.run_log import check_maker
from flows.schemas import ANALYTICS, OPERATIONS, OURS, SCHEMAS

STATUS = f"""
    select
        rolname::text as role,
        replace(shobj_description(pg_roles.oid, 'pg_authid'), '{OURS}: ', '') as does,
        coalesce(
            slugs.slug || ' (' || mapped.system || ')', mapped.system || ' ' || mapped.tenant
        ) as tenant,
        (
            select string_agg(member::regrole::text, ', ' order by 1)
            from pg_auth_members
            where roleid = pg_roles.oid and rolname != '{OURS}_tenant'
        ) as members
    from pg_roles
    left join {OPERATIONS}.tenant_roles as mapped on rolname = role_name
    left join slugs on mapped.system = slugs.system and mapped.tenant = slugs.tenant
    where
        role_name is not null
        or rolname in (
            '{OURS}_refresher', '{OURS}_write_back', '{OURS}_analyst',
            '{OURS}_contact_writer', '{OURS}_tenant'
        )
    order by mapped.system desc nulls first, 3, 1
"""
AS_GRANTS = "a role lacks what this login may not grant; whoever may:"
WITHOUT_ROLE = f"""
    select count(*) as tenants
    from (
        select system, tenant from slugs
        except
        select system, tenant from {OPERATIONS}.tenant_roles
        inner join pg_roles on role_name = rolname
    ) as without_role
"""


def install_roles(progress: Progress) -> None:
    """Make the roles, the warehouse the refresher's, and every mart show a tenant its rows.

    What is there already is left alone. The login must be allowed to create roles, and own
    the warehouse and what inputs read. Raises Infrastructure when it may not grant a right
    that a role needs; all else is done then. Raises WrongArgument on Citus.
    """
    with refresh_lock(), connect(as_login=True) as connection:
        refuse_on_citus(
            connection,
            "roles",
            "its nodes let no role of ours in; grant logins what they may read: docs/scale.md",
        )
        # the view that is written through says which columns the write-back may write
        check_attached(connection)
        check_maker(connection)
        inputs = dbt.inputs(environment(connection))
        load(connection)
        _check_roles(connection)
        _check_may_create(connection)
        with _as_views(connection, inputs):
            # what cannot be read is said before anything is made
            pass
        with connection.transaction():
            connection.execute("select pg_temp.create_roles(), pg_temp.create_schemas()")
            connection.execute("select pg_temp.note_owners()")
        _run_each(connection, "pg_temp.handing_over()")
        install(connection, "operations.sql")
        with_short_lock(connection, partial(install, connection, "row_security.sql"))
        _as_refresher(connection, f"select {OPERATIONS}.map_tenants()")
        connection.execute("select pg_temp.create_tenant_roles()")
        with _as_views(connection, inputs):
            connection.execute("select pg_temp.grant_sources()")
            lacking = _lacking(connection)
            excess = rows(connection, "select * from pg_temp.excess_rights()")
        for missing in rows(connection, f"select remedy from {OPERATIONS}.missing_rights"):
            _as_refresher(connection, missing["remedy"])
        tenants = rows(connection, f"select from {OPERATIONS}.tenant_roles")
        blind = rows(connection, "select * from pg_temp.blind_readers()")
        [written] = rows(
            connection, f"select to_regclass('{OPERATIONS}.written_columns') as it"
        )
        if written["it"] is not None:
            with connection.transaction():
                take_role(connection, REFRESHER, is_local=True)
                say_what_stays(connection, progress)
    for right in excess:
        progress.say(
            f"warning: {right['role_name']} may {right['rights']} {right['relation']},"
            " by a grant that is not ours: take it away"
        )
    for reader in blind:
        progress.say(
            f"warning: {reader['role_name']} may read {reader['marts_count']} marts by grants"
            f" of yours and sees no row of them: grant it {OURS}_analyst or the role"
            " of a tenant"
        )
    if lacking:
        raise Infrastructure(f"roles: all else is done; {AS_GRANTS} {lacking}")
    progress.say(
        f"roles: refresher, write_back, analyst, contact_writer and {len(tenants)} of tenants"
        " are there;"
        " `customer-health roles status` names them"
    )


def remove_roles(progress: Progress) -> None:
    """Take the roles away: marts have no row security, and the warehouse is whose it was.

    They are found by their marks, so that it does not matter what somebody has dropped.
    """
    with refresh_lock(), connect(as_login=True) as connection:
        load(connection)
        if not (are_installed(connection) or roles_here(connection)):
            progress.say("there are no roles")
            return
        _check_roles(connection)
        _check_belongings(connection)
        mapped = tenant_roles(connection)
        members = rows(
            connection,
            "select distinct member::regrole::text as login from pg_auth_members"
            " inner join pg_roles on member = pg_roles.oid"
            " where roleid = to_regrole(%(refresher)s) and rolcanlogin and not rolsuper"
            " order by 1",
            {"refresher": REFRESHER},
        )
        for change in rows(connection, "select statement from pg_temp.opening()"):
            _as_refresher(connection, change["statement"])
        with connection.transaction():
            if rows(
                connection, "select where to_regrole(%(r)s) is not null", {"r": REFRESHER}
            ):
                connection.execute("select pg_temp.join_role(%s)", (REFRESHER,))
                owners = rows(connection, "select * from pg_temp.give_back() order by 1")
        say_what_remains(drop_roles(connection, mapped), progress)
        login = connection.info.user
    for owner in owners:
        if owner["because"]:
            progress.say(
                f"{owner['owner_name']} had some of the warehouse, which {login} has now:"
                f" {owner['because']}"
            )
        else:
            progress.say(f"{owner['things_count']} things are {owner['owner_name']}'s")
    have = {owner["owner_name"] for owner in owners if not owner["because"]}
    if others := [m["login"] for m in members if m["login"] not in have]:
        progress.say(
            f"{', '.join(others)} had the rights of {REFRESHER} and can refresh no more, but"
            " for what you grant"
        )
    progress.say("the roles are removed: marts show all rows to whom a grant of yours lets in")


def say_what_remains(stay: list[dict[str, Any]], progress: Progress) -> None:
    """Say which roles are still there, and why; of many for one reason the number."""
    because: dict[str, list[str]] = {}
    for role in stay:
        because.setdefault(role["because"], []).append(role["role_name"])
    for reason, names in because.items():
        more = f" and {len(names) - 3} more stay" if names[3:] else ""
        verb = "" if more else " stays" if len(names) == 1 else " stay"
        progress.say(f"{', '.join(names[:3])}{more}{verb}: {reason}")


def print_roles(progress: Progress) -> None:
    """Print the roles, what each is for, and who has it."""
    with reading(as_login=True) as connection:
        if not are_installed(connection):
            progress.say("there are no roles: every command has the rights of its login")
            return
        _check_register(connection)
        take_role(connection, REFRESHER)
        slugs = _slugs(connection)
        progress.table("Roles", rows(connection, slugs + STATUS))
        [missing] = rows(connection, slugs + WITHOUT_ROLE)
        if missing["tenants"]:
            progress.say(
                f"{missing['tenants']} tenants have no role yet:"
                " `customer-health roles install` makes it"
            )


def grant_sources(connection: Connection) -> None:
    """Give the roles, where there are any, the rights on the sources that they need now.

    Says which of them the login may not grant by raising Infrastructure.
    """
    if not are_installed(connection):
        return
    if detached_since(connection):
        # the view that says which columns these are is away: `hook remove` alone gets here
        return
    with_short_lock(connection, partial(install, connection, "row_security.sql"))
    if lacking := _grant(connection):
        raise Infrastructure(f"roles: {AS_GRANTS} {lacking}")


def follow_inputs(progress: Progress) -> None:
    """Grant what the inputs of a refresh need that no role has had yet, as far as one may.

    The refresh has the rights of the refresher; only the login may have those to grant. What
    it may not is said: the write-back would only say that something is denied.
    """
    with connect() as connection:
        if not are_installed(connection):
            return
        load(connection)
        if not rows(connection, "select from pg_temp.lacking_rights(false) limit 1"):
            return
    try:
        with connect(as_login=True) as connection:
            lacking = _grant(connection)
    except Infrastructure as failure:
        lacking = str(failure)
    if lacking:
        progress.say(f"warning: {AS_GRANTS} {lacking}")


def are_installed(connection: Connection) -> bool:
    """Return whether the warehouse of this database was given to the refresher."""
    found = rows(
        connection,
        f"select from pg_namespace where nspname = any(%(schemas)s) and {IS_OF_REFRESHER}",
        {"schemas": list(SCHEMAS)},
    )
    return bool(found)


def _check_register(connection: Connection) -> None:
    """Raise when what says which role is which tenant's was dropped."""
    [there] = rows(
        connection,
        f"select to_regclass('{OPERATIONS}.tenant_roles') as map,"
        f" to_regclass('{OPERATIONS}.missing_rights') as rights,"
        f" to_regproc('{OPERATIONS}.map_tenants') as mapping",
    )
    if None in there.values():
        raise Infrastructure(
            f"roles: something of {OPERATIONS} was dropped, such as tenant_roles, which says"
            " whose role is whose; `customer-health roles install` makes it again"
        )


def _check_roles(connection: Connection) -> None:
    """Raise when a role only has the name of ours, or one of ours has rights over all."""
    names = {"names": tenant_roles(connection)}
    for role in rows(connection, "select * from pg_temp.foreign_roles(%(names)s)", names):
        raise WrongArgument(not_ours(role["role_name"]))
    for role in rows(connection, "select * from pg_temp.mighty_roles()"):
        raise WrongArgument(
            f"role {role['role_name']} has SUPERUSER, CREATEROLE or BYPASSRLS: take that away"
            " first"
        )


def _check_may_create(connection: Connection) -> None:
    """Raise where roles are to be made, and the login may make none."""
    for login in rows(
        connection,
        "select rolname::text as name from pg_roles"
        " where rolname = current_user and not (rolsuper or rolcreaterole) and exists ("
        "select from unnest(pg_temp.groups()) as role where to_regrole(role) is null)",
    ):
        raise Infrastructure(
            f"roles: {login['name']} may not create roles, which takes CREATEROLE: `alter role"
            f' "{login["name"]}" createrole`, or run it as a login that has it'
        )


def _check_belongings(connection: Connection) -> None:
    """Raise when a role of ours owns what is not ours: with the role, its owner would go."""
    if named := belongings_of_others(connection):
        raise WrongArgument(named)


def belongings_of_others(connection: Connection) -> str | None:
    """Say what our roles own that is not ours, or return None."""
    found = rows(connection, "select * from pg_temp.belongings_of_others()")
    if not found:
        return None
    named = "; ".join(f"{one['role_name']} owns {one['thing']}" for one in found[:10])
    more = f" and {len(found) - 10} more" if found[10:] else ""
    return f"{named}{more}: that is not ours; give it to another role first"


def tenant_roles(connection: Connection) -> list[str]:
    """Return the names of the map of tenants, where there is one."""
    [there] = rows(connection, f"select to_regclass('{OPERATIONS}.tenant_roles') as map")
    if there["map"] is None:
        return []
    return [
        row["role_name"]
        for row in rows(connection, f"select role_name from {OPERATIONS}.tenant_roles")
    ]


def roles_here(connection: Connection) -> list[str]:
    """Return the roles of ours that have something here, whatever of the warehouse is gone."""
    [found] = rows(
        connection,
        "select pg_temp.tenant_role_names(%(mapped)s) || pg_temp.groups_here() as names",
        {"mapped": tenant_roles(connection)},
    )
    names: list[str] = found["names"]
    return names


def load(connection: Connection) -> None:
    """Make the functions of the scripts of the roles in pg_temp, for this session."""
    with connection.transaction():
        for script in ("roles.sql", "source_rights.sql"):
            connection.execute(text_of(FLOWS / "sql" / script).encode())


def _run_each(connection: Connection, function: str) -> None:
    for change in rows(connection, f"select statement from {function}"):
        with_short_lock(connection, partial(connection.execute, change["statement"]))


def _as_refresher(connection: Connection, statement: str) -> None:
    def change() -> None:
        take_role(connection, REFRESHER, is_local=True)
        connection.execute(statement.encode())

    with_short_lock(connection, change)


def drop_roles(connection: Connection, mapped: list[str]) -> list[dict[str, Any]]:
    """Drop the roles; return those that stay, and why. mapped: those of tenant_roles."""
    stay: list[dict[str, Any]] = []
    with_short_lock(
        connection,
        lambda: stay.extend(
            rows(
                connection, "select * from pg_temp.drop_roles(%(mapped)s)", {"mapped": mapped}
            )
        ),
    )
    return stay


@contextmanager
def _as_views(connection: Connection, inputs: dict[str, str]) -> Iterator[None]:
    """Have the inputs as the project says them as views, in a transaction, for this session.

    Their rules tell what they read before a refresh has made them.
    """
    with connection.transaction():
        for name, body in inputs.items():
            view = sql.SQL("create temporary view {} with (security_invoker = true) as {}")
            try:
                connection.execute(view.format(sql.Identifier(name), sql.SQL(body)))
            except psycopg.Error as error:
                raise Infrastructure(f"roles: {name}: {one_line(error)}") from error
        yield
        for name in inputs:
            connection.execute(sql.SQL("drop view pg_temp.{}").format(sql.Identifier(name)))


def _grant(connection: Connection) -> str:
    """Grant what the inputs need, as far as this login may; return what is lacking still."""
    inputs = dbt.inputs(environment(connection))
    load(connection)
    with _as_views(connection, inputs):
        connection.execute("select pg_temp.grant_sources()")
        return _lacking(connection)


def _lacking(connection: Connection) -> str:
    lacking = rows(connection, "select * from pg_temp.lacking_rights(true) order by 4, 5")
    return "; ".join(map(_as_grant, lacking))


def _as_grant(right: dict[str, Any]) -> str:
    """Return the statement that gives a right."""
    column = f" ({right['column_name']})" if right["column_name"] else ""
    on = "" if right["kind"] == "table" else f"{right['kind']} "
    return (
        f"grant {right['privilege'].lower()}{column} on {on}{right['thing']}"
        f" to {right['role_name']}"
    )


def _slugs(connection: Connection) -> str:
    """Return a CTE of the tenants of every system that a refresh has published."""
    selects = ["select null::text as system, null::text as tenant, null::text as slug"]
    for name, system in systems.registry().items():
        mart = f"{ANALYTICS}.{system.tenants}"
        if rows(connection, f"select where to_regclass('{mart}') is not null"):
            selects.append(
                f"select '{name}', {system.tenant}_id::text, {system.tenant}_slug from {mart}"
            )
    union = " union all ".join(selects)
    return f"with slugs as (select * from ({union}) as them where system is not null)"
