"""The roles: what a refresh, the write-back, an analyst and each tenant may do."""

from functools import partial
from typing import Any

from flows import dbt
from flows.arguments import is_built
from flows.database import (
    REFRESHER,
    Connection,
    connect,
    environment,
    install,
    not_ours,
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
from flows.schemas import OPERATIONS, OURS, SCHEMAS


def install_roles(progress: Progress) -> None:
    """Make the roles, the warehouse the refresher's, and every mart show a tenant its rows.

    What is there already is left alone. The login must be allowed to create roles, and own
    the warehouse and the sources.
    """
    with refresh_lock(), connect(as_login=True) as connection:
        # the view that is written through says which columns the write-back may write
        check_attached(connection)
        sources = {
            "sources": [source["relation"] for source in dbt.sources(environment(connection))]
        }
        _load(connection)
        _check_roles(connection)
        with connection.transaction():
            connection.execute("select pg_temp.create_roles(), pg_temp.create_schemas()")
        _run_each(connection, "pg_temp.handing_over()")
        install(connection, "operations.sql")
        with_short_lock(connection, partial(install, connection, "row_security.sql"))
        _as_refresher(connection, f"select {OPERATIONS}.map_tenants()")
        with connection.transaction():
            connection.execute("select pg_temp.create_tenant_roles()")
            connection.execute("select pg_temp.grant_sources(%(sources)s)", sources)
        for missing in rows(connection, f"select remedy from {OPERATIONS}.missing_rights"):
            _as_refresher(connection, missing["remedy"])
        excess = rows(connection, "select * from pg_temp.excess_rights(%(sources)s)", sources)
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
    progress.say(
        f"roles: refresher, write_back, analyst and {len(tenants)} of tenants are there;"
        " `python -m flows roles status` names them"
    )


def remove_roles(progress: Progress) -> None:
    """Take the roles away: marts have no row security, and what is ours is the login's."""
    with refresh_lock(), connect(as_login=True) as connection:
        if not are_installed(connection):
            progress.say("there are no roles")
            return
        _check_register(connection)
        _load(connection)
        _check_roles(connection)
        _check_belongings(connection)
        tenants = _tenant_roles(connection)
        for change in rows(connection, "select statement from pg_temp.opening()"):
            _as_refresher(connection, change["statement"])
        stay = _drop_roles(connection, tenants)
    for role in stay:
        progress.say(f"{role['role_name']} stays: {role['because']}")
    progress.say("the roles are removed: marts show all rows to whom a grant of yours lets in")


def print_roles(progress: Progress) -> None:
    """Print the roles, what each is for, and who has it."""
    with connect(as_login=True) as connection:
        if not are_installed(connection):
            progress.say("there are no roles: every command has the rights of its login")
            return
        _check_register(connection)
        _load(connection)
        take_role(connection, REFRESHER)
        progress.table("Roles", rows(connection, "select * from pg_temp.role_status()"))
        if is_built(connection):
            [missing] = rows(connection, "select pg_temp.tenants_without_role() as tenants")
            if missing["tenants"]:
                progress.say(
                    f"{missing['tenants']} tenants have no role yet:"
                    " `python -m flows roles install` makes it"
                )


def grant_sources(connection: Connection) -> None:
    """Give the roles, where there are any, the rights on the sources that they need now."""
    if not are_installed(connection):
        return
    if detached_since(connection):
        # the view that says which columns these are is away: `hook remove` alone gets here
        return
    sources = [source["relation"] for source in dbt.sources(environment(connection))]
    with_short_lock(connection, partial(install, connection, "row_security.sql"))
    _load(connection)
    with connection.transaction():
        connection.execute("select pg_temp.grant_sources(%s)", [sources])


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
            " whose role is whose; `python -m flows roles install` makes it again"
        )


def _check_roles(connection: Connection) -> None:
    """Raise when a role only has the name of ours, or one of ours has rights over all."""
    names = {"names": _tenant_roles(connection)}
    for role in rows(connection, "select * from pg_temp.foreign_roles(%(names)s)", names):
        raise WrongArgument(not_ours(role["role_name"]))
    for role in rows(connection, "select * from pg_temp.mighty_roles()"):
        raise WrongArgument(
            f"role {role['role_name']} has SUPERUSER, CREATEROLE or BYPASSRLS: take that away"
            " first"
        )


def _check_belongings(connection: Connection) -> None:
    """Raise when a role of ours owns what is not ours: with the role, its owner would go."""
    found = rows(connection, "select * from pg_temp.belongings_of_others()")
    if found:
        named = "; ".join(f"{one['role_name']} owns {one['thing']}" for one in found[:10])
        more = f" and {len(found) - 10} more" if found[10:] else ""
        raise WrongArgument(f"{named}{more}: that is not ours; give it to another role first")


def _tenant_roles(connection: Connection) -> list[str]:
    [there] = rows(connection, f"select to_regclass('{OPERATIONS}.tenant_roles') as map")
    if there["map"] is None:
        return []
    return [
        row["role_name"]
        for row in rows(connection, f"select role_name from {OPERATIONS}.tenant_roles")
    ]


def _load(connection: Connection) -> None:
    with connection.transaction():
        connection.execute(text_of(FLOWS / "sql" / "roles.sql").encode())


def _run_each(connection: Connection, function: str) -> None:
    for change in rows(connection, f"select statement from {function}"):
        with_short_lock(connection, partial(connection.execute, change["statement"]))


def _as_refresher(connection: Connection, statement: str) -> None:
    def change() -> None:
        take_role(connection, REFRESHER, is_local=True)
        connection.execute(statement.encode())

    with_short_lock(connection, change)


def _drop_roles(connection: Connection, tenants: list[str]) -> list[dict[str, Any]]:
    stay: list[dict[str, Any]] = []
    with_short_lock(
        connection,
        lambda: stay.extend(
            rows(
                connection,
                "select * from pg_temp.drop_roles(%(tenants)s)",
                {"tenants": tenants},
            )
        ),
    )
    return stay
