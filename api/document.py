"""`python -m api.document`: the OpenAPI document, in api/openapi.json.

Each path takes its parameters from its function, the columns of the answer from its query,
and their descriptions from the marts' yml. Needs a clone.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from fastapi.routing import APIRoute

from api import problems
from api.app import ROUTERS, create_app, routes
from api.contacts import Contact
from api.problems import DOCUMENT
from api.reading import FOLDER
from api.schemas import HISTORY, JSON_COLUMNS, TYPES, Schema, array_of, nullable, object_of
from flows.project import OUR_PROJECT, version

EXAMPLES = Path(__file__).parent / "examples.json"

# columns by relation
Marts = dict[str, dict[str, Schema]]

EXPECTED_AMOUNT = (
    "Expected amount within 90 days. NULL if the tenant has no order model, if the customer"
    " orders in several currencies, or if the list is not sorted by this column."
)
ERROR = (
    "Why the run did not succeed; only for tokens that see all tenants. NULL if it did, or"
    " while it runs."
)
RUNS_COUNT = (
    "Number of consecutive runs that share the row, because they had nothing to do or the"
    " write-back was still held; else 1. The other columns are those of the latest of them."
)
DRIFT = (
    "Rows that the last full refresh corrected although no change had been noticed. NULL if"
    " there was none."
)
# columns that a query computes, or reads from a relation that is not a mart
MADE: dict[str, tuple[str, str]] = {
    "expected_amount_90d": ("numeric(18, 2)", EXPECTED_AMOUNT),
    "job": ("text", "The job, such as refresh_nightly."),
    "run_id": ("text", "Id of the run in the run log."),
    "status": (
        "text",
        "running, success, tests_failed, held, wrong_argument, failed or interrupted.",
    ),
    "started_at": ("timestamptz", "When the run began."),
    "as_of": (
        "timestamptz",
        "The instant for which the run computes. NULL if it computes no figures.",
    ),
    "organization_slug": (
        "text",
        "The organization, if the run recomputes only one; else NULL.",
    ),
    "rows_written": (
        "bigint",
        "Rows that the run's write-back changed. NULL if the run did not get that far.",
    ),
    "seconds": (
        "double precision",
        "Duration of the run in seconds. NULL until it ends, or if it was killed.",
    ),
    "error": ("text", ERROR),
    "runs_count": ("bigint", RUNS_COUNT),
    "last_run_at": ("timestamptz", "When the job's last run began."),
    "last_status": ("text", "State of the last run."),
    "last_success_at": (
        "timestamptz",
        "When the job's last successful run began. NULL if none has succeeded.",
    ),
    "failures_in_a_row": ("bigint", "Unsuccessful runs since the last successful one."),
    "drift": ("bigint", DRIFT),
}
STARTED = object_of(
    {
        "run_id": {**TYPES["uuid"], "description": MADE["run_id"][1]},
        "url": {**TYPES["text"], "description": "Path that shows the state of the run."},
    }
)
PAGE = {
    "page": {"type": "integer", "description": "Number of this page, from 1."},
    "limit": {"type": "integer", "description": "Maximum number of rows on a page."},
    "total": {"type": "integer", "description": "Number of rows on all pages."},
    "hasMore": {"type": "boolean", "description": "Whether more pages follow."},
}
HEADERS = {
    "ETag": {
        "description": "Send this as If-None-Match: the answer is 304 if nothing has changed.",
        "schema": {"type": "string"},
    },
    "As-Of": {
        "description": "The instant that the figures describe; of a list of tenants or"
        " organizations, the oldest of all, also of those that the token may not see.",
        "schema": {"type": "string"},
    },
}
KNOWN = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags of earlier answers: if one of them still holds, the answer is 304.",
    "schema": {"type": "string"},
}
RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds to wait before another try. Absent if that would not help.",
        "schema": {"type": "integer"},
    }
}
# errors of every path, of paths that start a refresh, and of paths that write
REFUSALS = {
    "401": "The token is missing, unknown, expired or withdrawn.",
    "403": "The token may not do this.",
    "404": "There is no such row, or the token may not see it.",
    "405": "The path does not take this method; Allow lists those that it takes.",
    "413": "The path takes no body, or the body is too long.",
    "414": "Path and parameters are too long.",
    "422": "A parameter or field is wrong.",
    "429": "The token sent too many requests, or too many at a time.",
    "500": "An error of the API; its log says more.",
    "503": (
        "The database does not answer, has no figures yet, or took longer than ten seconds;"
        " all connections are in use; or a refresh could not start."
    ),
}
BUSY = {
    "409": "Another refresh is running.",
    "413": "The body is too long.",
}
NOT_WRITTEN = {
    "400": "The body is incomplete.",
    "409": "The contact to correct is already corrected, or another contact has the id.",
    "413": "The body is too long.",
}
TITLES = {"rfm": "RFM", "write_contact": "Record a contact", "one_run": "Run"}
# parameters that one word allows or forbids; the schema lists the words
FILTERS = {
    "account_type": "Only customers of this account type.",
    "risk_status": "Only customers with this risk status.",
    "due_bucket": "Only customers in this bucket.",
    "urgency": "Only customers of this urgency.",
    "status_kind": "Only changes of this kind of status.",
    "customer_segment": "Only customers in this segment.",
    "reliability_tier": "Only customers of this reliability.",
    "risk_level": "Only organizations at this level of risk.",
    "trend": "Only organizations with this trend.",
    "engagement_type": "Only engagements of this type.",
    "outcome": "Only engagements with this outcome.",
    "goal_status": "Only goals with this status.",
    "job": "Only runs of this job.",
    "status": "Only runs in this state.",
    "sort": "Order of the rows. A leading - sorts in descending order; NULLs come last.",
}
LOCATION = {"Location": {"schema": {"type": "string"}}}


@cache
def marts() -> Marts:
    """Return the columns of each mart."""
    found: Marts = {}
    for file in (OUR_PROJECT / "models").glob("*/marts/**/*.yml"):
        content = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for model in content.get("models", []):
            found[model["name"]] = {
                column["name"]: _of_mart(column) for column in model.get("columns", [])
            }
    for columns in found.values():
        for name, schema in columns.items():
            if other := re.fullmatch(r"See (\w+)\.", schema["description"]):
                columns[name] = found[other[1]][name]
    return found


def body() -> Schema:
    """Return the schema of a contact: the accepted fields, as the table defines them."""
    file = OUR_PROJECT / "models/orders/marts/contacts/customer_contacts.yml"
    [model] = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)["models"]
    columns = {column["name"]: column for column in model["columns"]}
    properties = {}
    for name, field in Contact.model_fields.items():
        column = columns[name]
        schema = column_schema(column["data_type"], column["description"])
        if not field.is_required():
            schema = nullable(schema)
        checks = " ".join(
            constraint["expression"] for constraint in column.get("constraints", [])
        )
        if words := re.search(r"in \((.*?)\)", checks, re.DOTALL):
            schema["enum"] = re.findall(r"'(\w+)'", words[1])
        if most := re.search(r"length\(\w+\) <= (\d+)", checks):
            schema["maxLength"] = int(most[1])
        properties[name] = schema
    required = [name for name, field in Contact.model_fields.items() if field.is_required()]
    return {**object_of(properties), "required": required}


def _of_mart(column: dict[str, str]) -> Schema:
    """Return the JSON schema of a mart's column."""
    if column["data_type"] == "jsonb":
        return {**JSON_COLUMNS[column["name"]], "description": _words(column["description"])}
    return column_schema(column["data_type"], column["description"])


