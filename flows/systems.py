"""The systems: the registry that stands in the vars of dbt_project.yml, which dbt reads, too.

The SQL of the commands finds it in the table `systems`, which flows/sql/operations.sql fills.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from flows.errors import WrongArgument
from flows.project import OUR_PROJECT, settings

# what says of a system: which keys its entry has, and what each is
KEYS = {"is_hourly": bool, "tenant": str, "tenants": str}


@dataclass(frozen=True)
class System:
    """One system, by the name that its folder, tag and publication have."""

    name: str
    # else it is recomputed by the nightly refresh only
    is_hourly: bool
    # what the keys of its tenants are named for: tenant_id and tenant_slug, for instance
    tenant: str
    # the mart that lists its tenants, and holds the instant of its rows
    tenants: str


@cache
def registry() -> dict[str, System]:
    """Return the systems by name, in their order.

    Raises WrongArgument for an entry that does not say what it must.
    """
    # the environment of the pages has none, and asks for no system
    import yaml  # type: ignore[import-untyped]

    ours = yaml.safe_load((OUR_PROJECT / "dbt_project.yml").read_bytes())["vars"]
    found: Any = ours.get("systems")
    if not isinstance(found, dict) or not found:
        raise WrongArgument("setting systems of dbt_project.yml names no system")
    for name, entry in found.items():
        kinds = {key: type(value) for key, value in entry.items()} if entry else {}
        if kinds != KEYS:
            raise WrongArgument(
                f"setting systems of dbt_project.yml: {name} must say is_hourly (true or"
                " false), tenant and tenants (words), and nothing else"
            )
    return {name: System(name, **entry) for name, entry in found.items()}


def whole_number(name: str) -> int:
    """Return a setting that the scripts of flows/sql read, a number of at least one.

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
    """Return the systems that every refresh moves."""
    return tuple(name for name, system in registry().items() if system.is_hourly)


def daily() -> tuple[str, ...]:
    """Return the systems that a nightly refresh moves, or one of an organization."""
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
    """Return the registry as the scripts of flows/sql read it."""
    return json.dumps([asdict(system) for system in registry().values()])
