"""Answer questions with MetricFlow, in the separate environment that `make metrics` builds.

Reads one JSON object from standard input, {"manifest": path, "questions": [...]}, and writes
one to standard output, {"answers": [...]} or {"error": text}. A question is "list", "validate"
or an object with the parameters of a MetricFlow query. Unlike the `mf` command, this does not
look for a newer version on the internet each time it starts.
"""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from dbt.adapters.factory import get_adapter_by_type
from dbt_metricflow.cli.dbt_connectors.adapter_backed_client import AdapterBackedSqlClient
from dbt_metricflow.cli.dbt_connectors.dbt_config_accessor import dbtProjectMetadata
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.validation.data_warehouse_model_validator import DataWarehouseModelValidator
from metricflow_semantic_interfaces.validations.semantic_manifest_validator import (
    SemanticManifestValidator,
)
from metricflow_semantic_interfaces.validations.validator_helpers import ValidationIssueLevel
from metricflow_semantics.model.dbt_manifest_parser import (
    parse_manifest_from_dbt_generated_manifest,
)
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from flows.dbt_child import ignore_environment

PROJECT = Path(__file__).resolve().parent.parent


class Semantics:
    """The semantic models and metrics of the project, on its database."""

    def __init__(self, manifest: str) -> None:
        self.manifest = parse_manifest_from_dbt_generated_manifest(manifest)
        found = dbtProjectMetadata.load_from_paths(PROJECT, PROJECT)
        adapter = get_adapter_by_type(found.profile.credentials.type)  # type: ignore[no-untyped-call]
        self.client = AdapterBackedSqlClient(adapter)
        self.engine = MetricFlowEngine(
            semantic_manifest_lookup=SemanticManifestLookup(self.manifest),
            sql_client=self.client,
        )

    def metrics(self) -> list[dict[str, Any]]:
        """Return every metric and its dimensions."""
        return [
            {
                "name": metric.name,
                "description": metric.description,
                "by": sorted({by.granularity_free_dunder_name for by in metric.dimensions}),
            }
            for metric in self.engine.list_metrics()
        ]

    def problems(self) -> list[str]:
        """Return the errors in the definitions, or in their SQL on the database."""
        results = [
            SemanticManifestValidator[Any](max_workers=1).validate_semantic_manifest(
                self.manifest
            )
        ]
        if not results[0].has_blocking_issues:
            validator = DataWarehouseModelValidator(sql_client=self.client)
            results += [
                validate(self.manifest, None)
                for validate in (
                    validator.validate_semantic_models,
                    validator.validate_dimensions,
                    validator.validate_entities,
                    validator.validate_simple_metrics,
                    validator.validate_metrics,
                )
            ]
        return [
            issue.message
            for result in results
            for issue in result.all_issues
            # MetricFlow warns about its own changes to the definitions
            if issue.level != ValidationIssueLevel.WARNING
        ]

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the columns and rows of one query, or its SQL."""
        request = MetricFlowQueryRequest.create(
            metric_names=question["metrics"],
            group_by_names=question.get("by"),
            where_constraints=question.get("where"),
            order_by_names=question.get("order"),
            limit=question.get("limit"),
            time_constraint_start=_instant(question.get("from")),
            time_constraint_end=_instant(question.get("to")),
        )
        if question.get("explain"):
            return {"sql": self.engine.explain(request).sql_statement.sql}
        table = self.engine.query(request).result_df
        if table is None:
            raise RuntimeError("the query gave no table")
        return {"columns": list(table.column_names), "rows": [list(row) for row in table.rows]}

    def reply(self, question: str | dict[str, Any]) -> Any:
        """Answer a question of any kind."""
        if question == "list":
            return self.metrics()
        if question == "validate":
            return self.problems()
        if isinstance(question, dict):
            return self.answer(question)
        raise ValueError(f"unknown question {question!r}")


def _instant(date: str | None) -> datetime | None:
    return datetime.fromisoformat(date) if date else None


def main() -> None:
    """Answer all questions; what libraries print goes to standard error."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    ignore_environment()
    asked = json.load(sys.stdin)
    reply: dict[str, Any] = {}
    try:
        semantics = Semantics(Path(asked["manifest"]).read_text(encoding="utf-8"))
        reply["answers"] = [semantics.reply(question) for question in asked["questions"]]
    except Exception as error:  # noqa: BLE001 - the caller gets every error
        reply = {"error": f"{type(error).__name__}: {error}"}
    json.dump(reply, replies, default=str)
    replies.close()


if __name__ == "__main__":
    main()
