"""The names of our schemas, roles and locks, with the prefix of this environment, if any.

So that several share one database. The var `schema_prefix` of dbt_project.yml says it, for
dbt, too; the environment variable wins.
"""

import os
import re

from flows.errors import WrongArgument
from flows.project import IS_OF_USER, OUR_PROJECT, PROJECT

VARIABLE = "CUSTOMER_HEALTH_SCHEMA_PREFIX"
# PostgreSQL keeps names that begin with pg_ to itself
ALLOWED = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,15}")
# read as text, for the environment of the pages has no YAML
SETTING = re.compile(
    r"^ +schema_prefix: *(?:null|[\"']?([^\"'\s#]*)[\"']?) *(?:#.*)?$", re.MULTILINE
)
# where a name of ours begins in flows/sql and dashboards/sql: these words mean nothing else
# there, says tests/test_conventions.py
NAMES = re.compile(
    r"\b(?=(?:analytics|analytics_internal|analytics_internal_failures|operations)\b"
    r"|customer_health(?:_|: ))"
)


def given() -> str | None:
    """Return the prefix that the environment says, or None where it says nothing."""
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
# what names of roles, triggers and locks begin with
OURS = f"{PREFIX}customer_health"


def check_prefix() -> None:
    """Raise WrongArgument for a prefix that no schema can have."""
    if PREFIX and not ALLOWED.fullmatch(PREFIX):
        where = "setting schema_prefix of dbt_project.yml" if _said is None else VARIABLE
        raise WrongArgument(
            f"{where} is {PREFIX!r}, must be up to 16 of a-z, 0-9 and _, with no"
            " digit and no pg_ first"
        )


def named(text: str) -> str:
    """Return a text of ours, such as a file of SQL, with the prefix before our names."""
    return NAMES.sub(PREFIX, text)


def for_dbt() -> dict[str, str]:
    """Return the var that dbt must be given; none where dbt_project.yml says it."""
    return {} if _said is None else {"schema_prefix": PREFIX}
