"""The OpenAPI document: it is current, and the API is as it says."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from asking import DOCUMENT, Api, operations
from hypothesis import settings
from jsonschema import Draft202012Validator, FormatChecker

from api.document import EXAMPLES, openapi
from api.reading import FOLDER

pytest_plugins = ["asking"]
schemathesis = pytest.importorskip("schemathesis")
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
Test = Callable[..., None]
each_operation: Callable[[Test], Test] = SCHEMA.exclude(path_regex="/start$").parametrize()


def test_the_document_is_current() -> None:
    """If not: `python -m api.document` writes it anew."""
    assert openapi() == DOCUMENT


def test_every_example_fits_its_schema() -> None:
    for _, path, operation in [*operations(), *operations(starts=True)]:
        for status in {"200", "202"} & set(operation["responses"]):
            content = operation["responses"][status]["content"]["application/json"]
            assert not list(validator(content["schema"]).iter_errors(content["example"])), path
        for parameter in operation["parameters"] if "{" in path else []:
            if parameter["in"] == "path":
                assert parameter["example"], path
    queries = {str(file.relative_to(FOLDER))[:-4] for file in FOLDER.rglob("*.sql")}
    inner = {query for query in queries if query.endswith(("/publication", "/tenant"))}
    assert set(json.loads(EXAMPLES.read_text())["rows"]) == (
        queries - inner - {"operations/organization"}
    )


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, format_checker=FormatChecker()
    )


@each_operation
# the same ones each time: what is new here is the API, not the chance
@settings(max_examples=15, deadline=None, derandomize=True)
def test_answers_are_as_the_document_says(case: Any, api: Api) -> None:
    """Whatever Schemathesis thinks of: no 5xx, and no answer that is not described."""
    case.call_and_validate(
        base_url=api.url, headers={"Authorization": f"Bearer {api.tokens['analyst']}"}
    )
