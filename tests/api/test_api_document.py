"""The OpenAPI document is current, and the API does what it says."""

import json
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from asking import DOCUMENT, Api, operations
from conftest import PROJECT
from hypothesis import settings
from jsonschema import Draft202012Validator, FormatChecker

from api.document import EXAMPLES, marts, openapi
from api.reading import FOLDER
from api.schemas import JSON_COLUMNS
from bench.api import PATHS, of_accounts, of_bookings, of_operations, of_orders, of_usage

pytest_plugins = ["asking"]
schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
REFUSALS = SCHEMA.config.checks.negative_data_rejection
# a wrong request that is too long is refused for its length
REFUSALS.expected_statuses = [*REFUSALS.expected_statuses, "414"]
Test = Callable[..., None]
# status codes of the answers to writes and reads of contacts
STATUSES: dict[str, set[int]] = defaultdict(set)
each_operation: Callable[[Test], Test] = SCHEMA.exclude(path_regex="/start$").parametrize()
each_of_contacts: Callable[[Test], Test] = SCHEMA.include(
    path_regex="/contacts/"
).parametrize()


def test_the_document_is_current() -> None:
    """If this fails, run `python -m api.document`."""
    assert openapi() == DOCUMENT


def test_the_bench_measures_every_path_that_reads() -> None:
    asked = [
        *of_orders("tenant", "role", "customer", "rep"),
        *of_bookings("organization", "role", "customer", "location"),
        *of_usage("organization"),
        *of_accounts("organization", "account"),
        *of_operations("run"),
    ]
    assert {get.query for get in asked} == set(PATHS)
    paths = {path for method, path, _ in operations() if method == "get"}
    assert len(paths) == len(PATHS)


def test_every_status_is_in_the_document() -> None:
    """Those that the code answers, in the OpenAPI document and in docs/api.md."""
    sources = "".join(file.read_text() for file in (PROJECT / "api").glob("*.py"))
    answered = {*re.findall(r"\bProblem\(\s*([0-9]{3})", sources), "404", "405"}
    documented = {
        status
        for starts in (False, True)
        for _, _, operation in operations(starts=starts)
        for status in operation["responses"]
        if status >= "400"
    }
    assert answered == documented
    text = (PROJECT / "docs" / "api.md").read_text()
    assert re.findall(r"^\| ([45][0-9]{2}) \|", text, re.MULTILINE) == sorted(answered)


def test_json_columns_are_as_the_document_says(api: Api) -> None:
    """Of all rows of the demo."""
    for relation, column in (
        ("customer_risk_status", "reasons"),
        ("customer_analytics", "booking_notes"),
        ("account_360", "last_engagements"),
        ("account_360", "open_goals"),
        ("account_360", "score_trend"),
    ):
        rows = api.database.rows(f"select distinct {column} as it from analytics.{relation}")
        assert any(row["it"] for row in rows), column
        of_column = validator(JSON_COLUMNS[column])
        for row in rows:
            assert not list(of_column.iter_errors(row["it"])), (column, row)


def test_a_column_may_be_null_only_if_its_description_says_when(api: Api) -> None:
    """In all rows of the marts that the API serves; left joins are in the document, too."""
    served = "".join(file.read_text() for file in FOLDER.rglob("*.sql"))
    for relation, columns in marts().items():
        if not re.search(rf"\banalytics\.{relation}\b", served):
            continue
        never = [name for name, schema in columns.items() if "null" not in schema["type"]]
        counts = ", ".join(f"count(*) - count({name}) as {name}" for name in never)
        [found] = api.database.rows(f"select {counts} from analytics.{relation}")
        assert not {name for name, count in found.items() if count}, relation


def test_every_example_fits_its_schema() -> None:
    for _, path, operation in [*operations(), *operations(starts=True)]:
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            assert not list(validator(content["schema"]).iter_errors(content["example"])), path
        for status in {"200", "201", "202"} & set(operation["responses"]):
            content = operation["responses"][status]["content"]["application/json"]
            assert not list(validator(content["schema"]).iter_errors(content["example"])), path
        for parameter in operation["parameters"] if "{" in path else []:
            if parameter["in"] == "path":
                assert parameter["example"], path
    queries = {str(file.relative_to(FOLDER))[:-4] for file in FOLDER.rglob("*.sql")}
    inner = re.compile(
        "/(publication|tenant|contacted|contacts_state)$|operations/organization$"
    )
    answers = {query for query in queries if not inner.search(query)}
    assert set(json.loads(EXAMPLES.read_text())["rows"]) == answers


def test_queries_take_ids_of_any_type() -> None:
    """Those of the demo are uuid and text; numbers are not compared with text."""
    for file in [*FOLDER.rglob("*.sql"), *(PROJECT / "dashboards" / "sql").glob("*.sql")]:
        text = file.read_text()
        # -5::text is the negative of a text
        assert not re.search(r"%\(\w*_id\)s::", text), file
        # the key of a tenant has its own type, what a caller searches for is text
        assert not re.search(r"::text = %\((tenant|organization)_id\)s", text), file
        assert not re.search(r"_id = %\(search\)s", text), file


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, format_checker=FormatChecker()
    )


@each_operation
# the same cases each time, so that a failure is due to the API and not to chance
@settings(max_examples=15, deadline=None, derandomize=True)
def test_answers_are_as_the_document_says(case: Any, api: Api) -> None:
    """Whatever Schemathesis sends: no 5xx, and no answer that the document does not have."""
    validate(case, api, api.tokens["analyst"])


@pytest.fixture(scope="module")
def due(api: Api, writers: dict[str, str]) -> dict[str, str]:
    """A customer that one can record contacts with, and a token for that."""
    customer_id = api.database.value(
        "select min(customer_id::text) from analytics.due_to_order"
        " where tenant_slug = 'north-dairy'"
    )
    return {"customer_id": str(customer_id), "token": writers["north-dairy"]}


@each_of_contacts
@settings(max_examples=60, deadline=None, derandomize=True)
def test_whatever_is_written_down_is_answered_as_the_document_says(
    case: Any, api: Api, due: dict[str, str]
) -> None:
    """With one customer and a writer's token: valid contacts are written, others refused."""
    case.path_parameters = {"tenant": "north-dairy", "customer_id": due["customer_id"]}
    answer = validate(case, api, due["token"])
    STATUSES[case.method].add(answer.status_code)


def test_both_valid_and_invalid_contacts_were_sent() -> None:
    assert {201, 422} <= STATUSES["POST"]
    assert 200 in STATUSES["GET"]


def validate(case: Any, api: Api, token: str) -> Any:
    """Send a request, and validate the answer against the document."""
    # a schema cannot express all that is refused: LOST without a day, days in the wrong order
    is_refused_too = case.method == "POST" or "from" in (case.query or {})
    excluded = [checks.positive_data_acceptance] if is_refused_too else []
    return case.call_and_validate(
        base_url=api.url,
        headers={"Authorization": f"Bearer {token}"},
        excluded_checks=excluded,
    )
