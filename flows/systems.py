"""The systems: the registry in the vars of dbt_project.yml, which dbt also reads.

The SQL of the commands reads the table `systems`, which flows/sql/operations.sql fills.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from flows.errors import WrongArgument
from flows.project import OUR_PROJECT, read_yaml, settings

# the keys of a system's entry, with their types
KEYS = {"is_hourly": bool, "tenant": str, "tenants": str}


@dataclass(frozen=True)
class System:
    """One system, named like its folder, tag and publication."""

    name: str
    # False: only the nightly refresh recomputes it
    is_hourly: bool
    # the prefix of the keys of its tenants, such as tenant in tenant_id and tenant_slug
    tenant: str
    # the mart that lists its tenants and holds its as_of
    tenants: str


@cache
def registry() -> dict[str, System]:
    """Return the systems by name, in the order of the registry.

    Raises WrongArgument for an invalid entry.
    """
    ours = read_yaml(OUR_PROJECT / "dbt_project.yml")["vars"]
    found: Any = ours.get("systems")
    if not isinstance(found, dict) or not found:
        raise WrongArgument("setting systems of dbt_project.yml names no system")
    for name, entry in found.items():
        is_mapping = isinstance(entry, dict)
        kinds = {key: type(value) for key, value in entry.items()} if is_mapping else {}
        if kinds != KEYS:
            raise WrongArgument(
                f"setting systems of dbt_project.yml: {name} must have is_hourly (true or"
                " false), tenant and tenants (words), and no other keys"
            )
    return {name: System(name, **entry) for name, entry in found.items()}


def whole_number(name: str) -> int:
    """Return a setting that the scripts of flows/sql read, a whole number from 1.

    Raises WrongArgument in the words of macros/settings/check_settings.sql.
    """
    given = settings()
    if name not in given:
        raise WrongArgument(f"setting {name} is missing in the vars of dbt_project.yml")
    value = given[name]
    if type(value) is not int or value < 1:
        raise WrongArgument(f"setting {name} is {value}, must be a whole number from 1")
    return value


def hourly() -> tuple[str, ...]:
    """Return the systems that every refresh recomputes."""
    return tuple(name for name, system in registry().items() if system.is_hourly)


def daily() -> tuple[str, ...]:
    """Return the systems that only nightly and single-organization refreshes recompute."""
    return tuple(name for name, system in registry().items() if not system.is_hourly)


def known(name: str, whence: str) -> str:
    """Return the name of a system, or raise WrongArgument: there is no default."""
    if name not in registry():
        raise WrongArgument(
            f"setting systems of dbt_project.yml has no {name}, the system of {whence}; it"
            f" has: {', '.join(registry())}"
        )
    return name


def as_json() -> str:
    """Return the registry as JSON, for the scripts of flows/sql."""
    return json.dumps([asdict(system) for system in registry().values()])
