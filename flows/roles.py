"""Create, remove and show the roles: refresher, write-back, analyst, one for each tenant."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

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
from flows.progress import Progress, count_of
from flows.project import FLOWS
from flows.reports import say_what_stays
from flows.run_log import check_maker
from flows.schemas import ANALYTICS, OPERATIONS, OURS, SCHEMAS
from flows.subscribers import refuse_to_stop_them

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
AS_GRANTS = (
    "a role lacks rights that this login may not grant; run as a login that may grant them:"
)
WITHOUT_ROLE = f"""
    select count(*) as tenants
    from (
        select system, tenant from slugs
        except
        select system, tenant from {OPERATIONS}.tenant_roles
        inner join pg_roles on role_name = rolname
    ) as without_role
"""

# what is true after `roles remove` has taken rights on marts, but not on all
HALF_REMOVED = "tenants and analysts may no longer read every mart"
# what is true while the refresher, whose rights commands have, owns only some objects
HALF_MOVED = "every other command may lack rights"
# PostgreSQL 16 also requires the admin option on each role
MAY_NOT_DROP = """
    select role_name
    from unnest(%(roles)s::text[]) as roles (role_name)
    inner join pg_roles as login on login.rolname = current_user
    where
        not login.rolsuper
        and not (
            login.rolcreaterole
            and (
                current_setting('server_version_num')::integer < 160000
                or pg_has_role(role_name, 'member with admin option')
            )
        )
    order by 1
