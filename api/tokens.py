"""Tokens: who may use the API, in which role, until when; operations.api_tokens has hashes.

A token is an id and a secret of 256 random bits. The id finds its row. A secret that long
needs only one round of hashing.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC

import psycopg

from api.database import Connection
from api.problems import unauthorized
from flows.citus import refuse_on_citus
from flows.contacts import WRITER
from flows.database import REFRESHER, WRITE_BACK, connect, install, reading, rows
from flows.database import Connection as Session
from flows.errors import WrongArgument
from flows.progress import Progress
from flows.roles import are_installed
from flows.schemas import OPERATIONS, OURS

ANALYST = f"{OURS}_analyst"
FORM = re.compile(r"ch_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
REFUSED = "this token is not known, has expired or was withdrawn"
MOST_DAYS = 3650
MOST_CHARACTERS = 100
NO_ROLES = (
    "no roles are installed, and a token reads as a role: run `customer-health roles install`"
)

# whether a token reads as an analyst or as a tenant. Its role is one of ours, or one of
# yours that has only these and the writer of contacts
READS = f"""
    left join lateral (
        select
            bool_or(granted.rolname = '{ANALYST}' and inherited.has_rights) as is_analyst,
            bool_or(tenant_roles.role_name is not null and inherited.has_rights)
            as is_tenant
        from pg_roles as role
        left join pg_auth_members as members on role.oid = members.member
        cross join lateral (values (role.oid), (members.roleid)) as either (oid)
        inner join pg_roles as granted on either.oid = granted.oid
        -- not with inherit false
        cross join lateral pg_has_role(role.oid, granted.oid, 'usage')
            as inherited (has_rights)
        left join {OPERATIONS}.tenant_roles on granted.rolname = tenant_roles.role_name
        where role.rolname = api_tokens.role_name
        having
            -- whatever somebody has made of the role since
            bool_and(
                not (role.rolsuper or role.rolbypassrls)
                and pg_has_role(role.oid, to_regrole('{REFRESHER}')::oid, 'member')
                is not true
                and pg_has_role(role.oid, to_regrole('{WRITE_BACK}')::oid, 'member')
                is not true
            )
            and (
                bool_or(
                    granted.oid = role.oid
                    and (
                        granted.rolname = '{ANALYST}'
                        or tenant_roles.role_name is not null
                    )
                )
                or bool_and(
                    granted.oid = role.oid
                    or granted.rolname in ('{ANALYST}', '{WRITER}')
                    or tenant_roles.role_name is not null
                )
            )
    ) as reads on true
"""
LOOKUP = f"""
    select
        token_id, token_name, secret_hash, role_name, may_start,
        expires_at <= now() as is_expired, withdrawn_at is not null as is_withdrawn,
        is_analyst is true as is_analyst, is_tenant is true as is_tenant
    from {OPERATIONS}.api_tokens
    {READS}
    where token_id = %(token_id)s
