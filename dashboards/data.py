"""Read rows for the pages, in the reader's role. Each query is a file in sql/."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import streamlit as st
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from dashboards.queries import text_of
from flows.database import REFRESHER, one_line
from flows.installed import IS_OF_REFRESHER
from flows.schemas import OPERATIONS, OURS, named
from flows.session import ARGUMENTS, use_settings

ANALYST = f"{OURS}_analyst"
TENANT = f"{OURS}_tenant"

# how long readers share a result; the marts change once an hour
SECONDS_KEPT = 30
# how many databases of a fleet are queried at the same time
ASKED_AT_ONCE = 16
# a slower page helps nobody and burdens the database
STATEMENT_TIMEOUT = "15s"
# where a reader's session differs from that of a refresh
SETTINGS = {
    "statement_timeout": STATEMENT_TIMEOUT,
    # policies decide which rows a reader sees
    "row_security": "on",
}

FIRST_REFRESH = "Run `customer-health refresh --mode nightly --no-write-back` once."
# lists and details are read, and kept, one after the other
HAS_CHANGED = "The list has just changed. Reload the page."

Rows = list[DictRow]
Connection = psycopg.Connection[DictRow]


class NothingToShow(Exception):
    """A page has nothing to show. The message says why, and what the reader can do."""


def only(rows: Rows) -> DictRow:
    """Return the only row of what the reader picked.

    Raises NothingToShow if it has gone since the list was read.
    """
    if not rows:
        raise NothingToShow(HAS_CHANGED)
    [row] = rows
    return row


@st.cache_data(ttl=SECONDS_KEPT, show_spinner=False)
def read(*queries: str, is_for_operators: bool = False, **parameters: Any) -> dict[str, Rows]:
    """Run queries in one transaction, so that the figures on a page agree.

    Raises NothingToShow, which says what to do.
    """
    return fetch(queries, parameters, is_for_operators=is_for_operators)


@st.cache_data(ttl=SECONDS_KEPT, show_spinner=False)
def read_fleet(query: str, services: Sequence[str]) -> list[tuple[str, Rows, str]]:
    """Run an operator's query on each database of a fleet, named by its libpq service.

    Return for each service its rows, and why there are none.
    """

    def ask(service: str) -> tuple[str, Rows, str]:
        try:
            found = fetch([query], {}, is_for_operators=True, service=service)
        except NothingToShow as reason:
            return service, [], str(reason)
        return service, found[query], ""

    # in parallel: one that does not answer takes ten seconds
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return list(pool.map(ask, services))


def fetch(
    queries: Iterable[str],
    parameters: dict[str, Any],
    *,
    is_for_operators: bool = False,
    service: str | None = None,
) -> dict[str, Rows]:
    """Do what `read` does, without caching; with service, on that database of a fleet."""
    try:
        with psycopg.connect(
            **ARGUMENTS,
            service=service,
            application_name="customer_health dashboards",
            row_factory=dict_row,
            # values become literals, so each query gets its own plan and needs no casts
            cursor_factory=psycopg.ClientCursor,
        ) as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # for this transaction only: a pooler may give the backend to another client
            # afterward
            use_settings(connection, SETTINGS, is_local=True)
            _take_role(connection, is_for_operators=is_for_operators)
            return {
                query: connection.execute(named(text_of(query)), parameters).fetchall()
                for query in queries
            }
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise NothingToShow(
            f"There are no figures yet ({one_line(error)}). {FIRST_REFRESH} If the views are"
            " detached for a migration, the next refresh recreates them."
        ) from error
    except psycopg.errors.QueryCanceled as error:
        raise NothingToShow(
            f"The database took more than {STATEMENT_TIMEOUT} to answer. Choose one tenant,"
            " or try again when it is less busy."
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise NothingToShow(
            f"This login lacks a right ({one_line(error)})."
            " `customer-health roles install` gives the roles their rights on new marts."
        ) from error
    except psycopg.DataError as error:
        raise NothingToShow(
            f"A value on this page cannot be looked up ({one_line(error)})."
        ) from error
    except psycopg.OperationalError as error:
        remedy = (
            f"Test it with `psql service={service}`."
            if service
            else "Check PGHOST, PGPORT, PGUSER and PGDATABASE."
        )
        raise NothingToShow(
            f"The database cannot be reached ({one_line(error)}). {remedy}"
        ) from error
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        raise NothingToShow(
            f"The marts are of another version than these pages ({one_line(error)})."
            " The next refresh with the version of the pages brings them up to date."
        ) from error


def _take_role(connection: Connection, *, is_for_operators: bool) -> None:
    found = connection.execute(
        f"""
        select
            session_user as login,
            current_setting('role') != 'none' as is_chosen,
            exists (
                select from pg_namespace
                where nspname = '{OPERATIONS}' and {IS_OF_REFRESHER}
            ) as are_installed,
            coalesce(
                pg_has_role(session_user, to_regrole(%(analyst)s), 'member'), false
            ) as is_analyst,
            coalesce(
                pg_has_role(session_user, to_regrole(%(tenant)s), 'member'), false
            ) as is_tenant,
            coalesce(
                pg_has_role(session_user, to_regrole(%(refresher)s), 'member'), false
            ) as is_operator
        """,
        {"analyst": ANALYST, "tenant": TENANT, "refresher": REFRESHER},
    ).fetchone()
    assert found is not None  # noqa: S101 - a select without from has one row
    if not found["are_installed"]:
        return
    if is_for_operators:
        # a role that was chosen for the pages is the most that they may have
        if found["is_chosen"] or not found["is_operator"]:
            raise NothingToShow(
                "This page is for those who run the refreshes. It reads the schema"
                f" `{OPERATIONS}`, which analysts and tenants may not read. Start the pages"
                f" with a login that has the role: `grant {REFRESHER} to ...`."
            )
        role = REFRESHER
    elif found["is_chosen"]:
        return
    elif found["is_analyst"]:
        role = ANALYST
    elif found["is_tenant"]:
        # the login reads with the rights of its tenants' roles, and no others
        return
    else:
        raise NothingToShow(
            f"The login {found['login']} may not read the marts. Run"
            f" `grant {ANALYST} to {found['login']}`, or grant it a tenant's role:"
            " `customer-health roles status` lists them."
        )
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