"""


def install_roles(progress: Progress) -> None:
    """Create the roles, give the warehouse to the refresher, and secure every mart by tenant.

    Existing roles stay as they are. The login must be allowed to create roles, and must own
    the warehouse and the tables that inputs read. Raises Infrastructure if it may not grant a
    right that a role needs; everything else is done then. Raises WrongArgument on Citus.
    """
    with refresh_lock(), connect(as_login=True) as connection:
        refuse_on_citus(
            connection,
            "roles",
            "its nodes accept none of our roles; grant logins their rights by hand:"
            " docs/scale.md",
        )
        # the columns of the write-back come from the view that it writes through
        check_attached(connection)
        check_maker(connection)
        # before any role or schema is created
        refuse_to_stop_them(connection)
        inputs = dbt.inputs(environment(connection))
        load(connection)
        _check_roles(connection)
        _check_may_create(connection)
        with _as_views(connection, inputs):
            # fails here, before anything is created, if an input cannot be read
            pass
        with connection.transaction():
            connection.execute("select pg_temp.create_roles(), pg_temp.create_schemas()")
            connection.execute("select pg_temp.note_owners()")
        for change in rows(connection, "select * from pg_temp.handing_over()"):
            with _saying_what_is_in_use(change["things"], "roles install", HALF_MOVED):
                with_short_lock(connection, partial(connection.execute, change["statement"]))
        install(connection, "operations.sql")
        with_short_lock(connection, partial(install, connection, "row_security.sql"))
        _as_refresher(connection, f"select {OPERATIONS}.map_tenants()")
        connection.execute("select pg_temp.create_tenant_roles()")
        with _as_views(connection, inputs):
            connection.execute("select pg_temp.grant_sources()")
            lacking = _lacking(connection)
            excess = rows(connection, "select * from pg_temp.excess_rights()")
        with connection.transaction():
            # the refresher could change what it owns
            take_role(connection, REFRESHER, is_local=True)
            gaps = rows(connection, f"select remedy from {OPERATIONS}.missing_rights")
            tenants = rows(connection, f"select from {OPERATIONS}.tenant_roles")
        for gap in gaps:
            _as_refresher(connection, gap["remedy"])
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
            f"warning: {right['role_name']} may {right['rights']} {right['relation']} by a"
            " grant that is not ours: revoke it"
        )
    for reader in blind:
        progress.say(
            f"warning: {reader['role_name']} may read"
            f" {count_of(reader['marts_count'], 'mart')} by your grants but sees no rows:"
            f" grant it {OURS}_analyst or the role of a tenant"
        )
    if lacking:
        raise Infrastructure(f"roles: everything else is done; {AS_GRANTS} {lacking}")
    progress.say(
        "roles: refresher, write_back, analyst, contact_writer and"
        f" {count_of(len(tenants), 'tenant role')} exist; `customer-health roles status` lists"
        " them"
    )


def remove_roles(progress: Progress) -> None:
    """Drop the roles, switch row security off, and return the warehouse to its former owners.

    Roles are found by their comments, whatever somebody has dropped. Raises WrongArgument or
    Infrastructure if something stands against it that can be known before; nothing is changed
    then.
    """
    with refresh_lock(), connect(as_login=True) as connection:
        load(connection)
        if not (are_installed(connection) or roles_here(connection)):
            progress.say("there are no roles of ours")
            return
        _check_roles(connection)
        _check_belongings(connection)
        check_may_drop(connection, roles_here(connection), "roles")
        _check_may_take_back(connection)
        mapped = tenant_roles(connection)
        members = rows(
            connection,
            "select distinct member::regrole::text as login from pg_auth_members"
            " inner join pg_roles on member = pg_roles.oid"
            " where roleid = to_regrole(%(refresher)s) and rolcanlogin and not rolsuper"
            " order by 1",
            {"refresher": REFRESHER},
        )
        opening = "select * from pg_temp.opening(%(mapped)s)"
        for change in rows(connection, opening, {"mapped": mapped}):
            with _saying_what_is_in_use(change["things"], "roles remove", HALF_REMOVED):
                _as_refresher(connection, change["statement"])
        owners = _give_back(connection)
        say_what_remains(drop_roles(connection, mapped), progress)
        login = connection.info.user
    lost = {owner["former_name"]: owner["because"] for owner in owners if owner["because"]}
    for name, because in sorted(lost.items()):
        progress.say(
            f"{login} now owns the part of the warehouse that {name} owned: {because}"
        )
    have = Counter(owner["owner_name"] for owner in owners)
    for name, things_count in sorted(have.items()):
        progress.say(f"{name} owns {things_count} objects again")
    if others := [m["login"] for m in members if m["login"] not in have]:
        progress.say(
            f"{', '.join(others)} had the rights of {REFRESHER} and can no longer refresh"
            " unless you grant them rights"
        )
    progress.say(
        "the roles are removed: marts show all rows to everybody to whom you have granted"
        " select"
    )


def say_what_remains(stay: list[dict[str, Any]], progress: Progress) -> None:
    """Print which roles remain and why; if many share a reason, print their number."""
    because: dict[str, list[str]] = {}
    for role in stay:
        because.setdefault(role["because"], []).append(role["role_name"])
    for reason, names in because.items():
        more = f" and {len(names) - 3} more stay" if names[3:] else ""
        verb = "" if more else " stays" if len(names) == 1 else " stay"
        progress.say(f"{', '.join(names[:3])}{more}{verb}: {reason}")


def print_roles(progress: Progress) -> None:
    """Print the roles, the purpose of each, and its members."""
    with reading(as_login=True) as connection:
        if not are_installed(connection):
            progress.say(
                "there are no roles of ours: every command has the rights of its login"
            )
            return
        _check_register(connection)
        take_role(connection, REFRESHER)
        slugs = _slugs(connection)
        progress.table("Roles", rows(connection, slugs + STATUS))
        [missing] = rows(connection, slugs + WITHOUT_ROLE)
        if missing["tenants"]:
            progress.say(
                f"without a role yet: {count_of(missing['tenants'], 'tenant')};"
                " `customer-health roles install` creates them"
            )


def grant_sources(connection: Connection) -> None:
    """Grant the roles, if they exist, the rights that they need on the sources.

    Raises Infrastructure with the rights that the login may not grant.
    """
    if not are_installed(connection):
        return
    if detached_since(connection):
        # the view with these columns is detached; only `hook remove` gets here
        _install_grants(connection)
        connection.execute("select pg_temp.revoke_from_hook()")
        return
    if lacking := _grant(connection):
        raise Infrastructure(f"roles: {AS_GRANTS} {lacking}")


def follow_inputs(progress: Progress) -> None:
    """Grant the rights that the inputs newly need, as far as the login may.

    The refresh has the rights of the refresher, but only the login may be able to grant these.
    Rights that it may not grant are printed: the write-back would only report permission
    denied.
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
    """Return whether the refresher owns the warehouse of this database."""
    found = rows(
        connection,
        f"select from pg_namespace where nspname = any(%(schemas)s) and {IS_OF_REFRESHER}",
        {"schemas": list(SCHEMAS)},
    )
    return bool(found)


