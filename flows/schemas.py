"""The names of our schemas, roles and locks, with the prefix of this environment if any.

With prefixes several environments share one database. The var `schema_prefix` of
dbt_project.yml sets the prefix, also for dbt; the environment variable takes precedence.
"""

import os
import re

from flows.errors import WrongArgument
from flows.project import IS_OF_USER, OUR_PROJECT, PROJECT

VARIABLE = "CUSTOMER_HEALTH_SCHEMA_PREFIX"
# PostgreSQL reserves names that begin with pg_
ALLOWED = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,15}")
# read as text, because the environment of the pages has no YAML
SETTING = re.compile(
    r"^ +schema_prefix: *(?:null|[\"']?([^\"'\s#]*)[\"']?) *(?:#.*)?$", re.MULTILINE
)
# where a name of ours begins in flows/sql and dashboards/sql; tests/test_conventions.py checks
# that these words mean nothing else there
NAMES = re.compile(
    r"\b(?=(?:analytics|analytics_internal|analytics_internal_failures|operations)\b"
    r"|customer_health(?:_|: ))"
)


def given() -> str | None:
    """Return the prefix that the environment sets, or None."""
    return os.environ.get(VARIABLE)


def _of_project() -> str:
    for folder in (PROJECT, OUR_PROJECT) if IS_OF_USER else (OUR_PROJECT,):
        file = folder / "dbt_project.yml"
        if file.is_file() and (found := SETTING.search(file.read_text(encoding="utf-8"))):
            return found[1] or ""
    return ""


_said = given()
PREFIX = _of_project() if _said is None else _said

ANALYTICS = f"{PREFIX}analytics"
INTERNAL = f"{PREFIX}analytics_internal"
FAILURES = f"{PREFIX}analytics_internal_failures"
OPERATIONS = f"{PREFIX}operations"
SCHEMAS = (ANALYTICS, INTERNAL, FAILURES, OPERATIONS)
# the beginning of the names of roles, triggers and locks
OURS = f"{PREFIX}customer_health"


def check_prefix() -> None:
    """Raise WrongArgument for an invalid schema prefix."""
    if PREFIX and not ALLOWED.fullmatch(PREFIX):
        where = "setting schema_prefix of dbt_project.yml" if _said is None else VARIABLE
        raise WrongArgument(
            f"{where} is {PREFIX!r}; it must be up to 16 characters of a-z, 0-9 and _, and"
            " must not begin with a digit or pg_"
        )


def named(text: str) -> str:
    """Return a text of ours, such as a SQL script, with the prefix before our names."""
    return NAMES.sub(PREFIX, text)


def for_dbt() -> dict[str, str]:
    """Return the var to pass to dbt; empty if dbt_project.yml sets the prefix."""
    return {} if _said is None else {"schema_prefix": PREFIX}