def column_schema(data_type: str, description: str) -> Schema:
    """Return the JSON schema of a column; it may be NULL if its description says when."""
    kind = "id" if "var(" in data_type else re.sub(r" ?\(.*\)", "", data_type)
    of_one = TYPES[kind.removesuffix("[]")]
    schema = array_of(of_one) if kind.endswith("[]") else of_one
    words = _words(description)
    schema = {**schema, "description": words}
    return nullable(schema) if "NULL" in words else schema


@cache
def _doc_blocks() -> dict[str, str]:
    block = re.compile(r"\{% docs (\w+) %\}(.*?)\{% enddocs %\}", re.DOTALL)
    return {
        name: text
        for file in (OUR_PROJECT / "models").rglob("*.md")
        for name, text in block.findall(file.read_text(encoding="utf-8"))
    }


def _words(description: str) -> str:
    """Return a description as one line, with its doc blocks filled in."""
    whole = re.sub(
        r"\{\{ doc\('(\w+)'\) \}\}", lambda found: _doc_blocks()[found[1]], description
    )
    return " ".join(whole.split())


def columns_of(query: str) -> dict[str, Schema]:
    """Return the columns of a query in api/sql, in order.

    Parses the text: plain columns, all columns of a relation, and the columns in MADE.
    """
    text = re.sub("--.*", "", (FOLDER / f"{query}.sql").read_text(encoding="utf-8"))
    begins = re.compile(r"^(?:with )?(\w+) as (?:(?:not )?materialized )?\($", re.MULTILINE)
    parts = begins.split(text)
    made = {name: column_schema(*what) for name, what in MADE.items()}
    known = {**marts(), "job_status": made, "application_logs": made}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        inner, _, rest = body.partition("\n)")
        known[name] = dict(_selected(inner, known))
        text = rest.lstrip(",")
    return dict(_selected(text, known, is_answer=True))