def _check_register(connection: Connection) -> None:
    """Raise if the map of tenants to roles was dropped."""
    [there] = rows(
        connection,
        f"select to_regclass('{OPERATIONS}.tenant_roles') as map,"
        f" to_regclass('{OPERATIONS}.missing_rights') as rights,"
        f" to_regproc('{OPERATIONS}.map_tenants') as mapping",
    )
    if None in there.values():
        raise Infrastructure(
            f"roles: an object of {OPERATIONS} was dropped, such as tenant_roles, which maps"
            " tenants to roles; `customer-health roles install` creates it again"
        )


def _check_roles(connection: Connection) -> None:
    """Raise if a foreign role has one of our names, or one of our roles is all-powerful."""
    names = {"names": tenant_roles(connection)}
    for role in rows(connection, "select * from pg_temp.foreign_roles(%(names)s)", names):
        raise WrongArgument(not_ours(role["role_name"]))
    for role in rows(connection, "select * from pg_temp.mighty_roles()"):
        raise WrongArgument(
            f"role {role['role_name']} has SUPERUSER, CREATEROLE or BYPASSRLS: remove that"
            " attribute first"
        )


def _check_may_create(connection: Connection) -> None:
    """Raise if roles must be created and the login may not create any."""
    for login in rows(
        connection,
        "select rolname::text as name from pg_roles"
        " where rolname = current_user and not (rolsuper or rolcreaterole) and exists ("
        "select from unnest(pg_temp.groups()) as role where to_regrole(role) is null)",
    ):
        raise Infrastructure(
            f"roles: {login['name']} may not create roles: `alter role"
            f' "{login["name"]}" createrole`, or run this command as a login with CREATEROLE'
        )


def _check_may_take_back(connection: Connection) -> None:
    """Raise if the login could not finish what `roles remove` begins."""
    for schema in rows(
        connection,
        "select nspname::text as name, current_user::text as login,"
        " current_database()::text as database from pg_namespace"
        " where nspname = any(%(schemas)s) and nspowner = to_regrole(%(refresher)s)"
        " and not has_database_privilege(current_database(), 'create')",
        {"schemas": list(SCHEMAS), "refresher": REFRESHER},
    ):
        raise Infrastructure(
            f"roles: {schema['login']} may not take schema {schema['name']} back: this needs"
            f' `grant create on database "{schema["database"]}" to "{schema["login"]}"`'
        )
    if found := rows(connection, "select * from pg_temp.readers_of_map()"):
        named = ", ".join(one["thing"] for one in found[:10])
        raise WrongArgument(
            f"{named}: this reads {OPERATIONS}.tenant_roles, which goes with the roles; drop"
            " it first"
        )


def check_may_drop(connection: Connection, roles: list[str], command: str) -> None:
    """Raise if the login may not drop one of these roles."""
    if denied := rows(connection, MAY_NOT_DROP, {"roles": roles}):
        raise Infrastructure(
            f"{command}: {connection.info.user} may not drop role {denied[0]['role_name']}:"
            " this needs CREATEROLE and, since PostgreSQL 16, the admin option on the role"
        )


def _check_belongings(connection: Connection) -> None:
    """Raise if a role of ours owns objects that are not ours, which would lose their owner."""
    if named := belongings_of_others(connection):
        raise WrongArgument(named)


def belongings_of_others(connection: Connection) -> str | None:
    """Describe the objects that our roles own and that are not ours, or return None."""
    found = rows(connection, "select * from pg_temp.belongings_of_others()")
    if not found:
        return None
    named = "; ".join(f"{one['role_name']} owns {one['thing']}" for one in found[:10])
    more = f" and {len(found) - 10} more" if found[10:] else ""
    return f"{named}{more}: these are not ours; give them to another role first"


