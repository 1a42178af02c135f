"""Rows for the pages: read only, in the role of the reader, each query a file of sql/."""

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

# for so long all who look share what was read; the marts change once an hour
SECONDS_KEPT = 30
# databases of a fleet
ASKED_AT_ONCE = 16
# a page that takes longer helps nobody, and burdens the database
STATEMENT_TIMEOUT = "15s"
# what a reader's session has different from that of a refresh
SETTINGS = {
    "statement_timeout": STATEMENT_TIMEOUT,
    # policies say whose rows are shown
    "row_security": "on",
}

FIRST_REFRESH = "Run `customer-health refresh --mode nightly` once; `make demo` makes data."

Rows = list[DictRow]
Connection = psycopg.Connection[DictRow]


class NothingToShow(Exception):
    """What the page says instead of figures, and what the reader can do about it."""


@st.cache_data(ttl=SECONDS_KEPT, show_spinner=False)
def read(*queries: str, is_for_operators: bool = False, **parameters: Any) -> dict[str, Rows]:
    """Run queries, all within one transaction, so that the figures of a page agree.

    Raises NothingToShow, with what to do.
    """
    return fetch(queries, parameters, is_for_operators=is_for_operators)


@st.cache_data(ttl=SECONDS_KEPT, show_spinner=False)
def read_fleet(query: str, services: Sequence[str]) -> list[tuple[str, Rows, str]]:
    """Run a query for operators on each database of a fleet, by the services that lead there.

    Returns of each its rows, and why there are none.
    """

    def ask(service: str) -> tuple[str, Rows, str]:
        try:
            found = fetch([query], {}, is_for_operators=True, service=service)
        except NothingToShow as reason:
            return service, [], str(reason)
        return service, found[query], ""

    # together, for one that does not answer takes ten seconds
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return list(pool.map(ask, services))


def fetch(
    queries: Iterable[str],
    parameters: dict[str, Any],
    *,
    is_for_operators: bool = False,
    service: str | None = None,
) -> dict[str, Rows]:
    """Do what `read` does, without keeping it; with service, on that database of a fleet."""
    try:
        with psycopg.connect(
            **ARGUMENTS,
            service=service,
            application_name="customer_health dashboards",
            row_factory=dict_row,
            # values become literals: each query gets a plan of its own, without casts
            cursor_factory=psycopg.ClientCursor,
        ) as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # all for this transaction only: a pooler may give its backend to others then
            use_settings(connection, SETTINGS, is_local=True)
            _take_role(connection, is_for_operators=is_for_operators)
            return {
                query: connection.execute(named(text_of(query)), parameters).fetchall()
                for query in queries
            }
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise NothingToShow(
            f"There are no figures yet ({one_line(error)}). {FIRST_REFRESH} While our views"
            " are detached for a migration, the next refresh puts them back."
        ) from error
    except psycopg.errors.QueryCanceled as error:
        raise NothingToShow(
            f"The database took more than {STATEMENT_TIMEOUT} to answer. Choose one tenant,"
            " or try again when it is less busy."
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise NothingToShow(
            f"This login may not read that ({one_line(error)})."
            " `customer-health roles install` gives the roles their rights on new marts."
        ) from error
    except psycopg.DataError as error:
        raise NothingToShow(f"That cannot be looked up ({one_line(error)}).") from error
    except psycopg.OperationalError as error:
        raise NothingToShow(
            f"The database cannot be reached ({one_line(error)}). PGHOST, PGPORT, PGUSER and"
            " PGDATABASE say where it is."
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
        # whoever chose a role for the pages did not mean them to have more than it
        if found["is_chosen"] or not found["is_operator"]:
            raise NothingToShow(
                "This page is for those who run the refreshes: it reads the schema"
                f" `{OPERATIONS}`, which analysts and tenants may not. Start the pages with a"
                f" login that has the role: `grant {REFRESHER} to ...`."
            )
        role = REFRESHER
    elif found["is_chosen"]:
        return
    elif found["is_analyst"]:
        role = ANALYST
    elif found["is_tenant"]:
        # with the rights of all its tenants, and no others
        return
    else:
        raise NothingToShow(
            f"The login {found['login']} may not read the marts:"
            f" `grant {ANALYST} to {found['login']}`, or the role of a tenant, which"
            " `customer-health roles status` names."
        )
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