def _selected(
    select: str, known: Marts, *, is_answer: bool = False
) -> Iterator[tuple[str, Schema]]:
    [(indent, body, source)] = re.findall(
        r"^( *)select\s(.*?)^(\1from .*)", select, re.DOTALL | re.MULTILINE
    )
    relations = {}
    for side, relation, alias in re.findall(
        rf"^{indent}(left join|inner join|from) (?:\w+\.)?(\w+)(?: as (\w+))?$",
        source,
        re.MULTILINE,
    ):
        columns = known.get(relation, {})
        relations[alias or relation] = (
            {name: nullable(schema) for name, schema in columns.items()}
            if side == "left join"
            else columns
        )
    for relation, alias in re.findall(
        r"lateral \($.*?^ +from (?:\w+\.)?(\w+)(?: as \w+)?$.*?^ +\) as (\w+)$",
        source,
        re.DOTALL | re.MULTILINE,
    ):
        relations[alias] = known.get(relation, {})
    everywhere = {name: of for columns in relations.values() for name, of in columns.items()}
    for item in re.split(rf",\n{indent}    (?! )", body.strip()):
        expression, _, name = item.rpartition(" as ") if " as " in item else (item, "", "")
        relation, _, column = expression.strip().rpartition(".")
        of = relations.get(relation, everywhere)
        if column == "*":
            yield from of.items()
        elif name.endswith("_history"):
            yield name, HISTORY
        elif column in of:
            yield name or column, of[column]
        elif name in MADE:
            yield name, column_schema(*MADE[name])
        # the total is not part of a row
        elif is_answer and (name or column) != "total":
            raise LookupError(f"{item.strip()}: neither a column of a mart nor in MADE")


def openapi() -> Schema:
    """Return the OpenAPI document."""
    app = create_app()
    app.title, app.version = "customer_health", version()
    app.description = (
        "Which customers are healthy, late, shrinking or gone: the marts of customer_health,"
        " as far as a token may see them. Exact numbers are strings, NULL is null, timestamps"
        " have an offset. Parameters that are not listed are refused."
    )
    content: Schema = app.openapi()
    schemas = content["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = problems.SCHEMA
    schemas["Contact"] = body()
    content["components"]["responses"] = _problems(REFUSALS)
    for status in ("429", "503"):
        content["components"]["responses"][status]["headers"] = RETRY_AFTER
    content["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "`customer-health api-tokens create` creates a token.",
        }
    }
    content["security"] = [{"token": []}]
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    for router in ROUTERS:
        for route in routes(router):
            operations = content["paths"][route.path_format]
            for method in route.methods or ():
                _complete(operations[method.lower()], method, route, schemas, examples)
    return content