def tenant_roles(connection: Connection) -> list[str]:
    """Return the tenant roles in the map of tenants, if it exists."""
    [there] = rows(connection, f"select to_regclass('{OPERATIONS}.tenant_roles') as map")
    if there["map"] is None:
        return []
    return [
        row["role_name"]
        for row in rows(connection, f"select role_name from {OPERATIONS}.tenant_roles")
    ]


def roles_here(connection: Connection) -> list[str]:
    """Return our roles in this database, even if parts of the warehouse are gone."""
    [found] = rows(
        connection,
        "select pg_temp.tenant_role_names(%(mapped)s) || pg_temp.groups_here() as names",
        {"mapped": tenant_roles(connection)},
    )
    names: list[str] = found["names"]
    return names


def load(connection: Connection) -> None:
    """Create the functions of roles.sql and source_rights.sql in pg_temp, for this session."""
    with connection.transaction():
        for script in ("roles.sql", "source_rights.sql"):
            connection.execute(text_of(FLOWS / "sql" / script).encode())


def _give_back(connection: Connection) -> list[DictRow]:
    """Return the warehouse to its former owners; return who owns each object now."""
    owners: list[DictRow] = []
    if not rows(connection, "select where to_regrole(%(r)s) is not null", {"r": REFRESHER}):
        return owners
    connection.execute("select pg_temp.join_role(%s)", (REFRESHER,))
    connection.execute("select pg_temp.admit_owners()")
    for change in rows(connection, "select * from pg_temp.giving_back() order by place"):

        def give(change: DictRow = change) -> None:
            given = "select * from pg_temp.give_back(%(things)s, %(had_them)s)"
            owners.extend(rows(connection, given, change))

        with _saying_what_is_in_use(", ".join(change["things"]), "roles remove", HALF_MOVED):
            with_short_lock(connection, give)
    return owners


@contextmanager
def _saying_what_is_in_use(things: str, command: str, until_then: str) -> Iterator[None]:
    """Turn the error of a lock into a line that says what to do about it."""
    try:
        yield
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
        which = f"one of {things}" if ", " in things else things
        raise Infrastructure(
            f"roles: {which} is in use; run `customer-health {command}` again: until then"
            f" {until_then}",
            is_temporary=True,
        ) from error


def _as_refresher(connection: Connection, statement: str) -> None:
    def change() -> None:
        take_role(connection, REFRESHER, is_local=True)
        connection.execute(statement.encode())

    with_short_lock(connection, change)


def drop_roles(connection: Connection, mapped: list[str]) -> list[dict[str, Any]]:
    """Drop the roles; return those that stay, and why. mapped: the roles in tenant_roles."""
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
    """Create the project's inputs as temporary views for the length of a transaction.

    PostgreSQL then knows what they read, even before the first refresh.
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
    """Grant what the inputs need, as far as this login may; return what is still missing."""
    inputs = dbt.inputs(environment(connection))
    _install_grants(connection)
    with _as_views(connection, inputs):
        connection.execute("select pg_temp.grant_sources()")
        return _lacking(connection)


def _install_grants(connection: Connection) -> None:
    """Create the functions that grant, and the table of grants as they need it."""
    with_short_lock(connection, partial(install, connection, "row_security.sql"))
    load(connection)


def _lacking(connection: Connection) -> str:
    lacking = rows(connection, "select * from pg_temp.lacking_rights(true) order by 4, 5")
    return "; ".join(map(_as_grant, lacking))


def _as_grant(right: dict[str, Any]) -> str:
    """Return the statement that grants a right."""
    column = f" ({right['column_name']})" if right["column_name"] else ""
    on = "" if right["kind"] == "table" else f"{right['kind']} "
    return (
        f"grant {right['privilege'].lower()}{column} on {on}{right['thing']}"
        f" to {right['role_name']}"
    )


def _slugs(connection: Connection) -> str:
    """Return a CTE of the published tenants of every system."""
    selects = ["select null::text as system, null::text as tenant, null::text as slug"]
    for name, system in systems.registry().items():
        mart = f"{ANALYTICS}.{system.tenants}"
        if rows(connection, f"select where to_regclass('{mart}') is not null"):
            selects.append(
                f"select '{name}', {system.tenant}_id::text, {system.tenant}_slug from {mart}"
            )
    union = " union all ".join(selects)
    return f"with slugs as (select * from ({union}) as them where system is not null)"
