"""Compile the models' SQL once and run it without dbt.

For measurements that need many refreshes, or the time of the SQL alone.
"""

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from rich.console import Console

from flows.dbt import build, compiled
from flows.progress import Progress

# the compiled SQL has this instant; each refresh replaces it with its own
SENTINEL = "2001-02-03T04:05:06.789+00:00"


@dataclass(frozen=True)
class Model:
    """One model that a refresh fills."""

    name: str
    relation: str
    is_table: bool
    # the columns to analyze; empty: all of them
    analyzed: tuple[str, ...]
    sql: str
    tags: frozenset[str]

    def statement(self, as_of: datetime) -> str:
        """Return the SQL that fills the model."""
        sql = self.sql.replace(SENTINEL, as_of.isoformat())
        if not self.is_table:
            return sql
        columns = f"({', '.join(self.analyzed)})" if self.analyzed else ""
        return (
            f"drop table if exists {self.relation} cascade;"
            f" create unlogged table {self.relation} as {sql};"
            # so that a refresh recognizes the table as ours
            f" comment on table {self.relation} is 'customer_health: {self.name}';"
            f" analyze {self.relation} {columns}"
        )


@dataclass(frozen=True)
class CompiledProject:
    """The SQL that a refresh runs in a database, in order of dependency."""

    models: list[Model]
    database: str

    def refresh(
        self,
        connection: psycopg.Connection[object],
        as_of: datetime,
        without: frozenset[str] = frozenset(),
    ) -> None:
        """Do what the models do in a refresh: compute and publish.

        without: tags of systems to skip.
        """
        for model in self.models:
            if not model.tags & without:
                connection.execute(model.statement(as_of).encode())

    def seconds(
        self, connection: psycopg.Connection[object], as_of: datetime
    ) -> dict[str, float]:
        """Do what the models do in a refresh, and return how long each took."""
        taken = {}
        for model in self.models:
            began = time.perf_counter()
            connection.execute(model.statement(as_of).encode())
            taken[model.name] = time.perf_counter() - began
        return taken

    def of(self, *tags: str) -> "CompiledProject":
        """Return only the SQL of some systems."""
        models = [model for model in self.models if model.tags & {*tags}]
        return CompiledProject(models, self.database)

    def within(self, database: str) -> "CompiledProject":
        """Return the same SQL for a copy of the database."""

        def moved(text: str) -> str:
            return text.replace(f'"{self.database}".', f'"{database}".')

        models = [
            replace(model, relation=moved(model.relation), sql=moved(model.sql))
            for model in self.models
        ]
        return CompiledProject(models, database)

    def compute(self, connection: psycopg.Connection[object], as_of: datetime) -> None:
        """Compute what a refresh would publish, without changing the marts."""
        for model in self.models:
            if model.is_table:
                connection.execute(model.statement(as_of).encode())


def build_project(
    environment: Mapping[str, str], *options: str, **variables: str | float
) -> None:
    """Create all tables and views in a database, so that a compiled project can run in it.

    options: of `dbt build`, such as a selection. variables: dbt's vars.
    """
    # data tests would take most of the time, and are not measured here
    progress = Progress(Console(file=io.StringIO()))
    options = ("--exclude-resource-type=test", *options)
    run = build({"as_of": SENTINEL, **variables}, environment, progress, options)
    if failure := run.failure():
        raise failure


def compile_project(
    environment: Mapping[str, str], *, tags: set[str], **variables: str | int
) -> CompiledProject:
    """Return the SQL of the models with these tags, for a database in which they are built.

    variables: dbt's vars.
    """
    kinds = ("working_table", "publication")
    wanted = [f"tag:{tag},config.materialized:{kind}" for tag in tags for kind in kinds]
    manifest = compiled({"as_of": SENTINEL, **variables}, environment, wanted)
    nodes = {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
        and tags & set(node["tags"])
        and node["config"]["materialized"] in kinds
    }
    ordered: list[str] = []

    def add(key: str) -> None:
        if key not in ordered:
            for parent in manifest["parent_map"][key]:
                add(parent)
            ordered.append(key)

    for key in nodes:
        add(key)
    return CompiledProject(
        [
            Model(
                name=nodes[key]["name"],
                relation=nodes[key]["relation_name"],
                is_table=nodes[key]["config"]["materialized"] == "working_table",
                analyzed=tuple(nodes[key]["config"]["meta"].get("analyzed", ())),
                sql=nodes[key]["compiled_code"],
                tags=frozenset(nodes[key]["tags"]),
            )
            for key in ordered
            if key in nodes
        ],
        environment["PGDATABASE"],
    )
