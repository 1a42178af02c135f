"""Read what the inputs of a system must give, from the yml beside our own inputs."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flows import systems
from flows.captured_keys import NOTHING
from flows.project import OUR_PROJECT, read_yaml


@dataclass(frozen=True)
class Wanted:
    """One column that an input gives."""

    name: str
    # for an id, the default of its setting
    type: str
    # for an id, the setting that holds its type; else ''
    type_var: str
    is_optional: bool
    description: str
    # whether NULL has a meaning, so that a row with NULL counts
    is_nullable: bool = False

    @property
    def is_money(self) -> bool:
        """Whether it is an amount of money: in cents, or in a currency."""
        return self.name.endswith("_cents") or "currency" in self.description

    @property
    def loss(self) -> str:
        """The description on one line."""
        return " ".join(self.description.split()).rstrip(".")


@dataclass(frozen=True)
class Entity:
    """One input: its grain and its columns."""

    system: str
    name: str
    description: str
    columns: dict[str, Wanted]
    # SQL for each part of the key, for the triggers
    capture: dict[str, str]
    # True if changes wait for the nightly refresh: `capture: none`
    decides_nothing: bool
    # the key of an order, for the hook
    hook: dict[str, str]

    @property
    def model(self) -> str:
        """The name of the model."""
        return f"input_{self.system}__{self.name}"

    @cached_property
    def tenant(self) -> str:
        """The tenant column."""
        return f"{systems.registry()[self.system].tenant}_id"

    @cached_property
    def key(self) -> str | None:
        """The key column, recognized by its name, or None."""
        own = singular(self.name)
        for name in self.columns:
            stem = name.removesuffix("_id")
            is_own = stem == own or own.endswith(f"_{stem}") or stem.endswith(f"_{own}")
            if name.endswith("_id") and is_own:
                return name
        return None


def singular(name: str) -> str:
    """Return a name with its last word in the singular."""
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    if name.endswith(("sses", "xes", "ches", "shes", "uses")):
        return name[:-2]
    is_plural = name.endswith("s") and not name.endswith(("ss", "us", "is"))
    return name[:-1] if is_plural else name


def contract(system: str, folder: Path = OUR_PROJECT) -> dict[str, Entity]:
    """Return the inputs of a system by name."""
    inputs = folder / "models" / system / "inputs"
    settings = our_settings(folder)
    [source] = read_yaml(inputs / f"_{system}__sources.yml")["sources"]
    meta = {
        table["name"]: table.get("config", {}).get("meta", {}) for table in source["tables"]
    }
    entities = {}
    for model in read_yaml(inputs / f"_{system}_inputs__models.yml")["models"]:
        name = model["name"].removeprefix(f"input_{system}__")
        columns = {}
        for column in model["columns"]:
            kind = column["data_type"]
            # the type of an id is a quoted setting
            var = kind.split("'")[1] if "var(" in kind else ""
            columns[column["name"]] = Wanted(
                name=column["name"],
                type=settings[var] if var else kind,
                type_var=var,
                is_optional=bool(column.get("config", {}).get("meta", {}).get("optional")),
                description=column["description"],
                is_nullable=bool(column.get("config", {}).get("meta", {}).get("nullable")),
            )
        capture = meta.get(name, {}).get("capture", {})
        entities[name] = Entity(
            system=system,
            name=name,
            description=model["description"],
            columns=columns,
            capture={} if capture == NOTHING else capture,
            decides_nothing=capture == NOTHING,
            hook=meta.get(name, {}).get("hook", {}),
        )
    return entities


def our_settings(folder: Path = OUR_PROJECT) -> dict[str, Any]:
    """Return our vars with their defaults."""
    settings: dict[str, Any] = read_yaml(folder / "dbt_project.yml")["vars"]
    return settings