"""


@dataclass(frozen=True)
class Caller:
    """The owner of a token in force."""

    name: str
    role: str
    # sees all tenants
    is_analyst: bool
    may_start: bool


def hash_of(token: str) -> bytes:
    """Return the hash of a token that the table keeps."""
    return hashlib.sha256(token.encode()).digest()


def id_of(token: str) -> str:
    """Return the id in a token; raises Problem if it does not have the form of one."""
    form = FORM.fullmatch(token)
    if not form:
        raise unauthorized(REFUSED)
    return form[1]


def check(connection: Connection, token: str) -> Caller:
    """Return the caller of a token; raises Problem unless it is in force.

    Runs with the rights of the refresher: nobody else may read the table.
    """
    refused = unauthorized(REFUSED)
    try:
        found = connection.execute(LOOKUP.encode(), {"token_id": id_of(token)}).fetchone()
    except psycopg.errors.UndefinedTable:
        # no token was ever created
        raise refused from None
    kept = found["secret_hash"] if found else bytes(32)
    is_same = hmac.compare_digest(hash_of(token), kept)
    if not found or not is_same or found["is_expired"] or found["is_withdrawn"]:
        raise refused
    if not (found["is_analyst"] or found["is_tenant"]):
        raise unauthorized("the role of this token may no longer read the marts")
    return Caller(
        found["token_name"], found["role_name"], found["is_analyst"], found["may_start"]
    )


def create(name: str, role: str, days: str, *, may_start: bool, progress: Progress) -> None:
    """Create a token and print it once.

    Withdraws expired tokens of this name. Raises WrongArgument for a name that is taken or
    invalid, and for a role not allowed.
    """
    if not re.fullmatch(rf"[^\W_][\w .@-]{{0,{MOST_CHARACTERS - 1}}}", name):
        raise WrongArgument(
            f"name {name!r}: must have 1 to {MOST_CHARACTERS} letters, digits, spaces or . @"
            " - _, and begin with a letter or digit"
        )
    if not (days.isascii() and days.isdecimal() and 0 < int(days) <= MOST_DAYS):
        raise WrongArgument(f"--days: {days!r} must be 1 to {MOST_DAYS}")
    token_id = secrets.token_hex(8)
    token = f"ch_{token_id}_{secrets.token_urlsafe(32)}"
    with connect() as connection:
        check_roles(connection)
        install(connection, "api_tokens.sql")
        [allowed] = rows(
            connection,
            "select is_analyst, is_tenant"
            f" from (select %(role)s::text as role_name) as api_tokens {READS}",
            {"role": role},
        )
        if not (allowed["is_analyst"] or allowed["is_tenant"]):
            raise WrongArgument(
                f"--role: {role!r} must be {ANALYST}, the role of a tenant"
                " (`customer-health roles status` lists them), or a role of yours that has"
                f" only these and {WRITER}"
            )
        # the unique index also counts tokens that have expired
        rows(
            connection,
            f"update {OPERATIONS}.api_tokens set withdrawn_at = now()"
            " where token_name = %(name)s and withdrawn_at is null and expires_at <= now()"
            " returning token_id",
            {"name": name},
        )
        try:
            [made] = rows(
                connection,
                f"insert into {OPERATIONS}.api_tokens"
                " (token_id, token_name, secret_hash, role_name, may_start, expires_at)"
                " values (%(token_id)s, %(name)s, %(secret_hash)s, %(role)s, %(may_start)s,"
                " now() + make_interval(days => %(days)s)) returning expires_at",
                {
                    "token_id": token_id,
                    "name": name,
                    "secret_hash": hash_of(token),
                    "role": role,
                    "may_start": may_start,
                    "days": int(days),
                },
            )
        except psycopg.errors.UniqueViolation:
            raise WrongArgument(
                f"name {name!r}: a token in force has this name; withdraw it first"
            ) from None
    starts = " and may start refreshes" if may_start else ""
    until = made["expires_at"].astimezone(UTC)
    progress.say(f"{name}: reads as {role}{starts}, until {until:%Y-%m-%d %H:%M} UTC")
    progress.say("the token, which is shown only once:")
    progress.say(token)


def print_tokens(progress: Progress) -> None:
    """Print the tokens without their secrets."""
    with reading() as connection:
        check_roles(connection)
        progress.table(
            "Tokens",
            rows(
                connection,
                "select token_id, token_name, role_name, may_start, created_at, expires_at,"
                " case when withdrawn_at is not null then 'withdrawn'"
                " when expires_at <= now() then 'expired' else 'in force' end as state"
                f" from {OPERATIONS}.api_tokens order by created_at, token_id",
            )
            if _are_made(connection)
            else [],
        )


def withdraw(name: str, progress: Progress) -> None:
    """Revoke a token, by name or id, from the next request on.

    Raises WrongArgument if no such token is left to revoke.
    """
    with connect() as connection:
        check_roles(connection)
        found = _are_made(connection) and rows(
            connection,
            f"update {OPERATIONS}.api_tokens set withdrawn_at = now()"
            " where withdrawn_at is null and (token_name = %(name)s or token_id = %(name)s)"
            " returning token_id, token_name",
            {"name": name},
        )
    if not found:
        raise WrongArgument(
            f"name {name!r}: no token to withdraw has this name or id;"
            " `customer-health api-tokens list` lists the tokens"
        )
    for token in found:
        progress.say(f"{token['token_name']} ({token['token_id']}) is withdrawn")


def check_roles(connection: Session) -> None:
    """Raise WrongArgument if Citus allows no roles of ours, and if there are none."""
    refuse_on_citus(
        connection,
        "api",
        "a token shows the rows of its role, and the nodes accept none of our roles;"
        " read the marts by SQL",
    )
    if not are_installed(connection):
        raise WrongArgument(NO_ROLES)


def _are_made(connection: Session) -> bool:
    [there] = rows(connection, f"select to_regclass('{OPERATIONS}.api_tokens') as tokens")
    return there["tokens"] is not None