def _complete(
    operation: Schema, method: str, route: APIRoute, schemas: Schema, examples: Schema
) -> None:
    """Add the answers of a path, and examples of its parameters."""
    kind = operation.pop("x-answer")
    query = operation.pop("x-query", f"{route.tags[0]}/{route.name}")
    operation["operationId"] = f"{route.tags[0]}_{route.name}"
    operation["summary"] = TITLES.get(route.name) or operation["summary"].capitalize()
    if kind == "started":
        operation["operationId"] += f"_by_{method.lower()}"
        operation["responses"] = {
            "202": {
                "description": "The refresh has started.",
                "headers": LOCATION,
                **_json(STARTED, examples["started"]),
            },
            **_refused(BUSY),
        }
        operation["responses"]["409"]["headers"] = RETRY_AFTER
    elif kind == "written":
        operation["requestBody"] = {
            "required": True,
            **_json({"$ref": "#/components/schemas/Contact"}, examples["contact"]),
        }
        row = {"$ref": "#/components/schemas/OrdersContacts"}
        operation["responses"] = {
            "201": {
                "description": "The contact is recorded, now or by an earlier request.",
                "headers": LOCATION,
                **_json(row, examples["rows"]["orders/contacts"]),
            },
            **_refused(NOT_WRITTEN),
        }
    else:
        name = query.title().replace("/", "").replace("_", "")
        columns = columns_of(query)
        schemas[name] = object_of(columns)
        row = {"$ref": f"#/components/schemas/{name}"}
        example = examples["rows"][query]
        answer = {
            "row": (row, example),
            "rows": (object_of({"items": array_of(row)}), {"items": [example]}),
            "page": (
                object_of({"items": array_of(row), **PAGE}),
                {"items": [example], "page": 1, "limit": 1, "total": 42, "hasMore": True},
            ),
        }
        responses = {"200": {"description": "The answer.", **_json(*answer[kind])}}
        # the run log changes all the time
        if route.tags != ["operations"]:
            responses["200"]["headers"] = HEADERS
            responses["304"] = {"description": "Nothing has changed.", "headers": HEADERS}
            operation["parameters"] = [*operation.get("parameters", []), dict(KNOWN)]
        operation["responses"] = responses | _refused()
    shown = examples["parameters"]
    for parameter in operation.get("parameters", []):
        name, schema = parameter["name"], parameter["schema"]
        if "description" not in parameter:
            parameter["description"] = FILTERS[name]
        # clients omit a parameter, and never send null
        for choice in schema.pop("anyOf", []):
            if choice["type"] != "null":
                schema |= choice
        for repeated in ("title", "description"):
            schema.pop(repeated, None)
        # the example organization differs by system
        if example := shown.get(f"{route.tags[0]}/{name}") or shown.get(name):
            parameter["example"] = example


def _json(schema: Schema, example: Any) -> Schema:
    return {"content": {"application/json": {"schema": schema, "example": example}}}


def _refused(own: dict[str, str] | None = None) -> Schema:
    """Return the errors of a path: its own, and those of every path."""
    common = {
        status: {"$ref": f"#/components/responses/{status}"}
        for status in REFUSALS.keys() - (own or {})
    }
    return dict(sorted((common | _problems(own or {})).items()))


def _problems(refusals: dict[str, str]) -> Schema:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": why, "content": {problems.MEDIA_TYPE: problem}}
        for status, why in refusals.items()
    }


def write() -> None:
    """Write api/openapi.json."""
    text = json.dumps(openapi(), indent=1, ensure_ascii=False)
    DOCUMENT.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
